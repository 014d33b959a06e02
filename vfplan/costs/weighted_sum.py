"""Several costs at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vfplan.checks import require_ranges, within
from vfplan.costs.base import Cost, CostConfig, Goal, LatentSpace
from vfplan.costs.singles import SINGLES, build_single, config_of


@dataclass(frozen=True)
class Term:
    """One cost of a sum. Raises UserError for a name or a setting that does not exist."""

    name: str
    weight: float = within(1.0, 1e-6, 1e6)
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys of that cost; what is not given has its default."""

    def __post_init__(self) -> None:
        require_ranges(self)
        self.cost()

    def cost(self) -> CostConfig:
        """The settings of the cost itself."""
        return config_of(self.name, self.settings, SINGLES)


@dataclass(frozen=True)
class SumConfig(CostConfig):
    """Settings of `WeightedSum`."""

    name: str = "sum"
    terms: tuple[Term, ...] = (
        Term("displacement"),
        Term("goal_image", 0.2, {"distance": "correlation", "reach": 0}),
    )

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("terms must be one or more of {name, weight, settings}")


class WeightedSum:
    """The sum of costs, each times its weight; units are those of its terms."""

    def __init__(self, config: SumConfig, space: LatentSpace | None) -> None:
        self.weights = [term.weight for term in config.terms]
        self.costs: list[Cost] = [build_single(term.cost(), space) for term in config.terms]

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) for actions (E, N, T, A)."""
        parts = [w * cost(frames, actions, goal) for w, cost in zip(self.weights, self.costs, strict=True)]
        return torch.stack(parts).sum(dim=0)
