"""Temperatures, long rollouts and latents."""

import math

import numpy as np
import pytest
import torch

from tests.studies.offline.conftest import (
    STD,
    GaussianWorld,
    Replay,
    gaussian_store,
    tiny_videoflow,
    trial,
)
from vfplan.studies.offline import drift, interpolation, temperatures
from vfplan.studies.offline.trial import NotApplicableError


def test_diversity_is_the_spread_of_the_samples_and_grows_with_temperature(tmp_path):
    numbers = temperatures.measure(trial(GaussianWorld(), gaussian_store(tmp_path / "store"))).numbers
    assert numbers["0.0"]["diversity"]["mean"] == 0
    expected = 256 * STD * math.sqrt(1 / math.pi)  # mean population std of two Gaussian values: |a - b| / 2
    assert numbers["1.0"]["diversity"]["mean"] == pytest.approx(expected, rel=0.05)
    assert numbers["0.5"]["diversity"]["mean"] == pytest.approx(expected / 2, rel=0.05)


def test_a_perfect_model_is_as_sharp_as_the_truth_and_a_mean_is_not(tmp_path):
    numbers = temperatures.measure(trial(GaussianWorld(), gaussian_store(tmp_path / "store"))).numbers
    assert numbers["1.0"]["sharpness"]["mean"] == pytest.approx(1, abs=0.03)
    assert numbers["0.0"]["sharpness"]["mean"] == 0


def test_without_noise_the_best_sample_is_the_mean_sample(tmp_path):
    numbers = temperatures.measure(trial(GaussianWorld(), gaussian_store(tmp_path / "store"))).numbers
    assert numbers["0.0"]["psnr_best"] == numbers["0.0"]["psnr_mean"]
    assert numbers["0.0"]["psnr_mean"]["mean"] > numbers["1.0"]["psnr_best"]["mean"]  # the mean frame is nearest


def test_sharpness_by_hand():
    stripes = torch.tensor([0, 10], dtype=torch.uint8).repeat(4).expand(3, 6, 8)
    assert temperatures.sharpness(stripes).item() == 10


def test_actions_go_on_from_the_beginning_of_the_imagined_part():
    actions = torch.arange(6.0).view(1, 6, 1)
    assert drift.cycled(actions, 8).flatten().tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    assert drift.cycled(actions, 3).flatten().tolist() == [0, 1, 2]


def test_a_world_that_stays_the_world_does_not_drift(arena_store):
    numbers = drift.measure(trial(Replay(arena_store), arena_store)).numbers
    true, imagined = numbers["true_frames"], numbers["temperature_0"]
    within = slice(0, 8)  # after that, the replay stands still
    for name in ("mean", "extreme", "nearest", "colour"):
        followed = np.mean([step["mean"] for step in imagined[name][within]])
        assert followed == pytest.approx(true[name]["mean"], abs=1e-4)
    assert len(imagined["mean"]) == 12


class Fading(Replay):
    """Imagines the true frames, each greyer than the one before."""

    def decode(self, rollout, steps=None):
        images = super().decode(rollout, steps)
        share = torch.linspace(1, 0, images.shape[1])[:, None, None, None]
        return share * images + (1 - share) * images.mean(dim=2, keepdim=True)


def test_an_object_that_fades_is_seen_to_go(arena_store):
    colour = drift.measure(trial(Fading(arena_store), arena_store)).numbers["temperature_0"]["colour"]
    assert colour[0]["mean"] == pytest.approx(1, abs=0.1) and colour[-1]["mean"] == 0


def test_a_grey_store_has_no_colour_to_keep_and_says_so(tmp_path):
    store = gaussian_store(tmp_path / "store")
    tested = trial(GaussianWorld(), store)
    tested.__dict__["colour"] = None
    section = drift.measure(tested)
    assert "colour" not in section.numbers["true_frames"]
    assert "colour kept" in section.items[0].sentence.split("Absent in this store:")[1]


def test_latents_and_images_are_inverse_and_finest_first():
    model = tiny_videoflow(16).double()
    images = torch.rand(3, 3, 16, 16, dtype=torch.float64) - 0.5
    with torch.no_grad():
        latents = model.latents(images)
        assert [tuple(latent.shape[1:]) for latent in latents] == [(9, 8, 8), (9, 4, 4), (3, 4, 4)]
        assert torch.allclose(model.image(latents), images, atol=1e-10)
        again = model.latents(model.image(latents))
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(latents, again, strict=True))


def test_latents_are_those_that_the_model_scores():
    model = tiny_videoflow(16)
    images = torch.rand(2, 3, 16, 16) - 0.5
    with torch.no_grad():
        for part, latent in zip(model.split(images), model.latents(images), strict=True):
            assert torch.equal(part[0], latent)


def test_interpolation_moves_the_chosen_levels_only_and_ends_where_it_should():
    start, end = ([torch.full((1, 2), value + level) for level in range(3)] for value in (0.0, 10.0))
    moved = interpolation.mixed(start, end, 0.5, [1])
    assert [latent[0, 0].item() for latent in moved] == [0, 6, 2]
    everything = interpolation.mixed(start, end, 1.0, [0, 1, 2])
    assert all(torch.equal(a, b) for a, b in zip(everything, end, strict=True))


def test_exchanging_a_level_is_counted_as_its_share(arena_store):
    numbers = interpolation.measure(trial(tiny_videoflow(), arena_store)).numbers
    assert numbers["largest_reconstruction_error_grey_levels"] < 0.1
    assert len(numbers["share_of_change_per_level"]) == 3
    assert numbers["share_of_change_per_level"][2] > 0.3  # the thumbnail of a soft blob is most of it


def test_a_model_without_latents_has_no_interpolation(arena_store):
    with pytest.raises(NotApplicableError, match="no latents"):
        interpolation.measure(trial(Replay(arena_store), arena_store))
