"""Offline tests of a world model on recorded episodes: one file per test; `battery.py` runs them all."""
