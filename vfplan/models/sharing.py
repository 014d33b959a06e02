"""Publishing a checkpoint in a repository of the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from vfplan.errors import UserError, said
from vfplan.models import hub
from vfplan.models.checkpoint import CARD, DESCRIPTION, WEIGHTS, checkpoint_folder, load_checkpoint
from vfplan.reading import read_bounded


def push_to_hub(checkpoint: str | Path, repository: str, *, private: bool = True) -> str:
    """Commit weights, description and card of a checkpoint to `OWNER/NAME`, which is made if it is not there.

    Nothing else in the folder is sent. Returns how the commit is written: `hub:OWNER/NAME@COMMIT`. `private` is for a
    repository that is made now.

    Raises:
        UserError: if the checkpoint is not whole, its card is absent or of other weights, or the Hub refuses.
    """
    client = hub.client()
    hub.require_repository(repository)
    folder = checkpoint_folder(checkpoint)
    _require_card(folder, load_checkpoint(folder).sha256)
    api = client.HfApi()
    added = [client.CommitOperationAdd(name, folder / name) for name in (WEIGHTS, DESCRIPTION, CARD)]
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.create_commit(repository, added, commit_message="Add a checkpoint of vfplan")
    except Exception as error:  # what a client of a network raises is no closed set
        raise UserError(f"cannot publish {folder} as {repository}: {type(error).__name__}: {said(error)}") from error
    return f"{hub.PREFIX}{repository}@{done.oid}"


def _require_card(folder: Path, sha256: str) -> None:
    make = f"python -m vfplan.card checkpoint={folder}"
    if not (folder / CARD).is_file():
        raise UserError(f"{folder} has no {CARD}; make it: {make}")
    if sha256.encode() not in read_bounded(folder / CARD):
        raise UserError(f"{folder / CARD} is of other weights than {sha256[:12]}…; make it anew: {make}")
