"""Try with real processes and real files what must never go wrong: a number, a file, a byte outside the store."""
