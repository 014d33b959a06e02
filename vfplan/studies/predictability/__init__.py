"""What can be known of what moves: what the command `predictability` runs."""
