"""What the command `audit` runs: episodes with witnesses, every candidate executed, every cost judged on all of them.

E problem, N candidate, T step, A action. Distances of objects from their goals are in cm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.task_set import TaskSet
from vfplan import costs
from vfplan.control.session import ClosedLoop
from vfplan.costs import Cost, Goal
from vfplan.device import set_threads
from vfplan.errors import UserError
from vfplan.metrics.tracking import Tracker
from vfplan.models.base import Context, WorldModel
from vfplan.models.oracle import SimulatorOracle
from vfplan.models.registry import latent_space
from vfplan.output.folder import RunDir
from vfplan.output.progress import Bar
from vfplan.pixels import area_average
from vfplan.studies.audit.populations import Moment, moments
from vfplan.studies.audit.report import FOLLOWED, Judged, Places, plot, report, table
from vfplan.studies.audit.settings import AuditConfig

RESOLUTION_CM = 0.01  # true distances closer than this are equal: an object that nobody touches still trembles


def run(config: AuditConfig) -> None:
    """Run the episodes, judge the costs, print the table, write the run folder. Raises UserError."""
    set_threads(config.threads)
    folder = RunDir(config.run_dir, config)
    auditor = Auditor(config)
    judged = auditor.judge()
    if not judged.tasks.size:
        raise UserError(f"in none of num_states={config.num_states} states does a candidate move the object")
    found = report(judged, elites=auditor.elites, seed=config.seed)
    found["checkpoint_sha256"], found["tasks_sha256"] = auditor.checkpoint_sha256, auditor.tasks.sha256
    text = table(found)
    print(text)
    folder.write_json("audit.json", found)
    folder.write_text("audit.txt", text + "\n")
    folder.write_bytes("audit.png", plot(found))
    print(f"wrote {', '.join(str(folder.path / name) for name in ('audit.json', 'audit.txt', 'audit.png'))}")
    print(f"next: python -m vfplan.plan env={config.env.name} tasks={config.tasks} num_tasks=0 cost=NAME gif=false")


class Auditor:
    """Everything that is judged, and what judges it."""

    def __init__(self, config: AuditConfig) -> None:
        self.config = config
        self.loop = ClosedLoop[TaskSet](config)
        self.device, self.model, self.tasks = self.loop.device, self.loop.model, self.loop.tasks
        self.checkpoint_sha256 = self.loop.checkpoint_sha256
        self.simulator = SimulatorOracle(config.env, device=self.device)
        self.costs = dict(self._costs())
        if not self.costs:
            raise UserError("costs that look into latents cannot be judged: this model has none")
        self.planner, self.about = self.loop.planner, self.loop.description

    def _costs(self) -> Iterator[tuple[str, Cost]]:
        """Those that the model can be judged by, and what each is called."""
        space = latent_space(self.model)
        for cost in self.config.costs:
            try:
                yield cost.title, costs.build_cost(cost.config(), space)
            except costs.NoLatentsError as error:
                print(f"left out: {error}")

    @property
    def elites(self) -> int:
        """How many of a population the planner would learn from."""
        return int(getattr(self.config.planner, "elites", 1))

    def judge(self) -> Judged:
        """What every cost says of every candidate, at the chosen states."""
        config = self.config
        count = math.ceil(config.control.steps / config.control.replan_every)
        rng = np.random.default_rng(config.seed)
        total = len(self.tasks) * count
        drawn = rng.choice(total, min(config.num_states, total), replace=False)
        chosen = np.isin(np.arange(total), drawn).reshape(len(self.tasks), count)
        parts: list[Judged] = []
        with Bar(total=len(self.tasks) * config.control.steps, unit="action") as bar:
            for first in range(0, len(self.tasks), config.lockstep):
                part = range(first, min(first + config.lockstep, len(self.tasks)))
                for moment, wanted in zip(
                    self._moments(part, bar.update), chosen[part.start : part.stop].T, strict=True
                ):
                    rows = np.flatnonzero(wanted)
                    if rows.size:
                        parts.append(self._judge(moment, rows, part))
        return Judged.joined(parts).where_objects_move(RESOLUTION_CM)

    def _moments(self, group: range, progress: Callable[[int], None]) -> list[Moment]:
        problem, rng = self.loop.problem(group), self.loop.rng(group)
        scorer = self.loop.scorer(self.tasks.select(group))
        return moments(problem, self.planner, scorer, self.config.control, rng, progress)

    def _judge(self, moment: Moment, rows: NDArray[np.int64], part: range) -> Judged:
        """Judge both populations of the chosen problems of a moment."""
        index = torch.from_numpy(rows).to(self.device)
        tasks = np.array(part)[rows]
        context = replace(moment.context.take(index), sim_state=moment.states[rows])
        goal = self._goal(moment.goal.take(index), context)
        distances, values, places = {}, {}, {}
        start = self.simulator.simulator.object_xy(moment.states[rows])[np.arange(len(rows)), self.tasks.target[tasks]]
        for population, plans in (("first", moment.first[index]), ("last", moment.last[index])):
            simulated, reached = self._executed(context, plans, tasks)
            predicted = self._predicted(context, plans)
            distances[population] = self._distance(reached, tasks)
            places[population] = self._places(moment.states[rows], tasks, simulated, predicted, start, reached)
            for source, seen in (("true", places[population].found), ("predicted", places[population].foretold)):
                there = np.where(np.isnan(seen), start[:, None], seen)
                values[FOLLOWED, source, population] = self._distance(there, tasks)
            for source, frames in (("true", simulated), ("predicted", predicted)):
                for title, prices in judged_by(self.costs, frames, plans, goal).items():
                    values[title, source, population] = prices
        return Judged(tasks, distances, values, places)

    def _places(
        self,
        states: NDArray[np.float64],
        tasks: NDArray[Any],
        simulated: Tensor,
        predicted: Tensor,
        start: NDArray[np.float64],
        reached: NDArray[np.float64],
    ) -> Places:
        """Where the targets are seen at the end, by their own hue, in frames (E, N, T, C, Y, X)."""
        colours = self.simulator.simulator.object_colours(states)[np.arange(len(tasks)), self.tasks.target[tasks]]
        every = torch.from_numpy(colours).float()[:, None].expand(-1, reached.shape[1], -1)
        true, imagined = simulated[:, :, -1].cpu(), predicted[:, :, -1].float().cpu()
        floor, size = self.about["floor_to_pixel"], self.config.env.image_size
        tracker = Tracker.fit(true.flatten(0, 1), every.flatten(0, 1), reached.reshape(-1, 2), floor, size)
        return Places(start, reached, tracker.locate(true, every)[0], tracker.locate(imagined, every)[0])

    @torch.inference_mode()
    def _goal(self, goal: Goal, context: Context) -> Goal:
        """The goal at the scale of imagination, with the model's memory of the past."""
        scale = goal.images.shape[-1] // (self.config.env.image_size // self.config.scoring.downscale)
        return replace(goal, images=area_average(goal.images, scale), memory=self.model.encode(context))

    def _executed(self, context: Context, plans: Tensor, tasks: NDArray[Any]) -> tuple[Tensor, NDArray[np.float64]]:
        """The frames that follow, and where (E, N, 2) m the target is at the end."""
        rollout = self._rollout(self.simulator, context, plans)
        problems, candidates = plans.shape[:2]
        frames = self.simulator.decode(rollout).unflatten(0, (problems, candidates))
        xy = self.simulator.simulator.object_xy(rollout.states[:, -1]).reshape(problems, candidates, -1, 2)
        return frames, xy[np.arange(problems), :, self.tasks.target[tasks]]

    def _distance(self, places: NDArray[np.float64], tasks: NDArray[Any]) -> NDArray[np.float64]:
        """How far (E, N), in cm, places (E, N, 2) m are from the target's goal."""
        wanted = self.tasks.goal_xy[tasks, self.tasks.target[tasks]]
        distance = 100.0 * np.linalg.norm(places - wanted[:, None], axis=-1)
        return np.asarray(np.round(distance / RESOLUTION_CM) * RESOLUTION_CM)

    @torch.inference_mode()
    def _predicted(self, context: Context, plans: Tensor) -> Tensor:
        """The frames (E, N, T, C, Y, X) that the model expects at temperature 0."""
        return self.model.decode(self._rollout(self.model, context, plans)).unflatten(0, plans.shape[:2])

    def _rollout(self, model: WorldModel, context: Context, plans: Tensor) -> Any:
        downscale = self.config.scoring.downscale
        noise = model.sample_noise(len(plans) * plans.shape[1], plans.shape[2], None, downscale=downscale)
        state = model.encode(context).repeat(plans.shape[1])
        return model.rollout(state, plans.flatten(0, 1), noise, downscale=downscale)


@torch.inference_mode()
def judged_by(costs: Mapping[str, Cost], frames: Tensor, plans: Tensor, goal: Goal) -> dict[str, NDArray[np.float64]]:
    """What each cost (E, N) says of frames (E, N, T, C, Y, X) for plans (E, N, T, A)."""
    return {title: cost(frames, plans, goal).double().cpu().numpy() for title, cost in costs.items()}
