"""Metrics of points."""
