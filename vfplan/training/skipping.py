"""Steps whose loss or gradient is no number are skipped, said and counted; too many in a row end the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vfplan.errors import UserError
from vfplan.models.base import Clip
from vfplan.training.learner import Learner
from vfplan.training.snapshots import Snapshots


class Skipping:
    """Lets a learner step over what is not finite.

    Args:
        learner: what learns.
        episodes: from a step to the episodes, per store, that it learns from.
        run: the folder of the training.
        most: steps in a row that may be skipped.
    """

    def __init__(
        self, learner: Learner, episodes: Callable[[int], Sequence[Sequence[int]]], run: Path, most: int
    ) -> None:
        self.learner, self.episodes, self.run, self.most = learner, episodes, run, most
        self.in_a_row = 0

    def step(self, clip: Clip) -> dict[str, Any]:
        """Return what to log of the step: the learner's metrics, or why and on what data it was skipped.

        Raises:
            UserError: if it is the last that may be skipped.
        """
        step = self.learner.steps_done
        try:
            metrics = self.learner.step(clip)
        except FloatingPointError as error:
            self.in_a_row += 1
            if self.in_a_row >= self.most:
                raise UserError(
                    f"{error}, and {self.in_a_row} steps in a row are skipped (max_skipped); last good checkpoint: "
                    f"{Snapshots(self.run).newest(lambda line: None) or 'none'}"
                ) from error
            return {"skipped": str(error), "episodes": [list(each) for each in self.episodes(step)]}
        self.in_a_row = 0
        return metrics
