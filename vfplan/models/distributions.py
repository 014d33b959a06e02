"""Distributions over one level's latent: exact densities, and samples as functions of standard-normal noise.

Shapes: B row, M component, (c, y, x) latent. `log_prob` is in nats, summed over the latent.

Each has two log-densities. `log_prob` is exact and what is reported. `learning_log_prob` has the gradient of the
beta-NLL (Seitzer et al., "On the Pitfalls of Heteroscedastic Uncertainty Estimation", 2022, eq. 5): plain likelihood
divides every error by sigma^2, so that a model first learns the still background to the last digit and hardly hears of
the few moving pixels; the weight sigma^(2 beta) undoes that. For beta = 0 both have the same gradient.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class LatentNoise:
    """What a sample is made of: standard-normal numbers, all zero at temperature 0."""

    values: Tensor
    """(B, ..., c, y, x): one for every element of the latent."""
    choices: Tensor | None = None
    """(B, ..., c, y, x): what decides between the alternatives of every element, where it has some."""
    component: Tensor | None = None
    """(B, ..., M): what decides between M alternatives for the whole latent, where there are some."""

    def map(self, function: Callable[[Tensor], Tensor]) -> LatentNoise:
        """The noise with `function` applied to its tensors."""
        parts = (self.values, self.choices, self.component)
        return LatentNoise(*(None if part is None else function(part) for part in parts))  # type: ignore[arg-type]


class LatentDistribution(ABC):
    """The distribution of one level's latent (B, c, y, x), row by row."""

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats of value (B, c, y, x)."""

    @abstractmethod
    def learning_log_prob(self, value: Tensor, beta: float, annealing: float = 1.0) -> Tensor:
        """A number (B,) with the gradient of the beta-weighted log-density.

        With `annealing` T above 1, alternatives for the whole latent are learned from as if their densities were to the
        power 1 / T: deterministic annealing (Ueda and Nakano, 1998), so that none is left over while T falls to 1.
        """

    @abstractmethod
    def transform(self, noise: LatentNoise) -> Tensor:
        """The sample (B, c, y, x) that standard-normal noise selects; zeros give the likeliest alternative's mean."""

    @abstractmethod
    def detach(self) -> LatentDistribution:
        """The same distribution, cut off from the graph."""


@dataclass(frozen=True)
class Gaussian(LatentDistribution):
    """Independent normal elements."""

    mean: Tensor
    log_std: Tensor

    def elements(self, value: Tensor) -> Tensor:
        """Log-density of each element, nats."""
        standard = (value - self.mean) * (-self.log_std).exp()
        return -0.5 * standard.square() - self.log_std - LOG_SQRT_2PI

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats."""
        return self.elements(value).sum(dim=(-3, -2, -1))

    def learning_log_prob(self, value: Tensor, beta: float, annealing: float = 1.0) -> Tensor:
        """Each element weighted by sigma^(2 beta)."""
        return (_weight(self.log_std, beta) * self.elements(value)).sum(dim=(-3, -2, -1))

    def transform(self, noise: LatentNoise) -> Tensor:
        """The mean plus sigma times the noise."""
        return self.mean + self.log_std.exp() * noise.values

    def map(self, function: Callable[[Tensor], Tensor]) -> Gaussian:
        """The distribution with `function` applied to its parameters."""
        return Gaussian(function(self.mean), function(self.log_std))

    def detach(self) -> Gaussian:
        """Cut off from the graph."""
        return self.map(torch.Tensor.detach)


@dataclass(frozen=True)
class CopyOrChange(LatentDistribution):
    """Each element either keeps its last value, up to a small spread, or is drawn from a wider normal distribution.

    Most pixels of a video stand exactly still. One normal distribution must choose between being narrow and allowing
    for motion, and a network never outputs an exact zero change; this mixture copies without a network's error.
    """

    copy: Gaussian
    change: Gaussian
    logit: Tensor
    """Log-odds of copying, the shape of the latent."""

    def _joint(self, value: Tensor) -> tuple[Tensor, Tensor]:
        return logsigmoid(self.logit) + self.copy.elements(value), logsigmoid(-self.logit) + self.change.elements(value)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats."""
        return torch.logaddexp(*self._joint(value)).sum(dim=(-3, -2, -1))

    def learning_log_prob(self, value: Tensor, beta: float, annealing: float = 1.0) -> Tensor:
        """The gradient of each alternative counts by its posterior probability (as in EM) and by its own sigma."""
        copied, changed = self._joint(value)
        posterior = torch.sigmoid(copied - changed).detach()
        wide = _weight(self.change.log_std, beta)
        narrow = _weight(self.copy.log_std, beta)
        copying = narrow * self.copy.elements(value) + wide * logsigmoid(self.logit)
        return (posterior * copying + (1 - posterior) * wide * changed).sum(dim=(-3, -2, -1))

    def transform(self, noise: LatentNoise) -> Tensor:
        """Copied where the choice, standard normal, is below the quantile of the probability of copying."""
        assert noise.choices is not None
        # ndtri is inaccurate in float32 near 1, log_ndtr is not: compare log-probabilities, in both tails alike.
        below = torch.special.log_ndtr(noise.choices) - torch.special.log_ndtr(-noise.choices)
        return torch.where(below < self.logit, self.copy.transform(noise), self.change.transform(noise))

    def map(self, function: Callable[[Tensor], Tensor]) -> CopyOrChange:
        """The distribution with `function` applied to its parameters."""
        return CopyOrChange(self.copy.map(function), self.change.map(function), function(self.logit))

    def detach(self) -> CopyOrChange:
        """Cut off from the graph."""
        return self.map(torch.Tensor.detach)


@dataclass(frozen=True)
class Mixture(LatentDistribution):
    """M alternatives for the whole latent: one component is chosen for all elements together.

    A product of distributions per element cannot say "everything moves left or everything moves right"; this can, and
    its density is still exact and its sampling one pass.
    """

    log_weights: Tensor
    """(B, M), normalised."""
    components: Gaussian | CopyOrChange
    """With parameters (B, M, c, y, x)."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats."""
        return (self.log_weights + self.components.log_prob(value[:, None])).logsumexp(1)

    def learning_log_prob(self, value: Tensor, beta: float, annealing: float = 1.0) -> Tensor:
        """The gradient of each component counts by its posterior probability, as in EM."""
        posterior = self.posterior(value, annealing).detach()
        weighted = self.components.learning_log_prob(value[:, None], beta)
        return (posterior * (weighted + self.log_weights)).sum(1)

    def posterior(self, value: Tensor, annealing: float = 1.0) -> Tensor:
        """Probability (B, M) that value (B, c, y, x) came from each component, evened out by `annealing` above 1."""
        return ((self.log_weights + self.components.log_prob(value[:, None])) / annealing).softmax(1)

    def transform(self, noise: LatentNoise) -> Tensor:
        """A component, by the Gumbel-max trick, and its sample."""
        assert noise.component is not None
        gumbel = -(-torch.special.log_ndtr(noise.component)).log()
        chosen = (self.log_weights + gumbel).argmax(1)
        rows = torch.arange(len(chosen), device=chosen.device)
        return self.components.map(lambda parameter: parameter[rows, chosen]).transform(noise)

    def detach(self) -> Mixture:
        """Cut off from the graph."""
        return Mixture(self.log_weights.detach(), self.components.detach())


def _weight(log_std: Tensor, beta: float) -> Tensor:
    return (2.0 * beta * log_std).exp().detach()
