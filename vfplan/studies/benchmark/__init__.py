"""Paired comparisons of rows of planner and model in closed loop: what the command `benchmark` runs."""
