"""How surprising what is seen is to the model that planned it, cell by cell; and when that is more than nominal.

E problem (episode), T step, y and x cell of the model's top level. Sees frames and actions, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfplan.checks import require_ranges, within
from vfplan.models.base import Context, MonitorableModel
from vfplan.models.precision import in_float32


@dataclass(frozen=True)
class SurpriseConfig:
    """What becomes of the surprise of all cells."""

    cells: int = within(4, 1, 1_000_000)
    """The most surprising cells, whose mean counts; 1 is the single worst."""
    smoothing: float = within(0.0, 0, 0.9999)
    """Weight of the past in an exponentially weighted average over time; 0 looks at each frame alone."""

    def __post_init__(self) -> None:
        require_ranges(self)


@dataclass(frozen=True)
class Surprise:
    """What a monitor saw of E episodes."""

    maps: NDArray[np.float32]
    """(E, T, y, x) nats: minus the log-density of each cell of the frame after each action."""
    values: NDArray[np.float32]
    """(E, T) nats: the statistic that alarms are raised by."""
    alarms: NDArray[np.bool_]
    """(E, T)."""

    def first_alarms(self) -> list[int | None]:
        """The action after which each episode had its first alarm, counted from 0; None where there was none."""
        return [int(row.argmax()) if row.any() else None for row in self.alarms]


class Monitor:
    """Watches E episodes in lockstep; make a new one for every episode.

    The surprise of a cell is minus its log-density given the true frames before and the action taken. A sum over all
    cells would drown a few wrong ones in a thousand static ones, so the statistic is a mean over the `cells` largest.
    It is alarmed when the statistic, averaged over time, exceeds `threshold` or is not a number.

    Calibrate the threshold with `vfplan.control.calibration`. Densities of flows are no good detectors by themselves
    (Kirichenko, Izmailov and Wilson, 2020): the frame before is what takes the background out of this one.
    """

    def __init__(self, model: MonitorableModel, config: SurpriseConfig, threshold: float = float("inf")) -> None:
        self.model, self.config, self.threshold = model, config, threshold
        self._maps: list[Tensor] = []
        self._values: list[Tensor] = []

    @torch.inference_mode()
    def observe(self, context: Context, action: Tensor, frame: Tensor) -> NDArray[np.bool_]:
        """Whether uint8 frame (E, C, Y, X), after `context` and action (E, A), raises an alarm, (E,)."""
        with in_float32(self.model):
            surprise = -self.model.cell_log_prob(context, action, frame)
        # A cell that is not a number must not hide among the others.
        surprise = torch.where(surprise.isnan(), torch.inf, surprise)
        flat = surprise.flatten(1)
        value = flat.topk(min(self.config.cells, flat.shape[1]), dim=1).values.mean(1)
        if self._values:
            value = self.config.smoothing * self._values[-1] + (1 - self.config.smoothing) * value
        self._maps.append(surprise)
        self._values.append(value)
        return (~(value <= self.threshold)).cpu().numpy()

    def record(self) -> Surprise:
        """Everything that was observed so far; at least one frame."""
        values = torch.stack(self._values, dim=1).cpu().numpy()
        return Surprise(torch.stack(self._maps, dim=1).cpu().numpy(), values, ~(values <= self.threshold))
