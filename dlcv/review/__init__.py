"""`dlcv review`: what a change did to the parameters, the scores and the pictures of the study."""
