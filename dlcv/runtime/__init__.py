"""What cannot change a result: errors, loading of params, checkpoints, provenance, tracking, reproduction."""
