"""The simplest state, noise or rollout of a model: one tensor with a row for each of what is computed side by side.

And the noise of a model in which nothing is random.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """A tensor (B, ...) as a `State` or a `Noise` of `vfplan.models.base`."""

    values: Tensor

    def repeat(self, copies: int) -> Rows:
        """Each row `copies` times, adjacent."""
        return Rows(self.values.repeat_interleave(copies, dim=0))

    def take(self, rows: Tensor | slice) -> Rows:
        """The chosen rows."""
        return Rows(self.values[rows])

    def scaled(self, temperature: float) -> Rows:
        """The values times `temperature`."""
        return Rows(self.values * temperature)

    def antithetic(self) -> Rows:
        """Twice as many rows: each followed by its negative."""
        return Rows(torch.stack([self.values, -self.values], dim=1).flatten(0, 1))


class NoNoise:
    """The noise of a deterministic model: any selection or scaling of it is the same."""

    def scaled(self, temperature: float) -> NoNoise:
        """Nothing, scaled."""
        return self

    def antithetic(self) -> NoNoise:
        """Nothing and its negative."""
        return self

    def take(self, rows: Tensor | slice) -> NoNoise:
        """Nothing for the chosen rows."""
        return self
