"""World models of every kind, each trained, tested and planned with in the same way, in one table."""
