"""Games whose solution is known in closed form; each of them draws a figure."""
