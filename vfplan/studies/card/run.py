"""Makes the card of a checkpoint and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vfplan.errors import UserError
from vfplan.models import hub
from vfplan.models.checkpoint import CARD, Checkpoint, checkpoint_folder, load_checkpoint
from vfplan.models.registry import family_name
from vfplan.output.folder import write_text
from vfplan.reading import read_bounded
from vfplan.studies.card.facts import environment_name, how_it_was_made, what_it_is
from vfplan.studies.card.kept import kept, marked
from vfplan.studies.card.markdown import code, table
from vfplan.studies.card.measured import measured
from vfplan.studies.card.settings import CardConfig

TAGS = ("world-model", "video-prediction", "model-predictive-control", "robotics")
LIMITS = (
    "It knows the scene, the camera and the actions that it was trained on, and nothing else; the commands of vfplan\n"
    "refuse another. It was trained and tested in simulation."
)


def run(config: CardConfig) -> None:
    """Write the card, and print where it is and what can follow. Raises UserError."""
    if config.checkpoint.startswith(hub.PREFIX) and not config.out:
        raise UserError(f"the cache of the Hub is not for cards: give out=FILE for the card of {config.checkpoint}")
    if config.out and Path(config.out).is_dir():
        raise UserError(f"out= is the file of the card, and {config.out} is a folder")
    folder = checkpoint_folder(config.checkpoint)
    checkpoint = load_checkpoint(folder)
    target = Path(config.out) if config.out else folder / CARD
    texts = _texts(target) or _texts(folder / CARD)
    runs = (config.results,) if isinstance(config.results, str) else config.results
    if runs:
        texts["measured"] = "\n\n".join(measured(Path(each), checkpoint.sha256) for each in runs)
    write_text(target, card(folder, checkpoint, texts, config.license))
    print(f"wrote {target}; texts of yours between its <!-- markers --> stay when it is made again")
    publish = f"from vfplan.models.sharing import push_to_hub; print(push_to_hub('{folder}', 'OWNER/NAME'))"
    print(f'next: python -c "{publish}"  # private, unless told otherwise')


def card(folder: Path, checkpoint: Checkpoint, texts: Mapping[str, str], license: str) -> str:
    """The card as Markdown, with the front matter that the Hub reads."""
    name, family = environment_name(checkpoint), family_name(checkpoint.model.config.name)
    tags = "\n".join(f"- {tag}" for tag in (*TAGS, family))
    which = f" env.id={checkpoint.environment['id']}" if "id" in checkpoint.environment else ""
    use = f"python -m vfplan.plan env={name}{which} checkpoint=FOLDER"
    parts = [
        f"---\nlicense: {license}\nlibrary_name: vfplan\npipeline_tag: robotics\ntags:\n{tags}\n---",
        f"# Checkpoint {code(name)}",
        what_it_is(folder, checkpoint),
        marked("about", texts.get("about", "")),
        f"{code(use)} plans with it, and with `checkpoint=hub:OWNER/NAME@REVISION`\nfrom the Hub.",
        "## How it was made",
        marked("recipe", texts.get("recipe", "")),
        table(how_it_was_made(checkpoint)),
        "## What it does",
        marked("results", texts.get("results", "")),
        marked("measured", texts.get("measured", "")),
        "## What it does not",
        marked("limits", texts.get("limits", LIMITS)),
        f"## Licence\n\n`{license}`",
    ]
    return "\n\n".join(parts) + "\n"


def _texts(path: Path) -> dict[str, str]:
    """The texts of the card at a path; none where there is no card. Raises UserError if it is not one of ours."""
    if not path.is_file():
        return {}
    try:
        found = kept(read_bounded(path).decode())
    except ValueError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    if not found:
        raise UserError(f"{path} is there and has none of the markers of a card, as <!-- about -->; give another out=")
    return found
