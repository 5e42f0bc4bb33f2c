"""Run folders: their content, checkpoints, logged numbers, and console output."""
