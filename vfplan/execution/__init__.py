"""Ways to run independent units of work, with the same results by each, and what a Ctrl-C does to them."""
