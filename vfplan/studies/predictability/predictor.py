"""One small network for all objects that is told where everything is, and what it explains of where they go next.

N episode, S step, O object, F feature. A step is an action with PAST frames before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from vfplan.statistics import Interval, paired_ratio
from vfplan.studies.predictability.positions import Positions

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

PAST = 3  # frames that the network is told, and as many actions, of which the last leads to what is asked
WIDTH, BATCH, LEARNING_RATE = 256, 512, 2e-3
RESAMPLES = 2000


@dataclass(frozen=True)
class Scores:
    """What was predicted of every object at every step."""

    errors: Floats
    """(N, S, O), squared distance of the prediction from where the object went, in the squared unit of positions."""
    moved: Floats
    """(N, S, O), squared distance that the object went."""
    counted: Bools
    """(N, S, O), where the object moves."""

    @property
    def moving(self) -> float:
        """Share of the steps of objects at which these move."""
        return float(self.counted.mean())

    def explained(self, where: Bools | None = None) -> Interval | None:
        """Share of the squared displacement that is explained where objects move; None if none does.

        1 minus the squared error over that of expecting no motion, so 0 is useless and less is worse. `where` (N, S)
        leaves out other steps. 95 % bootstrap interval over episodes.
        """
        counted = self.counted if where is None else self.counted & where[:, :, None]
        of_episode = counted.any(axis=(1, 2))
        if not of_episode.any():
            return None
        errors, moved = ((rows * counted).sum(axis=(1, 2))[of_episode] for rows in (self.errors, self.moved))
        # The same draws whatever is judged, so that rows can be compared.
        ratio = paired_ratio(errors, moved, np.random.default_rng(0), draws=RESAMPLES)
        return Interval(1 - ratio.estimate, 1 - ratio.high, 1 - ratio.low)


@dataclass(frozen=True)
class Predictor:
    """A fitted network, and how positions and actions are put to it."""

    network: nn.Module
    threshold: float
    """Objects move at a step that displaces them by more than this, in the unit of the positions."""
    switches: tuple[int, ...]
    """Places of the action components of which only the sign counts."""

    @torch.inference_mode()
    def scores(self, world: Positions) -> Scores:
        """How well the displacements of these episodes are predicted."""
        told, asked = examples(world, self.threshold, self.switches)
        device = next(self.network.parameters()).device
        # An episode at a time: all at once need not fit into memory.
        rows = [self.network(torch.from_numpy(episode).to(device)).cpu().numpy() for episode in told]
        moved = np.square(asked).sum(axis=-1)
        unit = _unit(self.threshold)
        counted = moved > (self.threshold / unit) ** 2
        return Scores(np.square(np.stack(rows) - asked).sum(axis=-1) * unit**2, moved * unit**2, counted)

    def scores_without(self, world: Positions, component: int) -> Scores:
        """The same when one component of all actions is that of another episode (permutation importance).

        Reference: Breiman, Random Forests, 2001, section 10.
        """
        actions = world.actions.copy()
        actions[..., component] = np.roll(actions[..., component], 1, axis=0)
        return self.scores(replace(world, actions=actions))


def fit(
    world: Positions,
    *,
    threshold: float,
    switches: Sequence[int] = (),
    steps: int,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[int], Any] = lambda steps: None,
) -> Predictor:
    """Fit a predictor to all steps of these episodes; `progress` hears how many steps of descent were done."""
    rng = torch.Generator().manual_seed(seed)
    told, asked = (torch.from_numpy(rows).flatten(0, 2).to(device) for rows in examples(world, threshold, switches))
    network = _network(told.shape[1], asked.shape[1], seed).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        drawn = torch.randint(len(told), (BATCH,), generator=rng).to(device)
        loss = functional.mse_loss(network(told[drawn]), asked[drawn])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        progress(1)
    return Predictor(network.eval(), threshold, tuple(switches))


def examples(world: Positions, threshold: float, switches: Sequence[int] = ()) -> tuple[Floats, Floats]:
    """What the network is told of each object at each step (N, S, O, F), and what it is asked (N, S, O, 2).

    Told are the places of all objects, nearest first, and of the hand in the last PAST frames, seen from where the
    object is; where that is; and the last PAST actions. Asked is its next displacement. Lengths are in `_unit`.
    """
    unit = _unit(threshold)
    objects, hand = world.objects / unit, world.hand / unit
    window = np.arange(objects.shape[1] - PAST)[:, None] + np.arange(PAST)
    now, after = objects[:, PAST - 1 : -1], objects[:, PAST:]
    # (N, S, PAST, object that is asked about, object that is seen, 2)
    around = objects[:, window][:, :, :, None] - now[:, :, None, :, None]
    # Sorted, for the order of the others says nothing; the first is the object itself.
    order = np.square(around[:, :, -1]).sum(axis=-1).argsort(axis=-1, kind="stable")
    around = np.take_along_axis(around, order[:, :, None, :, :, None], axis=4).transpose(0, 1, 3, 2, 4, 5)
    told = [around, now]
    if hand.size:
        told.append((hand[:, window][:, :, :, None] - now[:, :, None]).transpose(0, 1, 3, 2, 4))
    actions = world.actions.copy()
    actions[..., list(switches)] = np.where(actions[..., list(switches)] > 0, 1.0, -1.0)
    acting = actions[:, window][:, :, None]
    told.append(np.broadcast_to(acting, (*now.shape[:3], *acting.shape[3:])))
    flat = [part.reshape(*now.shape[:3], -1) for part in told]
    return np.concatenate(flat, axis=-1, dtype=np.float32), (after - now).astype(np.float32)


def _network(told: int, asked: int, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = [told, WIDTH, WIDTH, WIDTH]
        hidden = [(nn.Linear(a, b), nn.SiLU()) for a, b in pairwise(sizes)]
        return nn.Sequential(*(layer for pair in hidden for layer in pair), nn.Linear(WIDTH, asked))


def _unit(threshold: float) -> float:
    """What the network measures lengths in; with a threshold of 5 mm, the reach of an action in `push`."""
    return 10 * threshold
