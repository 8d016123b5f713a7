"""The oracle: the KPI definitions a second time, in plain Python, independent of Takings."""
