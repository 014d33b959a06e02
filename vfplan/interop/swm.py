"""stable-worldmodel: its solvers over a model and a cost of vfplan, and its models under a planner of vfplan.

It need not be installed: what its solvers call is a pair of methods. Of release 0.1.1 it is `CEMSolver(model=...)` in
`stable_worldmodel.solver`, later `CEMSolver(cost=...)` in `stable_worldmodel.planning.solver`.

B environment (problem), S candidate (sample), T step of the past, C channel, Y row, X column, A action.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vfplan.control.finalists import Score
from vfplan.control.scoring import Scorer, ScoringConfig
from vfplan.costs import Cost, Goal
from vfplan.models.base import Context, WorldModel
from vfplan.models.trainable import TrainableModel
from vfplan.pixels import unit_from_frames


class Costable(Protocol):
    """What stable-worldmodel calls a cost, or a model with a cost of its own."""

    def get_cost(self, info_dict: dict[str, Any], action_candidates: Tensor) -> Tensor:
        """Costs (B, S) of candidates (B, S, horizon, A)."""


class SwmCost(nn.Module):
    """A `Costable` made of a world model and a cost of vfplan; lower is better.

    `info_dict` has, equal over S:

    - `pixels` and `goal` (B, S, T, C, Y, X) uint8, newest last: no transform may have normalised them. Fewer frames
      than the model looks back at stand still at first, more are cut; of `goal` the last one counts;
    - `action_history` (B, S, T - 1, A) where it is known: the actions between the frames; else they were at rest;
    - `hand` (B, S, 2) and `hand_motion` (B, S, 2, 2) where they are known, as in `vfplan.costs.Goal`: from a calibrated
      camera and proprioception. Without them a cost has no terms of reach, and a far-away hand no slope to follow.

    Of `PlanConfig` the `action_block` must be 1. Candidates are clamped to [-1, 1]: so should be what is executed.
    """

    def __init__(self, model: WorldModel, cost: Cost, scoring: ScoringConfig, seed: int = 0) -> None:
        """Score with a model that sees frames alone; `seed` is that of sampled futures. Raises ValueError."""
        super().__init__()
        if model.reads_simulator:
            raise ValueError(f"{type(model).__name__} reads the state of a simulator, which no info_dict has")
        self.model, self.scorer = model, Scorer(model, cost, scoring)
        self._size = model.config.image_size if isinstance(model, TrainableModel) else None
        self._seed, self._rngs = seed, dict[torch.device, torch.Generator]()

    def get_cost(self, info_dict: Mapping[str, Any], action_candidates: Tensor) -> Tensor:
        """Costs (B, S) of candidates (B, S, horizon, A). Raises ValueError for an `info_dict` of another kind."""
        if action_candidates.ndim != 4 or action_candidates.shape[-1] != self.model.action_dim:
            raise ValueError(
                f"expected action_candidates (B, S, horizon, {self.model.action_dim}), with action_block=1; "
                f"got {tuple(action_candidates.shape)}"
            )
        device = action_candidates.device
        pixels = _frames(info_dict, "pixels", device)
        if self._size is not None and pixels.shape[-2:] != (self._size, self._size):
            raise ValueError(f"the model sees {self._size} x {self._size} pixels; got {tuple(pixels.shape[-2:])}")
        state = self.model.encode(self._context(info_dict, pixels))
        rng = self._rngs.setdefault(device, torch.Generator(device).manual_seed(self._seed))
        score = self.scorer.score(state, _goal(info_dict, pixels), rng)
        return score(action_candidates.clamp(-1.0, 1.0).float())

    def criterion(self, info_dict: Mapping[str, Any], action_candidates: Tensor) -> Tensor:
        """The same: nothing is rolled out beforehand."""
        return self.get_cost(info_dict, action_candidates)

    def _context(self, info: Mapping[str, Any], pixels: Tensor) -> Context:
        """The last P of the frames and the actions between them, standing still where nothing is known."""
        past = self.model.past_frames
        missing = max(0, past - pixels.shape[1])
        frames = torch.cat([pixels[:, :1].expand(-1, missing, -1, -1, -1), pixels[:, -past:]], dim=1)
        actions = torch.zeros((len(frames), past - 1, self.model.action_dim), device=pixels.device)
        history = self._history(info, pixels)
        known = 0 if history is None else min(history.shape[1], past - 1)
        if history is not None and known:
            actions[:, past - 1 - known :] = history[:, -known:]
        return Context(frames, actions)

    def _history(self, info: Mapping[str, Any], pixels: Tensor) -> Tensor | None:
        """The actions (B, T - 1, A) between the frames, if anyone knows them."""
        if "action_history" not in info:
            return None
        history = _of_all_candidates(info, "action_history", pixels.device)
        expected = (len(pixels), pixels.shape[1] - 1, self.model.action_dim)
        if history.shape != expected or not bool(history.isfinite().all()):
            raise ValueError(
                f"expected finite action_history (B, S, T - 1, A), here (B, T - 1, A) = {expected}; "
                f"got {tuple(history.shape)}"
            )
        return history.clamp(-1.0, 1.0).float()


def score_of(costable: Costable, info: Mapping[str, Any]) -> Score:
    """What a `Costable` says, as a score for any planner of vfplan: plans (B, S, horizon, A) to costs (B, S).

    `info` is what a solver is given: tensors and arrays (B, ...), and whatever else the model asks for. Environments
    are scored one by one, as by the solvers themselves unless they are told otherwise: LeWM of 0.1.1 takes no more.
    """

    def score(plans: Tensor) -> Tensor:
        problems = range(len(plans))
        # Told afresh at every call: models keep what they computed in it.
        told = [{key: _of(problem, value, plans.shape[1]) for key, value in info.items()} for problem in problems]
        return torch.cat([costable.get_cost(each, plan) for each, plan in zip(told, plans.split(1), strict=True)])

    return score


def _of(problem: int, value: Any, candidates: int) -> Any:
    """The part of an entry (B, ...) about one problem, for each candidate: (1, S, ...)."""
    if not isinstance(value, Tensor | np.ndarray):
        return value
    own = torch.as_tensor(value)[problem]
    return own.expand(1, candidates, *own.shape)


def _goal(info: Mapping[str, Any], pixels: Tensor) -> Goal:
    """The goal, and what else a cost may know. Raises ValueError."""
    images = unit_from_frames(_frames(info, "goal", pixels.device)[:, -1])
    if images.shape != pixels[:, 0].shape:
        raise ValueError(f"goal {tuple(images.shape)} and pixels {tuple(pixels[:, 0].shape)} must be alike")
    if "hand" not in info:
        return Goal(images, seen=unit_from_frames(pixels))
    hand, motion = (_of_all_candidates(info, key, pixels.device).float() for key in ("hand", "hand_motion"))
    if hand.shape != (len(pixels), 2) or motion.shape != (len(pixels), 2, 2) or not torch.equal(*motion.aminmax(dim=0)):
        raise ValueError(
            f"expected hand (B, S, 2) and hand_motion (B, S, 2, 2) equal over B, with B={len(pixels)}; got "
            f"{tuple(hand[:, None].shape)} and {tuple(motion[:, None].shape)}"
        )
    return Goal(images, hand, motion[0], unit_from_frames(pixels))


def _frames(info: Mapping[str, Any], key: str, device: torch.device) -> Tensor:
    """The frames (B, T, C, Y, X) of an entry (B, S, T, C, Y, X). Raises ValueError."""
    frames = _of_all_candidates(info, key, device)
    if frames.dtype != torch.uint8 or frames.ndim != 5 or frames.shape[2] > 4:
        raise ValueError(
            f"expected {key} (B, S, T, C, Y, X) uint8, untransformed; got {tuple(frames[:, None].shape)} {frames.dtype}"
        )
    return frames


def _of_all_candidates(info: Mapping[str, Any], key: str, device: torch.device) -> Tensor:
    """The entry (B, ...) that all candidates of (B, S, ...) have in common. Raises ValueError if they differ."""
    if key not in info:
        raise ValueError(f"info_dict has no {key}; it has {', '.join(sorted(info)) or 'nothing'}")
    value = torch.as_tensor(info[key], device=device)
    if value.ndim < 3:
        raise ValueError(f"expected {key} (B, S, ...), got {tuple(value.shape)}")
    first = value[:, 0]
    if value.stride(1) and not torch.equal(value, first[:, None].expand_as(value)):
        raise ValueError(f"{key} differs between the candidates of one environment; it must be equal over S")
    return first
