"""Contracts of every kind that the loader accepts, and rows that keep to them."""
