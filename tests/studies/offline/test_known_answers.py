"""Known answers: a model that knows the truth has no excess and no deviation, one that does not shows it."""

import math
from functools import cache

import numpy as np
import pytest
import torch

from tests.studies.offline.conftest import trial
from vfplan.data import known
from vfplan.data.filling import FillConfig, fill_store
from vfplan.data.records import FORMAT_VERSION, StoreMeta
from vfplan.data.store import EpisodeStore
from vfplan.models.base import LogProb
from vfplan.pixels import unit_from_frames
from vfplan.studies.offline import known_answers

SIZE, EPISODES, SEED = 20, 80, 3


def store(path, source):
    meta = StoreMeta(
        version=FORMAT_VERSION, env=source.name, episodes=EPISODES, shard_episodes=EPISODES, length=source.length,
        seed=SEED, policy=source.policy, description=known.describe(source), versions={},
    )  # fmt: skip
    fill_store(path, meta, Episodes(source), FillConfig(workers=1))
    return EpisodeStore.open(path)


class Episodes:
    """The episodes of a range: at module level, for worker processes."""

    def __init__(self, source):
        self.source = source

    def __call__(self, indices):
        return (self.source.episode(SEED, index) for index in indices)


@pytest.fixture(scope="module", params=["movement", "slip"])
def moving(request, tmp_path_factory):
    source = {"movement": known.Movement(SIZE), "slip": known.Slip(SIZE, slip=0.3)}[request.param]
    return source, store(tmp_path_factory.mktemp(request.param) / "store", source)


class Knowing:
    """A model that recognises the episode by its first frame and action, and knows what may follow.

    It gives the first direction `favour` times its true odds and, if `stubborn`, always samples that one.
    """

    past_frames, bound, reads_simulator = 1, "dequantised", False

    def __init__(self, source, *, favour=1.0, stubborn=False):
        self.source, self.favour, self.stubborn = source, favour, stubborn
        self.outcomes = cache(lambda index, step: source.outcomes(SEED, index, step))
        self.action_dim = 0 if source.name == "movement" else 2
        self.frames = np.stack([source.episode(SEED, index).frames for index in range(EPISODES)])
        self.actions = np.stack([source.episode(SEED, index).actions for index in range(EPISODES)])

    def _episode(self, frame, action):
        same = (self.frames[:, 0] == frame.permute(1, 2, 0).numpy()).all(axis=(1, 2, 3))
        return int(np.flatnonzero(same & (self.actions[:, 0] == action.numpy()).all(axis=1))[0])

    def _odds(self, index, step):
        odds = self.source.probabilities(SEED, index, step) * np.array([self.favour] + [1.0] * 7)
        return odds / odds.sum()

    def log_prob(self, context, actions, frames, rng):
        nats = torch.full(frames.shape[:2], -1e6)
        for row in range(len(frames)):
            start, given = context.frames[row, -1], actions[row]
            index = self._episode(start, given[0])
            for step in range(frames.shape[1]):
                outcomes = self.outcomes(index, step)
                shown = frames[row, step].permute(1, 2, 0).numpy()
                found = np.flatnonzero((outcomes == shown).all(axis=(1, 2, 3)))
                # Later frames are those of whichever episode this is; only the first has outcomes to weigh.
                odds = self._odds(index, 0)[found[0]] if step == 0 and len(found) else None
                nats[row, step] = math.log(odds) if odds else -self.source.entropy_bits(step) * math.log(2)
        return LogProb(nats, nats[..., None])

    def encode(self, context):
        return Seen(context.frames[:, -1])

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        return Uniform(torch.rand(rows, generator=rng))

    def rollout(self, state, actions, noise, *, downscale=1):
        images = []
        for row, frame in enumerate(state.frames):
            index = self._episode(frame, actions[row, 0])
            odds = self._odds(index, 0)
            chosen = 0 if self.stubborn else int(np.searchsorted(odds.cumsum(), noise.values[row].item()))
            images.append(torch.from_numpy(self.outcomes(index, 0)[chosen]).permute(2, 0, 1))
        return unit_from_frames(torch.stack(images))[:, None]

    def decode(self, rollout, steps=None):
        return rollout


class Seen:
    def __init__(self, frames):
        self.frames = frames

    def repeat(self, copies):
        return Seen(self.frames.repeat_interleave(copies, 0))


class Uniform:
    def __init__(self, values):
        self.values = values

    def scaled(self, temperature):
        return self


@pytest.fixture(autouse=True)
def two_noise_samples(monkeypatch):
    """Enough where nothing is random, and quick."""
    monkeypatch.setattr(known_answers, "NOISE_SAMPLES", 2)


def numbers(model, data):
    return known_answers.measure(trial(model, data)).numbers["outcomes"]


def test_a_model_that_knows_has_no_deviation(moving):
    source, data = moving
    found = numbers(Knowing(source), data)
    assert found["largest_relative_deviation"] < 1e-4
    assert found["median_relative_deviation"] < 1e-4
    assert found["chi_square_p_value"] > 1e-3
    if source.name == "slip":
        assert found["slip"]["mean"] == pytest.approx(0.3, abs=1e-4)
        assert found["true_slip"] == pytest.approx(0.3)


def test_a_bias_shows_in_the_probabilities(moving):
    source, data = moving
    found = numbers(Knowing(source, favour=2.0), data)
    assert found["largest_relative_deviation"] > 0.3


class Loose(Knowing):
    """Knows the truth, but has only a noisy bound for the first direction: weights that are right on average."""

    def __init__(self, source, spread):
        super().__init__(source)
        self.spread, self.rng = spread, torch.Generator().manual_seed(0)

    def log_prob(self, context, actions, frames, rng):
        nats = super().log_prob(context, actions, frames, rng).per_frame
        noise = torch.randn((), generator=self.rng)
        nats[0] += self.spread * noise - self.spread**2 / 2  # row 0 is outcome 0
        return LogProb(nats, nats[..., None])


@pytest.mark.parametrize("moving", ["movement"], indirect=True)
def test_the_looseness_of_the_bound_does_not_count_as_a_deviation(moving, monkeypatch):
    """By the mean of logarithms the first direction would have a fifth too little."""
    source, data = moving
    monkeypatch.setattr(known_answers, "NOISE_SAMPLES", 16)
    assert numbers(Loose(source, spread=0.7), data)["largest_relative_deviation"] < 0.1


def test_samples_of_one_outcome_fail_the_chi_square_test(moving):
    source, data = moving
    assert numbers(Knowing(source, stubborn=True), data)["chi_square_p_value"] < 1e-6


def test_the_excess_of_the_truth_is_zero(tmp_path):
    """Not only on average: what happened is compared with its own information, episode by episode."""
    source = known.Movement(SIZE)
    section = known_answers.measure(trial(Knowing(source), store(tmp_path / "store", source)))
    excess = section.numbers["excess_bits_per_dim"]
    assert excess["mean"] == pytest.approx(0.0, abs=1e-6)
    assert excess["high"] - excess["low"] < 1e-6
    assert section.numbers["entropy_bits_per_dim"] == pytest.approx(3 / 4 / (3 * SIZE**2))


def test_other_stores_have_no_known_answers(arena_store):
    class Any:
        past_frames, action_dim = 1, 0

    with pytest.raises(known_answers.NotApplicableError, match="not generated"):
        known_answers.measure(trial(Any(), arena_store))
