"""Invertible layers and nothing else."""
