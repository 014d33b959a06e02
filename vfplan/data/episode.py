"""Episode: what one run of a policy in an environment leaves behind. Arrays only; the store decides about files."""

from dataclasses import dataclass

import numpy as np

ARRAYS = {"frames": "uint8", "actions": "float32", "hand": "float32", "object_xy": "float32"}
"""Every array of an episode and its dtype, in the order of the files of a shard."""


@dataclass(frozen=True)
class Episode:
    """T actions and the T+1 frames around them: action t leads from frame t to frame t+1.

    Attributes:
        frames: (T+1, Y, X, 3) uint8.
        actions: (T, A) float32 in [-1, 1]; A is 0 where nobody acts.
        hand: (T+1, 3) float32, position of the hand in m; (T+1, 0) where there is no hand.
        object_xy: (T+1, O, 2) float32, positions of the objects on the table in m; O is 0 where they are not known.
        policy: name of the policy that acted.
    """

    frames: np.ndarray
    actions: np.ndarray
    hand: np.ndarray
    object_xy: np.ndarray
    policy: str

    def __post_init__(self) -> None:
        for name, dtype in ARRAYS.items():
            array = getattr(self, name)
            if array.dtype != dtype:
                raise ValueError(f"{name} must be {dtype}, got {array.dtype}")
            steps = len(self.actions) + (name != "actions")
            if len(array) != steps:
                raise ValueError(f"{name} must have {steps} steps for {len(self.actions)} actions, got {len(array)}")

    def __len__(self) -> int:
        """Number of actions, T."""
        return len(self.actions)
