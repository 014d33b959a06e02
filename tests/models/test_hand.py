"""A model that is told where the hand is: the map is where the camera sees it, and is what the model goes by."""

import math
from dataclasses import replace

import pytest
import torch

from vfplan.models.base import Context
from vfplan.models.hand import Hand
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble

# Seen from straight above: x to the right, y up, 40 cm wide.
HAND = Hand(((2.5, 0.0, 0.5), (0.0, -2.5, 0.5), (0.0, 0.0, 1.0)), action_scale=0.05, limit=0.18)
PAST, ROWS = 2, 3
CONFIG = VideoFlowConfig(
    image_size=16,
    past_frames=PAST,
    flow_width=8,
    condition_dim=8,
    dequantisation="uniform",
    priors=(PriorConfig((8,), (1,)), PriorConfig((8,), (1,), "faithful", advection_radius=1)),
    hand=HAND,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = assemble(CONFIG).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def context(hand, rows=ROWS):
    rng = torch.Generator().manual_seed(1)
    frames = torch.randint(0, 256, (1, PAST, 3, 16, 16), generator=rng, dtype=torch.uint8).expand(rows, -1, -1, -1, -1)
    places = None if hand is None else torch.tensor(hand).expand(rows, PAST, 2)
    return Context(frames, torch.zeros(rows, PAST - 1, 4), hand=places)


def actions(steps, rows=ROWS):
    return torch.rand(rows, steps, 4, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_map_peaks_where_the_camera_sees_the_hand():
    maps = HAND.maps(torch.tensor([[[0.0, 0.0], [0.1, 0.05]]], dtype=torch.float64), 16, 16)
    assert maps.shape == (1, 2, 1, 16, 16)
    rows, columns = torch.meshgrid(torch.arange(16) + 0.5, torch.arange(16) + 0.5, indexing="ij")
    weights = maps[0, :, 0] / maps[0, :, 0].sum((1, 2), keepdim=True)
    centres = torch.stack([(weights * columns).sum((1, 2)), (weights * rows).sum((1, 2))], dim=1) / 16
    torch.testing.assert_close(
        centres, torch.tensor([[0.5, 0.5], [0.75, 0.375]], dtype=torch.float64), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(maps[0, :, 0].sum((1, 2)), torch.full((2,), 2 * math.pi).double(), atol=1e-3, rtol=0)


def test_maps_hold_no_denormal_numbers():
    """A CPU computes with them ten times slower."""
    assert HAND.maps(torch.tensor([[-0.18, 0.18]]), 64, 64).min() > torch.finfo(torch.float32).tiny


def test_hand_follows_its_actions_and_keeps_its_limit():
    places = HAND.follow(torch.tensor([[[0.1, -0.17]]]), torch.tensor([[[1.0, -1.0, 0, 0], [1.0, 0.5, 0, 0]]]))
    torch.testing.assert_close(places, torch.tensor([[[0.1, -0.17], [0.15, -0.18], [0.18, -0.155]]]))


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.1, -0.1)])
def test_what_is_imagined_depends_on_where_the_hand_is(model, place):
    noise, steps = model.sample_noise(ROWS, 4, torch.Generator().manual_seed(0)), actions(4)

    def imagined(hand):
        return model.decode(model.rollout(model.encode(context(hand)), steps, noise))

    assert not torch.allclose(imagined(place), imagined((-0.1, 0.1)))
    torch.testing.assert_close(imagined(place), imagined(place))


def test_rollout_moves_the_hand_on(model):
    state, steps = model.encode(context((0.02, 0.03))), actions(3)
    for step in range(3):
        _, state = model.step(state, steps[:, step], model.sample_noise(ROWS, 1, None).at(0), finest=0)
    followed = HAND.follow(torch.tensor([0.02, 0.03]).expand(ROWS, PAST, 2), steps)
    torch.testing.assert_close(state.hand, followed[:, -PAST:])


def test_likelihood_of_many_steps_is_that_of_each(model):
    """Each frame is scored given the hand where its actions led it."""
    known, steps = context((0.05, 0.0)), actions(3)
    frames = torch.randint(0, 256, (ROWS, 3, 3, 16, 16), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    rng = torch.Generator().manual_seed(4)
    whole = model.log_prob(known, steps, frames, rng).per_frame
    rng, single = torch.Generator().manual_seed(4), []
    for step in range(3):
        single.append(model.log_prob(known, steps[:, step : step + 1], frames[:, step : step + 1], rng).per_frame)
        known = Context(
            torch.cat([known.frames[:, 1:], frames[:, step : step + 1]], dim=1),
            torch.cat([known.actions[:, 1:], steps[:, step : step + 1]], dim=1)[:, -(PAST - 1) :],
            hand=HAND.follow(known.hand, steps[:, step : step + 1])[:, 1:],
        )
    torch.testing.assert_close(whole, torch.cat(single, dim=1))


def test_a_context_without_a_hand_is_refused(model):
    with pytest.raises(ValueError, match="told where the hand is"):
        model.encode(context(None))


def test_a_model_that_is_not_told_ignores_the_hand():
    torch.manual_seed(0)
    plain = assemble(replace(CONFIG, hand=None)).eval()
    assert plain.encode(context((0.1, 0.1))).hand is None


def test_description_of_a_scene_says_how_the_hand_moves():
    about = {
        "floor_to_pixel": [[160.0, 0, 32], [0, -160.0, 32], [0, 0, 1]],
        "image_size": 64,
        "action_scale": 0.05,
        "config": {"hand_limit": 0.18},
    }
    assert Hand.from_description(about) == HAND
    for key in about:
        with pytest.raises(ValueError, match="no floor_to_pixel, action_scale"):
            Hand.from_description({name: value for name, value in about.items() if name != key})
