"""Fitting a VideoFlow to windows of episodes: one optimiser step, and everything needed to resume it exactly."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vfplan.models.base import Context
from vfplan.models.latents import VideoFlowState
from vfplan.models.prior import Gaussian
from vfplan.models.videoflow import VideoFlow
from vfplan.pixels import dequantise


@dataclass(frozen=True)
class LearningConfig:
    """How a model is fitted."""

    steps: int = 9_000
    batch: tuple[int, ...] = (8, 16, 64)
    """Windows per step and level, finest level first: a level's loss needs no other level, so the top can see more."""
    learning_rate: float = 2e-3
    flow_rate: float = 0.05
    """Learning rate of the flow steps, as a share of that of the priors: where pixels stand still, latents must keep
    still to a thousandth while the prior settles, or the likelihood blows up."""
    warmup: int = 200
    beta: float = 0.5
    """Exponent of the beta-NLL; 0 is the plain likelihood."""
    history_noise: float = 0.01
    """Upper end of the std of the noise on remembered latents, drawn uniformly per window."""
    imagined_steps: int = 3
    """In half of the steps the top level learns to go on from 1 to this many frames of its own imagination."""
    imagine_from: float = 0.5
    """Share of the steps after which it does so: before, what it imagines is no history worth learning from."""
    ema: float = 0.998
    clip: float = 1.0
    """Largest gradient norm of a level's prior, and of its flow steps."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1; got {self.steps}")
        if min(self.batch, default=0) < 1:
            raise ValueError(f"batch must give at least 1 window per level; got {self.batch}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive; got {self.learning_rate}")
        if self.imagined_steps < 0:
            raise ValueError(f"imagined_steps must not be negative; got {self.imagined_steps}")


def beta_nll(prior: Gaussian, latent: Tensor, log_det: Tensor, beta: float) -> Tensor:
    """Negative log-likelihood (B,) nats whose gradients to the prior are weighted by sigma^(2 beta).

    Plain NLL divides every error by sigma^2, so that a Gaussian first learns the still background to the last digit
    and hardly hears of the few moving pixels; the weight undoes that (Seitzer et al., 2022, eq. 5). The flow below
    the prior keeps its exact gradient, and the value is the exact one for beta = 0.
    """
    weight = (2.0 * beta * prior.log_std).exp().detach()
    of_prior = weight * prior.log_prob(latent.detach())
    fixed = Gaussian(prior.mean.detach(), prior.log_std.detach())
    of_flow = fixed.log_prob(latent)
    return -(of_prior + of_flow).flatten(1).sum(1) - log_det


class Learner:
    """A model, its optimiser and its moving average, advanced one step at a time.

    All randomness of step s comes from (seed, s), so a learner restored from `state_dict` goes on exactly as the
    uninterrupted one would.
    """

    def __init__(self, model: VideoFlow, config: LearningConfig, *, seed: int, device: torch.device) -> None:
        if len(config.batch) != model.top + 1:
            raise ValueError(f"batch needs one number per level ({model.top + 1}); got {config.batch}")
        self.model = model.to(device)
        self.config = config
        self.seed = seed
        self.device = device
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
        groups = [
            {"params": list(self.model.priors.parameters()), "share": 1.0},
            {"params": list(self.model.levels.parameters()), "share": config.flow_rate},
        ]
        self.optimiser = torch.optim.Adam(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
        self.steps_done = 0
        self.seconds = 0.0
        """Wall time spent in `step`, resumed runs included."""

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """Let the networks train in `dtype`; weights and their average stay in float32, and so does validation."""
        self.model.set_compute_dtype(dtype)

    @property
    def window(self) -> int:
        """Frames per training window."""
        return self.model.past_frames + 1 + self.config.imagined_steps

    @property
    def averaged(self) -> VideoFlow:
        """The model with exponentially averaged weights."""
        return self.average.module  # type: ignore[return-value]

    def step(self, frames: Tensor, actions: Tensor) -> dict[str, float]:
        """Update on uint8 frames (B, window, C, Y, X) and actions (B, window - 1, A), B the largest batch.

        Returns the exact NLL of the step in bits per dimension, in total and per level, and the learning rate.

        Raises:
            FloatingPointError: if a loss or gradient is not finite; nothing is updated.
        """
        started = time.monotonic()
        rng = torch.Generator(self.device).manual_seed(hash((self.seed, self.steps_done)) % 2**63)
        rate = self._learning_rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.zero_grad(set_to_none=True)
        nats = []
        for level, rows in enumerate(self.config.batch):
            loss, exact = self._level_loss(level, frames[:rows], actions[:rows], rng)
            loss.backward()
            for part in (self.model.priors, self.model.levels)[: 1 if level == self.model.top else 2]:
                norm = nn.utils.clip_grad_norm_(part[level].parameters(), self.config.clip)
                if not math.isfinite(norm.item()):
                    raise FloatingPointError(f"gradient of level {level} is not finite at step {self.steps_done}")
            nats.append(exact)
        self.optimiser.step()
        self.average.update_parameters(self.model)
        self.steps_done += 1
        self.seconds += time.monotonic() - started
        dims = [self.model.level_dims(level) for level in range(self.model.top + 1)]
        bits = [n / math.log(2) / d + 8.0 for n, d in zip(nats, dims, strict=True)]
        total = sum(b * d for b, d in zip(bits, dims, strict=True)) / sum(dims)
        return {"bits_per_dim": total, **{f"level_{i}": b for i, b in enumerate(bits)}, "learning_rate": rate}

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
        """Restore what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps_done = int(state["steps_done"])
        self.seconds = float(state["seconds"])

    def _learning_rate(self) -> float:
        """Linear warm-up, then half a cosine to zero."""
        config, step = self.config, self.steps_done
        progress = min(1.0, max(0, step - config.warmup) / max(1, config.steps - config.warmup))
        return config.learning_rate * min(1.0, (step + 1) / config.warmup) * 0.5 * (1 + math.cos(math.pi * progress))

    def _level_loss(self, level: int, frames: Tensor, actions: Tensor, rng: torch.Generator) -> tuple[Tensor, float]:
        past = self.model.past_frames
        imagined = 0
        with torch.no_grad():
            state = self.model.encode(Context(frames[:, :past], actions[:, : past - 1]), levels=[level])
            if level == self.model.top and self._imagines():
                draw = torch.randint(2 * self.config.imagined_steps, (1,), generator=rng, device=self.device)
                imagined = max(0, int(draw.item()) - self.config.imagined_steps + 1)
                state = self._imagine(state, actions[:, past - 1 : past - 1 + imagined], rng)
            state = corrupt(state, self.config.history_noise, rng)
        target = frames[:, past + imagined]
        uniform = torch.rand(target.shape, generator=rng, device=self.device)
        latent, coarse, log_det = self.model.split(level, dequantise(target, uniform))
        prior = self.model.prior(level, state, actions[:, past - 1 + imagined], coarse)
        loss = beta_nll(prior, latent, log_det, self.config.beta).mean() / latent[0].numel()
        with torch.no_grad():
            exact = -(prior.log_prob(latent).flatten(1).sum(1) + log_det).mean().item()
        return loss, exact

    def _imagines(self) -> bool:
        late = self.steps_done >= self.config.imagine_from * self.config.steps
        return late and self.config.imagined_steps > 0

    def _imagine(self, state: VideoFlowState, actions: Tensor, rng: torch.Generator) -> VideoFlowState:
        """Let the top level roll on, half the rows at temperature 0 and half at 1 (Brandstetter et al., 2022)."""
        rows, steps = actions.shape[:2]
        noise = self.model.sample_noise(rows, max(1, steps), rng, downscale=2**self.model.top).levels[-1]
        assert noise is not None
        temperature = (torch.arange(rows, device=self.device) % 2).view(-1, 1, 1, 1)
        unused = [None] * self.model.top
        for step in range(steps):
            drawn = [*unused, temperature * noise[:, step]]
            _, state = self.model.step(state, actions[:, step], drawn, finest=self.model.top)
        return state


def corrupt(state: VideoFlowState, scale: float, rng: torch.Generator) -> VideoFlowState:
    """Add Gaussian noise to the memory, its std uniform in [0, scale] per row, so that rollouts do not drift."""

    def noisy(memory: Tensor) -> Tensor:
        shape = (memory.shape[0],) + (1,) * (memory.dim() - 1)
        std = scale * torch.rand(shape, generator=rng, device=memory.device)
        return memory + std * torch.randn(memory.shape, generator=rng, device=memory.device)

    levels = tuple(None if level is None else level.map(noisy) for level in state.levels)
    return VideoFlowState(levels, state.actions)
