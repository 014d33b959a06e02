"""A trained model on disk: weights, architecture and where they come from; nothing in it is ever executed."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from vfplan.errors import UserError, said
from vfplan.models import hub
from vfplan.models.registry import FAMILIES, build_model
from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.output.folder import as_json, file_sha256, published_folder
from vfplan.reading import MOST_BYTES, read_object
from vfplan.schema import from_mapping

FORMAT = 2
WEIGHTS, DESCRIPTION, CARD = "model.safetensors", "config.json", "README.md"
PUBLISHED = "_published"
MOST_WEIGHTS = 2**34  # bytes of a file that is fetched

SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint."""

    model: TrainableModel
    environment: dict[str, Any]
    """Description of the environment the training frames come from, as the store recorded it."""
    training: dict[str, Any]
    """Steps, data, versions: for the record only."""
    sha256: str
    """Hash of the weights file."""


def save_checkpoint(
    folder: Path,
    model: TrainableModel,
    *,
    environment: dict[str, Any],
    training: dict[str, Any],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Publish `folder` with a checkpoint by one rename; a folder of that name is replaced. See `write_checkpoint`."""
    with published_folder(folder, replace=True) as temporary:
        write_checkpoint(temporary, model, environment=environment, training=training, dtype=dtype)


def write_checkpoint(
    folder: Path,
    model: TrainableModel,
    *,
    environment: dict[str, Any],
    training: dict[str, Any],
    dtype: torch.dtype = torch.float32,
) -> str:
    """Write `model.safetensors` and `config.json` into a folder that nobody reads yet; the weights' SHA-256.

    Weights are rounded to `dtype`; with bfloat16 the file has half the size. Models always compute from float32 copies.
    """
    weights = {
        name: tensor.detach().cpu().to(dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    # By hand, for `save_file` lets nobody but the owner read it, whatever the umask.
    content = safetensors.torch.save(weights)
    (folder / WEIGHTS).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    description = {
        "format": FORMAT,
        "sha256": sha256,
        "model": dataclasses.asdict(model.config),
        "environment": environment,
        "training": training,
    }
    (folder / DESCRIPTION).write_text(as_json(description), encoding="utf-8")
    return sha256


def load_checkpoint(name: str | Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint, named as `checkpoint_folder` says, in evaluation mode on `device`.

    Raises:
        UserError: if there is none, it is of another format, is damaged (SHA-256), or names an unknown architecture.
    """
    folder = checkpoint_folder(name)
    description = _description(folder)
    sha256 = file_sha256(folder / WEIGHTS)
    if sha256 != description["sha256"]:
        expected = str(description["sha256"])
        raise UserError(f"corrupt checkpoint {folder / WEIGHTS}: SHA-256 {sha256[:12]}…, expected {expected[:12]}…")
    architecture = _architecture(folder, description)
    _require_fitting(folder, architecture)
    model = build_model(architecture)
    _load_weights(model, folder / WEIGHTS)
    return Checkpoint(model.to(device).eval(), description["environment"], description["training"], sha256)


def load_architecture(name: str | Path) -> Architecture:
    """The architecture alone of the model in a checkpoint. Raises UserError as `load_checkpoint` does."""
    folder = checkpoint_folder(name)
    return _architecture(folder, _description(folder))


def checkpoint_folder(name: str | Path) -> Path:
    """The folder that a name stands for: a path, the name of one that ships (`push`), or `hub:OWNER/NAME@REVISION`.

    A folder that holds a checkpoint goes before one that ships under the same name, so that what a command said
    yesterday it says today; a `Path` is nothing but a path. Only `hub:` connects to anything.

    Raises:
        UserError: if a repository cannot be had, or has no checkpoint.
    """
    if isinstance(name, Path):
        return name
    if name.startswith(hub.PREFIX):
        return hub.download(name, {DESCRIPTION: MOST_BYTES, WEIGHTS: MOST_WEIGHTS})
    path = Path(name)
    if any((path / file).is_file() for file in (DESCRIPTION, WEIGHTS)) or name not in shipped_names():
        return path
    return SHIPPED / name


def shipped_names() -> list[str]:
    """The environments that a checkpoint ships for, which are their names."""
    return sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()) if SHIPPED.is_dir() else []


def shipped_checkpoint(env: str) -> Path:
    """The folder of the checkpoint that ships for an environment.

    Raises:
        UserError: if there is none.
    """
    folder = SHIPPED / env
    if not ships(env):
        raise UserError(
            f"no checkpoint ships for env={env}; set checkpoint= (one ships for {', '.join(shipped_names())})"
        )
    return folder


def ships(env: str) -> bool:
    """Whether a checkpoint ships for an environment."""
    return (SHIPPED / env).is_dir()


def _architecture(folder: Path, description: dict[str, Any]) -> Architecture:
    name = description["model"].get("name")
    if not isinstance(name, str) or name not in FAMILIES:
        known = ", ".join(each for each in FAMILIES if not each.endswith(PUBLISHED))
        raise UserError(
            f"checkpoint {folder} holds a model named {said(repr(name))}; known models: {known}, some also *{PUBLISHED}"
        )
    return from_mapping(FAMILIES[name].config, description["model"], where="model.")


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(
            f"no checkpoint at {folder}: expected a folder with {WEIGHTS} and {DESCRIPTION}, "
            f"hub:OWNER/NAME@REVISION, or one that ships ({', '.join(shipped_names())})"
        )
    try:
        description = read_object(path)
    except ValueError as error:
        raise UserError(f"corrupt checkpoint {path}: {error}") from error
    keys = {"format": int, "sha256": str, "model": dict, "environment": dict, "training": dict}
    if set(description) != set(keys) or any(not isinstance(description[key], kind) for key, kind in keys.items()):
        raise UserError(f"corrupt checkpoint {path}: expected the keys {', '.join(keys)} and no others")
    if description["format"] != FORMAT:
        raise UserError(f"checkpoint {path} has format {description['format']}; this version reads format {FORMAT}")
    return description


def _require_fitting(folder: Path, architecture: Architecture) -> None:
    """Compare names and shapes in the header of the weights with those of the architecture, before memory is taken.

    Raises:
        UserError: if they differ, or no model can be built so.
    """
    try:
        with torch.device("meta"):
            expected = {name: tuple(tensor.shape) for name, tensor in build_model(architecture).state_dict().items()}
    except Exception as error:  # what an architecture out of nowhere makes a network raise is no closed set
        raise UserError(
            f"corrupt checkpoint {folder / DESCRIPTION}: no model can be built so ({said(error)})"
        ) from error
    path = folder / WEIGHTS
    try:
        with safetensors.safe_open(path, "pt") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise UserError(f"corrupt checkpoint {path}: {str(error).splitlines()[0]}") from error
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            here, there = found.get(name, "missing"), expected.get(name, "no such tensor")
            raise UserError(f"corrupt checkpoint {path}: the weights do not fit ({name}: {here}, expected {there})")


def _load_weights(model: nn.Module, path: Path) -> None:
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise UserError(f"corrupt checkpoint {path}: the weights do not fit ({str(error).splitlines()[0]})") from error
    for name, tensor in model.state_dict().items():
        if not bool(tensor.isfinite().all()):
            raise UserError(f"checkpoint {path} has weights that are no finite numbers ({name})")
