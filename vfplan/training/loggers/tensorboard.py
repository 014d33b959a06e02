"""Curves for TensorBoard, in the folder `tensorboard` of the run."""

from __future__ import annotations

from collections.abc import Mapping

from vfplan.output.folder import RunDir


class TensorBoardLogger:
    """A writer of event files."""

    def __init__(self, run: RunDir) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.file("tensorboard")))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A point on the curve of each number."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what waits in memory."""
        self._writer.close()
