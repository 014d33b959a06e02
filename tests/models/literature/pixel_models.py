"""Small models that draw pixel by pixel, and how they are trained in tests."""

import torch

from vfplan.models.base import Clip
from vfplan.models.literature.multiscale import MultiscaleConfig
from vfplan.models.literature.vpn import VPNConfig
from vfplan.models.recipe import Recipe
from vfplan.models.registry import build_model
from vfplan.training.learner import Learner


def perturbed(config, amount=0.1):
    """A model with random parameters."""
    torch.manual_seed(0)
    model = build_model(config)
    for parameter in model.parameters():
        parameter.data += amount * torch.randn_like(parameter)
    return model.eval()


def multiscale(image_size=8, base=2, **changes):
    small = {"width": 4, "blocks": 1, "masked_width": 3, "dilations": (1,), "head_width": 4, "copy_radius": 1}
    return perturbed(MultiscaleConfig(image_size=image_size, base=base, **{**small, **changes}))


def vpn(image_size=8, **changes):
    small = {"width": 3, "encoder_dilations": (1,), "decoder_dilations": (1, 2), "head_width": 4, "copy_radius": 1}
    return perturbed(VPNConfig(image_size=image_size, **{**small, **changes}))


def trained(config, frames, *, steps, rows=32, rate=0.01):
    """A model that learned from `frames`, a function from rows and seed to clips (rows, P + 1, C, Y, X)."""
    torch.manual_seed(0)
    learning = Recipe(steps=steps, batch=(rows,), learning_rate=rate, warmup=30, ema=0.98)
    learner = Learner(build_model(config), learning, seed=0, device=torch.device("cpu"))
    for step in range(steps):
        learner.step(Clip(frames(rows, step), torch.zeros(rows, config.past_frames, 0)))
    return learner.averaged.eval()
