"""World models: what the next frames may look like, given actions."""
