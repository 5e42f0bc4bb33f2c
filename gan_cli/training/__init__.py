"""Training: the loop, its callbacks, a run in progress, and the command behind gan-train."""
