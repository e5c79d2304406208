"""The judge: a classifier that predicts the digit in a generated image."""
