"""What VideoFlow learns from clips: each level from windows of its own, the top one also from what it imagines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from vfplan.models.base import Clip
from vfplan.models.recipe import LearningConfig
from vfplan.models.trainable import Loss
from vfplan.models.videoflow.distributions import LatentDistribution
from vfplan.models.videoflow.latents import VideoFlowState
from vfplan.models.videoflow.model import VideoFlow


def negative_log_likelihood(
    prior: LatentDistribution, latent: Tensor, log_det: Tensor, beta: float, annealing: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A loss (B,) whose gradient to the prior is that of the beta-NLL and to the flow below it the exact one; the NLL.

    For beta = 0 and without annealing the whole gradient of the loss is that of the exact negative log-likelihood (B,)
    nats, which is returned beside it, without a graph.
    """
    of_prior, exact = prior.surrogate(latent.detach(), beta, annealing)
    loss = -of_prior - log_det
    # Only a latent that something below can change has a gradient to give.
    if latent.requires_grad:
        loss = loss - prior.detach().log_prob(latent)
    return loss, (-exact - log_det).detach()


class VideoFlowObjective:
    """The losses of a VideoFlow.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: VideoFlow, recipe: LearningConfig) -> None:
        self.model, self.recipe = model, recipe
        self.groups: list[Sequence[int]] = [(level,) for level in range(model.top + 1)]
        if not model.area_averages:
            self.groups = [range(model.top + 1)]
        for name, expected in {"batch": len(self.groups), "history_noise": model.top + 1}.items():
            if len(getattr(recipe, name)) != expected:
                raise ValueError(
                    f"{name} needs {expected} numbers for {model.config.name}; got {getattr(recipe, name)}"
                )
        if recipe.lead_in >= model.past_frames:
            raise ValueError(
                f"lead_in={recipe.lead_in} leaves none of past_frames={model.past_frames} frames to the episode"
            )

    @property
    def window(self) -> int:
        """Frames per clip."""
        return self.model.past_frames + 1 + self.recipe.imagined_steps

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """Priors and dequantiser at the full rate, the flow's steps slower."""
        model = self.model
        shares = ((model.priors, 1.0), (model.levels, self.recipe.flow_rate), (model.dequantiser, 1.0))
        return [(list(part.parameters()), share) for part, share in shares]

    def clipped(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Priors and flow steps of each group of levels that learns, and the dequantiser."""
        found = []
        for _, group in self._learned():
            for name in ("priors", "levels"):
                parameters = [p for level in group for p in getattr(self.model, name)[level].parameters()]
                found.append((f"level {group[0]}" if len(group) == 1 else f"the {name}", parameters))
        return [*found, ("the dequantiser", list(self.model.dequantiser.parameters()))]

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """The loss of each group of levels on one micro-batch, and the exact NLL in nats of each of its levels."""
        for rows, group in self._learned():
            size = rows // self.recipe.micro_batches
            yield self._group_loss(group, clip.take(slice(part * size, (part + 1) * size)), step, rng)

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """Bits per dimension of the levels that learn, in total and for each."""
        levels = [level for _, group in self._learned() for level in group]
        dims = [self.model.level_dims(level) for level in levels]
        bits = [n / math.log(2) / d + 8.0 for n, d in zip(nats, dims, strict=True)]
        total = sum(b * d for b, d in zip(bits, dims, strict=True)) / sum(dims)
        return {"bits_per_dim": total, **{f"level_{level}": b for level, b in zip(levels, bits, strict=True)}}

    def _learned(self) -> list[tuple[int, Sequence[int]]]:
        """Windows per step, and the levels that learn from them."""
        return [(rows, group) for rows, group in zip(self.recipe.batch, self.groups, strict=True) if rows]

    def _group_loss(self, group: Sequence[int], clip: Clip, step: int, rng: torch.Generator) -> Loss:
        """The loss of the levels of one group, and their exact NLL in nats."""
        past, together = self.model.past_frames, not self.model.area_averages
        frames, actions = clip.frames, clip.actions
        imagined, device = 0, clip.frames.device
        # Levels trained alone take their memory as given; trained together, the flow also learns what to remember.
        with torch.set_grad_enabled(together):
            state = self.model.encode(clip.context(past), levels=group)
            if group[0] == self.model.top and self._imagines(step):
                draw = torch.randint(2 * self.recipe.imagined_steps, (1,), generator=rng, device=device)
                imagined = max(0, int(draw.item()) - self.recipe.imagined_steps + 1)
                state = self._imagine(state, actions[:, past - 1 : past - 1 + imagined], rng)
            state = corrupt(state, self.recipe.history_noise, rng)
        last = past - 1 + imagined
        image, log_q = self._dequantise(frames[:, last + 1], frames[:, last], rng, group)
        dims = sum(self.model.level_dims(level) for level in group)
        loss, exact = torch.zeros((), device=device), []
        for level, part in enumerate(self.model.split(image, group)):
            if part is None:
                continue
            latent, coarse, log_det = part
            prior = self.model.prior(level, state, actions[:, last], coarse)
            price = log_q * (self.model.level_dims(level) / image[0].numel())
            annealing = self._annealing(latent[0].numel(), step)
            learning, nats = negative_log_likelihood(prior, latent, log_det, self.recipe.beta, annealing)
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
        learning = self.recipe.batch[0] // self.recipe.micro_batches
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

    def _annealing(self, dims: int, step: int) -> float:
        """From the number of dimensions, where densities are compared per dimension, down to 1."""
        if self.recipe.anneal == 0:
            return 1.0
        return dims ** max(0.0, 1 - step / (self.recipe.anneal * self.recipe.steps))

    def _imagines(self, step: int) -> bool:
        late = step >= self.recipe.imagine_from * self.recipe.steps
        return late and self.recipe.imagined_steps > 0

    def _imagine(self, state: VideoFlowState, actions: Tensor, rng: torch.Generator) -> VideoFlowState:
        """Let the top level roll on, half the rows at temperature 0 and half at 1 (Brandstetter et al., 2022)."""
        rows, steps = actions.shape[:2]
        noise = self.model.sample_noise(rows, max(1, steps), rng, downscale=2**self.model.top)
        temperature = torch.arange(rows, device=actions.device) % 2
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
