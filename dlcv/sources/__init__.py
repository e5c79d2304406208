"""Where the data come from: each source, and the stages that prepare its sets."""
