"""Distributions over one level's latent: exact densities, and samples as functions of standard-normal noise.

Shapes: B row, M component, (c, y, x) latent. `log_prob` is in nats, summed over the latent.

Each has two log-densities. `log_prob` is exact and what is reported. `surrogate` returns another, with the gradient of
the beta-NLL (Seitzer et al., "On the Pitfalls of Heteroscedastic Uncertainty Estimation", 2022, eq. 5): plain
likelihood divides every error by sigma^2, so that a model first learns the still background to the last digit and
hardly hears of the few moving pixels; the weight sigma^(2 beta) undoes that. For beta = 0 both have the same gradient.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)

NEGLIGIBLE = -50.0
"""Nats below the likeliest alternative at which another one no longer counts, not even in float64."""


@dataclass(frozen=True)
class LatentNoise:
    """What a sample is made of: standard-normal numbers, all zero at temperature 0."""

    values: Tensor
    """(B, ..., c, y, x): one for every element of the latent."""
    choices: Tensor | None = None
    """(B, ..., c, y, x): what decides between the alternatives of every element; None takes the likeliest."""
    component: Tensor | None = None
    """(B, ...): what decides between alternatives for the whole latent; None takes the likeliest."""

    def map(self, function: Callable[[Tensor], Tensor]) -> LatentNoise:
        """The noise with `function` applied to its tensors."""
        choices, component = (None if part is None else function(part) for part in (self.choices, self.component))
        return LatentNoise(function(self.values), choices, component)


class LatentDistribution(ABC):
    """The distribution of one level's latent (B, c, y, x), row by row."""

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats of value (B, c, y, x)."""

    @abstractmethod
    def elements(self, value: Tensor) -> Tensor:
        """How much each element of value (B, c, y, x) adds to the log-density, nats: where a value is unlikely."""

    @abstractmethod
    def surrogate(self, value: Tensor, beta: float, annealing: float = 1.0) -> tuple[Tensor, Tensor]:
        """A number (B,) with the gradient of the beta-weighted log-density; the log-density (B,) itself, without one.

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
        return _total(self.elements(value))

    def surrogate(self, value: Tensor, beta: float, annealing: float = 1.0) -> tuple[Tensor, Tensor]:
        """Each element weighted by sigma^(2 beta)."""
        elements = self.elements(value)
        return _total(_weight(self.log_std, beta) * elements), _total(elements).detach()

    def transform(self, noise: LatentNoise) -> Tensor:
        """The mean plus sigma times the noise."""
        return self.mean + self.log_std.exp() * noise.values

    def map(self, function: Callable[[Tensor], Tensor]) -> Gaussian:
        """The distribution with `function` applied to its parameters."""
        return replace(self, mean=function(self.mean), log_std=function(self.log_std))

    def detach(self) -> Gaussian:
        """Cut off from the graph."""
        return self.map(torch.Tensor.detach)


@dataclass(frozen=True)
class Faithful(Gaussian):
    """Independent normal elements whose mean learns from squared errors alone, and whose std from the likelihood.

    However sure the still background has become, a moving pixel counts as much as ever (Stirn et al., "Faithful
    Heteroscedastic Regression with Neural Networks", 2023, section 3). The mean fits as if there were no std; the std
    then is calibrated.
    """

    def surrogate(self, value: Tensor, beta: float, annealing: float = 1.0) -> tuple[Tensor, Tensor]:
        """The mean has the gradient of half the squared error, the std that of the log-density; `beta` is not used."""
        of_mean = -0.5 * (value - self.mean).square()
        of_std = Gaussian(self.mean.detach(), self.log_std).elements(value)
        return _total(of_mean + of_std), _total(of_std).detach()


