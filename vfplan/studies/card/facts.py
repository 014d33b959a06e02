"""The facts of a card: what a checkpoint says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors

from vfplan.models.checkpoint import WEIGHTS, Checkpoint
from vfplan.models.registry import family_name
from vfplan.studies.card.markdown import code, command

ENVIRONMENT = ("renderer", "mujoco", "id", "image_size", "action_scale", "action_names", "step_seconds", "object_names")
VERSIONS = ("vfplan", "torch", "numpy", "mujoco", "gymnasium", "safetensors")


def what_it_is(folder: Path, checkpoint: Checkpoint) -> str:
    """The family, the sizes and the hash, in two sentences."""
    model, config = checkpoint.model, checkpoint.model.config
    count = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    megabytes = (folder / WEIGHTS).stat().st_size / 1e6
    size = f"{config.image_size}x{config.image_size}"
    return (
        f"A world model of the family `{family_name(config.name)}` for {code('env=' + environment_name(checkpoint))}: "
        f"{count:.1f} M parameters, {megabytes:.1f} MB of {_dtype(folder)} (safetensors), {size} frames, "
        f"{config.action_dim}-D actions, {model.past_frames} frames of memory.\n"
        f"Weights SHA-256 `{checkpoint.sha256}`."
    )


def environment_name(checkpoint: Checkpoint) -> str:
    """What the environment of the training data is called."""
    return str(checkpoint.environment.get("name", "unknown"))


def how_it_was_made(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """Rows of a table: data, training, command, code, environment; only of what is on record."""
    training, environment = checkpoint.training, checkpoint.environment
    stores = training.get("stores") or [training.get("data")]
    for store in stores if isinstance(stores, list) else ():
        if isinstance(store, dict):
            yield "data", _store(store, training.get("validation_episodes"))
    steps, seconds = training.get("steps"), training.get("seconds")
    if isinstance(steps, int) and isinstance(seconds, int | float) and 0 <= seconds < 1e9:
        yield "training", f"{_count(steps)} steps in {seconds / 60:.0f} minutes"
    if training.get("command"):
        yield "command", code(command("train", training["command"]))
    if training.get("commit"):
        yield "commit", code(training["commit"])
    versions = training.get("versions")
    if isinstance(versions, dict):
        named = [f"{package} {code(versions[package])}" for package in VERSIONS if package in versions]
        yield "versions", ", ".join([f"Python {code(training.get('python'))}", *named])
    shown = [f"{key} {code(_short(environment[key]))}" for key in ENVIRONMENT if environment.get(key) is not None]
    yield "environment", ", ".join([code(environment_name(checkpoint)), *shown])


def _store(store: Mapping[str, Any], held_out: Any) -> str:
    last = f"; the last {held_out} held out" if isinstance(held_out, int) else ""
    return (
        f"{_count(store.get('episodes'))} episodes of {_count(store.get('length'))} actions, "
        f"policy {code(store.get('policy'))}, seed {code(store.get('seed'))}{last}; digest {code(store.get('digest'))}"
    )


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and 0 <= value < 10**12 else code(value)


def _dtype(folder: Path) -> str:
    """The type that most of the weights have in the file."""
    with safetensors.safe_open(folder / WEIGHTS, "pt") as file:
        kinds = [file.get_slice(name).get_dtype() for name in file.keys()]  # noqa: SIM118
    return {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}.get(max(kinds, key=kinds.count), "mixed types")


def _short(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
