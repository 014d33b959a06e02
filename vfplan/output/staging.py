"""Folders that take long: built beside their place, renamed when they are finished, gone on with after a kill."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from vfplan.errors import BadSourceError, UserError
from vfplan.output.folder import as_json, make_durable, sync


@contextlib.contextmanager
def staged_folder(path: Path, settings: object) -> Iterator[Path]:
    """Yield a folder beside `path` that becomes `path` when the body ends.

    A killed body finds there what it left, if the `settings` (JSON-able) are the same. Nothing appears at `path` when
    the body raises; after a BadSourceError nothing is left beside it either.

    Raises:
        UserError: if `path` exists.
    """
    require_new(path)
    digest = hashlib.sha256(as_json(settings).encode()).hexdigest()[:8]
    partial = path.with_name(f".partial-{path.name}-{digest}")
    made = [folder for folder in path.parents if not folder.exists()]
    partial.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
    except BadSourceError:
        shutil.rmtree(partial, ignore_errors=True)
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise
    make_durable(partial)
    require_new(path)
    partial.rename(path)
    sync(path.parent)


def require_new(path: Path) -> None:
    """Raise UserError if something is at `path`."""
    if path.exists() or path.is_symlink():
        raise UserError(f"{path} exists; choose another out=")
