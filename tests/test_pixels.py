"""Pixels: every level of 8 bits survives the way to real numbers and back."""

import math

import torch

from vfplan.pixels import LOG_LEVELS, dequantise, frames_from_unit, quantise, to_unit, unit_from_frames

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_every_level_survives_any_dequantisation_noise():
    for noise in (None, torch.zeros(256), torch.full((256,), 0.999), torch.rand(256)):
        assert torch.equal(quantise(dequantise(LEVELS, noise)), LEVELS)


def test_every_level_survives_the_unit_scale():
    assert torch.equal(frames_from_unit(unit_from_frames(LEVELS)), LEVELS)


def test_bins_tile_the_interval_without_gap_or_overlap():
    low, high = dequantise(LEVELS, torch.zeros(256)), dequantise(LEVELS, torch.ones(256))
    assert torch.equal(high[:-1], low[1:])
    assert low[0] == -0.5 and high[-1] == 0.5
    assert math.isclose(LOG_LEVELS, math.log(256))


def test_decoded_images_are_clamped_and_white_does_not_wrap():
    assert torch.equal(to_unit(torch.tensor([-9.0, 0.0, 9.0])), torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(frames_from_unit(torch.tensor([0.0, 1.0])), torch.tensor([0, 255], dtype=torch.uint8))
