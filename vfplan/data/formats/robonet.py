"""RoboNet HDF5 (Dasari et al., 2019): a folder of files, each one trajectory, its frames JPEG images or an MP4 video.

env/camK_video/frame0, frame1, ...   (bytes,) uint8, a JPEG each; attributes shape and image_format (RGB or BGR)
env/camK_video/frames                (bytes,) uint8, an MP4; attributes shape, T and image_format
policy/actions                       (T, A), of a width and in units that differ between robots

The first action leads from the first frame to the second. States (env/state) are left out: what their numbers mean
differs between robots.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vfplan.data.episode import Episode
from vfplan.data.formats.base import (
    Origin,
    Reach,
    ReadConfig,
    origin_of,
    require_frames,
    resized,
    scaled,
)
from vfplan.data.formats.hdf5 import array, group, names, number, opened, text
from vfplan.data.numbered import by_numbers
from vfplan.errors import BadSourceError, UserError
from vfplan.extras import require_extra

CAMERA = "cam0_video"
VIDEO = "frames"


@dataclass(frozen=True)
class RobonetFolder:
    """Files that were looked through."""

    files: tuple[Path, ...]
    config: ReadConfig
    origin: Origin
    lengths: tuple[int, ...]

    def episodes(self, indices: range) -> Iterator[Episode]:
        """Read these."""
        for index in indices:
            length = self.lengths[index]
            with opened(self.files[index]) as file:
                frames = _frames(file, self.config, length + 1)
                actions = array(group(file, "policy"), "actions", "f", 2)[:length]
            yield Episode(
                frames=resized(frames, self.config),
                actions=scaled(actions, self.config),
                hand=np.zeros((length + 1, 0), np.float32),
                object_xy=np.zeros((length + 1, 0, 2), np.float32),
                policy="unknown",
            )


def read(path: Path, config: ReadConfig, report: Callable[[], None]) -> RobonetFolder:
    """Look through the *.hdf5 of a folder, or one file, with a report after each.

    Raises:
        UserError: if they are not of this format.
    """
    files = sorted(path.glob("*.hdf5"), key=by_numbers) if path.is_dir() else [path]
    if not files:
        raise UserError(f"expected files *.hdf5 in {path}, found none")
    reach, lengths, sizes = Reach(config), [], set()
    for file in files:
        with opened(file) as trajectory:
            actions = array(group(trajectory, "policy"), "actions", "f", 2)
            count, size = _declared(trajectory, config)
            count = min(count, len(actions) + 1)
            require_frames((count, *size), config, f"{file}")
            reach.add(actions[: count - 1], f"{file}")
        lengths.append(count - 1)
        sizes.add(size)
        report()
    reach.require_within_scale(path)
    if len(sizes) > 1 and not config.image_size:
        raise BadSourceError(f"{path}: frames of {len(sizes)} sizes; give image_size= to resize them")
    origin = origin_of(None, "robonet", config, max(sizes)[0], camera=config.camera or CAMERA)
    return RobonetFolder(tuple(files), config, origin, tuple(lengths))


def _camera(file: h5py.File, config: ReadConfig) -> h5py.Group:
    env = group(file, "env")
    wanted = config.camera or CAMERA
    if wanted not in names(env):
        present = ", ".join(name for name in names(env) if name.endswith("_video")) or "none"
        raise BadSourceError(f"{file.filename}: expected camera {wanted}, found {present}")
    return group(env, wanted)


def _declared(file: h5py.File, config: ReadConfig) -> tuple[int, tuple[int, int, int]]:
    """How many frames there are said to be, and their shape."""
    camera = _camera(file, config)
    present = names(camera)
    if VIDEO in present:
        require_extra("RoboNet with MP4 videos", "video", "av")
    first = array(camera, VIDEO if VIDEO in present else "frame0", "B", 1)
    text(first, "image_format")  # here, where a file that is damaged there does no harm yet
    count = number(first, "T") if VIDEO in present else len(present)
    shape = np.array(first.attrs["shape"]) if "shape" in first.attrs else np.zeros(0)
    if shape.shape != (3,) or shape.dtype.kind not in "iu" or count is None:
        raise BadSourceError(f"{file.filename}: {first.name} does not say what shape its frames have")
    return count, (int(shape[0]), int(shape[1]), int(shape[2]))


def _frames(file: h5py.File, config: ReadConfig, count: int) -> NDArray[np.uint8]:
    """The first frames of a trajectory, (count, Y, X, 3)."""
    camera, (_, shape) = _camera(file, config), _declared(file, config)
    if VIDEO in names(camera):
        packed = array(camera, VIDEO, "B", 1)
        images = list(islice(_decoded_video(packed[:].tobytes(), shape, file.filename), count))
    else:
        packed = array(camera, "frame0", "B", 1)
        each = (array(camera, f"frame{step}", "B", 1)[:].tobytes() for step in range(count))
        images = [_decoded(data, shape, f"{file.filename}: frame{step}") for step, data in enumerate(each)]
    if len(images) != count:
        raise BadSourceError(f"{file.filename}: the video has {len(images)} frames, expected {count}")
    frames = np.stack(images)
    return frames[..., ::-1] if text(packed, "image_format") == "BGR" else frames


def _decoded(data: bytes, shape: tuple[int, int, int], where: str) -> NDArray[np.uint8]:
    """The pixels of a JPEG or PNG, which must have the shape that is declared before it is unpacked."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if (image.height, image.width, len(image.getbands())) != shape:
                found = (image.height, image.width, len(image.getbands()))
                raise BadSourceError(f"{where} is an image of {found}, expected {shape}")
            return np.asarray(image, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadSourceError(f"{where} is no image that can be read") from error


def _decoded_video(data: bytes, shape: tuple[int, int, int], where: str) -> Iterator[NDArray[np.uint8]]:
    """The frames of an MP4, one after the other; each must have the shape that is declared."""
    import av

    with av.open(io.BytesIO(data), format="mp4") as container:
        for frame in container.decode(video=0):
            if (frame.height, frame.width, 3) != shape:
                raise BadSourceError(f"{where}: a video of {frame.height} x {frame.width}, expected {shape}")
            pixels: NDArray[Any] = frame.to_ndarray(format="rgb24")
            yield pixels
