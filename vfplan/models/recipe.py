"""How a model is fitted: every number that training depends on besides model and data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vfplan.checks import require_ranges, within
from vfplan.models.parts.schedules import ramp


@dataclass(frozen=True)
class Recipe:
    """What fitting any model depends on."""

    name: str = ""
    """The model that these settings are for; any model may be trained with any of its kind."""
    steps: int = within(9_000, 1, 1_000_000_000)
    batch: tuple[int, ...] = within((16,), 0, 1_000_000)
    """Windows per step: one number, or one for each level, finest first, where these are trained by themselves."""
    lead_in: int = within(0, 0, 255)
    """How many frames a window may begin before its episode does. There the first frame stands still under zero
    actions, as in the memory of a controller that has just begun."""
    micro_batches: int = within(1, 1, 10_000)
    """Parts that a batch is worked through in, one after the other or on several processes; the result is the same."""
    learning_rate: float = within(2e-3, 1e-12, 100)
    schedule: Literal["cosine", "constant"] = "cosine"
    """After the warm-up: half a cosine to zero, or no change."""
    adam: tuple[float, float, float] = within((0.9, 0.99, 1e-8), 0, 0.999999)
    """beta1, beta2 and epsilon of Adam (Kingma and Ba, 2015)."""
    warmup: int = within(200, 0, 1_000_000_000)
    ema: float = within(0.998, 0, 1)
    clip: float = within(1.0, 0, math.inf)
    """Largest gradient norm of a group of parameters; infinite for no limit."""

    def __post_init__(self) -> None:
        require_ranges(self)
        if max(self.batch, default=0) == 0:
            raise ValueError(f"batch must give windows to one level or more, and 0 to the others; got {self.batch}")
        if self.micro_batches < 1 or any(rows % self.micro_batches for rows in self.batch):
            raise ValueError(f"batch {self.batch} does not split into micro_batches={self.micro_batches} equal parts")


@dataclass(frozen=True)
class LearningConfig(Recipe):
    """How a VideoFlow is fitted."""

    name: str = "videoflow"
    batch: tuple[int, ...] = within((8, 16, 64), 0, 1_000_000)
    """Windows per step and level, finest level first: a level's loss needs no other level, so the top can see more,
    and 0 leaves a level as it is. A model whose levels are trained together has one number."""
    flow_rate: float = within(0.05, 0, 100)
    """Learning rate of the flow steps, as a share of that of the priors: where pixels stand still, latents must keep
    still to a thousandth while the prior settles, or the likelihood blows up."""
    beta: float = within(0.5, 0, 1)
    """Exponent of the beta-NLL; 0 is the plain likelihood."""
    anneal: float = within(0.0, 0, 1)
    """Share of the steps over which alternatives for the whole latent are told apart only gradually (deterministic
    annealing). Worth 0.6 where they do not start apart, which those that copy from different places do."""
    history_noise: tuple[float, ...] = within((0.0, 0.0, 0.01), 0, 10)
    """Upper end of the std of the noise on the remembered latents of each level, drawn uniformly for half of the
    windows; the other half has none."""
    imagined_steps: int = within(3, 0, 1000)
    """In half of the steps the top level learns to go on from 1 to this many frames of its own imagination."""
    imagine_from: float = within(0.5, 0, 1)
    """Share of the steps after which it does so: before, what it imagines is no history worth learning from."""


@dataclass(frozen=True)
class VariationalRecipe(Recipe):
    """How a latent-variable model of video is fitted: by the bound on its likelihood, or as it was published."""

    name: str = "svg_lp"
    frames: int = within(6, 1, 1000)
    """Frames to foretell in a training window, after those that are known."""
    loss: Literal["likelihood", "published"] = "likelihood"
    """likelihood: the evidence lower bound, per dimension. published: the mean squared error (absolute, of a `laplace`
    emission) in units of the pixel range plus `kl_weight` times the KL divergence in nats, which is no density; then
    the scale of the emission alone is fitted to the likelihood."""
    kl_weight: float = within(1.0, 0, 1e6)
    """Of the KL divergence, once it is warm: 1 for a bound on the likelihood."""
    kl_warmup: float = within(0.4, 0, 1)
    """Share of the steps over which that weight rises from 0: else a strong emission leaves the latents unused."""
    free_nats: float = within(0.0, 0, 1e6)
    """KL divergence of a frame and level that costs no more than this much (Kingma et al., 2016)."""
    sampling_decay: int = within(0, 0, 1_000_000_000)
    """k: with probability 1 - k / (k + exp(step / k)) a frame to go on from is the model's own (Bengio et al., 2015);
    0 for always the true one."""

    def infers(self, step: int) -> bool:
        """Whether latents are drawn from the posterior, or else from the prior."""
        return True

    def kl_share(self, step: int) -> float:
        """The share of the weight of the KL divergence that is in force."""
        return ramp(step, self.kl_warmup * self.steps)


@dataclass(frozen=True)
class StagedRecipe(VariationalRecipe):
    """The same in stages (Babaeizadeh et al., 2018): what needs no latents first, then latents that cost nothing."""

    name: str = "sv2p"
    prior_steps: float = within(0.0, 0, 1)
    """Share of the steps, at first, in which latents are drawn from the prior and nothing is inferred."""
    kl_start: float = within(0.0, 0, 1)
    """Share of the steps in which the KL divergence costs nothing; the warm-up is after them."""

    def infers(self, step: int) -> bool:
        """Whether latents are drawn from the posterior, or else from the prior."""
        return step >= self.prior_steps * self.steps

    def kl_share(self, step: int) -> float:
        """The share of the weight of the KL divergence that is in force."""
        return ramp(step - self.kl_start * self.steps, self.kl_warmup * self.steps)
