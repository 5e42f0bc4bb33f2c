"""Data sets of points in one and two dimensions."""
