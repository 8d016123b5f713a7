"""A real Spark cluster on this machine: one master and two workers, each a process of its own."""
