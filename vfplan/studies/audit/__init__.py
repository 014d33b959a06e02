"""How well costs rank a planner's own candidates: what the command `audit` runs."""
