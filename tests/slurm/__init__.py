"""A sweep on a real Slurm, beside the test suite."""
