"""Files in the order of the numbers in their names, which that of letters is not."""

import re
from pathlib import Path


def by_numbers(file: Path) -> tuple[list[int], str]:
    """What to sort by: `traj_2` comes before `traj_10`."""
    return [int(digits) for digits in re.findall(r"\d+", file.stem)], file.name
