"""Files that are either whole or absent: atomic writes, folders published by rename, and the folder of one run."""

import contextlib
import dataclasses
import datetime
import glob
import hashlib
import importlib.metadata
import json
import math
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGES = ("vfplan", "torch", "numpy", "mujoco", "gymnasium", "hydra-core", "safetensors")
TEMPORARY_PREFIX = ".tmp-"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: after a crash it holds the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """As `write_bytes`, what `as_json` makes of a value."""
    write_text(path, as_json(value))


def settings_of(config: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON has them: infinities as text."""
    return {key: _named(value) for key, value in dataclasses.asdict(config).items()}


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_named(each) for each in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def as_json(value: Any) -> str:
    """JSON of several lines; dataclasses and paths become mappings and text.

    Raises ValueError for NaN, and for infinities that are no setting.
    """
    return json.dumps(value, indent=2, default=_to_json, allow_nan=False) + "\n"


@contextlib.contextmanager
def published_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`, then make it durable and rename it to `path`.

    With `replace`, a folder already at `path` is first renamed out of the way, so that `path` holds the old content,
    nothing for an instant, or the new; without, it is an error (OSError). Nothing appears at `path` when the body
    raises. A killed process leaves a folder that `remove_temporary` removes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, retired = temporary_path(path), temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        make_durable(temporary)
        if replace and path.exists():
            path.replace(retired)
        temporary.replace(path)
        sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


@contextlib.contextmanager
def published_file(path: Path) -> Iterator[Path]:
    """Yield a free name beside `path` for a file to be written under, then make it durable and rename it to `path`.

    Nothing appears at `path` when the body raises. A killed process leaves a file that `remove_temporary` removes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def make_durable(folder: Path) -> None:
    """Bring all that a folder holds, and itself, to the disk."""
    for entry in sorted(folder.rglob("*")):
        sync(entry)
    sync(folder)


def temporary_path(path: Path) -> Path:
    """A name beside `path` that nobody has and `remove_temporary` knows."""
    return path.with_name(f"{TEMPORARY_PREFIX}{path.name}-{uuid.uuid4().hex[:8]}")


def remove_temporary(folder: Path, depth: int = 0) -> None:
    """Remove what killed writers left in `folder`, and in folders so many levels below.

    Only safe while nobody else writes there.
    """
    for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if not re.fullmatch(r".*-[0-9a-f]{8}", leftover.name):
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()
    if depth:
        for below in folder.glob("*"):  # which, unlike iterdir, leaves out what it may not read
            if below.is_dir() and not below.is_symlink():
                remove_temporary(below, depth - 1)


def remove_temporary_of(path: Path) -> None:
    """Remove what killed writers of this very file or folder left beside it."""
    for leftover in path.parent.glob(f"{TEMPORARY_PREFIX}{glob.escape(path.name)}-*"):
        if leftover.name[-9] == "-":
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class RunDir:
    """The folder of one run: results, metrics, and with the first of them the configuration and where it came from.

    Creating the object touches no disk; the folder, `config.json` and `provenance.json` appear with the first write.
    A run that resumes replaces the two and appends to the metrics.
    """

    def __init__(self, path: str | Path, config: Any) -> None:
        self.path = Path(path)
        self._config = config
        self._provenance = provenance()  # now: the checkout may have moved on by the first write
        self._ready = False

    def file(self, name: str) -> Path:
        """The path of `name` in the folder, which now exists."""
        if not self._ready:
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.path / "config.json", self._config)
            write_json(self.path / "provenance.json", self._provenance)
            self._ready = True
        return self.path / name

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write a file at once; returns its path."""
        write_bytes(self.file(name), data)
        return self.path / name

    def write_text(self, name: str, text: str) -> Path:
        """Write a UTF-8 file at once; returns its path."""
        return self.write_bytes(name, text.encode())

    def write_json(self, name: str, value: Any) -> Path:
        """Write a JSON file at once; returns its path."""
        write_json(self.file(name), value)
        return self.path / name

    def append_metrics(self, values: Mapping[str, Any], *, name: str = "metrics.jsonl") -> None:
        """Append one line of JSON. A crash can cut at most the last line, which `read_metrics` drops."""
        line = json.dumps(values, default=_to_json)
        with self.file(name).open("ab+") as file:
            # A line cut by a crash must not swallow the next one.
            if file.tell() and not _ends_line(file):
                file.write(b"\n")
            file.write(line.encode() + b"\n")


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The whole lines of a metrics file, oldest first; lines cut by a crash are left out."""
    rows = []
    for line in Path(path).read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


def provenance() -> dict[str, Any]:
    """The command line, commit (None outside a checkout), package versions, Python and UTC time of this process."""
    return {
        "command": command_line(),
        "commit": git_commit(),
        "python": sys.version.split()[0],
        "versions": package_versions(),
        "time_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def command_line() -> list[str]:
    """The words that started this process; what Hydra is told behind the scenes is none of them."""
    return [Path(sys.argv[0]).name, *(word for word in sys.argv[1:] if not word.startswith("hydra"))]


def package_versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """The installed version of each package; absent ones are left out."""
    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def git_commit() -> str | None:
    """The commit of the checkout that vfplan runs from, '-dirty' appended if tracked files differ; None elsewhere."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=root, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def sync(path: Path) -> None:
    """Bring a file, or the names that a folder holds, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return settings_of(value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy and torch numbers and arrays
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
