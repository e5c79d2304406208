"""A variational autoencoder on 64x64 faces."""
