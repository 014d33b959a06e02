"""EncODEDec: video as a vector that moves by an ordinary differential equation, each frame decoded from it alone.

After Kanaa, Voleti, Kahou and Pal, "Simple Video Generation using Neural ODEs", 2019: a recurrent network reads the
known frames backwards to a Gaussian over the vector at the first of them. Departures: actions move it, too,
dz/dt = f(z, a_t) on [t, t + 1); steps of the solver are fixed, for adaptive ones are those of a whole batch.

Nothing is random but that vector, and its posterior sees the past alone: what happens by chance it cannot learn but as
the mean of all that may happen. That posterior is also what foretells, so that a bound on likelihoods needs no prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.base import Context, LogProb, Noise, State
from vfplan.models.parts.emission import build_emission
from vfplan.models.parts.emitted import Emitted
from vfplan.models.parts.gaussian import Gaussian, GaussianHead
from vfplan.models.parts.halving import halved
from vfplan.models.parts.latent_video import FIXED_NOISES
from vfplan.models.parts.ode import integrate
from vfplan.models.parts.resnet import ResNetDecoder, ResNetEncoder
from vfplan.models.parts.rows import Rows
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.precision import require_float32
from vfplan.models.rows import Rows as Drawn
from vfplan.models.trainable import Architecture
from vfplan.pixels import area_average


@dataclass(frozen=True)
class EncodedecConfig(Architecture):
    """Architecture of an EncODEDec; stored in checkpoints."""

    name: str = "encodedec"
    past_frames: int = within(2, 1, 256)
    emission: Literal["gaussian", "sigma", "laplace"] = "sigma"
    """What is said of each value: normal (sigma) or Laplace with one learned scale for all, or normal with a scale of
    its own (gaussian). No frame is copied, for none is remembered."""
    widths: tuple[int, ...] = within((16, 24, 32, 48), 1, 16384)
    """Channels at each scale, finest first; the image is halved as often."""
    latent: int = within(64, 1, 16384)
    """Elements of the vector that moves, and of the recurrent network."""
    field: int = within(128, 1, 16384)
    """Elements of the two hidden layers of its velocity."""
    solver_steps: int = within(2, 1, 1000)
    """Of the solver, per frame."""

    def __post_init__(self) -> None:
        super().__post_init__()
        halved(self.image_size, len(self.widths), f"for {len(self.widths)} widths", least=1)


@dataclass(frozen=True)
class Inferred(Rows):
    """What is known of the vector at the first frame of a context, and the actions that have moved it since."""

    first: Gaussian
    """(B, z)."""
    actions: Tensor
    """(B, P - 1, A)."""


@dataclass(frozen=True)
class Path:
    """Where the vector is after each action (B, T, z), and by how much its images are to be smaller."""

    latents: Tensor
    downscale: int


class Encodedec(VideoModel):
    """An EncODEDec. Rollouts move a vector; only the frames that are asked for are painted."""

    config: EncodedecConfig
    bound: Literal["elbo"] = "elbo"

    def __init__(self, config: EncodedecConfig) -> None:
        super().__init__(config)
        self.emission = build_emission(config.emission, config.channels, config.image_size)
        size, latent, actions, field = config.image_size, config.latent, config.action_dim, config.field
        self.encoder = ResNetEncoder(config.channels, config.widths, size)
        self.reader = nn.RNNCell(config.widths[-1] * (size >> len(config.widths)) ** 2, latent)
        self.head = GaussianHead(partial(nn.Linear, latent), latent)
        self.velocity = nn.Sequential(
            *(nn.Linear(latent + actions, field), nn.ELU()),
            *(nn.Linear(field, field), nn.ELU()),
            nn.Linear(field, latent),
        )
        self.decoder = ResNetDecoder(latent, config.widths, self.emission.outputs, size)

    def encode(self, context: Context) -> Inferred:
        """Read the context backwards."""
        codes = self._codes(context.frames)
        return Inferred(self._read(codes), self.actions(context.actions))

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> Drawn:
        """Standard normal noise (B, z) of the first vector; the same whatever the scale and the number of steps.

        Raises:
            ValueError: for a scale that does not divide the image.
        """
        self._require_scale(downscale)
        return Drawn(self.normal((rows, self.config.latent), rng))

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> Path:
        """Where the vector goes under actions (B, T, A)."""
        assert isinstance(state, Inferred) and isinstance(noise, Drawn)
        since = state.actions.shape[1]
        moves = torch.cat([state.actions, self.actions(actions)], dim=1)
        return Path(self.move(state.first.sample(noise.values), moves)[:, since + 1 :], downscale)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) in [0, 1] of the chosen steps, painted here, and area averages of them."""
        assert isinstance(rollout, Path)
        latents = rollout.latents if steps is None else rollout.latents[:, steps]
        images = self.emit(latents.flatten(0, 1)).image
        return area_average(images, rollout.downscale).unflatten(0, latents.shape[:2])

    def move(self, z: Tensor, actions: Tensor) -> Tensor:
        """The vector (B, T + 1, z) at first, where it is z (B, z), and after each of actions (B, T, A)."""
        path = [z]
        for action in actions.unbind(1):
            path.append(self._moved(path[-1], action))
        return torch.stack(path, dim=1)

    def emit(self, latents: Tensor) -> Emitted:
        """The distribution of the frames (B, C, Y, X) at vectors (B, z)."""
        output = self.decoder(latents)
        return self.emission(output, output)

    def log_prob(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> LogProb:
        """Log-probability of each frame given the vector, which is drawn from what the P frames before it say.

        Its expectation is below the log-probability (Jensen); many of them average to a tighter bound.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        require_float32(self)
        past, steps = self.past_frames, frames.shape[1]
        codes = self._codes(torch.cat([context.frames, frames[:, :-1]], dim=1))
        moves = torch.cat([self.actions(context.actions), self.actions(actions)], dim=1)
        # Every frame has a window of its own: the P frames before it, and the P actions that lead from the first to it.
        windows = [self._read(codes[:, step : step + past]) for step in range(steps)]
        drawn = self.sample_noise(len(frames) * steps, 1, rng).values.unflatten(0, (len(frames), steps))
        ends = [
            self.move(window.sample(drawn[:, step]), moves[:, step : step + past])[:, -1]
            for step, window in enumerate(windows)
        ]
        found = self.emit(torch.stack(ends, dim=1).flatten(0, 1)).log_prob(frames.flatten(0, 1))
        per_frame = found.unflatten(0, (len(frames), steps))
        return LogProb(per_frame, per_frame[..., None])

    def cell_log_prob(self, context: Context, action: Tensor, frame: Tensor) -> Tensor:
        """Log-probability (B, y, x) nats of each cell of uint8 frame (B, C, Y, X) after action (B, A).

        A cell is as large as a pixel of a thumbnail. The mean of its probabilities under fixed noises.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        require_float32(self)
        state, cells, rng = self.encode(context), [], torch.Generator(action.device).manual_seed(0)
        for _ in range(FIXED_NOISES):
            noise = Drawn(self.sample_noise(1, 1, rng).values.expand(len(frame), -1))
            emitted = self.emit(self.rollout(state, action[:, None], noise).latents[:, 0])
            cells.append(area_average(emitted.log_mass(frame), self.coarsest) * self.coarsest**2)
        return torch.stack(cells).logsumexp(0) - math.log(FIXED_NOISES)

    def _codes(self, frames: Tensor) -> Tensor:
        """What is seen (B, T, c) of uint8 frames (B, T, C, Y, X)."""
        images = self.images(frames.flatten(0, 1))
        return self.encoder(images - 0.5)[-1].flatten(1).unflatten(0, frames.shape[:2])

    def _read(self, codes: Tensor) -> Gaussian:
        """What codes (B, P, c) say of the vector at the first of them."""
        memory = codes.new_zeros(len(codes), self.config.latent)
        for code in reversed(codes.unbind(1)):
            memory = self.reader(code, memory)
        found: Gaussian = self.head(memory)
        return found

    def _moved(self, z: Tensor, action: Tensor) -> Tensor:
        """Where vectors (B, z) are a frame later under action (B, A)."""
        return integrate(lambda at: self.velocity(torch.cat([at, action], dim=1)), z, 1.0, self.config.solver_steps)
