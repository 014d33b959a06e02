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
    """(B, ...): what decides between alternatives for the whole latent, where there are some."""

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
    def elements(self, value: Tensor) -> Tensor:
        """How much each element of value (B, c, y, x) adds to the log-density, nats: where a value is unlikely."""

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
    """Each element either takes an old value, up to a small spread, or is drawn from a wider normal distribution.

    Most pixels of a video stand exactly still, and most others move as they are. One normal distribution must choose
    between being narrow and allowing for motion, and a network never outputs an exact copy; this mixture copies from K
    places without a network's error. (Pixels as copies from a neighbourhood: Finn, Goodfellow and Levine, 2016.)
    """

    copy: Gaussian
    """With parameters (..., K, c, y, x): the old values around each place."""
    change: Gaussian
    logit: Tensor
    """Log-odds of copying, the shape of the latent."""
    log_source: Tensor
    """(..., K, 1, y, x): log-probability of each of the K places to copy from."""

    def _parts(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Log-density of each element of each copy (..., K, c, y, x), its weight included, and of the change."""
        copies = logsigmoid(self.logit).unsqueeze(-4) + self.log_source + self.copy.elements(value.unsqueeze(-4))
        return copies, logsigmoid(-self.logit) + self.change.elements(value)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats."""
        return self.elements(value).sum(dim=(-3, -2, -1))

    def elements(self, value: Tensor) -> Tensor:
        """Log-density of each element, nats."""
        copies, changed = self._parts(value)
        return torch.logaddexp(copies.logsumexp(-4), changed)

    def learning_log_prob(self, value: Tensor, beta: float, annealing: float = 1.0) -> Tensor:
        """The gradient of each alternative counts by its posterior probability (as in EM) and by its own sigma."""
        copies, changed = self._parts(value)
        copied = copies.logsumexp(-4)
        posterior = torch.sigmoid(copied - changed).detach()
        source = (copies - copied.unsqueeze(-4)).exp().detach()
        wide, narrow = _weight(self.change.log_std, beta), _weight(self.copy.log_std, beta)
        exact = (source * narrow * self.copy.elements(value.unsqueeze(-4))).sum(-4)
        chosen = (source * self.log_source).sum(-4) + logsigmoid(self.logit)
        return (posterior * (exact + wide * chosen) + (1 - posterior) * wide * changed).sum(dim=(-3, -2, -1))

    def transform(self, noise: LatentNoise) -> Tensor:
        """The alternative that the choices select, and its sample."""
        assert noise.choices is not None
        places = self.copy.mean.shape[-4]
        logs = [logsigmoid(self.logit).unsqueeze(-4) + self.log_source, logsigmoid(-self.logit).unsqueeze(-4)]
        chosen = choose(torch.cat(logs, dim=-4).movedim(-4, -1), noise.choices)
        index = chosen.clamp_max(places - 1).unsqueeze(-4)
        copy = self.copy.map(lambda parameter: parameter.expand_as(self.copy.mean).gather(-4, index).squeeze(-4))
        return torch.where(chosen < places, copy.transform(noise), self.change.transform(noise))

    def map(self, function: Callable[[Tensor], Tensor]) -> CopyOrChange:
        """The distribution with `function` applied to its parameters."""
        return CopyOrChange(
            self.copy.map(function), self.change.map(function), function(self.logit), function(self.log_source)
        )

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

    def elements(self, value: Tensor) -> Tensor:
        """The posterior mean over components of each element's log-density, nats.

        With r the posterior over components m of weights w, log p(z) = sum_m r_m log p_m(z) - KL(r || w) exactly (the
        evidence bound of EM, which is tight at the posterior). The first term is a sum over elements, and is this; the
        second, between 0 and -log min w, is the price of the component and belongs to no place.
        """
        per_component = self.components.elements(value[:, None])
        posterior = (self.log_weights + per_component.sum(dim=(-3, -2, -1))).softmax(1)
        return (posterior[:, :, None, None, None] * per_component).sum(1)

    def posterior(self, value: Tensor, annealing: float = 1.0) -> Tensor:
        """Probability (B, M) that value (B, c, y, x) came from each component, evened out by `annealing` above 1."""
        return ((self.log_weights + self.components.log_prob(value[:, None])) / annealing).softmax(1)

    def transform(self, noise: LatentNoise) -> Tensor:
        """The component that the noise selects, and its sample."""
        assert noise.component is not None
        chosen = choose(self.log_weights, noise.component)
        rows = torch.arange(len(chosen), device=chosen.device)
        return self.components.map(lambda parameter: parameter[rows, chosen]).transform(noise)

    def detach(self) -> Mixture:
        """Cut off from the graph."""
        return Mixture(self.log_weights.detach(), self.components.detach())


def choose(log_probs: Tensor, noise: Tensor) -> Tensor:
    """The alternative, an index (...), that standard-normal noise (...) selects among log_probs (..., K), normalised.

    Alternatives take the normal distribution's mass from its middle outwards, the likeliest first: each is chosen with
    its probability, noise near zero chooses the likeliest, and -n chooses what n does.
    """
    outside = torch.special.erfc(noise.abs() / math.sqrt(2.0))
    if log_probs.shape[-1] == 2:  # without sorting, for it is what rollouts do most
        first, second = log_probs.unbind(-1)
        unlikely = outside <= torch.minimum(first, second).exp()
        return ((first < second) ^ unlikely).long()
    ordered, order = log_probs.sort(dim=-1, descending=True)
    # What is left after each alternative, summed from the least likely one up, so that small tails stay exact.
    beyond = ordered.exp().flip(-1).cumsum(-1).flip(-1)[..., 1:]
    place = (outside.unsqueeze(-1) <= beyond).sum(-1, keepdim=True)
    return order.gather(-1, place).squeeze(-1)


def _weight(log_std: Tensor, beta: float) -> Tensor:
    return (2.0 * beta * log_std).exp().detach()
