"""Fitting a world model to windows of episodes."""
