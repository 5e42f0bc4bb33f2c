"""The division of a turn's batch: parts in one process, whose number does not change what is computed."""
