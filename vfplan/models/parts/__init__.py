"""What several world models are made of: networks, distributions, losses; no model."""
