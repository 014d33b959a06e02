"""Frames as a video: smaller, and not exactly what was stored. AV1 as lerobot writes it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CODEC, PIXELS = "libsvtav1", "yuv420p"
OPTIONS = {"g": "2", "crf": "30"}
"""Every second frame stands alone, so that any is found soon; the quality."""
VIDEO_INFO: dict[str, Any] = {
    "video.codec": "av1", "video.pix_fmt": PIXELS, "video.g": 2, "video.crf": 30, "video.is_depth_map": False,
    "video.channels": 3, "has_audio": False, "vfplan.lossy": True,
}  # fmt: skip
"""What info.json says of it."""


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], size: int, fps: int) -> None:
    """Write square frames (size, size, 3) as an MP4, frame i at i/fps seconds."""
    import av

    os.environ.setdefault("SVT_LOG", "1")  # only errors: the encoder would print what it was told
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream(CODEC, fps, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = size, size, PIXELS
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
