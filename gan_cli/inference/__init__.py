"""Inference: loading trained runs, sampling them, and the gan-sample command."""
