"""Evaluation of checkpoints, sweeps and folders of images: results, rankings and tables."""
