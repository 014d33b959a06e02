"""What the models of tests make: states, noise and rollouts that are nothing but a tensor."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Rows:
    """A tensor with a row for each of whatever is computed side by side, handled as the parts of a real model are."""

    values: torch.Tensor

    def repeat(self, copies):
        return Rows(self.values.repeat_interleave(copies, 0))

    def take(self, rows):
        return Rows(self.values[rows])

    def scaled(self, temperature):
        return Rows(self.values * temperature)

    def antithetic(self):
        return Rows(torch.stack([self.values, -self.values], 1).flatten(0, 1))
