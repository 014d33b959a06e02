"""The kinds of environments that come with vfplan: pushing in MuJoCo, and whatever Gymnasium has registered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from envs import description, gym_tasks, policies, registered, task_set
from envs.base import Finding, World
from envs.gym_env import GymConfig, GymEnv
from envs.gym_tasks import GymTasks
from envs.push import PushEnv
from envs.scene import PushConfig
from envs.task_set import TaskSet


class PushWorld(World[PushConfig]):
    """A pushing environment: described without being built, with stored tasks."""

    policies = policies.NAMES
    identity = ("name", "image_size", "renderer", "action_scale", "mjcf")
    packages = ("mujoco",)
    has_state = True

    @property
    def hold(self) -> Mapping[str, float]:
        """Action components that plans keep at a value unless the planner is told otherwise."""
        return self.config.hold or {}

    @property
    def switches(self) -> tuple[str, ...]:
        """Action components of which only the sign counts."""
        return self.config.switches

    def describe(self) -> dict[str, Any]:
        """Make the description."""
        return description.describe(self.config)

    def build(self, *, images: bool = True) -> PushEnv:
        """Make the environment."""
        return PushEnv(self.config, images=images)

    def tasks(self, split: str, count: int) -> TaskSet:
        """Return the first `count` (0: all) stored tasks of a split. Raises ValueError where there are not as many."""
        stored = task_set.load(self.config.name, split)
        if count > len(stored):
            raise ValueError(f"{count} tasks asked for, but {self.config.name} {split} has {len(stored)}")
        return replace(stored, config=self.config).select(range(count or len(stored)))


class GymWorld(World[GymConfig]):
    """A registered environment: only building it tells what it is, and its tasks are drawn anew."""

    identity = ("id", "image_size", "action_scale")

    @property
    def arguments(self) -> str:
        """What chooses it on a command line."""
        chosen = super().arguments
        return f"{chosen} env.id={self.config.id}" if self.config.name == "gym" else chosen

    @property
    def action_names(self) -> tuple[str, ...]:
        """What the components of an action are called: a0, a1, ..."""
        return tuple(f"a{place}" for place in range(len(self.description["action_scale"][0])))

    def describe(self) -> dict[str, Any]:
        """Build it, and make the description."""
        environment = self.build()
        environment.close()
        return environment.description()

    def findings(self) -> list[Finding]:
        """Say what the registered environment says of itself."""
        environment = registered.make(self.config)
        environment.close()
        return registered.findings(self.config, environment)

    def build(self, *, images: bool = True) -> GymEnv:
        """Make the environment."""
        return GymEnv(self.config, images=images)

    def tasks(self, split: str, count: int) -> GymTasks:
        """Draw the first `count` (0: all) tasks of a split. Raises ValueError where there are not as many."""
        return gym_tasks.generate(self.config, split, count)
