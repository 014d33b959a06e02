"""Movement and slip: their frames, their frequencies and their entropies."""

import dataclasses
import math

import numpy as np
import pytest

from vfplan.data.known import DIRECTIONS, Movement, Slip

SOURCES = [Movement(20), Slip(20), Slip(20, slip=0.6)]
CHI2_7 = 24.32  # exceeded by a chi-square variable of 7 degrees of freedom with probability 0.001


def chi2(counts):
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2).sum() / expected)


@pytest.fixture(scope="module")
def many():
    """What 4000 episodes drew at random: for each source, the directions of the actions and those that happened."""
    drawn = {}
    for source in SOURCES:
        scenes = [source._scene(3, index) for index in range(4000)]
        drawn[source] = np.stack([scene.actions for scene in scenes]), np.stack([scene.taken for scene in scenes])
    return drawn


@pytest.mark.parametrize("source", SOURCES)
def test_an_episode_is_a_function_of_seed_and_index(source):
    def same(a, b):
        return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))

    first = source.episode(1, 5)
    assert same(first, dataclasses.replace(source).episode(1, 5))
    assert not any(same(first, source.episode(*other)) for other in [(1, 6), (2, 5), (5, 1)])


def test_shapes_and_lengths_of_the_arrays():
    for source, length, action_dim in [(Movement(), 4, 0), (Slip(), 3, 2)]:
        episode = source.episode(0, 0)
        assert source.length == len(episode) == length
        assert episode.frames.shape == (length + 1, 64, 64, 3)
        assert episode.actions.shape == (length, action_dim)
        assert episode.hand.shape == (length + 1, 0)
        assert episode.object_xy.shape == (length + 1, 0, 2)


@pytest.mark.parametrize("source", SOURCES)
def test_the_outcomes_are_8_distinct_frames_and_one_of_them_happened(source):
    for index in range(20):
        frames = source.episode(0, index).frames
        for step in range(source.length):
            outcomes = source.outcomes(0, index, step)
            assert len({frame.tobytes() for frame in outcomes}) == 8
            np.testing.assert_array_equal(outcomes[source.outcome_index(0, index, step)], frames[step + 1])


@pytest.mark.parametrize("source", [Movement(40), Slip(40)])
def test_outcomes_are_in_the_order_of_the_directions(source):
    for index in range(10):
        start, outcomes = source.episode(0, index).frames[0], source.outcomes(0, index, 0)
        for outcome, (x, y) in zip(outcomes, DIRECTIONS, strict=True):
            np.testing.assert_array_equal(outcome, np.roll(start, (-4 * y, 4 * x), axis=(0, 1)))


def test_the_velocity_of_movement_is_constant():
    for index in range(10):
        assert len({Movement(20).outcome_index(0, index, step) for step in range(4)}) == 1


def test_all_directions_of_movement_are_equally_frequent(many):
    _, taken = many[SOURCES[0]]
    assert chi2(np.bincount(taken[:, 0], minlength=8)) < CHI2_7


@pytest.mark.parametrize("source", SOURCES[1:])
def test_actions_are_uniform_and_slips_are_as_frequent_as_they_say(source, many):
    actions, taken = many[source]
    chosen = (actions[:, :, None] == DIRECTIONS).all(axis=-1).argmax(axis=-1)
    np.testing.assert_array_equal(DIRECTIONS[chosen], actions)
    assert actions.dtype == np.float32
    slipped = taken != chosen
    for step in range(3):
        assert chi2(np.bincount(chosen[:, step], minlength=8)) < CHI2_7
    deviation = math.sqrt(source.slip * (1 - source.slip) / slipped.size)
    assert abs(slipped.mean() - source.slip) < 4 * deviation
    # Of the seven other directions, counted from the chosen one, none is preferred (6 degrees of freedom).
    away = (taken - chosen)[slipped] % 8
    assert chi2(np.bincount(away, minlength=8)[1:]) < 22.46
    pairs = slipped[:, :2].all(axis=1).mean()
    assert abs(pairs - source.slip**2) < 4 * math.sqrt(source.slip**2 * (1 - source.slip**2) / len(slipped))


@pytest.mark.parametrize("source", SOURCES)
def test_entropy_is_that_of_the_probabilities_and_the_mean_information(source):
    for step in range(source.length):
        rows = np.stack([source.probabilities(0, index, step) for index in range(50)])
        np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-12)
        entropies = [-sum(p * math.log2(p) for p in row if p > 0) for row in rows]
        np.testing.assert_allclose(entropies, source.entropy_bits(step), rtol=1e-12)
        bits = [source.information_bits(0, index, step) for index in range(50)]
        expected = [-math.log2(row[source.outcome_index(0, i, step)]) for i, row in enumerate(rows)]
        np.testing.assert_allclose(bits, expected, rtol=1e-12)


def test_entropies_of_the_paper_and_of_the_extremes():
    assert [Movement().entropy_bits(step) for step in range(4)] == [3, 0, 0, 0]
    assert Slip(slip=0.0).entropy_bits(0) == 0
    assert Slip(slip=7 / 8).entropy_bits(2) == pytest.approx(3, rel=1e-12)
    assert Slip(slip=1.0).entropy_bits(1) == pytest.approx(math.log2(7), rel=1e-12)


def test_the_action_is_the_likeliest_outcome_and_all_others_are_alike():
    source = Slip(20)
    for index in range(20):
        probabilities, action = source.probabilities(0, index, 1), source.episode(0, index).actions[1]
        np.testing.assert_array_equal(DIRECTIONS[probabilities.argmax()], action)
        assert sorted(probabilities) == pytest.approx([0.2 / 7] * 7 + [0.8], rel=1e-12)


def test_a_slipping_shape_never_leaves_the_canvas():
    for index in range(200):
        frames = Slip(20).episode(0, index).frames.astype(int)
        assert not frames[:, [0, -1]].any() and not frames[:, :, [0, -1]].any()


@pytest.mark.parametrize("call", ["outcomes", "outcome_index", "probabilities", "information_bits"])
def test_a_step_that_does_not_exist_is_refused(call):
    for source, step in [(Movement(), 4), (Slip(), 3), (Slip(), -1)]:
        with pytest.raises(ValueError, match=f"step must be 0 to {source.length - 1}; got {step}"):
            getattr(source, call)(0, 0, step)
        with pytest.raises(ValueError, match="step must be"):
            source.entropy_bits(step)


def test_impossible_settings_are_refused():
    for make, message in [
        (lambda: Movement(19), r"image_size must be in \[20, 1024\], got 19"),
        (lambda: Movement(1025), r"image_size must be in \[20, 1024\], got 1025"),
        (lambda: Slip(slip=1.1), r"slip must be in \[0, 1\], got 1.1"),
        (lambda: Slip(slip=float("nan")), r"slip must be in \[0, 1\], got nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
