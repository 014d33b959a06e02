"""The default world model: Haar levels, bounded flow steps, U-Net priors that see the actions.

What it changes over the model of 2019 (`architecture_2019.py`), and why, is measured in docs/likelihood.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from vfplan.checks import require_ranges, within
from vfplan.flows import HaarLevel, Level, TopLevel
from vfplan.models.parts.halving import halved
from vfplan.models.trainable import Architecture
from vfplan.models.videoflow.dequantisation import LearnedDequantiser, UniformDequantiser
from vfplan.models.videoflow.model import VideoFlow
from vfplan.models.videoflow.prior import Elements, LevelPrior


@dataclass(frozen=True)
class PriorConfig:
    """One level's prior."""

    widths: tuple[int, ...] = field(metadata={"range": (1, 16384)})
    """Channels at each scale of the U-Net, finest first."""
    blocks: tuple[int, ...] = field(metadata={"range": (0, 64)})
    """Residual blocks at each scale."""
    elements: Elements = "gaussian"
    """Distribution of each element of the latent."""
    components: int = within(1, 1, 1024)
    """Alternatives for the whole latent."""
    copy_radius: int = within(0, 0, 16)
    """How many places away an element may be copied from."""
    advection_radius: int = within(0, 0, 16)
    """How many places away values of the memory may move from in the mean; 0 for no such motion."""
    past_frames: int = within(0, 0, 256)
    """How many of the remembered frames this level sees, the newest ones; 0 for all."""

    def __post_init__(self) -> None:
        require_ranges(self)
        if self.elements not in get_args(Elements):
            raise ValueError(f"elements must be {' or '.join(get_args(Elements))}; got {self.elements}")
        if self.components > 1 and self.elements == "faithful":
            raise ValueError(f"components={self.components} needs elements=gaussian or copy; got faithful")
        if self.copy_radius and self.elements != "copy":
            raise ValueError(f"copy_radius={self.copy_radius} needs elements=copy; got {self.elements}")


@dataclass(frozen=True)
class VideoFlowConfig(Architecture):
    """Architecture of the default `VideoFlow`; stored in checkpoints."""

    sees_hand: ClassVar[bool] = True

    name: str = "videoflow"
    flow_steps: int = within(2, 0, 256)
    flow_width: int = within(24, 1, 16384)
    condition_dim: int = within(64, 1, 16384)
    dequantisation: Literal["uniform", "learned"] = "learned"
    dequantisation_width: int = within(12, 1, 16384)
    priors: tuple[PriorConfig, ...] = (
        PriorConfig((16, 24, 32), (1, 1, 1), "copy", copy_radius=1),
        PriorConfig((24, 40, 48), (1, 1, 1), "copy", copy_radius=1),
        PriorConfig((32, 96, 160), (1, 2, 2), "faithful", advection_radius=2),
    )
    """One per level, finest first; the last is the top. The image is halved len(priors) - 1 times."""

    def __post_init__(self) -> None:
        super().__post_init__()
        halved(self.image_size, len(self.priors) - 1, f"for {len(self.priors)} levels")
        longest = max(prior.past_frames for prior in self.priors)
        if longest > self.past_frames:
            raise ValueError(f"a prior cannot see {longest} frames of a memory of past_frames={self.past_frames}")


def assemble(config: VideoFlowConfig) -> VideoFlow:
    """The default model, freshly initialised."""
    count = len(config.priors)
    levels: list[Level] = [
        HaarLevel(config.channels, steps=config.flow_steps, width=config.flow_width) for _ in range(count - 1)
    ]
    levels.append(TopLevel(config.channels))
    priors = []
    for index, (level, prior) in enumerate(zip(levels, config.priors, strict=True)):
        side = config.image_size // 2 ** min(index + 1, count - 1)
        told = int(config.hand is not None and index == count - 1)  # a map of the hand in place of a coarser image
        priors.append(
            LevelPrior(
                latent_channels=level.latent_channels,
                coarse_channels=level.coarse_channels + told,
                size=(side, side),
                past_frames=prior.past_frames or config.past_frames,
                action_dim=config.action_dim,
                widths=prior.widths,
                blocks=prior.blocks,
                condition_dim=config.condition_dim,
                elements=prior.elements,
                components=prior.components,
                copy_radius=prior.copy_radius,
                advection_radius=prior.advection_radius,
            )
        )
    learned = config.dequantisation == "learned"
    dequantiser = (
        LearnedDequantiser(config.channels, width=config.dequantisation_width) if learned else UniformDequantiser()
    )
    return VideoFlow(config, levels, priors, dequantiser, area_averages=True)
