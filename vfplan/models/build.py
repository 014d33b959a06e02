"""From a model's configuration to the model."""

from __future__ import annotations

from vfplan.models import architecture, architecture_2019
from vfplan.models.architecture import VideoFlowConfig
from vfplan.models.architecture_2019 import VideoFlow2019Config
from vfplan.models.videoflow import Architecture, VideoFlow

CONFIGS: dict[str, type[VideoFlowConfig] | type[VideoFlow2019Config]] = {
    "videoflow": VideoFlowConfig,
    "videoflow_bair": VideoFlowConfig,
    "videoflow_mixture": VideoFlowConfig,
    "videoflow_shapes": VideoFlowConfig,
    "videoflow_2019": VideoFlow2019Config,
    "videoflow_2019_bair_qual": VideoFlow2019Config,
    "videoflow_2019_shapes": VideoFlow2019Config,
    "videoflow_2019_small": VideoFlow2019Config,
}
"""What describes each trainable model, by the model's name."""


def build_model(config: Architecture) -> VideoFlow:
    """A freshly initialised model; seed torch before for a reproducible one."""
    if isinstance(config, VideoFlow2019Config):
        return architecture_2019.assemble(config)
    assert isinstance(config, VideoFlowConfig)
    return architecture.assemble(config)
