"""Rollout error: 0 for a perfect model, 1 for one that copies."""

import pytest
import torch

from vfplan.metrics.rollout_error import rollout_error
from vfplan.models.base import Clip
from vfplan.pixels import area_average, unit_from_frames

FRAMES = torch.randint(0, 256, (4, 6, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
ACTIONS = torch.zeros(4, 5, 1)
CLIP = Clip(FRAMES, ACTIONS)


class Recorded:
    """Imagines what it was given."""

    past_frames, action_dim, reads_simulator = 2, 1, False

    def __init__(self, future):
        self.future = future

    def encode(self, context):
        return None

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        return None

    def rollout(self, state, actions, noise, *, downscale=1):
        return area_average(self.future, downscale)

    def decode(self, rollout, steps=None):
        return rollout


def test_a_perfect_model_has_no_error():
    perfect = Recorded(unit_from_frames(FRAMES[:, 2:]))
    error = rollout_error(perfect, CLIP, downscale=2)
    assert error.pixels.relative == pytest.approx([0] * 4, abs=1e-9)
    assert error.colour.relative == pytest.approx([0] * 4, abs=1e-9)


def test_copying_the_last_known_frame_has_error_one():
    copying = Recorded(unit_from_frames(FRAMES[:, 1:2]).expand(-1, 4, -1, -1, -1))
    error = rollout_error(copying, CLIP, downscale=2)
    assert error.pixels.relative == pytest.approx([1] * 4)
    assert error.colour.relative == pytest.approx([1] * 4)


def test_what_is_wrong_in_grey_is_no_error_of_colour():
    truth = unit_from_frames(FRAMES[:, 2:])
    error = rollout_error(Recorded(truth + 0.1 * torch.rand(4, 4, 1, 8, 8)), CLIP, downscale=1)
    assert min(error.pixels.relative) > 1e-3
    assert error.colour.relative == pytest.approx([0] * 4, abs=1e-9)


def test_grey_frames_have_no_error_of_colour():
    grey = FRAMES[:, :, :1].expand(-1, -1, 3, -1, -1)
    error = rollout_error(Recorded(unit_from_frames(grey[:, 2:])), Clip(grey, ACTIONS), downscale=2)
    assert error.colour.relative == [None] * 4


def test_errors_of_two_batches_add_up_to_that_of_both():
    wrong = unit_from_frames(FRAMES[:, 2:]).roll(1, dims=0)
    parts = [rollout_error(Recorded(wrong[rows]), CLIP.take(rows), downscale=2) for rows in (slice(1), slice(1, 4))]
    both = rollout_error(Recorded(wrong), CLIP, downscale=2)
    assert (parts[0] + parts[1]).pixels.relative == pytest.approx(both.pixels.relative)


def test_area_average_keeps_the_mean_and_equals_pooling():
    images = torch.rand(2, 5, 3, 8, 8)
    averaged = area_average(images, 4)
    assert averaged.shape == (2, 5, 3, 2, 2)
    assert torch.allclose(averaged.flatten(0, 1), torch.nn.functional.avg_pool2d(images.flatten(0, 1), 4))


class FullFramesOnly(Recorded):
    """Refuses to imagine thumbnails."""

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        if downscale != 1:
            raise ValueError(f"downscale must be 1; got {downscale}")


def test_a_model_without_thumbnails_is_compared_at_their_size_all_the_same():
    wrong = unit_from_frames(FRAMES[:, 2:]).roll(1, dims=0)
    errors = [rollout_error(kind(wrong), CLIP, downscale=4).pixels.relative for kind in (Recorded, FullFramesOnly)]
    assert errors[0] == pytest.approx(errors[1]) and min(errors[0]) > 0.1
