"""The report: prints what the metrics and the lists of figures say, and imports no area."""
