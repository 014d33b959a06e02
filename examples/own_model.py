"""A world model of your own, all of it: the last frame, shifted as the action says, and a learned noise.

python -m examples.own_model data=data/push run_dir=runs/shift learning.steps=500
"""

import math
import sys
from dataclasses import dataclass

import torch
from torch import nn

from vfplan.models.base import LogProb
from vfplan.models.registry import Family, register
from vfplan.models.rows import Rows
from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.pixels import LOG_LEVELS, area_average, dequantise, unit_from_frames


@dataclass(frozen=True)
class ShiftConfig(Architecture):
    name: str = "shift"
    past_frames: int = 1


class Shift(TrainableModel):  # every pixel is normal around a blend of the 9 around it, which the action chooses
    bound, reads_simulator, coarsest = "dequantised", False, 1

    def __init__(self, config):
        super().__init__()
        self.config, self.past_frames, self.action_dim = config, config.past_frames, config.action_dim
        self.blend, self.log_std = nn.Linear(config.action_dim, 9), nn.Parameter(torch.tensor(-2.0))

    def mean(self, images, action):
        around = nn.functional.unfold(images, 3, padding=1).unflatten(1, (3, 9)).unflatten(3, images.shape[-2:])
        return (around * self.blend(action).softmax(1)[:, None, :, None, None]).sum(2)

    def encode(self, context):
        return Rows(unit_from_frames(context.frames[:, -1]))

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        shape = (rows, steps, 3, self.config.image_size, self.config.image_size)
        return Rows(torch.zeros(shape) if rng is None else torch.randn(shape, generator=rng))

    def rollout(self, state, actions, noise, *, downscale=1):
        frames = [state.values]
        for action, drawn in zip(actions.unbind(1), noise.values.unbind(1), strict=True):
            frames.append(self.mean(frames[-1], action) + self.log_std.exp() * drawn)
        return Rows(area_average(torch.stack(frames[1:], 1), downscale))

    def decode(self, rollout, steps=None):
        return (rollout.values if steps is None else rollout.values[:, steps]).clamp(0, 1)

    def log_prob(self, context, actions, frames, rng):
        before = torch.cat([context.frames[:, -1:], frames[:, :-1]], dim=1).flatten(0, 1)
        mean = self.mean(unit_from_frames(before), actions.flatten(0, 1)).view(frames.shape)
        away = (dequantise(frames, torch.rand(frames.shape, generator=rng)) + 0.5 - mean) / self.log_std.exp()
        nats = -0.5 * away.square() - self.log_std - 0.5 * math.log(2 * math.pi) - LOG_LEVELS
        return LogProb(nats.sum((2, 3, 4)), nats.sum((2, 3, 4))[..., None])


class Likelihood:  # what it learns from clips
    window = 2

    def __init__(self, model, recipe):
        self.model = model

    def rates(self):
        return [(list(self.model.parameters()), 1.0)]

    def clipped(self):
        return [("the model", list(self.model.parameters()))]

    def losses(self, clip, step, part, rng):
        loss = -self.model.log_prob(clip.context(1), clip.actions, clip.frames[:, 1:], rng).per_frame.mean()
        yield loss, [loss.detach()]

    def report(self, nats):
        return {"bits_per_dim": nats[0] / math.log(2) / (3 * self.model.config.image_size**2)}


FAMILY = Family(ShiftConfig, Shift, Likelihood)
register("shift", FAMILY)

if __name__ == "__main__":
    from vfplan.train import main

    main(["model=shift", *sys.argv[1:]])
