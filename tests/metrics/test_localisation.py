"""The centroid of colour finds the object on the floor, says when it cannot, and stays where it last saw it."""

import numpy as np
import torch

from tests.studies.offline.conftest import FLOOR_TO_PIXEL, arena
from vfplan.metrics.localisation import Colour, Locator, colourfulness, held

FIFTH = 2e-3  # m: a pixel of the arena is about 1 cm


def tensors(**options):
    frames, xy = arena(**options)
    return torch.from_numpy(frames).permute(0, 1, 4, 2, 3), xy[:, :, 0]


def located(**options):
    frames, xy = tensors(**options)
    locator = Locator.fit(Colour.of(frames), frames, xy, FLOOR_TO_PIXEL)
    return locator, frames, xy


def test_the_object_is_found_to_a_fifth_of_a_pixel_although_its_top_stands_above_the_floor():
    locator, frames, xy = located()
    found, mass = locator.locate(frames)
    assert np.abs(found - xy).max() < FIFTH
    assert np.allclose(mass, 1, atol=0.2)
    raw = Locator(locator.colour, locator.pixel_to_floor, np.eye(3)[:, :2]).locate(frames)[0]
    assert np.abs(raw - xy).max() > 4e-3  # what the homography of the floor alone would say


def test_positions_of_other_frames_than_those_it_was_fitted_to_are_as_good():
    frames, xy = tensors(count=8)
    locator = Locator.fit(Colour.of(frames), frames[:4], xy[:4], FLOOR_TO_PIXEL)
    assert np.abs(locator.locate(frames[4:])[0] - xy[4:]).max() < FIFTH


def test_a_hidden_object_is_nowhere_and_spoils_no_fit():
    locator, frames, xy = located(hidden=(3, 4))
    found, mass = locator.locate(frames)
    assert np.isnan(found[:, 3:5]).all() and (mass[:, 3:5] == 0).all()
    others = [0, 1, 2, 5, 6, 7, 8, 9]
    assert np.abs(found[:, others] - xy[:, others]).max() < FIFTH


def test_a_grey_store_has_no_colour():
    grey = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8).expand(-1, 3, -1, -1)
    assert Colour.of(grey) is None
    assert colourfulness(grey).max() < 1e-6


def test_colourfulness_of_pure_red():
    red = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    assert abs(colourfulness(red).item() - 255 / 256 * np.sqrt(2 / 3)) < 1e-6


def test_an_unseen_object_stays_where_it_was_last_seen():
    nan = [np.nan, np.nan]
    path = np.array([nan, [1.0, 2.0], nan, nan, [3.0, 4.0], nan])
    assert np.array_equal(held(path), [nan, [1, 2], [1, 2], [1, 2], [3, 4], [3, 4]], equal_nan=True)
