"""Networks of domain adaptation."""
