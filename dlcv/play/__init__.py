"""A local page that draws from trained models and reads digits: `dlcv play`."""
