"""Faults of every kind against all commands: `make torture`."""
