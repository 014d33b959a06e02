"""The checkpoints of a run: each a folder that appears whole by one rename, and goes when newer ones are there."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfplan.errors import UserError, said
from vfplan.output.folder import as_json, file_sha256, published_folder, remove_temporary, temporary_path
from vfplan.reading import read_object

FOLDER, LINK, MANIFEST = "checkpoints", "checkpoint", "manifest.json"


@dataclass(frozen=True)
class Snapshots:
    """`checkpoints/step-N/` in the folder of a run, and `checkpoint`, a link to the newest of them.

    Each holds what its writer put there and `manifest.json`: the SHA-256 of every file, and the step's score.
    """

    run: Path
    keep: int = 2
    """Newest ones that stay; the one with the lowest score stays too."""

    def tidy(self) -> None:
        """Remove what killed writers left, and let the link lead to the newest whole one. Nobody else may write."""
        remove_temporary(self.run, depth=1)
        newest = next((path for path in self._paths() if not _damage(path)), None)
        if newest is not None:
            self._link(newest)

    def newest(self, warn: Callable[[str], None]) -> Path | None:
        """Return the newest whole one, None where there are none; `warn` hears of newer ones that are damaged.

        Raises:
            UserError: if all are damaged, or the run is of before there were any.
        """
        damaged: list[str] = []
        for path in self._paths():
            damage = _damage(path)
            if not damage:
                for line in damaged:
                    warn(f"{line}; going on from {path.name}")
                return path
            damaged.append(f"damaged checkpoint {path}: {damage}")
        if damaged:
            raise UserError(f"{damaged[0]}, and there is no older whole one; give another run_dir")
        if (self.run / "state.pt").is_file():
            init = self.run / LINK
            raise UserError(f"{self.run} holds a run of an older version; give another run_dir, and init={init}")
        return None

    def publish(self, step: int, write: Callable[[Path], Mapping[str, str]], score: float | None = None) -> Path:
        """Let `write` fill the folder of a step, then link it, then remove those that need not be kept.

        `write` returns the SHA-256 of the files that it knows it of. A lower score is better; None is no candidate for
        the best.
        """
        path = self._path(step)
        if not path.exists() or _damage(path):
            with published_folder(path, replace=True) as folder:
                known = write(folder)
                files = {file.name: known.get(file.name) or file_sha256(file) for file in sorted(folder.iterdir())}
                (folder / MANIFEST).write_text(as_json({"files": files, "score": score}), encoding="utf-8")
        self._link(path)
        self._prune()
        return path

    def _path(self, step: int) -> Path:
        return self.run / FOLDER / f"step-{step}"

    def _paths(self) -> list[Path]:
        """All of them, the newest first."""
        found = [path for path in (self.run / FOLDER).glob("step-*") if path.name[5:].isdecimal() and path.is_dir()]
        return sorted(found, key=lambda path: int(path.name[5:]), reverse=True)

    def _link(self, path: Path) -> None:
        link, target = self.run / LINK, Path(FOLDER, path.name)
        if link.is_symlink() and link.readlink() == target:
            return
        temporary = temporary_path(link)
        temporary.symlink_to(target, target_is_directory=True)
        with _out_of_the_way(link):
            temporary.replace(link)

    def _prune(self) -> None:
        paths = self._paths()
        scores = {path: score for path in paths if (score := _score(path)) is not None}
        kept = {*paths[: self.keep], *sorted(scores, key=lambda path: scores[path])[:1]}
        for path in paths:
            if path not in kept:
                going = temporary_path(path)
                path.replace(going)
                shutil.rmtree(going)


@contextmanager
def _out_of_the_way(link: Path) -> Iterator[None]:
    """Move a real folder aside, as a copy of a run has it, for a link cannot replace it."""
    if link.is_symlink() or not link.is_dir():
        yield
        return
    aside = temporary_path(link)
    link.replace(aside)
    yield
    shutil.rmtree(aside)


def _damage(path: Path) -> str:
    """What is wrong with a checkpoint; empty if it is whole."""
    manifest = _manifest(path)
    if manifest is None:
        return f"no {MANIFEST} that can be read"
    for name, expected in manifest["files"].items():
        try:
            with (path / Path(name).name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError):  # no file has a name with NUL or half a surrogate pair
            return f"{said(ascii(name)[1:-1])} is missing"
        if found != expected:
            return f"{name} has SHA-256 {found[:12]}, expected {str(expected)[:12]}"
    return ""


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        manifest = read_object(path / MANIFEST)
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest.get("files"), dict) else None


def _score(path: Path) -> float | None:
    score = (_manifest(path) or {}).get("score")
    return float(score) if isinstance(score, int | float) else None
