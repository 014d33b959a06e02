"""Windows in which the object is hidden, and what a model that remembers it gets."""

import numpy as np
import pytest
import torch

from tests.studies.offline.conftest import FLOOR_TO_PIXEL, Replay, arena, trial, write_store
from vfplan.studies.offline import occlusion
from vfplan.studies.offline.occlusion import Window, find_windows
from vfplan.studies.offline.trial import NotApplicableError


def store_of(path, hidden):
    frames, xy = arena(hidden=hidden)
    return write_store(path, frames, object_xy=xy, description={"floor_to_pixel": FLOOR_TO_PIXEL})


def test_windows_are_where_the_object_is_hidden_last_and_seen_again():
    mass = np.array(
        [
            [1, 1, 1, 1, 1, 1],  # never hidden
            [1, 1, 0, 0, 1, 1],  # seen in the older known frame of the first window
            [1, 1, 1, 0, 0, 0],  # never seen again
            [0, 0, 0.1, 1, 1, 1],  # not seen before
            [0, 0, 0, 0, 0, 0],
        ]
    )
    assert find_windows(mass, past=2) == [Window(1, 2, 2, True), Window(3, 1, 2, False)]


def test_hidden_is_relative_to_what_the_episode_usually_shows():
    assert find_windows(np.array([[0.2, 0.2, 0.02, 0.2, 0.2]]), past=2) == [Window(0, 2, 1, True)]


def test_a_model_that_remembers_brings_the_object_back_to_where_it_is(tmp_path):
    store = store_of(tmp_path / "store", hidden=(3, 4))
    numbers = occlusion.measure(trial(Replay(store), store)).numbers
    assert (numbers["num_windows"], numbers["num_seen_before"], numbers["steps_until_seen"]) == (6, 6, 2)
    found = numbers["seen_before"]
    assert found["mass"]["expected"]["mean"] == pytest.approx(1, abs=0.1) and found["mass"]["copying"]["mean"] == 0
    for measured in ("mass", "cm"):
        for imagined in ("expected", "samples"):
            assert found[measured][imagined] == pytest.approx(found[measured]["true"], rel=1e-9)
    assert found["cm"]["true"]["mean"] < 0.1 < found["cm"]["copying"]["mean"]


class Forgetful(Replay):
    """Imagines the empty floor of the last known frame."""

    def rollout(self, state, actions, noise, *, downscale=1):
        rollout = super().rollout(state, actions, noise)
        return type(rollout)(torch.full_like(rollout.values, 200))


def test_a_model_that_forgets_shows_nothing_and_does_no_better_than_copying(tmp_path):
    store = store_of(tmp_path / "store", hidden=(3, 4))
    found = occlusion.measure(trial(Forgetful(store), store)).numbers["seen_before"]
    assert found["mass"]["expected"]["mean"] == 0
    assert found["cm"]["expected"] == pytest.approx(found["cm"]["copying"], rel=1e-9)


def test_an_object_that_no_known_frame_shows_has_a_visibility_but_no_error(tmp_path):
    store = store_of(tmp_path / "store", hidden=(0, 1, 2))
    numbers = occlusion.measure(trial(Replay(store), store)).numbers
    assert numbers["num_seen_before"] == 0 and "seen_before" not in numbers
    assert set(numbers["never_seen"]) == {"mass"}
    assert numbers["never_seen"]["mass"]["true"]["mean"] > 0.5


def test_a_store_without_such_windows_says_how_many_episodes_were_searched(arena_store):
    with pytest.raises(NotApplicableError, match="none of 6 episodes"):
        occlusion.measure(trial(Replay(arena_store), arena_store))
