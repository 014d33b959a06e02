"""From a model's configuration to the model."""

from __future__ import annotations

from vfplan.models import architecture
from vfplan.models.architecture import VideoFlowConfig
from vfplan.models.videoflow import VideoFlow

CONFIGS: dict[str, type[VideoFlowConfig]] = {"videoflow": VideoFlowConfig}
"""The trainable models by name."""


def build_model(config: VideoFlowConfig) -> VideoFlow:
    """A freshly initialised model; seed torch before for a reproducible one."""
    return architecture.assemble(config)