@dataclass(frozen=True)
class CopyOrChange(LatentDistribution):
    """Each element either takes an old value, up to a small spread, or is drawn from a wider normal distribution.

    Most pixels of a video stand exactly still, and most others move as they are. One normal distribution must choose
    between being narrow and allowing for motion, and a network never outputs an exact copy; this mixture copies from K
    places without a network's error. (Pixels as copies from a neighbourhood: Finn, Goodfellow and Levine, 2016.)
    """

    old: Tensor
    """(..., K, c, y, x): the old values around each place."""
    old_log_std: Tensor
    """(c, 1, 1): how far a copy strays from the old value."""
    change: Gaussian
    logit: Tensor
    """Log-odds of copying, the shape of the latent."""
    log_source: Tensor
    """(..., K, 1, y, x): log-probability of each of the K places to copy from."""

    def _parts(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Log-density of each element under each copy (..., K, c, y, x), and under the change, weights not included."""
        return Gaussian(self.old, self.old_log_std).elements(value.unsqueeze(-4)), self.change.elements(value)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats."""
        return _total(self.elements(value))

    def elements(self, value: Tensor) -> Tensor:
        """Log-density of each element, nats."""
        copies, changed = self._parts(value)
        copied, _ = marginal_and_posterior(self.log_source + copies, -4)
        return torch.logaddexp(logsigmoid(self.logit) + copied, logsigmoid(-self.logit) + changed)

    def surrogate(self, value: Tensor, beta: float, annealing: float = 1.0) -> tuple[Tensor, Tensor]:
        """The gradient of each alternative counts by its posterior probability (as in EM) and by its own sigma."""
        copies, changed = self._parts(value)
        copied, source = marginal_and_posterior((self.log_source + copies).detach(), -4)
        wide, narrow = _weight(self.change.log_std, beta), _weight(self.old_log_std, beta)
        exact = (source * (narrow * copies + wide.unsqueeze(-4) * self.log_source)).sum(-4)
        stays, changes = logsigmoid(self.logit), logsigmoid(-self.logit)
        posterior = torch.sigmoid(stays + copied - changes - changed).detach()
        learning = posterior * (exact + wide * stays) + (1 - posterior) * wide * (changes + changed)
        return _total(learning), _total(torch.logaddexp(stays + copied, changes + changed)).detach()

    def transform(self, noise: LatentNoise) -> Tensor:
        """The alternative that the choices select, and its sample."""
        places = self.old.shape[-4]
        if noise.choices is None:
            best, source = self.log_source.max(dim=-4, keepdim=True)
            stays = self.logit + best.squeeze(-4) >= 0
        else:
            logs = [logsigmoid(self.logit).unsqueeze(-4) + self.log_source, logsigmoid(-self.logit).unsqueeze(-4)]
            chosen = choose(torch.cat(logs, dim=-4).movedim(-4, -1), noise.choices).unsqueeze(-4)
            source, stays = chosen.clamp_max(places - 1), chosen.squeeze(-4) < places
        index = source.expand(*self.old.shape[:-4], 1, *self.old.shape[-3:])
        copy = Gaussian(self.old.gather(-4, index).squeeze(-4), self.old_log_std)
        return torch.where(stays, copy.transform(noise), self.change.transform(noise))

    def map(self, function: Callable[[Tensor], Tensor]) -> CopyOrChange:
        """The distribution with `function` applied to the parameters that differ from row to row."""
        return CopyOrChange(
            function(self.old),
            self.old_log_std,
            self.change.map(function),
            function(self.logit),
            function(self.log_source),
        )

    def detach(self) -> CopyOrChange:
        """Cut off from the graph."""
        return replace(self.map(torch.Tensor.detach), old_log_std=self.old_log_std.detach())


@dataclass(frozen=True)
class Mixture(LatentDistribution):
    """M alternatives for the whole latent: one component is chosen for all elements together.

    A product of distributions per element cannot say "everything moves left or everything moves right"; this can, and
    its density is still exact and its sampling one pass.
    """

    log_weights: Tensor
    """(B, M), normalised."""
    components: Gaussian | CopyOrChange
    """With parameters (B, M, c, y, x); those that all components share may have M = 1."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (B,) nats."""
        return (self.log_weights + self.components.log_prob(value[:, None])).logsumexp(1)

    def surrogate(self, value: Tensor, beta: float, annealing: float = 1.0) -> tuple[Tensor, Tensor]:
        """The gradient of each component counts by its posterior probability, as in EM."""
        weighted, exact = self.components.surrogate(value[:, None], beta)
        joint = self.log_weights.detach() + exact
        posterior = (joint / annealing).softmax(1)
        return (posterior * (weighted + self.log_weights)).sum(1), joint.logsumexp(1)

    def elements(self, value: Tensor) -> Tensor:
        """The posterior mean over components of each element's log-density, nats.

        With r the posterior over components m of weights w, log p(z) = sum_m r_m log p_m(z) - KL(r || w) exactly (the
        evidence bound of EM, which is tight at the posterior). The first term is a sum over elements, and is this; the
        second, between 0 and -log min w, is the price of the component and belongs to no place.
        """
        per_component = self.components.elements(value[:, None])
        posterior = (self.log_weights + per_component.sum(dim=(-3, -2, -1))).softmax(1)
        return (posterior[:, :, None, None, None] * per_component).sum(1)

    def transform(self, noise: LatentNoise) -> Tensor:
        """The component that the noise selects, and its sample."""
        chosen = choose_component(self.log_weights, noise.component)
        rows, count = torch.arange(len(chosen), device=chosen.device), self.log_weights.shape[1]

        def of_chosen(parameter: Tensor) -> Tensor:
            return parameter.expand(-1, count, *parameter.shape[2:])[rows, chosen]

        return self.components.map(of_chosen).transform(noise)

    def detach(self) -> Mixture:
        """Cut off from the graph."""
        return Mixture(self.log_weights.detach(), self.components.detach())


def marginal_and_posterior(joint: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Log sum exp of the log-joint densities of some alternatives along `dim`, and their posterior probabilities.

    Copies are so narrow that most alternatives are hundreds of nats behind, where exp takes ten times as long.
    """
    highest = joint.amax(dim, keepdim=True).detach()
    likelihoods = (joint - highest).clamp_min(NEGLIGIBLE).exp()
    total = likelihoods.sum(dim, keepdim=True)
    return (highest + total.log()).squeeze(dim), likelihoods / total


def choose_component(log_weights: Tensor, noise: Tensor | None) -> Tensor:
    """The component (B,) of a mixture with log-weights (B, M) that noise (B,) selects; None selects the likeliest."""
    return log_weights.argmax(1) if noise is None else choose(log_weights, noise)


def choose(log_probs: Tensor, noise: Tensor) -> Tensor:
    """The alternative, an index (...), that standard-normal noise (...) selects among log_probs (..., K), normalised.

    Alternatives take the normal distribution's mass from its middle outwards, the likeliest first: each is chosen with
    its probability, noise near zero chooses the likeliest, and -n chooses what n does.
    """
    outside = torch.special.erfc(noise.abs() / math.sqrt(2.0))
    if log_probs.shape[-1] == 2:  # without sorting
        first, second = log_probs.unbind(-1)
        unlikely = outside <= torch.minimum(first, second).exp()
        return ((first < second) ^ unlikely).long()
    ordered, order = log_probs.sort(dim=-1, descending=True)
    # What is left after each alternative, summed from the least likely one up, so that small tails stay exact.
    beyond = ordered.exp().flip(-1).cumsum(-1).flip(-1)[..., 1:]
    place = (outside.unsqueeze(-1) <= beyond).sum(-1, keepdim=True)
    return order.gather(-1, place).squeeze(-1)


def _total(elements: Tensor) -> Tensor:
    return elements.sum(dim=(-3, -2, -1))


def _weight(log_std: Tensor, beta: float) -> Tensor:
    return (2.0 * beta * log_std).exp().detach()
