"""The numbers of a card: what plan, evaluate or benchmark left in their folders about these weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vfplan.errors import UserError
from vfplan.reading import read_object
from vfplan.studies.card.markdown import code, command, plain, table

Rows = Iterator[tuple[str, str]]

CALLED = {
    "solved_5cm": "within 5 cm at the end",
    "solved_3cm": "within 3 cm at the end",
    "reached_5cm_any_time": "within 5 cm at some time",
    "bits_per_dim": "bits/dim with the true actions",
    "bits_per_dim_shuffled_actions": "bits/dim with those of another episode",
    "bits_per_dim_no_actions": "bits/dim without actions",
}
CEILING = "simulator-image"


def measured(folder: Path, sha256: str) -> str:
    """The numbers in a run folder as tables, each with its command and commit.

    Raises:
        UserError: if there are none, they are damaged, or they are of other weights.
    """
    found = [name for name in READERS if (folder / name).is_file()]
    if not found:
        raise UserError(
            f"no results in {folder}: expected results.json (of plan), likelihood.json (evaluate) or benchmark.json"
        )
    return "\n\n".join(_block(folder, name, sha256) for name in found)


def _block(folder: Path, name: str, sha256: str) -> str:
    verb, head, read = READERS[name]
    path = folder / name
    content, made = _object(path), _object(folder / "provenance.json")
    if sha256 not in _hashes(content):
        raise UserError(f"{path} is of other weights than those of the checkpoint, {sha256[:12]}…")
    try:
        rows = table(read(content, sha256), head.format(**content))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__} ({plain(error)})") from error
    commit = f", commit {code(str(made['commit'])[:12])}" if made.get("commit") else ""
    return f"{code(command(verb, made.get('command')))}{commit}:\n\n{rows}"


def _object(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error})") from error


def _hashes(content: Mapping[str, Any]) -> list[Any]:
    """Of the weights that results are about: in itself, or in each row of a benchmark."""
    rows = content.get("rows")
    abouts = [row.get("about") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [content.get("checkpoint_sha256"), *(a.get("checkpoint_sha256") for a in abouts if isinstance(a, dict))]


def _plan(content: Mapping[str, Any], sha256: str) -> Rows:
    for key, value in content.items():
        if isinstance(value, dict) and {"rate", "low", "high"} <= set(value):
            yield _called(key), _percent(value)
        elif isinstance(value, dict) and {"median", "start_median"} <= set(value):
            yield f"median {_called(key)}", f"{float(value['start_median']):.1f} -> {float(value['median']):.1f}"


def _evaluate(content: Mapping[str, Any], sha256: str) -> Rows:
    for key, value in content.items():
        if key in CALLED and key.startswith("bits_per_dim"):
            low, high = float(value["low"]), float(value["high"])
            yield CALLED[key], f"{float(value['mean']):.4f} [{low:.4f}, {high:.4f}]"


def _benchmark(content: Mapping[str, Any], sha256: str) -> Rows:
    for row in content["rows"]:
        if row["name"] == CEILING or row["about"].get("checkpoint_sha256") == sha256:
            called = "the simulator as model" if row["name"] == CEILING else plain(row["name"])
            rates = (f"within {plain(limit)} {_percent(rate)}" for limit, rate in row["end"].items())
            distance = f"median distance {float(row['distance_cm']['median']):.1f} cm"
            yield called, "; ".join([*rates, distance, f"{int(row['num_tasks'])} tasks"])


def _called(key: str) -> str:
    return CALLED.get(key) or plain(key.replace("_", " "))


def _percent(value: Mapping[str, Any]) -> str:
    rate, low, high = (100 * float(value[key]) for key in ("rate", "low", "high"))
    return f"**{rate:.1f} %** [{low:.1f}, {high:.1f}]"


READERS: dict[str, tuple[str, str, Callable[[Mapping[str, Any], str], Rows]]] = {
    "results.json": ("plan", "{num_tasks:d} tasks", _plan),
    "likelihood.json": ("evaluate", "{num_episodes:d} held-out episodes", _evaluate),
    "benchmark.json": ("benchmark", "side by side", _benchmark),
}
