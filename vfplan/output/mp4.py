"""MP4, by PyAV: of the extra `vfplan[video]`, whose wheels bundle codecs under the GPL."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np

from vfplan.output.video import Frames

QUALITY = "15"
"""Constant rate factor of H.264: what cannot be told from the original, 0 being without loss."""


def mp4_bytes(frames: Frames, seconds_per_frame: float) -> bytes:
    """The MP4 (H.264) of `frames` (T, Y, X, 3) uint8, with a line added where a side is odd. Not without loss."""
    import av

    height, width = frames.shape[1:3]
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(1 / seconds_per_frame).limit_denominator(1000))
        stream.height, stream.width = even.shape[1:3]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": QUALITY}
        for frame in even:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()
