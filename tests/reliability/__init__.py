"""Test with real processes and files what must never go wrong: a number, a file, a byte outside the store."""
