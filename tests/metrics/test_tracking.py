"""Objects are found by their own hue, at any scale, whatever else is coloured."""

import numpy as np
import torch

from vfplan.metrics.tracking import Tracker, colours_of, colours_seen, hue_weights

SIZE, METRES = 48, 0.4
RED, GREEN, BLUE = (0.9, 0.1, 0.1), (0.1, 0.8, 0.15), (0.1, 0.2, 0.9)
# Seen from straight above: x to the right, y up.
FLOOR_TO_PIXEL = np.array([[SIZE / METRES, 0, SIZE / 2], [0, -SIZE / METRES, SIZE / 2], [0, 0, 1.0]])


def scene(places, colours, *, hidden=()):
    """An image (3, SIZE, SIZE) with discs of 3 cm at places (O, 2) in m, and a grey bar over the hidden ones."""
    axis = (np.arange(4 * SIZE) + 0.5) / (4 * SIZE) * METRES - METRES / 2
    x, y = np.meshgrid(axis, -axis)
    image = np.full((4 * SIZE, 4 * SIZE, 3), 0.8)
    for index, ((px, py), colour) in enumerate(zip(places, colours, strict=True)):
        disc = np.hypot(x - px, y - py) < 0.03
        image[disc] = 0.3 if index in hidden else colour
    averaged = image.reshape(SIZE, 4, SIZE, 4, 3).mean(axis=(1, 3))
    return torch.from_numpy(averaged).permute(2, 0, 1).float()


def apart(count, seed=0):
    """Places (count, 3, 2) of three objects that do not touch."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        places = rng.uniform(-0.14, 0.14, (3, 2))
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(3, 1)]
        if gaps.min() > 0.08:
            found.append(places)
    return np.stack(found)


def fitted(images, places):
    colours = torch.tensor([RED, GREEN, BLUE])
    many = torch.stack(images)[:, None].expand(-1, 3, -1, -1, -1).flatten(0, 1)
    return Tracker.fit(many, colours.repeat(len(images), 1), places.reshape(-1, 2), FLOOR_TO_PIXEL, SIZE)


def test_each_object_is_found_among_others_at_every_scale():
    places = apart(12)
    images = [scene(each, (RED, GREEN, BLUE)) for each in places]
    for factor in (1, 3, 6):
        small = [torch.nn.functional.avg_pool2d(image, factor) for image in images]
        tracker = fitted(small[:8], places[:8])
        for image, truth in zip(small[8:], places[8:], strict=True):
            found, _ = tracker.locate(image.expand(3, -1, -1, -1), torch.tensor([RED, GREEN, BLUE]))
            assert np.abs(found - truth).max() < 0.005  # m; a pixel of the smallest is 5 cm


def test_a_hidden_object_is_lost_and_the_others_are_not():
    places = apart(6)
    tracker = fitted([scene(each, (RED, GREEN, BLUE)) for each in places], places)
    image = scene(places[0], (RED, GREEN, BLUE), hidden=(1,))
    found, mass = tracker.locate(image.expand(3, -1, -1, -1), torch.tensor([RED, GREEN, BLUE]))
    assert np.isnan(found[1]).all() and mass[1] == 0
    assert np.abs(found[[0, 2]] - places[0, [0, 2]]).max() < 0.003


def test_grey_has_no_hue():
    grey = torch.rand(1, 5, 5).expand(3, -1, -1)
    assert hue_weights(grey, torch.tensor(RED)).max() == 0


def test_colours_are_read_where_the_objects_are():
    places = apart(4)
    frames = np.stack([scene(each, (RED, GREEN, BLUE)).permute(1, 2, 0).numpy() for each in places])
    found = colours_of((frames * 255).round().astype(np.uint8), places, FLOOR_TO_PIXEL)
    assert np.abs(found - np.array([RED, GREEN, BLUE])).max() < 0.01


def clip(places, hidden):
    """Frames (T, SIZE, SIZE, 3) uint8 of three objects at places (3, 2); the first is hidden where it says so."""
    drawn = [scene(places, (RED, GREEN, BLUE), hidden=(0,) if at else ()) for at in hidden]
    return np.stack([(image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8) for image in drawn])


def test_a_colour_that_is_hidden_at_times_is_read_at_others():
    places = apart(2)
    frames = np.stack([clip(places[0], [True, True, False]), clip(places[1], [False, True, True])])
    found = colours_seen(frames, np.repeat(places[:, None], 3, axis=1), FLOOR_TO_PIXEL)
    assert np.abs(found - np.array([RED, GREEN, BLUE])).max() < 0.01


def test_images_that_hide_an_object_do_not_say_how_large_it_is():
    places = apart(6)
    images = [scene(each, (RED, GREEN, BLUE), hidden=(0,) if index > 1 else ()) for index, each in enumerate(places)]
    red = torch.tensor(RED).expand(6, -1)
    tracker = Tracker.fit(torch.stack(images), red, places[:, 0], FLOOR_TO_PIXEL, SIZE)
    assert tracker.usual == Tracker.fit(torch.stack(images[:2]), red[:2], places[:2, 0], FLOOR_TO_PIXEL, SIZE).usual > 0
