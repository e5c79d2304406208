"""The judge: a digit classifier that reads generated digits."""
