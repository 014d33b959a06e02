"""How candidate plans are scored: futures imagined by a model, judged by a cost. Knows no planner and no environment.

E problem (episode), N candidate plan, K sampled future per candidate, T step, A action.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vfplan.checks import require_ranges, within
from vfplan.control.finalists import Score, with_finalists
from vfplan.control.risk import Risk, over_futures
from vfplan.costs import Cost, Goal
from vfplan.models.base import WorldModel
from vfplan.pixels import area_average

# What fits the caches of a core (3,200 thumbnails at once take 1.4 times as long per thumbnail), and what fills a GPU.
ROWS_OF_A_CPU, ROWS_ELSEWHERE = 128, 4096


@dataclass(frozen=True)
class FuturesConfig:
    """Which futures are imagined for each candidate."""

    downscale: int = within(4, 1, 256)
    """Futures are imagined, and compared with the goal, at the frame size divided by this."""
    samples: int = within(1, 1, 10_000)
    """K, imagined futures per candidate; the same noise for all candidates of a problem, in antithetic pairs."""
    temperature: float = within(0.0, 0, 10)
    """Scales the noise of the imagined futures; 0 imagines the one most likely course."""

    def __post_init__(self) -> None:
        require_ranges(self)
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"samples={self.samples} at temperature 0 are all equal; set temperature above 0")


@dataclass(frozen=True)
class FinalistsConfig(FuturesConfig):
    """The second look at the best candidates: more futures, a finer scale, or both."""

    samples: int = within(4, 1, 10_000)
    temperature: float = within(0.5, 0, 10)
    count: int = within(0, 0, 10_000)
    """Candidates of each problem and call that are scored again; 0 is no second look."""


@dataclass(frozen=True)
class ScoringConfig(FuturesConfig):
    """How futures are imagined and put together."""

    risk: Risk = "mean"
    """What becomes of the K costs of a candidate."""
    risk_level: float = within(0.5, 0, 1)
    """Of `quantile`, the share of futures that do not cost more; of `cvar`, the share of futures left out."""
    finalists: FinalistsConfig = FinalistsConfig()
    """How the best candidates are scored again."""
    rows_per_call: int = within(0, 0, 10_000_000)
    """Largest number of futures imagined at once; bounds memory, not results. Never less than one problem's; 0 takes as
    many as suit the device."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.risk != "mean" and max(stage.samples for stage in self.stages()) == 1:
            raise ValueError(f"risk={self.risk} of one future is that future; set samples above 1")

    def stages(self) -> Iterator[FuturesConfig]:
        """Every kind of future that will be imagined."""
        yield self
        if self.finalists.count:
            yield self.finalists


class Scorer:
    """Scores plans by a risk measure over the costs of K imagined futures, the best of them by a second look.

    All candidates of a problem face the same noise (common random numbers), drawn anew at every call, so that no
    candidate wins by luck; samples 2i and 2i + 1 are antithetic. Differentiable with respect to the plans, as far as
    model and cost are.
    """

    def __init__(self, model: WorldModel, cost: Cost, config: ScoringConfig) -> None:
        self.model, self.cost, self.config = model, cost, config

    def score(self, state: Any, goal: Goal, rng: torch.Generator) -> Score:
        """A function from plans (E, N, T, A) to costs (E, N), for the encoded past `state` of E problems.

        The images of `goal` have the full frame size.
        """
        first, *second = [self._stage(futures, state, goal, rng) for futures in self.config.stages()]
        return with_finalists(first, second[0], self.config.finalists.count) if second else first

    def _stage(self, futures: FuturesConfig, state: Any, goal: Goal, rng: torch.Generator) -> Score:
        """The score from one kind of futures."""
        seen = replace(goal, images=area_average(goal.images, futures.downscale), memory=state)

        def score(plans: Tensor) -> Tensor:
            problems, candidates, steps = plans.shape[:3]
            noise = self._shared_noise(futures, problems, candidates, steps, rng)
            rows = self.config.rows_per_call or (ROWS_OF_A_CPU if plans.device.type == "cpu" else ROWS_ELSEWHERE)
            per_call = max(1, rows // (candidates * futures.samples))
            parts = [slice(first, min(first + per_call, problems)) for first in range(0, problems, per_call)]
            costs = torch.cat([self._costs(futures, plans, state, seen, noise, part) for part in parts])
            return over_futures(costs, self.config.risk, self.config.risk_level)

        return score

    def _costs(self, futures: FuturesConfig, plans: Tensor, state: Any, goal: Goal, noise: Any, part: slice) -> Tensor:
        """Costs (part, N, K) of the futures of the plans (E, N, T, A) of some of the problems."""
        copies = plans.shape[1] * futures.samples
        actions = plans[part].repeat_interleave(futures.samples, dim=1)
        rollout = self.model.rollout(
            state.take(part).repeat(copies),
            actions.flatten(0, 1),
            noise.take(slice(part.start * copies, part.stop * copies)),
            downscale=futures.downscale,
        )
        frames = self.model.decode(rollout).unflatten(0, (-1, copies))
        return self.cost(frames, actions, goal.take(part)).unflatten(1, (-1, futures.samples))

    def _shared_noise(
        self, futures: FuturesConfig, problems: int, candidates: int, steps: int, rng: torch.Generator
    ) -> Any:
        """Noise for rows ordered (E, N, K): one draw per problem and sample, the same for every candidate."""
        if futures.temperature == 0:
            return self.model.sample_noise(problems * candidates, steps, None, downscale=futures.downscale)
        pairs = (futures.samples + 1) // 2
        drawn = self.model.sample_noise(problems * pairs, steps, rng, downscale=futures.downscale)
        both = drawn.scaled(futures.temperature).antithetic()
        # Row (e, k) of the pairs lies at e * 2 * pairs + k after `antithetic`.
        sample = torch.arange(futures.samples, device=rng.device).repeat(problems * candidates)
        problem = torch.arange(problems, device=rng.device).repeat_interleave(candidates * futures.samples)
        return both.take(problem * 2 * pairs + sample)
