"""Find inputs that take new paths through scan, mappings and loader, and hold each result against a property: `make fuzz`.

A target is a module with `check(data)`. The bytes say everything: how the input is cut, which contract reads it, and the
input itself. `check` raises AssertionError where the property does not hold; any other error is a crash.
"""
