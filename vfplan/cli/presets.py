"""`preset=NAME` stands for the overrides that `configs/preset/NAME.yaml` lists under the name of the command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vfplan.errors import UserError
from vfplan.schema import unknown_message

KEY = "preset="


def expanded(arguments: Sequence[str], command: str, folder: Path) -> list[str]:
    """The arguments, a line each, with the overrides of a preset in its place but for those of keys given besides.

    Raises:
        UserError: for a preset that does not exist, or is not for this command.
    """
    # Hydra's grammar has no line breaks, which a shell lets quoted values have.
    arguments = [text.replace("\n", " ") for text in arguments]
    names = [text.removeprefix(KEY) for text in arguments if text.startswith(KEY)]
    if not names:
        return arguments
    if len(names) > 1:
        raise UserError(f"expected one preset, got {', '.join(names)}")
    others = [text for text in arguments if not text.startswith(KEY)]
    given = {_key(text) for text in others}
    return others + [text for text in _overrides(names[0], command, folder) if _key(text) not in given]


def presets(folder: Path, command: str) -> list[str]:
    """The presets that a command has."""
    return [path.stem for path in sorted(folder.glob("*.yaml")) if command in _content(path)]


def _overrides(name: str, command: str, folder: Path) -> list[str]:
    files = {path.stem: path for path in folder.glob("*.yaml")}
    if name not in files:
        raise UserError(unknown_message("preset", name, files))
    content = _content(files[name])
    if command not in content:
        raise UserError(f"preset={name} is for {', '.join(content)}; got {command}")
    return content[command]


def _content(path: Path) -> dict[str, list[str]]:
    content: Any = OmegaConf.to_container(OmegaConf.load(path))
    return {str(command): [str(override) for override in overrides] for command, overrides in content.items()}


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
