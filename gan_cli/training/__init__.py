"""Training: the loop, its callbacks, the state of a run, and the gan-train command."""
