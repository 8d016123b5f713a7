"""Hold the oracle: the KPI definitions a second time, in plain Python, with nothing of Takings in it."""
