"""Thumbnails whose right order is known: a red square object and a dark grey hand on a light grey floor."""

import torch
from torch.nn import functional

from vfplan.costs import Goal
from vfplan.models.rows import Rows

SIZE = 16
FLOOR = 0.75
HAND_MOTION = torch.eye(2) * 0.1


def image(object_at=None, hand_at=None, size=SIZE):
    """The scene (3, size, size) with 2x2 squares at integer (column, row)."""
    frame = torch.full((3, size, size), FLOOR)
    for at, colour in ((object_at, (0.9, 0.1, 0.1)), (hand_at, (0.15, 0.15, 0.15))):
        if at is not None:
            column, row = at
            frame[:, row : row + 2, column : column + 2] = torch.tensor(colour)[:, None, None]
    return frame


def goal_of(target, hand=(0.5, 0.5), current=None):
    """The goal (1 problem) with the hand at `hand`, in fractions of the image, and the newest frame."""
    newest = image((12, 12)) if current is None else current
    return Goal(target[None], torch.tensor([hand]), HAND_MOTION, newest[None, None], Rows(torch.zeros(1, 1)))


def cost_of(cost, frame, goal):
    """The cost of one future of one frame, with a hand at rest."""
    return cost(frame[None, None, None], torch.zeros(1, 1, 1, 4), goal).item()


class TwoLevels:
    """A latent space of averages and of what they lack; the next frame is expected to be like the last one."""

    def latents(self, images):
        coarse = functional.avg_pool2d(images, 2)
        return [coarse, images - functional.interpolate(coarse, scale_factor=2.0)]

    def log_density(self, memory, images, actions, image):
        assert len(memory.values) == len(images) == len(actions) == len(image)
        assert actions.shape[1] == images.shape[1] + 1
        last = images[:, -1] if images.shape[1] else torch.full_like(image, FLOOR)
        pairs = zip(self.latents(last), self.latents(image), strict=True)
        return torch.stack([-(a - b).square().sum(dim=(1, 2, 3)) for a, b in pairs], dim=1)
