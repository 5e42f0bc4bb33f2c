"""Faults of every kind against the four commands: `make torture`."""
