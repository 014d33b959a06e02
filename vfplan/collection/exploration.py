"""Episodes of a planner for an episode store: what `policy=planner` of the command `collect` runs.

A planner asks its model about actions that no data policy takes. Here it acts on what it was told, so that the data
show what happens then. E episodes of a group run in lockstep; a group depends on the seed and its first episode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import envs
from envs import goals
from envs.push import PushEnv
from planners.search import SearchPlanner
from vfplan import costs
from vfplan.collection.settings import CollectConfig, ExplorationConfig
from vfplan.control import fit
from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.loop import Problem, Trajectory
from vfplan.control.proprioception import Proprioception
from vfplan.control.scoring import Scorer
from vfplan.control.session import groups
from vfplan.control.settings import PlanConfig
from vfplan.data.episode import Episode
from vfplan.device import resolve_device, set_threads
from vfplan.errors import UserError
from vfplan.models.precision import network_dtype
from vfplan.models.registry import latent_space


class Explorer:
    """A planner, its model and what it plans by, loaded and checked.

    Raises:
        UserError: if there is no checkpoint, it was trained on another scene, or a setting does not fit it.
    """

    def __init__(self, config: CollectConfig, planning: PlanConfig) -> None:
        world = envs.world(config.env)
        if not world.has_state:
            raise UserError(
                f"policy=planner draws its goals from the simulator's state, which env={config.env.name} cannot give; "
                "leave policy=auto"
            )
        self.config, self.world = config, world
        self.planning = replace(planning, control=replace(planning.control, steps=config.env.length))
        self.device = resolve_device(config.device)
        self.planner: SearchPlanner[Any] = fit.build_planner(planning.planner, world)
        self.checkpoint = fit.load_trained(config.checkpoint, world, planning.precision, self.device)
        self.about = world.description
        fit.check_scales(self.checkpoint.model, planning.scoring, config.env.image_size)
        cost = costs.build_cost(planning.cost, latent_space(self.checkpoint.model))
        self.scorer = Scorer(self.checkpoint.model, cost, planning.scoring)

    def description(self) -> dict[str, Any]:
        """All that decides about what the planner does, and so about the bytes of a store; JSON-able."""
        planning = self.planning
        return {
            "checkpoint_sha256": self.checkpoint.sha256,
            "planner": {"type": type(planning.planner).__name__, **asdict(planning.planner)},
            "cost": asdict(planning.cost),
            "scoring": asdict(planning.scoring),
            "replan_every": planning.control.replan_every,
            "exploration": asdict(self.config.exploration),
            "device": self.device.type,
            "precision": str(network_dtype(planning.precision, self.device)).removeprefix("torch."),
        }

    def run(self, group: range) -> list[Episode]:
        """The episodes of a group."""
        rngs = [np.random.default_rng([self.config.seed, index]) for index in group]
        environments = [self.world.build() for _ in group]
        starts = [env.reset(seed=int(rng.integers(2**63))) for env, rng in zip(environments, rngs, strict=True)]
        moving = [std > 0 for std in self.planner.initial_std]
        course = _Course(self.config.exploration, environments, rngs, moving)
        body = Proprioception.from_description(self.about)
        problem = Problem(environments, [seen for seen, _ in starts], course.goal_images(), body)
        seed = int(np.random.default_rng([self.config.seed, group.start, 1]).integers(2**63))
        rng = torch.Generator(self.device).manual_seed(seed)
        controller = Controller(self.checkpoint.model, self.planner, self.scorer, self.planning.control, rng)
        happened = plan_episodes(problem, controller, imagine=False, renew=course.renew, disturb=course.disturb)
        course.close()
        return [_episode(happened, row, info) for row, (_, info) in enumerate(starts)]


class _Course:
    """What the episodes of a group pursue, and the noise on their actions."""

    def __init__(
        self, config: ExplorationConfig, environments: list[PushEnv], rngs: list[np.random.Generator], free: list[bool]
    ) -> None:
        self.config, self.environments, self.rngs, self.free = config, environments, rngs, np.array(free)
        self.shell = PushEnv(environments[0].config)
        self.goals = [self._draw(row) for row in range(len(rngs))]
        self.ages = [0] * len(rngs)

    def goal_images(self) -> NDArray[np.uint8]:
        """The goals (E, Y, X, C)."""
        return np.stack([goal.image for goal in self.goals])

    def renew(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The goals (E, Y, X, C), a new one for each that was reached or pursued for long enough."""
        for row, (goal, env) in enumerate(zip(self.goals, self.environments, strict=True)):
            if self.ages[row] >= self.config.goal_actions or goal.reached(env.object_xy, self.config.goal_reached):
                self.goals[row], self.ages[row] = self._draw(row), 0
        return self.goal_images()

    def disturb(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """The actions (E, A), some with noise on all that is not held."""
        self.ages = [age + 1 for age in self.ages]
        noisy = [self._noise(rng, action.shape[1]) for rng in self.rngs]
        return np.clip(action + np.stack(noisy), -1.0, 1.0).astype(np.float32)

    def close(self) -> None:
        """Release all renderers."""
        for env in (self.shell, *self.environments):
            env.close()

    def _draw(self, row: int) -> goals.Goal:
        return goals.draw(self.shell, self.environments[row].get_state(), self.rngs[row])

    def _noise(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        drawn = rng.normal(0.0, self.config.noise_std, size) * self.free
        return drawn if rng.random() < self.config.noise else np.zeros(size)


def describe(config: CollectConfig, planning: PlanConfig) -> dict[str, Any]:
    """What the record of a store says about its planner. Raises UserError as `Explorer` does."""
    return Explorer(config, planning).description()


def episodes(config: CollectConfig, planning: PlanConfig, indices: range) -> Iterator[Episode]:
    """The episodes of a shard, group by group, run in a worker process."""
    # As many as there are processes would share the cores, and sums may depend on the number of threads.
    set_threads(1)
    explorer = Explorer(config, planning)
    for group in groups(len(indices), config.exploration.lockstep):
        yield from explorer.run(indices[group.start : group.stop])


def _episode(happened: Trajectory, row: int, start: dict[str, Any]) -> Episode:
    infos = [start, *happened.infos[row]]
    return Episode(
        frames=happened.frames[row],
        actions=happened.actions[row],
        hand=np.stack([info["hand_xyz"] for info in infos]).astype(np.float32),
        object_xy=np.stack([info["object_xy"] for info in infos]).astype(np.float32),
        policy="planner",
    )
