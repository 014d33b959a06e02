"""Whether an image can be halved as often as a network does it."""

from __future__ import annotations


def halved(side: int, times: int, why: str, *, least: int = 0, called: str = "image_size") -> int:
    """The side that is left, in pixels.

    Args:
        side: of an image.
        times: how often it is halved.
        why: what asks for it, in the words of the message, such as "for 3 pyramid.widths".
        least: how often it must be.
        called: what the side is called there.

    Raises:
        ValueError: if it cannot be halved so often, or is to be halved less often than it must.
    """
    if times < least or side % 2**times:
        raise ValueError(f"{called}={side} cannot be halved {why}")
    return side >> times
