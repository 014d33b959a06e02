"""The drawing of shapes, against a sub-sample by sub-sample count and against matplotlib."""

import itertools

import numpy as np
import pytest

from vfplan.data.known.moving import DIRECTIONS, SIZES
from vfplan.data.known.shapes import COLOURS, KINDS, SUB, Shape, draw

ALL_SIZES = range(65, 193, 2)
# Wherever a shape can be: the centre, and up to four steps from it.
CENTRES = np.array([(5, 5), *(5 + steps * direction for steps in range(1, 5) for direction in DIRECTIONS)])


def counted(shape, centre, image_size):
    """The frame by testing each sub-sample, in whole numbers of 1 / (2 * 128 * SUB * image_size) units."""
    scale = 2 * 128 * SUB * image_size
    points = (2 * np.arange(SUB * image_size) + 1) * 1280
    x, y = points - centre[0] * scale, (10 * scale - points)[:, None] - centre[1] * scale
    size = shape.size * scale // 128
    if shape.kind == "circle":
        inside = x * x + y * y <= size * size
    elif shape.kind == "square":
        inside = (abs(x) <= size) & (abs(y) <= size)
    else:
        inside = (y >= -size) & (abs(x) <= size) & (3 * (size - abs(x)) ** 2 >= (y + size) ** 2)
    share = inside.reshape(image_size, SUB, image_size, SUB).sum(axis=(1, 3)) / SUB**2
    return np.floor(share[..., None] * np.array(shape.colour) + 0.5).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("image_size", [20, 33])
def test_a_pixel_is_the_share_of_its_sub_samples_that_are_covered(kind, image_size):
    for size, colour, centre in [(65, COLOURS[0], (5, 5)), (131, COLOURS[3], (1, 9)), (191, COLOURS[5], (9, 4))]:
        shape = Shape(kind, colour, size)
        expected = counted(shape, centre, image_size)
        assert expected.any()
        np.testing.assert_array_equal(draw(shape, np.array([centre]), image_size)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_that_of_matplotlib_up_to_its_precision(kind):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Polygon

    for size, (x, y) in [(77, (5, 5)), (150, (3, 8)), (191, (9, 1))]:
        angles = np.linspace(0, 2 * np.pi, 400)
        corners = {  # of a unit shape; Agg itself would draw a circle with few
            "circle": np.stack([np.cos(angles), np.sin(angles)], axis=1),
            "square": np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]),
            "triangle": np.array([(-1, -1), (0, np.sqrt(3) - 1), (1, -1)]),
        }[kind]
        patch = Polygon(corners * size / 128 + (x, y), color="c", linewidth=0, snap=False)
        figure = Figure(figsize=(1, 1), dpi=64, facecolor="black")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 10), ylim=(0, 10))
        axes.set_axis_off()
        axes.add_patch(patch)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        agg = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
        ours = draw(Shape(kind, COLOURS[3], size), np.array([(x, y)]), 64)[0].astype(int)
        assert abs(ours - agg).max() <= 4  # of 255; Agg puts corners on a grid of 1/256 pixel


@pytest.mark.parametrize("image_size", [20, 40, 80])
def test_a_step_is_a_whole_number_of_pixels_where_the_image_allows_it(image_size):
    pixels = image_size // 10
    for kind, size in itertools.product(KINDS, (65, 121, 191)):
        start, *moved = draw(Shape(kind, COLOURS[1], size), CENTRES[:25], image_size)  # up to three steps
        for frame, (x, y) in zip(moved, CENTRES[1:25] - 5, strict=True):
            np.testing.assert_array_equal(frame, np.roll(start, (-pixels * y, pixels * x), axis=(0, 1)))


@pytest.mark.parametrize("image_size", [20, 27, 64])
def test_every_frame_shows_kind_size_and_place(image_size):
    """Otherwise a later frame would tell more than where the shape went, and entropies would not be exact."""
    shapes = [Shape(kind, COLOURS[1], size) for kind in KINDS for size in ALL_SIZES]  # in the darkest colour
    frames = {frame.tobytes() for shape in shapes for frame in draw(shape, CENTRES, image_size)}
    assert len(frames) == len(KINDS) * SIZES * len(CENTRES)


def test_colours_do_not_mix_up():
    frames = {draw(Shape("circle", colour, 65), CENTRES[:1], 20).tobytes() for colour in COLOURS}
    assert len(frames) == len(COLOURS) == 6
