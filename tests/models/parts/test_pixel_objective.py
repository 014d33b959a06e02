"""What models that draw pixels learn: levels by themselves, the same in parts as at once."""

import pytest
import torch

from tests.models.literature.pixel_models import multiscale
from vfplan.models.base import Clip
from vfplan.models.parts.pixel_objective import PixelObjective
from vfplan.models.recipe import Recipe
from vfplan.training.learner import Learner


def stepped(**changes):
    """A model after one step, and what it reported."""
    recipe = Recipe(**{"steps": 4, "batch": (4,), "warmup": 1, **changes})
    learner = Learner(multiscale(), recipe, seed=0, device=torch.device("cpu"))
    rng = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (4, learner.window, 3, 8, 8), generator=rng, dtype=torch.uint8)
    report = learner.step(Clip(frames, torch.rand(4, learner.window - 1, 4, generator=rng)))
    return learner.model, report


def test_a_batch_in_parts_is_the_batch_at_once():
    (whole, bits), (parts, bits_of_parts) = stepped(), stepped(micro_batches=2)
    assert bits["bits_per_dim"] == pytest.approx(bits_of_parts["bits_per_dim"], rel=1e-5)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_level_without_windows_stays_as_it_is():
    before, (after, report) = multiscale(), stepped(batch=(4, 0, 2))
    assert {key for key in report if key.startswith("level")} == {"level_0", "level_2"}
    for level, learned in enumerate((True, False, True)):
        pairs = zip(before.level_parameters(level), after.level_parameters(level), strict=True)
        assert any(not torch.equal(one, other) for one, other in pairs) == learned


def test_bits_are_those_of_the_likelihood():
    model, report = multiscale(), stepped()[1]
    rng = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (4, 3, 3, 8, 8), generator=rng, dtype=torch.uint8)
    clip = Clip(frames, torch.rand(4, 2, 4, generator=rng))
    with torch.no_grad():
        nats = -model.log_prob(clip.context(2), clip.actions[:, 1:], frames[:, 2:], rng).per_frame.mean().item()
    assert report["bits_per_dim"] == pytest.approx(nats / torch.tensor(2.0).log().item() / 192, rel=1e-4)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch": (1, 2)}, r"batch needs 1 or 3 numbers for multiscale; got \(1, 2\)"),
        ({"lead_in": 2}, "lead_in=2 leaves none of past_frames=2 frames to the episode"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        PixelObjective(multiscale(), Recipe(**{"batch": (4,), **given}))
