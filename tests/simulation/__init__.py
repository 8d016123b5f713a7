"""A whole shop under a seeded scheduler: several instances on one store, and everything that can happen to them."""
