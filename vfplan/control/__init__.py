"""Closed-loop control: where a model meets a planner."""
