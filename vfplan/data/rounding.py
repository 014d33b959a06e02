"""Texts full of numbers that should not differ because two processors round the last digit differently."""

import re

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def six_digits(text: str) -> str:
    """The text with six digits of each of its fractional numbers: equal for one scene, whichever machine wrote it."""
    return _NUMBER.sub(lambda number: f"{float(number[0]) + 0.0:.6g}", text)
