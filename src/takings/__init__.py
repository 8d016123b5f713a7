"""Turn a shop's raw CSV drops into the day's takings."""

__version__ = "0.1.0"
