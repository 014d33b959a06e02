"""A threshold that nominal episodes exceed no more often than promised, and the file that carries it.

Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005), per episode: the
frames of one episode depend on each other, episodes do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vfplan.control.surprise import SurpriseConfig
from vfplan.errors import UserError
from vfplan.reading import read_object
from vfplan.schema import from_mapping


def conformal_threshold(maxima: Sequence[float], false_alarms: float) -> float:
    """A value that the maximum of a new episode exceeds with probability `false_alarms` at most.

    `maxima` holds the largest value of each of n calibration episodes; the promise holds if these and the new one are
    exchangeable, whatever their distribution, on average over calibrations. The value is the
    ceil((n + 1)(1 - false_alarms))-th smallest.

    Raises:
        ValueError: if `false_alarms` is not between 0 and 1, a maximum is NaN, or n is too small to promise anything:
            n must be at least 1 / false_alarms - 1.
    """
    if not 0 < false_alarms < 1:
        raise ValueError(f"false_alarms must be between 0 and 1; got {false_alarms}")
    if any(math.isnan(value) for value in maxima):
        raise ValueError("a calibration episode has a surprise that is not a number")
    # Rounded, because 20 * (1 - 0.05) must not come out above 19.
    rank = math.ceil(round((len(maxima) + 1) * (1 - false_alarms), 9))
    if rank > len(maxima):
        needed = math.ceil(round(1 / false_alarms - 1, 9))
        raise ValueError(
            f"{len(maxima)} episodes cannot promise false alarms in {100 * false_alarms:g} % of episodes at most; "
            f"calibrate on at least {needed}"
        )
    return sorted(maxima)[rank - 1]


@dataclass(frozen=True)
class Calibration:
    """What a monitor needs besides the model, and what it holds for."""

    checkpoint_sha256: str
    """Of the weights whose surprise it is."""
    env: str
    steps: int
    """Actions per calibration episode: a longer episode would have more false alarms."""
    planner: str
    """Who acted; the threshold holds for episodes like its own."""
    tasks: str
    """The task set that the episodes started from."""
    false_alarms: float
    """Promised largest share of nominal episodes with an alarm."""
    threshold: float
    """nats."""
    surprise: SurpriseConfig
    maxima: tuple[float, ...]
    """The largest statistic of each calibration episode, nats."""


def read_calibration(path: Path, *, checkpoint_sha256: str | None, env: str, steps: int) -> Calibration:
    """The calibration in a file that `vfplan.monitor` wrote, if it holds for these weights, environment and steps.

    Raises:
        UserError: if there is no such file, it is damaged, or it was made for something else.
    """
    if not path.is_file():
        raise UserError(f"no calibration at {path}: expected the surprise.json that python -m vfplan.monitor writes")
    try:
        values = read_object(path)
    except ValueError as error:
        raise UserError(f"corrupt calibration {path}: {error}") from error
    calibration = from_mapping(Calibration, values, where=f"{path}: ")
    for name, found, wanted in (
        ("checkpoint", calibration.checkpoint_sha256[:12], str(checkpoint_sha256)[:12]),
        ("env", calibration.env, env),
    ):
        if found != wanted:
            raise UserError(f"calibration {path} was made for {name} {found}, but this is {wanted}; calibrate anew")
    if steps > calibration.steps:
        raise UserError(f"calibration {path} holds for episodes of {calibration.steps} actions at most; got {steps}")
    return calibration
