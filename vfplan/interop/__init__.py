"""Other libraries' planners over models and costs of vfplan, and the other way round. None of them is imported."""
