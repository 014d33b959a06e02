"""One number from the costs of several futures: how much weight the bad ones get."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Risk = Literal["mean", "cvar", "quantile", "worst"]


def over_futures(costs: Tensor, risk: Risk, level: float) -> Tensor:
    """The risk (...) of the costs (..., K) of K equally likely futures.

    Every measure is a weighted mean of the sorted costs. At `level` q in [0, 1]:

    * `mean`: all futures count alike;
    * `quantile`: the cost that a share q of the futures does not exceed, interpolated between neighbours; 0.5 is the
      median, 0 the best and 1 the worst future;
    * `cvar`: conditional value at risk, the mean of the worst share 1 - q of the futures, of which the last may count
      in part (Rockafellar and Uryasev, Conditional Value-at-Risk for General Loss Distributions, 2002); 0 is the mean,
      and from q = 1 - 1 / K on it is the worst future;
    * `worst`: the costliest future.

    A future whose cost is not finite makes the result not finite, whatever its weight: such a plan is rejected. The
    gradient with respect to each cost is its weight.
    """
    ordered = costs.sort(dim=-1).values
    return (ordered * _weights(costs, risk, level)).sum(-1)


def _weights(costs: Tensor, risk: Risk, level: float) -> Tensor:
    """The weights (K,) of costs (..., K) sorted upwards; they sum to 1. Made on the device of the costs."""
    count = costs.shape[-1]
    if risk == "mean":
        return torch.full((count,), 1.0 / count, device=costs.device, dtype=costs.dtype)
    rank = torch.arange(count, device=costs.device, dtype=costs.dtype)
    if risk == "quantile":
        return (1.0 - (rank - level * (count - 1)).abs()).clamp_min(0.0)
    # The tail in futures: a part of one future is still that future.
    tail = 1.0 if risk == "worst" else max((1.0 - level) * count, 1.0)
    return (rank - (count - 1 - tail)).clamp(0.0, 1.0) / tail
