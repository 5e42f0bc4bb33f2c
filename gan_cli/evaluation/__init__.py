"""Evaluation of runs and folders: results with their provenance, comparisons, tables."""
