"""What the command `monitor` runs: nominal episodes to calibrate on, then faulty ones to be found.

Nothing of the simulator's truth reaches planner or monitor; it only judges success afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import envs
from envs.faults import inject
from envs.push import PushEnv
from envs.task_set import TaskSet
from vfplan import costs
from vfplan.control import fit
from vfplan.control.agent import plan_episodes
from vfplan.control.calibration import Calibration, conformal_threshold, read_calibration
from vfplan.control.controller import Controller
from vfplan.control.loop import Problem, Trajectory
from vfplan.control.proprioception import Proprioception
from vfplan.control.recording import Recording
from vfplan.control.scoring import Scorer
from vfplan.control.session import groups, push_tasks
from vfplan.control.surprise import Monitor
from vfplan.device import resolve_device, set_threads
from vfplan.errors import UserError
from vfplan.models.base import MonitorableModel
from vfplan.models.checkpoint import Checkpoint
from vfplan.models.registry import latent_space
from vfplan.output.folder import RunDir
from vfplan.output.progress import Bar
from vfplan.studies.monitor import report as fault_report
from vfplan.studies.monitor.report import Episodes
from vfplan.studies.monitor.settings import MonitorConfig

NOMINAL = "none"
"""The name of the fault that is none."""

MAY_CHANGE = (
    "run_dir",
    "threads",
    "calibration",
    "calibration_episodes",
    "false_alarms",
    "faults",
    "reactions",
    "episodes",
)
"""Settings that decide which episodes are run, or nothing, but not what happens in one."""


@dataclass(frozen=True)
class Laboratory:
    """Everything that episodes are made of."""

    config: MonitorConfig
    checkpoint: Checkpoint
    device: torch.device
    proprioception: Proprioception | None

    def controller(self, seed: int, reaction: Any, calibration: Calibration | None) -> Controller:
        """A controller with a monitor of its own; without a calibration that monitor is never alarmed."""
        config, model = self.config, self.checkpoint.model
        assert isinstance(model, MonitorableModel)
        monitor = Monitor(model, config.surprise)
        if calibration is not None:
            monitor = Monitor(model, calibration.surprise, calibration.threshold)
        control = replace(config.control, on_surprise=reaction)
        scorer = Scorer(model, costs.build_cost(config.cost, latent_space(model)), config.scoring)
        rng = torch.Generator(self.device).manual_seed(seed)
        return Controller(
            model, fit.build_planner(config.planner, envs.world(config.env)), scorer, control, rng, monitor
        )

    def episodes(
        self,
        tasks: TaskSet,
        calibration: Calibration | None,
        *,
        fault: str = NOMINAL,
        reaction: str = "ignore",
        unless_calm: Episodes | None = None,
        progress: Callable[[int], None] = lambda actions: None,
    ) -> Episodes:
        """Run all tasks in lockstep groups under a fault and a reaction to alarms.

        Where a group of `unless_calm`, the same tasks with alarms ignored, had no alarm, no reaction can change
        anything, and its trajectory is taken over.
        """
        trajectories = []
        recording = self._recording(tasks, calibration, fault, reaction)
        recording.check()
        for index, group in enumerate(groups(len(tasks), self.config.lockstep)):
            if unless_calm is not None and not _alarmed(unless_calm.groups[index]):
                trajectories.append(unless_calm.groups[index])
                continue
            happened = recording.read(group)
            if happened is None:
                controller = self.controller(self.config.seed + group.start, reaction, calibration)
                problem = self._problem(tasks.select(group), group, fault)
                happened = plan_episodes(problem, controller, imagine=False, progress=progress)
                recording.write(group, happened)
            else:
                progress(len(group) * self.config.control.steps)
            trajectories.append(happened)
        starts = [self.fault_plan(task)[0] for task in range(len(tasks))]
        return Episodes.of(fault, reaction, tasks, trajectories, starts)

    def _recording(self, tasks: TaskSet, calibration: Calibration | None, fault: str, reaction: str) -> Recording:
        """Where these episodes are kept as their groups end."""
        config = self.config
        name = "calibration" if calibration is None else f"{fault}-{reaction}"
        settings = {key: value for key, value in asdict(config).items() if key not in MAY_CHANGE}
        about = {
            **settings,
            "planner": {"type": type(config.planner).__name__, **asdict(config.planner)},
            "tasks_sha256": tasks.sha256,
            "checkpoint_sha256": self.checkpoint.sha256,
            "threshold": None if calibration is None else calibration.threshold,
        }
        return Recording(Path(config.run_dir, "episodes", name), about)

    def fault_plan(self, task: int) -> tuple[int, int]:
        """Before which action the fault of a task strikes, and its seed: the same for every fault and reaction."""
        rng = np.random.default_rng([self.config.seed, task])
        return int(rng.integers(self.config.fault_from, self.config.fault_to + 1)), int(rng.integers(2**31))

    def _problem(self, part: TaskSet, group: range, fault: str) -> Problem:
        environments: list[Any] = []
        for task in group:
            start, seed = self.fault_plan(task)
            environment = PushEnv(self.config.env)
            environments.append(environment if fault == NOMINAL else inject(environment, fault, start=start, seed=seed))
        observations = [
            environment.reset(seed=seed, options={"state": state})[0]
            for environment, seed, state in zip(environments, part.seeds, part.start_state, strict=True)
        ]
        return Problem(environments, observations, part.goals(hand=False), self.proprioception)


def run(config: MonitorConfig) -> None:
    """Calibrate or read a calibration, inject every fault, print a table, write the run folder."""
    set_threads(config.threads)
    folder, laboratory = RunDir(config.run_dir, config), _laboratory(config)
    test = push_tasks(config.env, "benchmark", config.episodes) if config.faults else None
    print(f"episodes are kept as they end; after a stop the same command goes on with run_dir={folder.path}")
    calibration = _calibration(laboratory)
    path = folder.write_json("surprise.json", calibration)
    print(
        f"alarm above {calibration.threshold:.1f} nats: in {100 * calibration.false_alarms:g} % of nominal episodes at "
        f"most, from {len(calibration.maxima)} episodes"
    )
    if test is not None:
        results = list(_trials(laboratory, test, calibration))
        numbers = fault_report.numbers(results, calibration)
        folder.write_json("monitor.json", numbers)
        print("\n".join(fault_report.lines(numbers)))
        folder.write_bytes("monitor.png", fault_report.chart(results, numbers, calibration))
        folder.write_bytes("surprise.gif", fault_report.film(results, calibration, config.env.step_seconds))
    print(f"wrote {', '.join(str(file) for file in sorted(folder.path.glob('[!.]*.*')))}")
    print(f"next: python -m vfplan.plan env={config.env.name} control.on_surprise=replan control.monitor={path}")


def _laboratory(config: MonitorConfig) -> Laboratory:
    device = resolve_device(config.device)
    world = envs.world(config.env)
    checkpoint = fit.load_trained(config.checkpoint, world, config.precision, device)
    if not isinstance(checkpoint.model, MonitorableModel):
        raise UserError(f"a monitor needs a model with cell_log_prob, which {type(checkpoint.model).__name__} has not")
    fit.check_scales(checkpoint.model, config.scoring, config.env.image_size)
    return Laboratory(config, checkpoint, device, Proprioception.from_description(world.description))


def _calibration(laboratory: Laboratory) -> Calibration:
    """Read the calibration that the configuration names, or make one from nominal development episodes."""
    config, sha256 = laboratory.config, laboratory.checkpoint.sha256
    if config.calibration:
        steps = config.control.steps
        return read_calibration(Path(config.calibration), checkpoint_sha256=sha256, env=config.env.name, steps=steps)
    try:
        # Too few episodes are refused before they are run.
        conformal_threshold([0.0] * config.calibration_episodes, config.false_alarms)
    except ValueError as error:
        raise UserError(f"calibration_episodes: {error}") from error
    tasks = push_tasks(config.env, "dev", config.calibration_episodes)
    with _bar("calibrating", len(tasks) * config.control.steps) as bar:
        nominal = laboratory.episodes(tasks, None, progress=bar.update)
    maxima = nominal.values.max(axis=1).astype(float).tolist()
    return Calibration(
        checkpoint_sha256=sha256,
        env=config.env.name,
        steps=config.control.steps,
        planner=type(config.planner).__name__,
        tasks="dev",
        false_alarms=config.false_alarms,
        threshold=conformal_threshold(maxima, config.false_alarms),
        surprise=config.surprise,
        maxima=tuple(maxima),
    )


def _trials(laboratory: Laboratory, tasks: TaskSet, calibration: Calibration) -> Iterator[Episodes]:
    """Every fault, and none, with alarms ignored and with every reaction."""
    config = laboratory.config
    for fault in (NOMINAL, *config.faults):
        with _bar(fault, len(tasks) * config.control.steps * (1 + len(config.reactions))) as bar:
            ignored = laboratory.episodes(tasks, calibration, fault=fault, progress=bar.update)
            yield ignored
            for reaction in config.reactions:
                yield laboratory.episodes(
                    tasks, calibration, fault=fault, reaction=reaction, unless_calm=ignored, progress=bar.update
                )


def _alarmed(trajectory: Trajectory) -> bool:
    assert trajectory.surprise is not None
    return bool(trajectory.surprise.alarms.any())


def _bar(name: str, actions: int) -> Any:
    return Bar(total=actions, desc=name, unit="action")
