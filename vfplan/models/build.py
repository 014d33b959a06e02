"""From a model's configuration to the model."""

from __future__ import annotations

from vfplan.models.videoflow import VideoFlow, VideoFlowConfig

CONFIGS: dict[str, type[VideoFlowConfig]] = {"videoflow": VideoFlowConfig}
"""The trainable models by name."""


def build_model(config: VideoFlowConfig) -> VideoFlow:
    """A freshly initialised model; seed torch before for a reproducible one."""
    return VideoFlow(config)
