"""Whether a model fits an environment, and the scales at which it is to imagine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import planners
from envs import World
from planners.baselines import RandomConfig, ZeroConfig
from planners.search import PlannerConfig, SearchPlanner
from vfplan.control.scoring import ScoringConfig
from vfplan.control.settings import LEARNED, ORACLE, SessionConfig
from vfplan.data.rounding import six_digits
from vfplan.errors import UserError
from vfplan.models.base import WorldModel
from vfplan.models.checkpoint import Checkpoint, checkpoint_folder, load_checkpoint, shipped_checkpoint, ships
from vfplan.models.oracle import SimulatorOracle
from vfplan.models.precision import Precision, network_dtype
from vfplan.models.registry import FAMILIES, family_name
from vfplan.models.still import StillModel
from vfplan.output.folder import package_versions
from vfplan.schema import unknown_message


@dataclass(frozen=True)
class Chosen:
    """A model to plan with."""

    model: WorldModel
    name: str
    checkpoint_sha256: str | None = None


def choose_model(config: SessionConfig, world: World[Any], device: torch.device) -> Chosen:
    """The simulator, a checkpoint, or for a planner that looks at no future the model that expects nothing to happen.

    Raises:
        UserError: if there is no such model, or it does not fit the environment.
    """
    families = {family_name(name) for name in FAMILIES}
    if config.model not in {LEARNED, ORACLE, *families}:
        raise UserError(unknown_message("model", config.model, {LEARNED, ORACLE, *families}))
    if config.model == ORACLE:
        if not world.has_state:
            raise UserError(
                f"model=oracle continues a simulator's state, and {_called(world)} cannot give one; set checkpoint="
            )
        return Chosen(SimulatorOracle(world.config, device=device), ORACLE)
    if not (config.checkpoint or ships(world.config.name)) and _looks_at_no_future(config.planner):
        return Chosen(StillModel(len(world.action_names)), "still")
    trained = load_trained(config.checkpoint, world, config.precision, device)
    family = family_name(trained.model.config.name)
    if config.model not in (LEARNED, family):
        raise UserError(f"the checkpoint holds a model of the family {family}; this run has model={config.model}")
    return Chosen(trained.model, family, trained.sha256)


def load_trained(name: str, world: World[Any], precision: Precision, device: torch.device) -> Checkpoint:
    """The checkpoint that `checkpoint_folder` finds, or without a name the one that ships, ready to plan in `world`.

    Raises:
        UserError: if there is none, or it was trained on something else.
    """
    path = checkpoint_folder(name) if name else shipped_checkpoint(world.config.name)
    checkpoint = load_checkpoint(path, device)
    trained, wanted = checkpoint.environment, description(world)
    for key in world.identity:
        if key == "mjcf":
            if key in trained and six_digits(trained[key]) != six_digits(wanted[key]):
                raise UserError(
                    f"checkpoint {path} was trained on another scene than {_called(world)} has now: its mjcf differs"
                )
        elif trained.get(key) != wanted[key]:
            raise UserError(
                f"checkpoint {path} was trained on {key}={trained.get(key)}, but {_called(world)} has "
                f"{key}={wanted[key]}"
            )
    for line in (*_other_versions(path, checkpoint, world), *filter(None, [checkpoint.model.why_slow])):
        print(f"warning: {line}", file=sys.stderr, flush=True)
    checkpoint.model.set_compute_dtype(network_dtype(precision, device))
    return checkpoint


def _other_versions(path: Path, checkpoint: Checkpoint, world: World[Any]) -> Iterator[str]:
    """A line for each package that decides about frames and was another one where the training data were made."""
    recorded = checkpoint.training.get("versions")
    trained = {**(recorded if isinstance(recorded, dict) else {}), **checkpoint.environment}
    for package, version in package_versions(world.packages).items():
        if trained.get(package, version) != version:
            yield (
                f"checkpoint {path} was trained with {package} {trained[package]}, {version} is installed: "
                "the same actions may do something else"
            )


def description(world: World[Any]) -> dict[str, Any]:
    """What a store of this environment would say about it. Raises UserError if it cannot be used."""
    try:
        return world.description
    except ValueError as error:
        raise UserError(str(error)) from error


def build_planner(config: PlannerConfig, world: World[Any]) -> SearchPlanner[Any]:
    """The planner for actions in `world`, which says what is held where `config` does not. Raises UserError."""
    names, hold = world.action_names, config.hold
    try:
        fitting = replace(config, hold=dict(world.hold) if hold is None else hold)
        return planners.build(fitting, names)
    except ValueError as error:
        raise UserError(f"planner: {error}") from error


def check_scales(model: WorldModel, scoring: ScoringConfig, image_size: int) -> None:
    """Raise UserError for a scale at which the model cannot imagine."""
    for futures in scoring.stages():
        try:
            model.sample_noise(1, 1, None, downscale=futures.downscale)
        except ValueError as error:
            raise UserError(f"scoring.{error}") from error
        if image_size % futures.downscale:
            raise UserError(f"scoring.downscale must divide the image size {image_size}; got {futures.downscale}")


def _looks_at_no_future(planner: PlannerConfig) -> bool:
    return isinstance(planner, ZeroConfig) or (isinstance(planner, RandomConfig) and planner.samples == 1)


def _called(world: World[Any]) -> str:
    return f"env={world.config.name}"
