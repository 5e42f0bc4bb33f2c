"""Run folders: what is in them, checkpoints, logged numbers, and output on the console."""
