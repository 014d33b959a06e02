"""Fitting a model to windows of episodes: one optimiser step, and everything needed to resume it exactly."""

from __future__ import annotations

import math
import time
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vfplan.errors import said
from vfplan.models.base import Clip
from vfplan.models.recipe import Recipe
from vfplan.models.registry import objective_of
from vfplan.models.trainable import TrainableModel
from vfplan.training.distributed import ALONE, Processes


class Learner:
    """A model, its optimiser and its moving average, advanced one step at a time.

    All randomness of part m of step s comes from (seed, s, m), so a learner restored from `state_dict` goes on exactly
    as the uninterrupted one would, and it does not matter which process works on which part.
    """

    def __init__(
        self,
        model: TrainableModel,
        config: Recipe,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
    ) -> None:
        if config.micro_batches % processes.size:
            raise ValueError(
                f"{processes.size} processes need as many micro_batches, or a multiple; got {config.micro_batches}"
            )
        self.model = model.to(device)
        self.objective = objective_of(self.model, config)
        self.processes = processes
        self.config = config
        self.seed = seed
        self.device = device
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
        groups = [{"params": list(part), "share": share} for part, share in self.objective.rates()]
        *betas, epsilon = config.adam
        self.optimiser = torch.optim.Adam(
            [group for group in groups if group["params"]],
            lr=config.learning_rate,
            betas=(betas[0], betas[1]),
            eps=epsilon,
            fused=True,
        )
        self.steps_done = 0
        self.seconds = 0.0
        """Wall time spent in `step`, resumed runs included."""

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """Let the networks train in `dtype`; weights and their average stay in float32, and so does validation."""
        self.model.set_compute_dtype(dtype)

    @property
    def window(self) -> int:
        """Frames per training window."""
        return self.objective.window

    @property
    def averaged(self) -> TrainableModel:
        """The model with exponentially averaged weights."""
        return cast(TrainableModel, self.average.module)

    def step(self, clip: Clip) -> dict[str, float]:
        """Update on `window` frames of B episodes, B the largest batch.

        Returns what the objective reports of the step, and the learning rate.

        Raises:
            FloatingPointError: if a loss or gradient is not finite; nothing is updated, but the step counts, so that
                the next one sees other data.
        """
        started = time.monotonic()
        rate = self._learning_rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.zero_grad(set_to_none=True)
        parts = range(self.processes.rank, self.config.micro_batches, self.processes.size)
        nats = torch.stack([self._accumulate(part, clip) for part in parts]).sum(0) / self.config.micro_batches
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        self.processes.add([nats, *gradients])
        try:
            self._require_finite(nats)
            self.optimiser.step()
            self.average.update_parameters(self.model)
        finally:
            self.steps_done += 1
            self.seconds += time.monotonic() - started
        return {**self.objective.report(nats.tolist()), "learning_rate": rate}

    def state_dict(self) -> dict[str, Any]:
        """Everything `load_state_dict` needs to go on: tensors and numbers only."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps_done": self.steps_done,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: if it is the state of something else, or no state; the learner is of no use then.
        """
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.steps_done = int(state["steps_done"])
            self.seconds = float(state["seconds"])
        except Exception as error:  # what torch raises for what fits not is no closed set
            raise ValueError(f"{type(error).__name__}: {said(error)}") from error
        if self.steps_done < 0 or not all(_fit(*pair) for pair in self.optimiser.state.items()):
            raise ValueError(f"steps_done={self.steps_done} or a moment of the optimiser is of no such model")

    def _learning_rate(self) -> float:
        """Linear warm-up, then the schedule."""
        config, step = self.config, self.steps_done
        warm = config.learning_rate * min(1.0, (step + 1) / max(1, config.warmup))
        if config.schedule == "constant":
            return warm
        progress = min(1.0, max(0, step - config.warmup) / max(1, config.steps - config.warmup))
        return warm * 0.5 * (1 + math.cos(math.pi * progress))

    def _accumulate(self, part: int, clip: Clip) -> Tensor:
        """Add the gradient of one part of the batch; the exact nats on it."""
        seed = int(np.random.SeedSequence((self.seed, self.steps_done, part)).generate_state(1, np.uint64)[0])
        rng = torch.Generator(self.device).manual_seed(seed)
        nats: list[Tensor] = []
        for loss, exact in self.objective.losses(clip, self.steps_done, part, rng):
            (loss / self.config.micro_batches).backward()
            nats += exact
        return torch.stack(nats)

    def _require_finite(self, nats: Tensor) -> None:
        """Clip the gradients, if they and the nats are numbers."""
        if not bool(nats.isfinite().all()):
            raise FloatingPointError(f"the loss is not finite at step {self.steps_done}")
        for name, parameters in self.objective.clipped():
            norm = nn.utils.clip_grad_norm_(parameters, self.config.clip)
            if not math.isfinite(norm.item()):
                raise FloatingPointError(f"gradient of {name} is not finite at step {self.steps_done}")


def _fit(parameter: Any, moments: Any) -> bool:
    """Whether what an optimiser remembers of a parameter has its shape, as far as it has one."""
    if not (isinstance(parameter, Tensor) and isinstance(moments, dict)):
        return False
    each = [value for value in moments.values() if isinstance(value, Tensor) and value.dim()]
    return all(value.shape == parameter.shape for value in each)
