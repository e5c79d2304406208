"""What this machine has, and what the trainings of params.yaml cost on it: `dlcv doctor`."""
