"""Which maps of a prior's network mean what."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class HeadLayout:
    """Maps in this order: where moving values come from; the parts of each component; the components' log-weights.

    A component has the mean and log standard deviation of a change, the log-odds of copying if it may copy, and the
    log-odds of each place to copy from if there are several.
    """

    latent_channels: int
    """c."""
    sources: int = 0
    """Places of the memory that a value may move from; 0 if none moves."""
    copies: bool = False
    """Whether elements have the alternative to copy."""
    places: int = 0
    """Places to copy from; 0 if there is but one."""
    components: int = 1
    """M; only several have weights."""

    @property
    def parts(self) -> list[int]:
        """Maps of each part of a component."""
        channels = [self.latent_channels] * (3 if self.copies else 2)
        return [*channels, self.places] if self.places else channels

    @property
    def channels(self) -> int:
        """All maps together."""
        return self.sources + self.components * sum(self.parts) + (self.components if self.components > 1 else 0)

    @property
    def moving(self) -> slice:
        """Where moving values come from."""
        return slice(self.sources)

    @property
    def distribution(self) -> slice:
        """All components, and their weights."""
        return slice(self.sources, None)

    @property
    def weights(self) -> slice:
        """The log-weights of several components."""
        return slice(-self.components, None)

    @property
    def mean(self) -> slice:
        """The mean of the only component."""
        return slice(self.sources, self.sources + self.latent_channels)

    @property
    def log_std(self) -> slice:
        """The log standard deviation of the only component, which has no further part."""
        return slice(self.sources + self.latent_channels, None)

    def component(self, chosen: Tensor) -> Tensor:
        """The indices (B, sum(parts)) of the maps of the chosen component (B,)."""
        size = sum(self.parts)
        return self.sources + chosen[:, None] * size + torch.arange(size, device=chosen.device)

    def place(self, component: int, place: int) -> int:
        """The index of the map of a place that this component may copy from."""
        return self.sources + (component + 1) * sum(self.parts) - self.places + place
