"""Doublings: each place is drawn once, from what was drawn before it alone, in as many passes as the formula says."""

import pytest
import torch

from tests.models.literature.pixel_models import multiscale
from vfplan.models.base import Context
from vfplan.models.literature.multiscale import GROUPS, MultiscaleConfig, PastNet
from vfplan.models.parts.masked import MaskedTrunk
from vfplan.models.parts.pixel_video import Past


def past(model, rows=1):
    """Random frames and actions, that of the present included."""
    rng, size, channels = torch.Generator().manual_seed(1), model.config.image_size, model.config.channels
    frames = torch.randint(256, (rows, 2, channels, size, size), generator=rng, dtype=torch.uint8)
    dtype = next(model.parameters()).dtype
    return Past(frames, torch.rand(rows, 2, model.action_dim, generator=rng, dtype=dtype) * 2 - 1)


def order(model):
    """When each place (Y, X) is drawn: places of a group at the same time."""
    size = model.config.image_size
    times, now = torch.full((size, size), -1), 0
    for level in reversed(range(model.num_levels)):
        for rows, columns in model.grids(level):
            assert (times[rows[:, None], columns] == -1).all()
            count = len(rows) * len(columns)
            base = level == model.num_levels - 1
            times[rows[:, None], columns] = now + (torch.arange(count).view(len(rows), -1) if base else 0)
            now += count
    return times


def test_every_place_is_in_just_one_group():
    model = multiscale(image_size=16)
    assert (order(model) >= 0).all()
    assert [model.level_dims(level) for level in range(4)] == [3 * 192, 3 * 48, 3 * 12, 3 * 4]
    assert sum(model.level_dims(level) for level in range(model.num_levels)) == 3 * 16**2


@pytest.mark.parametrize("level", range(3))
def test_groups_see_what_was_drawn_before_and_nothing_else(level):
    """From the gradient; in these small nets a place of a doubling sees its surroundings, the nearest at least."""
    model = multiscale(image_size=8, base=2, blocks=2).double()
    times = order(model)
    for group, (rows, columns) in enumerate(model.grids(level)):
        for place in range(len(rows) * len(columns)):
            frame = (255 * torch.rand(1, 3, 8, 8, dtype=torch.float64)).requires_grad_()
            features = model.features(level, group, past(model), frame)
            features.flatten(2)[0, :, place].sum().backward()
            seen = frame.grad.abs().sum((0, 1)) > 0
            y, x = rows[place // len(columns)], columns[place % len(columns)]
            assert (times[seen] < times[y, x]).all()
            if level < 2:
                assert all(seen[y - (dy << level), x - (dx << level)] for dy, dx in [GROUPS[group]])


def test_probabilities_of_all_small_pictures_sum_to_one():
    """The first of four pixels, and the last two given the others: all 65,536 of them."""
    model = multiscale(image_size=2, base=1, channels=1).double()
    values = torch.arange(256, dtype=torch.uint8)
    pairs = torch.cartesian_prod(values, values)
    frames = torch.tensor([3, 9], dtype=torch.uint8).expand(len(pairs), -1)
    frames = torch.cat([frames, pairs], dim=1).view(-1, 1, 2, 2)
    known = past(model)
    with torch.no_grad():
        given = known.take(torch.zeros(len(pairs), dtype=torch.long))
        total = (model.level_log_prob(0, given, frames) + model.level_log_prob(1, given, frames)).sum((1, 2))
        first = model.level_log_prob(1, given, frames)[0, 0, 0] + model.level_log_prob(0, given, frames)[0, 0, 1]
        alone = values.view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
        base = model.level_log_prob(1, known.take(torch.zeros(256, dtype=torch.long)), alone)[:, 0, 0]
    assert total.exp().sum().item() == pytest.approx(first.exp().item(), rel=1e-10)
    assert base.exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("size", "base"), [(8, 8), (8, 2), (16, 4)])
def test_passes_are_as_many_as_the_formula_says(size, base, monkeypatch):
    model, called = multiscale(image_size=size, base=base), []
    for kind, name in ((MaskedTrunk, "above"), (MaskedTrunk, "along"), (PastNet, "forward")):
        monkeypatch.setattr(kind, name, counted(getattr(kind, name), called))
    with torch.no_grad():
        model.draw(past(model), torch.zeros(1, 3, size, size))
    doublings = (size // base).bit_length() - 1
    assert len(called) == model.passes_per_frame == base**2 + base + 1 + 3 * doublings


def counted(true, called):
    def call(*given):
        called.append(true)
        return true(*given)

    return call


def test_cells_and_levels_sum_to_the_frame():
    model, given = multiscale().double(), past(multiscale().double(), 2)
    frame = past(model, 2).frames[:, 1]
    context, action = Context(given.frames, given.actions[:, :1]), given.actions[:, 1]
    with torch.no_grad():
        cells = model.cell_log_prob(context, action, frame)
        scored = model.log_prob(context, action[:, None], frame[:, None], torch.Generator())
    assert scored.per_level.shape == (2, 1, 3)
    assert torch.allclose(cells.sum((1, 2)), scored.per_frame[:, 0])


@pytest.mark.parametrize(("size", "doublings", "side"), [(64, 3, 8), (48, 3, 6), (20, 2, 5), (8, 0, 8), (15, 0, 15)])
def test_images_are_halved_as_far_as_they_can_be(size, doublings, side):
    config = MultiscaleConfig(image_size=size)
    assert (config.doublings, config.side) == (doublings, side)


def test_levels_learn_apart_from_each_other():
    model = multiscale()
    parts = [set(model.level_parameters(level)) for level in range(model.num_levels)]
    assert sum(map(len, parts)) == len(set(model.parameters())) == len(set.union(*parts))
