"""The prepared form of the data sets, and what is read from it: batches, images and latents."""
