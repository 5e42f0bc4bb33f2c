"""Schedules over training: the order of turns in each round, and learning rates."""
