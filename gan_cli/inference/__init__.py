"""Trained runs: loading them, drawing samples, and the command behind gan-sample."""
