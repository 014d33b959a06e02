"""Fitting a VideoFlow to windows of episodes: one optimiser step, and everything needed to resume it exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vfplan.models.base import Clip
from vfplan.models.distributions import LatentDistribution
from vfplan.models.latents import VideoFlowState
from vfplan.models.videoflow import VideoFlow
from vfplan.training.distributed import ALONE, Processes
from vfplan.training.recipe import LearningConfig


def negative_log_likelihood(
    prior: LatentDistribution, latent: Tensor, log_det: Tensor, beta: float, annealing: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A loss (B,) whose gradient to the prior is that of the beta-NLL and to the flow below it the exact one; the NLL.

    For beta = 0 and without annealing the whole gradient of the loss is that of the exact negative log-likelihood (B,)
    nats, which is returned beside it, without a graph.
    """
    of_prior, exact = prior.learn(latent.detach(), beta, annealing)
    loss = -of_prior - log_det
    # Only a latent that something below can change has a gradient to give.
    if latent.requires_grad:
        loss = loss - prior.detach().log_prob(latent)
    return loss, (-exact - log_det).detach()


class Learner:
    """A model, its optimiser and its moving average, advanced one step at a time.

    All randomness of part m of step s comes from (seed, s, m), so a learner restored from `state_dict` goes on exactly
    as the uninterrupted one would, and it does not matter which process works on which part.
    """

    def __init__(
        self,
        model: VideoFlow,
        config: LearningConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
    ) -> None:
        self.groups = [(level,) for level in range(model.top + 1)] if model.area_averages else [range(model.top + 1)]
        for name, expected in {"batch": len(self.groups), "history_noise": model.top + 1}.items():
            if len(getattr(config, name)) != expected:
                raise ValueError(
                    f"{name} needs {expected} numbers for {model.config.name}; got {getattr(config, name)}"
                )
        if config.lead_in >= model.past_frames:
            raise ValueError(
                f"lead_in={config.lead_in} leaves none of past_frames={model.past_frames} frames to the episode"
            )
        if config.micro_batches % processes.size:
            raise ValueError(
                f"{processes.size} processes need as many micro_batches, or a multiple; got {config.micro_batches}"
            )
        self.model = model.to(device)
        self.processes = processes
        self.config = config
        self.seed = seed
        self.device = device
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
        shares = ((self.model.priors, 1.0), (self.model.levels, config.flow_rate), (self.model.dequantiser, 1.0))
        groups = [{"params": list(part.parameters()), "share": share} for part, share in shares]
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
        return self.model.past_frames + 1 + self.config.imagined_steps

    @property
    def averaged(self) -> VideoFlow:
        """The model with exponentially averaged weights."""
        return self.average.module  # type: ignore[return-value]

    def step(self, clip: Clip) -> dict[str, float]:
        """Update on `window` frames of B episodes, B the largest batch.

        Returns the exact NLL of the step in bits per dimension of the levels that learn, in total and for each, and the
        learning rate.

        Raises:
            FloatingPointError: if a loss or gradient is not finite; nothing is updated.
        """
        started = time.monotonic()
        rate = self._learning_rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.zero_grad(set_to_none=True)
        levels = [level for rows, group in self._learned() for level in group]
        nats = torch.zeros(len(levels), device=self.device)
        for part in range(self.processes.rank, self.config.micro_batches, self.processes.size):
            nats += self._accumulate(part, clip) / self.config.micro_batches
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        self.processes.add([nats, *gradients])
        self._clip()
        self.optimiser.step()
        self.average.update_parameters(self.model)
        self.steps_done += 1
        self.seconds += time.monotonic() - started
        dims = [self.model.level_dims(level) for level in levels]
        bits = [n / math.log(2) / d + 8.0 for n, d in zip(nats.tolist(), dims, strict=True)]
        total = sum(b * d for b, d in zip(bits, dims, strict=True)) / sum(dims)
        per_level = {f"level_{level}": b for level, b in zip(levels, bits, strict=True)}
        return {"bits_per_dim": total, **per_level, "learning_rate": rate}

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
        """Linear warm-up, then the schedule."""
        config, step = self.config, self.steps_done
        warm = config.learning_rate * min(1.0, (step + 1) / max(1, config.warmup))
        if config.schedule == "constant":
            return warm
        progress = min(1.0, max(0, step - config.warmup) / max(1, config.steps - config.warmup))
        return warm * 0.5 * (1 + math.cos(math.pi * progress))

    def _accumulate(self, part: int, clip: Clip) -> Tensor:
        """Add the gradient of one part of the batch; the exact NLL (L,) nats of each level on it."""
        rng = torch.Generator(self.device).manual_seed(hash((self.seed, self.steps_done, part)) % 2**63)
        nats = []
        for rows, group in self._learned():
            size = rows // self.config.micro_batches
            chosen = slice(part * size, (part + 1) * size)
            loss, exact = self._group_loss(group, clip.take(chosen), rng)
            (loss / self.config.micro_batches).backward()
            nats += exact
        return torch.stack(nats)

    def _learned(self) -> list[tuple[int, Sequence[int]]]:
        """Windows per step, and the levels that learn from them."""
        return [(rows, group) for rows, group in zip(self.config.batch, self.groups, strict=True) if rows]

    def _clip(self) -> None:
        for _, group in self._learned():
            for name in ("priors", "levels"):
                parameters = [p for level in group for p in getattr(self.model, name)[level].parameters()]
                self._clip_norm(parameters, f"level {group[0]}" if len(group) == 1 else f"the {name}")
        self._clip_norm(list(self.model.dequantiser.parameters()), "the dequantiser")

    def _clip_norm(self, parameters: list[nn.Parameter], name: str) -> None:
        norm = nn.utils.clip_grad_norm_(parameters, self.config.clip)
        if not math.isfinite(norm.item()):
            raise FloatingPointError(f"gradient of {name} is not finite at step {self.steps_done}")

    def _group_loss(self, group: Sequence[int], clip: Clip, rng: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """The loss of the levels of one group, and their exact NLL in nats."""
        past, together = self.model.past_frames, not self.model.area_averages
        frames, actions = clip.frames, clip.actions
        imagined = 0
        # Levels trained alone take their memory as given; trained together, the flow also learns what to remember.
        with torch.set_grad_enabled(together):
            state = self.model.encode(clip.context(past), levels=group)
            if group[0] == self.model.top and self._imagines():
                draw = torch.randint(2 * self.config.imagined_steps, (1,), generator=rng, device=self.device)
                imagined = max(0, int(draw.item()) - self.config.imagined_steps + 1)
                state = self._imagine(state, actions[:, past - 1 : past - 1 + imagined], rng)
            state = corrupt(state, self.config.history_noise, rng)
        last = past - 1 + imagined
        image, log_q = self._dequantise(frames[:, last + 1], frames[:, last], rng, group)
        dims = sum(self.model.level_dims(level) for level in group)
        loss, exact = torch.zeros((), device=self.device), []
        for level, part in enumerate(self.model.split(image, group)):
            if part is None:
                continue
            latent, coarse, log_det = part
            prior = self.model.prior(level, state, actions[:, last], coarse)
            price = log_q * (self.model.level_dims(level) / image[0].numel())
            annealing = self._annealing(latent[0].numel())
            learning, nats = negative_log_likelihood(prior, latent, log_det, self.config.beta, annealing)
            loss = loss + (learning + price).mean() / dims
            exact.append((nats + price.detach()).mean())
        return loss, exact

    def _dequantise(
        self, frame: Tensor, previous: Tensor, rng: torch.Generator, group: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """The image and log q of uint8 frame (B, C, Y, X); the dequantiser learns from the first rows.

        It serves all groups of levels: each weighs by its dimensions in what it asks of it. No more rows than the
        finest group has take part, for its work at full resolution would be the larger part of a coarse level's; where
        that group is left as it is, so is the dequantiser.
        """
        learning = self.config.batch[0] // self.config.micro_batches
        if not learning:
            with torch.no_grad():
                return self.model.dequantiser(frame, previous, rng)
        image, log_q = self.model.dequantiser(frame[:learning], previous[:learning], rng)
        dims = sum(self.model.level_dims(level) for level in group)
        # The loss is a mean over all rows, of which these stand for all.
        share = dims / image[0].numel() * len(frame) / len(image)
        image, log_q = _scale_gradient(image, share), _scale_gradient(log_q, share)
        if len(frame) > learning:
            with torch.no_grad():
                others = self.model.dequantiser(frame[learning:], previous[learning:], rng)
            image, log_q = torch.cat([image, others[0]]), torch.cat([log_q, others[1]])
        return image, log_q

    def _annealing(self, dims: int) -> float:
        """From the number of dimensions, where densities are compared per dimension, down to 1."""
        if self.config.anneal == 0:
            return 1.0
        return dims ** max(0.0, 1 - self.steps_done / (self.config.anneal * self.config.steps))

    def _imagines(self) -> bool:
        late = self.steps_done >= self.config.imagine_from * self.config.steps
        return late and self.config.imagined_steps > 0

    def _imagine(self, state: VideoFlowState, actions: Tensor, rng: torch.Generator) -> VideoFlowState:
        """Let the top level roll on, half the rows at temperature 0 and half at 1 (Brandstetter et al., 2022)."""
        rows, steps = actions.shape[:2]
        noise = self.model.sample_noise(rows, max(1, steps), rng, downscale=2**self.model.top)
        temperature = torch.arange(rows, device=self.device) % 2
        noise = noise.scaled_by_row(temperature)
        for step in range(steps):
            _, state = self.model.step(state, actions[:, step], noise.at(step), finest=self.model.top)
        return state


def corrupt(state: VideoFlowState, scales: Sequence[float], rng: torch.Generator) -> VideoFlowState:
    """Add Gaussian noise to the memory of each level, so that rollouts do not drift.

    Half of the rows stay as they are; the others get a std uniform in [0, the level's scale].
    """
    levels = tuple(
        None if level is None else level.map(partial(_noisy, scale=scale, rng=rng)) if scale else level
        for level, scale in zip(state.levels, scales, strict=True)
    )
    return replace(state, levels=levels)


def _noisy(memory: Tensor, scale: float, rng: torch.Generator) -> Tensor:
    shape = (memory.shape[0],) + (1,) * (memory.dim() - 1)
    uniform = torch.rand(shape, generator=rng, device=memory.device)
    std = scale * (2 * uniform - 1).clamp_min(0)
    return memory + std * torch.randn(memory.shape, generator=rng, device=memory.device)


def _scale_gradient(x: Tensor, scale: float) -> Tensor:
    return x.detach() + scale * (x - x.detach()) if x.requires_grad else x
