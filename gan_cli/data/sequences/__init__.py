"""Data sets of sequences and time series."""
