"""World models of the literature, a file each; what one learns, where it needs its own, in a file beside it."""
