"""Where the numbers of a training go besides `metrics.jsonl`: a file per logger, whose library comes when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vfplan.extras import require_extra
from vfplan.output.folder import RunDir
from vfplan.training.loggers import runs, table, tensorboard
from vfplan.training.loggers.base import Logger

__all__ = ["LOGGERS", "Logger", "opened", "require_installed"]


@dataclass(frozen=True)
class Kind:
    """A way to log."""

    make: Callable[[RunDir], Logger]
    module: str = ""
    """What must be installed, by an extra of the logger's name."""


LOGGERS: dict[str, Kind] = {
    "csv": Kind(table.CsvLogger),
    "tensorboard": Kind(tensorboard.TensorBoardLogger, "tensorboard"),
    "wandb": Kind(lambda run: runs.RunsLogger(run, "wandb"), "wandb"),
    "trackio": Kind(lambda run: runs.RunsLogger(run, "trackio"), "trackio"),
}
"""All but `jsonl`, which every training has."""


def require_installed(names: Iterable[str]) -> None:
    """Raise UserError for a logger whose library is not there."""
    for name in names:
        if name in LOGGERS and LOGGERS[name].module:
            require_extra(f"logger={name}", name, LOGGERS[name].module)


def opened(names: Iterable[str], run: RunDir) -> list[Logger]:
    """The loggers of these names, for a run that begins or goes on."""
    return [LOGGERS[name].make(run) for name in dict.fromkeys(names) if name in LOGGERS]
