"""Solvers own the steps and know no game."""
