"""How far imagined frames are from what happened, relative to the guess that nothing moves."""

from __future__ import annotations

import torch
from torch import Tensor

from vfplan.models.base import Context, WorldModel
from vfplan.pixels import unit_from_frames


@torch.inference_mode()
def relative_error(model: WorldModel, frames: Tensor, actions: Tensor, *, downscale: int) -> Tensor:
    """Squared error of a temperature-0 rollout over that of copying the last known frame, per step (T,).

    Args:
        model: the world model.
        frames: (N, P + T, C, Y, X) uint8, the first P are the context.
        actions: (N, P + T - 1, A).
        downscale: frames are compared at the image size divided by this.

    0 is perfect, 1 is no better than copying. The ratio is of sums over all windows, so windows in which nothing moves
    do not count. A model that cannot imagine at this scale imagines full frames, which are then averaged.
    """
    past = model.past_frames
    future = actions[:, past - 1 :]
    state = model.encode(Context(frames[:, :past], actions[:, : past - 1]))
    scale = downscale if imagines_at(model, downscale) else 1
    noise = model.sample_noise(len(frames), future.shape[1], None, downscale=scale)
    imagined = area_average(model.decode(model.rollout(state, future, noise, downscale=scale)), downscale // scale)
    truth = area_average(unit_from_frames(frames[:, past - 1 :]), downscale)
    error = (imagined - truth[:, 1:]).square().sum(dim=(0, 2, 3, 4))
    return error / (truth[:, :1] - truth[:, 1:]).square().sum(dim=(0, 2, 3, 4)).clamp_min(1e-9)


def imagines_at(model: WorldModel, downscale: int) -> bool:
    """Whether the model can roll out at the image size divided by `downscale`."""
    try:
        model.sample_noise(1, 1, None, downscale=downscale)
    except ValueError:
        return False
    return True


def area_average(images: Tensor, factor: int) -> Tensor:
    """Images (..., Y, X) averaged over factor x factor cells: (..., Y / factor, X / factor)."""
    rows, columns = images.shape[-2] // factor, images.shape[-1] // factor
    return images.reshape(*images.shape[:-2], rows, factor, columns, factor).mean(dim=(-3, -1))
