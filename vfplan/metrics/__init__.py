"""What is measured of a model: likelihood, errors of rollouts, places of objects, ranks."""
