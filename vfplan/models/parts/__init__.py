"""Parts that several world models are made of."""
