"""A real Spark cluster on this machine: one master and two workers, each its own process."""
