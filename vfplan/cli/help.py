"""What `--help` prints: groups and their options, keys with the values that they have, and what YAML says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vfplan.cli.options import Options
from vfplan.cli.yaml_comments import yaml_comments

LAST = "also: --cfg job (print this as YAML), -m (sweep: key=1,2,3), HYDRA_FULL_ERROR=1 (tracebacks)"


def help_text(
    head: Sequence[str],
    composed: DictConfig,
    groups: Mapping[str, list[str]],
    presets: Sequence[str],
    files: Iterable[Path],
    options: Options,
) -> str:
    """All of it; `files` are the YAML files of the command itself."""
    lines = list(head)
    if groups:
        lines += ["groups (group=option):"]
        lines += [f"  {group:<10} {', '.join(names)}" for group, names in groups.items()] + [""]
    if presets:
        lines += [f"presets (preset=name): {', '.join(presets)}", ""]
    lines += ["keys and their values here:"]
    comments = _comments(composed, groups, files, options)
    for key, value in flat(composed):
        if not isinstance(value, DictConfig):
            assignment = f"{key}={'' if value is None else value}"
            lines.append(f"  {assignment:<34} {comments.get(key, '')}".rstrip())
    return "\n".join([*lines, "", LAST])


def flat(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key, sections included, with its value."""
    for key in map(str, config):
        value = None if OmegaConf.is_missing(config, key) else config[key]
        yield f"{prefix}{key}", value
        if isinstance(value, DictConfig):
            yield from flat(value, f"{prefix}{key}.")


def _comments(composed: DictConfig, groups: Iterable[str], files: Iterable[Path], options: Options) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in files:
        found.update(yaml_comments(file))
    for group in groups:
        section = composed.get(group)
        chosen = section.get("name") if isinstance(section, DictConfig) else None
        # The chosen option's comments last, for they are the ones that hold.
        for option in sorted(options.files(group), key=lambda path: path.stem == chosen):
            found.update({f"{group}.{key}": text for key, text in yaml_comments(option).items()})
    return found
