"""Episodes of policies and planners for episode stores: what the command `collect` runs."""
