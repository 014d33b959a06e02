"""VideoFlow: its levels and priors, how they are put together, learned and grown."""
