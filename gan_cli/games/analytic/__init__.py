"""Games with a solution in closed form; each of them draws a figure."""
