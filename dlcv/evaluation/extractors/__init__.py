"""Networks whose features the metrics are computed in."""
