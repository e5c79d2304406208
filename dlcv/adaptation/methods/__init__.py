"""Methods of domain adaptation, one file each."""
