"""Studies of models, costs and planners: each with its settings, what runs it, and what it reports."""
