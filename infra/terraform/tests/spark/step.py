"""For plans only."""
