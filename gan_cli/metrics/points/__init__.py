"""Metrics of points, and distances between distributions."""
