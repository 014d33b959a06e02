"""The rows of a comparison: the baselines that are always there, and those asked for.

A row that plans is a command line of `vfplan.plan`, so that a row can be had without the others: same seed, same tasks,
same lockstep groups, hence the same actions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from envs.task_set import TaskSet
from vfplan.control.loop import Trajectory
from vfplan.control.session import ClosedLoop, push_tasks
from vfplan.control.settings import LEARNED, ORACLE, PlanConfig, SessionConfig
from vfplan.errors import UserError
from vfplan.models.checkpoint import load_architecture, shipped_checkpoint, ships
from vfplan.models.registry import FAMILIES, family_name
from vfplan.overrides import split_overrides
from vfplan.studies.benchmark import policies
from vfplan.studies.benchmark.policies import PolicyLoop
from vfplan.studies.benchmark.settings import BenchmarkConfig
from vfplan.studies.benchmark.state_cost import StateCostLoop

SIMULATOR_IMAGE = "simulator-image"
BASELINES = ("random", "zero", "data-policy", "scripted", "simulator-state", SIMULATOR_IMAGE)
# What must be the same in all rows, for them to be comparable; set for the benchmark, not for a row.
SHARED = (
    "env",
    "tasks",
    "num_tasks",
    "seed",
    "lockstep",
    "device",
    "threads",
    "control.steps",
    "gif",
    "record",
    "run_dir",
)


class Loop(Protocol):
    """Something that acts on the tasks of one environment."""

    tasks: TaskSet

    def run(self, group: range, *, record: bool = ..., progress: Callable[[int], None] = ...) -> Trajectory:
        """Run the tasks of `group` in lockstep, and `record` what a planner looks at."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    loop: Loop
    about: dict[str, Any]
    """All that its episodes depend on; as JSON."""
    reads_simulator: bool
    overrides: tuple[str, ...] = ()
    """What makes it, as arguments of `vfplan.plan`; none for what does not plan."""
    replan_every: int = 1
    requested: bool = False

    @property
    def plans(self) -> bool:
        """Whether it searches for its actions."""
        return bool(self.overrides)


Configure = Callable[[Sequence[str]], PlanConfig]
"""From overrides of `vfplan.plan` to its settings."""


def rows(config: BenchmarkConfig, configure: Configure) -> list[Row]:
    """All rows, baselines first. Raises UserError for names or settings that make no sense."""
    requested = _requested(config, learned=_shipped_family(config.env.name))
    shared = [
        f"env={config.env.name}", f"tasks={config.tasks}", f"num_tasks={config.num_tasks}", f"seed={config.seed}",
        f"lockstep={config.lockstep}", f"device={config.device}", f"control.steps={config.steps}",
        "gif=false", "run_dir=unused",
    ]  # fmt: skip
    settings = _overrides(config.settings, "settings")
    simulator = [f"planner={_listed(config.planners)[0]}", "model=oracle", *settings]
    try:
        searched = replace(configure([*shared, *simulator]), env=config.env)
    except UserError as error:
        raise UserError(f"the simulator's rows, which the first of planners searches too: {error}") from error
    made = _policy_rows(config, searched)
    made.append(_planning_row("simulator-state", StateCostLoop(searched), simulator))
    made.append(_planning_row(SIMULATOR_IMAGE, ClosedLoop[TaskSet](searched), simulator))
    for name, overrides in requested.items():
        given = [*overrides, *settings]
        try:
            loop = ClosedLoop[TaskSet](replace(configure([*shared, *given]), env=config.env))
        except UserError as error:
            raise UserError(f"row {name}: {error}") from error
        made.append(_planning_row(name, loop, given, requested=True))
    return made


def _policy_rows(config: BenchmarkConfig, settings: PlanConfig) -> list[Row]:
    tasks = push_tasks(config.env, settings.tasks, settings.num_tasks)
    made = []
    for name, policy, reads, of in (
        ("random", policies.uniform, False, "uniform"),
        ("zero", policies.still, False, "zero"),
        ("data-policy", policies.data_policy(config.data_policy), True, config.data_policy),
        ("scripted", policies.scripted, True, "scripted"),
    ):
        loop = PolicyLoop(policy, config.env, tasks, steps=config.steps, seed=config.seed)
        about = {**_about(settings, tasks), "policy": of}
        made.append(Row(name, loop, about, reads))
    return made


def _planning_row(name: str, loop: ClosedLoop[TaskSet], overrides: Sequence[str], *, requested: bool = False) -> Row:
    about = {**loop.about, "cost": "state"} if isinstance(loop, StateCostLoop) else loop.about
    reads, every = loop.model.reads_simulator, loop.config.control.replan_every
    return Row(name, loop, about, reads, tuple(overrides), every, requested)


def _about(settings: SessionConfig, tasks: TaskSet) -> dict[str, Any]:
    return {
        "env": asdict(settings.env),
        "tasks": settings.tasks,
        "tasks_sha256": tasks.sha256,
        "steps": settings.control.steps,
        "seed": settings.seed,
    }


def _shipped_family(env: str) -> str:
    """What family the checkpoint that ships for an environment is of; `learned` where none ships."""
    return family_name(load_architecture(shipped_checkpoint(env)).name) if ships(env) else LEARNED


def _requested(config: BenchmarkConfig, learned: str) -> dict[str, list[str]]:
    """The overrides of each row that was asked for, by name; rows of what ships are named by its family."""
    models, planners = _listed(config.models), _listed(config.planners)
    named = [
        (f"{learned if model == LEARNED else _model_name(model)}-{planner}", model, planner)
        for model in models
        for planner in planners
    ]
    found = {name: [f"planner={planner}", *_model_overrides(model)] for name, model, planner in named}
    if len(found) < len(named):
        names = ", ".join(sorted({name for name, _, _ in named}))
        raise UserError(f"models and planners make rows of the same name ({names}); name them yourself with rows=")
    for name, text in (config.rows or {}).items():
        if not re.fullmatch(r"\w[\w.+-]*", name):
            raise UserError(f"rows: a name is letters, digits and . _ + -; got {name!r}")
        if name in found or name in BASELINES:
            raise UserError(
                f"rows: there is a row {name} already; the names taken are {', '.join([*BASELINES, *found])}"
            )
        overrides = _overrides(text, f"rows.{name}")
        keys = {override.partition("=")[0] for override in overrides}
        if not keys & {"model", "checkpoint"}:
            overrides = [*_model_overrides(models[0]), *overrides]
        if "planner" not in keys:
            overrides = [f"planner={planners[0]}", *overrides]
        found[name] = overrides
    return found


def _overrides(text: str, where: str) -> list[str]:
    """The words of `text`, each an override of `vfplan.plan` that a row may have."""
    words = split_overrides(text, where)
    for word in words:
        key = word.partition("=")[0]
        if key in SHARED:
            own = "steps=" if key == "control.steps" else f"{key}="
            raise UserError(f"{where}: {key} is the same for all rows; give {own} to the benchmark if you want another")
    return words


def _model_name(model: str) -> str:
    """A short name for a checkpoint folder: runs/push/checkpoint is push."""
    path = Path(model)
    name = path.parent.name if path.name == "checkpoint" and path.parent.name else path.name
    return re.sub(r"[^\w.+-]+", "_", name)


def _model_overrides(model: str) -> list[str]:
    if model in (LEARNED, ORACLE) or model in map(family_name, FAMILIES):
        return [f"model={model}"]
    escaped = model.replace("\\", "\\\\").replace('"', '\\"')
    return [f'checkpoint="{escaped}"']


def _listed(names: tuple[str, ...] | str) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
