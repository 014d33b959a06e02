"""What runs left behind, put together on one page. Everything read here may come from a stranger."""
