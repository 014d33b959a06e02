"""BAIR robot pushing ("softmotion30_44k", Ebert et al., 2017): its TFRecords as episodes.

A record holds 30 steps of one trajectory, each with raw 64x64 RGB bytes of two cameras (the keys end in `encoded`, but
nothing is), an action of 4 floats, and the end effector's position. The action stored with frame t is taken to lead to
frame t + 1, as in Finn et al. (2016); that of the last frame leads beyond the record and is dropped.

By the collection code, an action is (dx, dy, close, up): a shift of the goal of up to 0.07 m per axis, and for how many
decisions, up to 4, the gripper stays closed and the hand lifted. Dividing by these bounds puts all of it into [-1, 1].
An action beyond the bounds is an error and not clipped: they come from the code, not from the data.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vfplan.data.episode import Episode
from vfplan.data.numbered import by_numbers
from vfplan.data.tfexample import Feature, parse_example
from vfplan.data.tfrecord import Place, read_record, scan
from vfplan.errors import UserError

Camera = Literal["image_aux1", "image_main"]
ActionScale = tuple[float, float, float, float]

STEPS = 30  # frames in a record
IMAGE_SIZE = 64  # pixels
ACTION_NAMES = ("dx", "dy", "close", "up")
ACTION_SCALE: ActionScale = (0.07, 0.07, 4.0, 4.0)  # m, m, decisions, decisions
ROUNDING = 1e-6  # 0.07 as a float32 is a little more than 0.07


@dataclass(frozen=True)
class BairSplit:
    """The records of one folder, in the order of the numbers in the names of its files. Use `BairSplit.open`."""

    files: tuple[Path, ...]
    places: tuple[tuple[Place, ...], ...]

    @classmethod
    def open(cls, folder: Path) -> "BairSplit":
        """Find the records of `*.tfrecords`. Raises UserError if there are none, or if a file is cut off."""
        if not folder.is_dir():
            raise UserError(f"no folder {folder}; expected source= to be softmotion30_44k, with train/ and test/ in it")
        files = tuple(sorted(folder.glob("*.tfrecords"), key=by_numbers))
        places = tuple(tuple(scan(file)) for file in files)
        if not any(places):
            what = f"{len(files)} empty ones" if files else "none"
            raise UserError(f"expected files traj_*.tfrecords with records in {folder}, found {what}")
        return cls(files, places)

    def __len__(self) -> int:
        """Number of records."""
        return sum(map(len, self.places))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the length and the checksum of every record: equal fingerprints, equal records."""
        each = (f"{place.length}:{place.crc}" for places in self.places for place in places)
        return hashlib.sha256(" ".join(each).encode()).hexdigest()

    def episode(self, index: int, camera: Camera, action_scale: ActionScale) -> Episode:
        """Return record `index` as an episode. Raises UserError if it is damaged or not what BAIR's records are."""
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        ends = list(accumulate(map(len, self.places)))
        which = bisect_right(ends, index)
        file, place = self.files[which], self.places[which][index - ends[which]]
        data = read_record(file, place)
        try:
            return decode(parse_example(data), camera, action_scale)
        except ValueError as error:
            raise UserError(f"{file}: record {place.number}: {error}") from error


def decode(features: Mapping[str, Feature], camera: Camera, action_scale: ActionScale) -> Episode:
    """Make an episode of the features of a record: frames (30, 64, 64, 3), actions (29, 4), hand (30, 3) in m.

    Args:
        features: as `parse_example` returns them.
        camera: whose frames.
        action_scale: what each component of an action is divided by.

    Raises:
        ValueError: if a feature is missing or of another size, a number not finite, or an action beyond the scale.
    """
    frames = [_image(features, f"{step}/{camera}/encoded") for step in range(STEPS)]
    hand = [_floats(features, f"{step}/endeffector_pos", 3) for step in range(STEPS)]
    actions = np.stack([_floats(features, f"{step}/action", 4) for step in range(STEPS - 1)])
    scaled = actions.astype(np.float64) / np.array(action_scale)
    beyond = np.argwhere(np.abs(scaled) > 1 + ROUNDING)
    if len(beyond):
        step, part = beyond[0]
        raise ValueError(
            f"expected {ACTION_NAMES[part]} of an action within {action_scale[part]:g}, found {actions[step, part]:g} "
            f"in {step}/action; give a larger action_scale"
        )
    return Episode(
        frames=np.stack(frames),
        actions=scaled.clip(-1, 1).astype(np.float32),
        hand=np.stack(hand),
        object_xy=np.zeros((STEPS, 0, 2), np.float32),
        policy="random",
    )


def _image(features: Mapping[str, Feature], name: str) -> NDArray[np.uint8]:
    feature, size = _named(features, name), IMAGE_SIZE * IMAGE_SIZE * 3
    if not isinstance(feature, list) or len(feature) != 1:
        raise ValueError(f"expected one image in {name}, found {_kind(feature)}")
    if len(feature[0]) != size:
        raise ValueError(f"expected {size} bytes ({IMAGE_SIZE}x{IMAGE_SIZE} RGB) in {name}, found {len(feature[0])}")
    return np.frombuffer(feature[0], np.uint8).reshape(IMAGE_SIZE, IMAGE_SIZE, 3)


def _floats(features: Mapping[str, Feature], name: str, count: int) -> NDArray[np.float32]:
    feature = _named(features, name)
    if isinstance(feature, list) or feature.dtype != np.float32 or len(feature) != count:
        raise ValueError(f"expected {count} floats in {name}, found {_kind(feature)}")
    if not np.isfinite(feature).all():
        raise ValueError(f"expected finite numbers in {name}, found {feature.tolist()}")
    return feature.astype(np.float32)


def _named(features: Mapping[str, Feature], name: str) -> Feature:
    if name not in features:
        raise ValueError(f"expected a feature {name}, found {len(features)} others")
    return features[name]


def _kind(feature: Feature) -> str:
    kind = "byte strings" if isinstance(feature, list) else f"numbers of type {feature.dtype}"
    return f"{len(feature)} {kind}"
