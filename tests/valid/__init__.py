"""Contracts of every kind that the loader accepts, and rows that follow them."""
