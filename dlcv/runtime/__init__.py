"""Modules that cannot change a result: errors, params, checkpoints, provenance, tracking, reproduction."""
