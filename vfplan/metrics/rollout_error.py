"""How far imagined frames are from what happened, relative to the guess that nothing moves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vfplan.models.base import Clip, WorldModel
from vfplan.pixels import area_average, chroma, unit_from_frames

NOTHING = 1e-9  # squared error: what rounding leaves of the colour of grey frames


@dataclass(frozen=True)
class SquaredError:
    """Squared error per step, summed over windows: of a rollout, and of copying the last known frame.

    Windows are added up before one is divided by the other, so that those in which nothing moves do not count.
    """

    imagined: Tensor
    """(T,)"""
    copied: Tensor
    """(T,)"""

    def __add__(self, other: SquaredError) -> SquaredError:
        return SquaredError(self.imagined + other.imagined, self.copied + other.copied)

    @property
    def relative(self) -> list[float | None]:
        """Per step; 0 is perfect, 1 is no better than copying, None if nothing changed in any window."""
        pairs = zip(self.imagined.tolist(), self.copied.tolist(), strict=True)
        return [imagined / copied if copied > NOTHING else None for imagined, copied in pairs]


@dataclass(frozen=True)
class RolloutError:
    """How wrong imagined frames are."""

    pixels: SquaredError
    """Of all channels."""
    colour: SquaredError
    """Of chroma, in which a grey arm does not count, however much of a frame it moves through."""

    def __add__(self, other: RolloutError) -> RolloutError:
        return RolloutError(self.pixels + other.pixels, self.colour + other.colour)


@torch.inference_mode()
def rollout_error(model: WorldModel, clip: Clip, *, downscale: int) -> RolloutError:
    """The error of a temperature-0 rollout, beside that of copying the last known frame.

    Args:
        model: the world model.
        clip: P + T frames, of which the first P are the context.
        downscale: frames are compared at the image size divided by this.

    A model that cannot imagine at this scale imagines full frames, which are then averaged.
    """
    past = model.past_frames
    taken, frames = clip.actions[:, past - 1 :], clip.frames
    state = model.encode(clip.context(past))
    scale = downscale if imagines_at(model, downscale) else 1
    noise = model.sample_noise(len(frames), taken.shape[1], None, downscale=scale)
    imagined = area_average(model.decode(model.rollout(state, taken, noise, downscale=scale)), downscale // scale)
    truth = area_average(unit_from_frames(frames[:, past - 1 :]), downscale)
    last, future = truth[:, :1], truth[:, 1:]
    return RolloutError(
        SquaredError(_squares(imagined - future), _squares(last - future)),
        SquaredError(_squares(chroma(imagined - future)), _squares(chroma(last - future))),
    )


def _squares(difference: Tensor) -> Tensor:
    """The sum (T,) of squares of images (N, T, C, Y, X)."""
    return difference.square().sum(dim=(0, 2, 3, 4))


def imagines_at(model: WorldModel, downscale: int) -> bool:
    """Whether the model can roll out at the image size divided by `downscale`."""
    try:
        model.sample_noise(1, 1, None, downscale=downscale)
    except ValueError:
        return False
    return True
