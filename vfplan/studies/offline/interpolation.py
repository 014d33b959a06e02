"""Latents between two frames: what each level of the flow carries, after Kumar et al. (2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from vfplan.output.page import Picture, Table
from vfplan.pixels import dequantise, quantise
from vfplan.studies.offline.section import Section, Test
from vfplan.studies.offline.strips import cells, liveliest
from vfplan.studies.offline.trial import NotApplicableError, Trial

COLUMNS = 7


@runtime_checkable
class LatentModel(Protocol):
    """A model of which every frame is the image of latents."""

    def latents(self, images: Tensor) -> tuple[Tensor, ...]:
        """The latents of images (B, C, Y, X) in [-0.5, 0.5), finest level first."""

    def image(self, latents: Sequence[Tensor]) -> Tensor:
        """The images of latents: the inverse of `latents`."""


@torch.inference_mode()
def measure(trial: Trial) -> Section:
    """Walk from the first frame of an episode to its last, in one level's latents at a time."""
    model = trial.model
    if not isinstance(model, LatentModel):
        raise NotApplicableError("the model offers no latents to interpolate: it has no methods latents and image")
    episode = liveliest(trial.true, 1)[0]
    pair = dequantise(trial.true[episode, [0, -1]]).to(trial.device)
    first, last = pair[:1], pair[1:]
    start, end = model.latents(first), model.latents(last)
    some = dequantise(trial.true[:16, 0]).to(trial.device)
    error = 256 * float((model.image(model.latents(some)) - some).abs().max())
    rows, shares = {}, []
    for level in range(len(start)):
        moved = {weight: model.image(mixed(start, end, weight, [level])) for weight in _weights()}
        rows[f"level {level}"] = _shown(moved)
        change = (first - last).square().sum().clamp_min(1e-12)
        shares.append(float(1 - (moved[1.0] - last).square().sum() / change))
    everything = list(range(len(start)))
    rows["all levels"] = _shown({weight: model.image(mixed(start, end, weight, everything)) for weight in _weights()})
    rows["pixels"] = _shown({weight: torch.lerp(first, last, weight) for weight in _weights()})
    numbers: dict[str, Any] = {"largest_reconstruction_error_grey_levels": error, "share_of_change_per_level": shares}
    table = Table(
        ("", *(f"level {level}" for level in range(len(shares)))),
        (("share of the change", *(f"{share:.3f}" for share in shares)),),
        "How much of the squared difference between the two frames goes when this level alone (0 is the finest) is "
        "exchanged. Through its latents a frame is rebuilt to within "
        f"{error:.2g} grey levels; anything near 1 would mean that the flow does not invert.",
    )
    picture = Picture(
        "interpolation.png",
        cells(rows),
        "From the first frame (0) to the last (1) of the episode with the most motion: one level's latents move, the "
        "others stay those of the first frame. A good coarse level carries the scene and the fine ones its edges. The "
        "last row fades the pixels themselves: a flow that has learned objects differs from it.",
    )
    return Section(numbers, (table, picture), ())


def mixed(start: Sequence[Tensor], end: Sequence[Tensor], weight: float, levels: Sequence[int]) -> list[Tensor]:
    """The latents `start`, of which those of `levels` have moved the share `weight` of the way to `end`."""
    return [torch.lerp(a, b, weight if i in levels else 0.0) for i, (a, b) in enumerate(zip(start, end, strict=True))]


def _weights() -> list[float]:
    return [column / (COLUMNS - 1) for column in range(COLUMNS)]


def _shown(images: dict[float, Tensor]) -> dict[str, Tensor]:
    return {f"{weight:.2f}": quantise(image[0]) for weight, image in images.items()}


TEST = Test(
    "interpolation",
    "Latent interpolation",
    "What does each level of latents carry?",
    measure,
)
