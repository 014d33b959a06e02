"""Worker processes, and what a Ctrl-C does to them."""
