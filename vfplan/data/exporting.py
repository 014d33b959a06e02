"""A store in the format of another project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vfplan.checks import within
from vfplan.data import formats
from vfplan.data.formats.base import WriteConfig
from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError
from vfplan.output.folder import remove_temporary_of
from vfplan.output.staging import require_new

OF_LEROBOT = ("lossy", "fps", "task")
"""Keys that the other formats have no place for."""


@dataclass(frozen=True)
class ExportConfig:
    """What to export; the comments in `configs/stores/export.yaml` say what each key is."""

    data: str
    format: str
    out: str = ""
    lossy: bool = False
    fps: int = within(0, 0, 1000)
    task: str = ""
    workers: int = within(0, 0, 1024)

    @property
    def path(self) -> Path:
        """The file or folder that is written."""
        end = formats.named(self.format, writes=True).end
        return Path(self.out or f"{self.data.rstrip('/')}{end}")


def export_store(config: ExportConfig) -> EpisodeStore:
    """Write a store at `config.path`, whole or not at all. Raises UserError if that cannot be."""
    path = config.path
    require_new(path)
    for key in OF_LEROBOT:
        if getattr(config, key) and config.format != "lerobot":
            raise UserError(f"{key}= is for format=lerobot; {config.format} has no such thing")
    store = EpisodeStore.open(config.data)
    writing = WriteConfig(config.lossy, config.fps, config.task, config.workers)
    try:
        remove_temporary_of(path)
        formats.write(config.format, store, path, writing)
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror or error}") from error
    return store


def next_step(config: ExportConfig) -> str:
    """The line that reads what was written, in the other project."""
    path = config.path.resolve()
    match config.format:
        case "lerobot":
            return f"LeRobotDataset('{path.parent.name}/{path.name}', root='{path}')  # in Python, with lerobot"
        case "minari":
            return f"MINARI_DATASETS_PATH={path.parent} python -c \"import minari; minari.load_dataset('{path.name}')\""
        case "swm":
            return f"stable_worldmodel.data.HDF5Dataset(path='{path}')  # in Python, with stable-worldmodel"
        case _:
            return f"python robomimic/scripts/get_dataset_info.py --dataset {path}"
