"""Going on with an earlier training: only with the same run, and from a whole state."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vfplan.data.mixture import Mixture
from vfplan.errors import UserError, said
from vfplan.output.about import changes
from vfplan.output.folder import package_versions, settings_of
from vfplan.reading import read_object
from vfplan.training.snapshots import Snapshots

if TYPE_CHECKING:
    from vfplan.training.settings import TrainConfig

STATE = "state.pt"
REMEDY = "give another run_dir, or allow_mismatch=true"

DECIDES_WEIGHTS = ("learning", "init", "seed", "shares", "actions", "precision", "validation_episodes")
"""Settings, beside the model and the data, with which the same command gives other weights."""

DECIDES_DIGITS = ("threads", "device")
"""Settings that change the order of sums, and with it the last digits of the weights."""


def earlier_state(
    config: TrainConfig, data: Mixture, device: torch.device, warn: Callable[[str], None]
) -> dict[str, Any] | None:
    """Return the state of an earlier run of this configuration in the run folder, None where there is none.

    It is the newest whole one; `warn` hears of damaged ones.

    Raises:
        UserError: if the run there differs in what decides about weights, or its files are damaged.
    """
    folder = Path(config.run_dir)
    snapshot = Snapshots(folder).newest(warn)
    if snapshot is None:
        return None
    earlier = _mapping(folder / "config.json")
    _require_same_settings(folder, earlier, config)
    if not config.allow_mismatch:
        _require_same_data(folder, _trained_on(snapshot), earlier, config, data)
    return _state(snapshot / STATE, device)


def other_digits(config: TrainConfig) -> str:
    """Return why a resumed run may differ in the last digits from one in one piece; empty where it does not."""
    folder = Path(config.run_dir)
    earlier = _mapping(folder / "config.json")
    before = {name: earlier[name] for name in DECIDES_DIGITS if name in earlier}
    now = {name: getattr(config, name) for name in before}
    if (folder / "provenance.json").is_file():
        written = _mapping(folder / "provenance.json")
        before |= {"python": written.get("python"), "torch": dict(written.get("versions") or {}).get("torch")}
        now |= {"python": sys.version.split()[0], "torch": package_versions(("torch",)).get("torch")}
    others = [f"{name} {before[name]}, now {now[name]}" for name in before if before[name] != now[name]]
    return f"{folder} goes on otherwise than it began: {'; '.join(others)}" if others else ""


def _require_same_settings(folder: Path, earlier: Mapping[str, Any], config: TrainConfig) -> None:
    now = json.loads(json.dumps(settings_of(config)))
    for part in ("model",) if config.allow_mismatch else ("model", *DECIDES_WEIGHTS):
        if part in earlier and earlier[part] != now[part]:
            remedy = "give another run_dir" if part == "model" else REMEDY
            key, before, after = changes(earlier[part], now[part], part)[0]
            raise UserError(f"{folder} holds a run with {key}={before}, not {after}; {remedy}")


def _require_same_data(
    folder: Path, before: list[str], earlier: Mapping[str, Any], config: TrainConfig, data: Mixture
) -> None:
    """Compare what the stores hold, not where they lie."""
    now = [store.digest for store in data.stores]
    if before != now:
        raise UserError(
            f"{folder} was trained on data {_short(before)} ({earlier.get('data')}), this is {_short(now)} "
            f"({', '.join(config.stores)}); {REMEDY}"
        )


def _trained_on(snapshot: Path) -> list[str]:
    """The digests of the stores that a checkpoint names."""
    try:
        training = _mapping(snapshot / "config.json")["training"]
        return [str(store["digest"]) for store in training["stores"]]
    except (KeyError, TypeError) as error:
        raise UserError(f"damaged {snapshot / 'config.json'}: it names no data; give another run_dir") from error


def _state(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        _require_stored(path)
        return dict(torch.load(path, map_location=device, weights_only=True))
    except Exception as error:  # what torch raises for broken files is no closed set
        # With the cause, for a device without memory for the state ends here too.
        raise UserError(
            f"cannot load training state {path} ({type(error).__name__}: {said(error)}); give another run_dir, "
            f"or go on from the weights with init={path.parent}"
        ) from error


def _require_stored(path: Path) -> None:
    """Raise ValueError for compressed members, which torch reads but never writes: small ones may fill all memory."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("compressed, as no training state is")


def _mapping(path: Path) -> dict[str, Any]:
    """The JSON object in a file of the run folder."""
    try:
        return read_object(path)
    except OSError as error:
        raise UserError(f"{path.parent} holds a run without {path.name}; give another run_dir") from error
    except ValueError as error:
        raise UserError(f"damaged {path}: {error}; give another run_dir") from error


def _short(digests: list[str]) -> str:
    return ", ".join(digest[:6] for digest in digests)
