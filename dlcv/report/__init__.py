"""The report: reads what the stages made, and knows no area's code."""
