import numpy as np
import pytest

from tests.data.conftest import LENGTH
from vfplan.data.store import EpisodeStore
from vfplan.data.windows import WindowSampler
from vfplan.errors import UserError


@pytest.fixture
def store(folder):
    return EpisodeStore.open(folder)


def test_a_batch_is_contiguous_channels_first_and_in_step_with_its_actions(store):
    frames, actions, _ = WindowSampler(store, 3, seed=0).batch(0, 200)
    assert frames.shape == (200, 3, 3, 12, 12)
    assert frames.dtype == np.uint8
    assert frames.flags.c_contiguous
    assert actions.shape == (200, 2, 4)
    assert actions.dtype == np.float32
    for window, acts in zip(frames, actions, strict=True):
        code = int(window[0, 0, 0, 0])  # 10 * episode + step
        episode, start = divmod(code, 10)
        np.testing.assert_array_equal(window[:, 0, 0, 0], code + np.arange(3))
        np.testing.assert_array_equal(window[0, :, 5, 7], np.uint8(code) + np.array([0, 100, 200], np.uint8))
        np.testing.assert_allclose(acts[:, 0], episode + (start + np.arange(2)) / 10, rtol=1e-6)


def test_a_batch_is_a_function_of_seed_and_step(store):
    sampler, other = WindowSampler(store, 3, seed=5), WindowSampler(store, 3, seed=5)
    expected = [sampler.batch(step, 4).frames for step in range(6)]
    np.testing.assert_array_equal(other.batch(5, 4).frames, expected[5])
    assert len({frames.tobytes() for frames in expected}) == 6
    assert WindowSampler(store, 3, seed=6).batch(5, 4).frames.tobytes() != expected[5].tobytes()


def test_every_window_of_the_given_episodes_is_drawn_and_no_other(store):
    frames, *_ = WindowSampler(store, LENGTH, seed=0, episodes=range(2, 7)).batch(0, 500)
    seen = set(frames[:, 0, 0, 0, 0].tolist())
    assert seen == {10 * episode + start for episode in range(2, 7) for start in (0, 1)}


def test_before_its_episode_a_window_stands_still_under_zero_actions(store):
    """As the memory of a controller that has just begun."""
    frames, actions, hand = WindowSampler(store, 4, seed=0, lead_in=2).batch(0, 300)
    episode, step = np.divmod(frames[:, :, 0, 0, 0].astype(int), 10)
    starts = step[:, -1:] - 3
    assert set(starts.flatten().tolist()) == set(range(-2, LENGTH - 2))
    np.testing.assert_array_equal(step, np.maximum(0, starts + np.arange(4)))
    expected = np.where(starts + np.arange(3) < 0, 0, episode[:, :3] + step[:, :3] / 10)
    np.testing.assert_allclose(actions[:, :, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(hand, np.broadcast_to(episode[..., None], hand.shape))


def test_a_window_may_be_a_whole_episode_but_not_longer(store):
    assert WindowSampler(store, LENGTH + 1, seed=0).batch(0, 1).frames.shape[1] == LENGTH + 1
    for length in (0, LENGTH + 2):
        with pytest.raises(UserError, match=f"windows of {length} frames, but .* episodes of {LENGTH + 1}"):
            WindowSampler(store, length, seed=0)
