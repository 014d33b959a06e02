"""A Video Pixel Network: no value sees a later one, frames cost as many passes as there are pixels and rows."""

import pytest
import torch

from tests.models.literature.pixel_models import vpn
from vfplan.models.literature.vpn import VPN, ConvLSTM
from vfplan.models.parts.masked import MaskedTrunk
from vfplan.models.parts.pixel_video import Past


def past(rows, size=8):
    rng = torch.Generator().manual_seed(1)
    frames = torch.randint(256, (rows, 2, 3, size, size), generator=rng, dtype=torch.uint8)
    return Past(frames, torch.rand(rows, 2, 4, generator=rng, dtype=torch.float64) * 2 - 1)


def test_changing_a_value_leaves_those_before_it_as_likely():
    """For every value of an 8x8 picture; those after it hear of it."""
    model, rng = vpn(decoder_dilations=(1, 2, 4)).double(), torch.Generator().manual_seed(2)
    frame = torch.randint(256, (1, 3, 8, 8), generator=rng, dtype=torch.uint8)
    changed = frame.repeat(64, 1, 1, 1)
    changed.movedim(1, -1).flatten(1, 2)[torch.arange(64), torch.arange(64)] = torch.tensor([1, 2, 3]).byte()
    with torch.no_grad():
        known = past(1)
        before = model.level_log_prob(0, known, frame).flatten(1)
        after = model.level_log_prob(0, known.take(torch.zeros(64, dtype=torch.long)), changed).flatten(1)
    for place in range(64):
        assert torch.allclose(after[place, :place], before[0, :place], rtol=1e-12)
        assert (after[place, place:] != before[0, place:]).all()


def test_frames_cost_a_pass_for_every_pixel_and_row(monkeypatch):
    model, called = vpn(), []
    for kind, name in ((MaskedTrunk, "above"), (MaskedTrunk, "along"), (VPN, "encoded")):
        monkeypatch.setattr(kind, name, counted(getattr(kind, name), called))
    with torch.no_grad():
        model.draw(Past(past(2).frames, past(2).actions.float()), torch.zeros(2, 3, 8, 8))
    assert len(called) == model.passes_per_frame == 64 + 8 + 1


def counted(true, called):
    def call(*given):
        called.append(true)
        return true(*given)

    return call


def test_the_memory_hears_of_every_frame_and_starts_anew():
    torch.manual_seed(0)
    memory, sequence = ConvLSTM(2, 3), torch.randn(1, 4, 2, 5, 5, requires_grad=True)
    last = memory(sequence)
    last.sum().backward()
    assert last.shape == (1, 3, 5, 5) and torch.equal(memory(sequence), last)
    assert all(sequence.grad[0, step].abs().max() > 0 for step in range(4))


@pytest.mark.parametrize("size", [8, 12])
def test_any_image_size_will_do(size):
    model = vpn(image_size=size).double()
    frame = past(1, size).frames[:, 0]
    with torch.no_grad():
        assert model.level_log_prob(0, past(1, size), frame).shape == (1, size, size)
