"""How many frames models imagine per second, side by side."""
