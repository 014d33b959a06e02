"""How candidate plans are scored: futures imagined by a model, judged by a cost. Knows no planner and no environment.

E problem (episode), N candidate plan, K sampled future per candidate, T step, A action.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vfplan.costs import Cost, Goal
from vfplan.models.base import WorldModel


@dataclass(frozen=True)
class ScoringConfig:
    """How futures are imagined and put together."""

    downscale: int = 4
    """Plans are scored on images of the frame size divided by this."""
    samples: int = 1
    """K, imagined futures per candidate; the same noise for all candidates of a problem, in antithetic pairs."""
    temperature: float = 0.0
    """Scales the noise of the imagined futures; 0 imagines the one most likely course."""
    rows_per_call: int = 4096
    """Largest number of futures imagined at once; bounds memory, not results."""

    def __post_init__(self) -> None:
        for name in ("downscale", "samples", "rows_per_call"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.temperature < 0:
            raise ValueError(f"temperature must not be negative; got {self.temperature}")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"samples={self.samples} at temperature 0 are all equal; set temperature above 0")


class Scorer:
    """Scores plans by the mean cost over K imagined futures.

    All candidates of a problem face the same noise (common random numbers), drawn anew at every call, so that no
    candidate wins by luck; samples 2i and 2i + 1 are antithetic.
    """

    def __init__(self, model: WorldModel, cost: Cost, config: ScoringConfig) -> None:
        self.model, self.cost, self.config = model, cost, config

    def score(self, state: Any, goal: Goal, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
        """A function from plans (E, N, T, A) to costs (E, N), for the encoded past `state` of E problems."""

        def score(plans: Tensor) -> Tensor:
            problems, candidates, steps = plans.shape[:3]
            noise = self._shared_noise(problems, candidates, steps, rng)
            per_call = max(1, self.config.rows_per_call // (candidates * self.config.samples))
            return torch.cat(
                [
                    self._costs(plans, state, goal, noise, slice(first, min(first + per_call, problems)))
                    for first in range(0, problems, per_call)
                ]
            )

        return score

    def _costs(self, plans: Tensor, state: Any, goal: Goal, noise: Any, part: slice) -> Tensor:
        """Costs (part, N) of the plans (E, N, T, A) of some of the problems."""
        candidates = plans.shape[1]
        copies = candidates * self.config.samples
        futures = plans[part].repeat_interleave(self.config.samples, dim=1)
        rollout = self.model.rollout(
            state.take(part).repeat(copies),
            futures.flatten(0, 1),
            noise.take(slice(part.start * copies, part.stop * copies)),
            downscale=self.config.downscale,
        )
        frames = self.model.decode(rollout).unflatten(0, (-1, copies))
        costs = self.cost(frames, futures, goal.take(part))
        return costs.unflatten(1, (candidates, self.config.samples)).mean(dim=2)

    def _shared_noise(self, problems: int, candidates: int, steps: int, rng: torch.Generator) -> Any:
        """Noise for rows ordered (E, N, K): one draw per problem and sample, the same for every candidate."""
        config = self.config
        if config.temperature == 0:
            return self.model.sample_noise(problems * candidates, steps, None, downscale=config.downscale)
        pairs = (config.samples + 1) // 2
        drawn = self.model.sample_noise(problems * pairs, steps, rng, downscale=config.downscale)
        both = drawn.scaled(config.temperature).antithetic()
        # Row (e, k) of the pairs lies at e * 2 * pairs + k after `antithetic`.
        sample = torch.arange(config.samples, device=rng.device).repeat(problems * candidates)
        problem = torch.arange(problems, device=rng.device).repeat_interleave(candidates * config.samples)
        return both.take(problem * 2 * pairs + sample)
