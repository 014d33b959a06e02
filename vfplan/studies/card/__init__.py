"""The model card of a checkpoint: its facts, what runs measured of it, and what somebody wrote."""
