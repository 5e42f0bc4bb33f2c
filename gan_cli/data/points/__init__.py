"""Data sets of points on the line and in the plane."""
