"""Checkpoints in repositories of the Hugging Face Hub, written `hub:OWNER/NAME@REVISION`. The only place that fetches.

Nothing of a repository is asked for but the files of a checkpoint, by their names here; each may have a size only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vfplan.errors import UserError, said
from vfplan.extras import require_extra

PREFIX = "hub:"
PART = r"[A-Za-z0-9](?:[A-Za-z0-9_]|[.-](?![.-]))*"  # of the name of a repository: no .. and no --, as the Hub has it
REPOSITORY = re.compile(rf"{PART}/{PART}")
REVISION = re.compile(rf"{PART}(?:/{PART})*")
COMMIT = re.compile(r"[0-9a-f]{40}")
LONGEST = 96


def client() -> Any:
    """The module `huggingface_hub`. Raises UserError if it is not installed."""
    require_extra("the Hub", "hub", "huggingface_hub")
    import huggingface_hub
    import huggingface_hub.errors

    return huggingface_hub


def require_repository(name: str) -> str:
    """Return `OWNER/NAME`. Raises UserError for anything else."""
    if not REPOSITORY.fullmatch(name) or len(name) > LONGEST:
        raise UserError(f"expected a repository as OWNER/NAME, got {said(repr(name))}")
    return name


def parse(name: str) -> tuple[str, str]:
    """Repository and revision in `hub:OWNER/NAME@REVISION`. Raises UserError for anything else."""
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    if not (name.startswith(PREFIX) and REPOSITORY.fullmatch(repository) and len(repository) <= LONGEST):
        raise UserError(f"expected hub:OWNER/NAME@REVISION, got {said(repr(name))}")
    if not REVISION.fullmatch(revision) or len(revision) > LONGEST:
        raise UserError(
            f"expected a revision, hub:{repository}@REVISION: a commit, which never changes, a tag or a branch; "
            f"got {said(repr(revision))}"
        )
    return repository, revision


def download(name: str, files: Mapping[str, int]) -> Path:
    """The folder, in the client's cache, with these files of `hub:OWNER/NAME@REVISION`, each of at most so many bytes.

    What the cache has of a commit is not asked for again. Of another revision the commit is printed; it is asked for
    once in a process.

    Raises:
        UserError: if the client is not installed, the name is none, or a file is absent, too large or out of reach.
    """
    return _download(name, tuple(files.items()))


@cache
def _download(name: str, files: tuple[tuple[str, int], ...]) -> Path:
    repository, revision = parse(name)
    client()
    try:
        commit = revision if COMMIT.fullmatch(revision) else _commit(repository, revision, *files[0])
        (folder,) = {_fetch(repository, commit, file, most).parent for file, most in files}
    except UserError:
        raise
    except Exception as error:  # what a client of a network raises is no closed set
        raise UserError(f"cannot get {name}: {_why(error)}") from error
    if commit != revision:
        print(f"{name} is {PREFIX}{repository}@{commit}", flush=True)
    return folder


def _commit(repository: str, revision: str, file: str, most: int) -> str:
    """The commit that a tag or branch is at now; in offline mode, when the cache was filled."""
    hub = client()
    with contextlib.suppress(hub.errors.OfflineModeIsEnabled):
        _require_size(repository, revision, file, most)
    commit = Path(hub.hf_hub_download(repository, file, revision=revision)).parent.name
    if not COMMIT.fullmatch(commit):
        raise UserError(f"cannot get {repository}: expected the commit of {revision}, got {said(repr(commit))}")
    return commit


def _fetch(repository: str, commit: str, file: str, most: int) -> Path:
    """The path of a file in the cache, where it now is."""
    hub = client()
    cached = hub.try_to_load_from_cache(repository, file, revision=commit)
    if isinstance(cached, str):
        return Path(cached)
    _require_size(repository, commit, file, most)
    return Path(hub.hf_hub_download(repository, file, revision=commit))


def _require_size(repository: str, revision: str, file: str, most: int) -> None:
    hub = client()
    size = hub.get_hf_file_metadata(hub.hf_hub_url(repository, file, revision=revision)).size
    if size is None or size > most:
        raise UserError(f"{PREFIX}{repository}@{revision}: {file} has {size} bytes; at most {most} are fetched")


def _why(error: Exception) -> str:
    errors = client().errors
    if isinstance(error, errors.RepositoryNotFoundError):
        return "no such repository that you may read"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return "it holds no checkpoint, which is a model.safetensors and a config.json"
    if isinstance(error, errors.OfflineModeIsEnabled | errors.LocalEntryNotFoundError):
        return "it is not in the cache, and the Hub is out of reach (or HF_HUB_OFFLINE is set)"
    return f"{type(error).__name__}: {said(error)}"
