"""The rows that do not plan: no action, random actions, the policy that collected the data, a scripted pusher."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from envs import policies
from envs.push import PushEnv
from envs.scene import PushConfig
from envs.script import ScriptedPush
from envs.task_set import TaskSet
from vfplan.control.loop import History, Problem, Trajectory, run_episodes
from vfplan.control.session import misbehaving
from vfplan.errors import UserError

Action = NDArray[np.float32]
Act = Callable[[], Action]
"""The next action (A,) of one episode; what it may look at is bound in."""
Policy = Callable[[PushEnv, int, TaskSet, np.random.Generator], Act]
"""From an environment, the index of its task in a set, the set, and a generator for that task alone."""

CLOSE_ENOUGH = 0.01  # m, where the scripted pusher rests


def still(env: PushEnv, task: int, tasks: TaskSet, rng: np.random.Generator) -> Act:
    """Zero actions."""
    return lambda: _rest(env)


def uniform(env: PushEnv, task: int, tasks: TaskSet, rng: np.random.Generator) -> Act:
    """Independent uniform actions."""
    return lambda: rng.uniform(-1.0, 1.0, _rest(env).shape).astype(np.float32)


def data_policy(name: str) -> Policy:
    """The policy of that name of `vfplan.collect`, which looks at true positions. Raises UserError for no such name."""
    try:
        policies.make(name)
    except ValueError as error:
        raise UserError(f"data_policy: {error}") from error

    def start_episode(env: PushEnv, task: int, tasks: TaskSet, rng: np.random.Generator) -> Act:
        policy = policies.make(name)
        policy.reset(rng)
        return lambda: policy(env, rng)

    return start_episode


def scripted(env: PushEnv, task: int, tasks: TaskSet, rng: np.random.Generator) -> Act:
    """The pusher that made the goals: it knows where object and goal are, and starts again as long as they differ."""
    target, goal = int(tasks.target[task]), tasks.goal_xy[task, tasks.target[task]]
    push = ScriptedPush(env, target, goal)

    def act() -> Action:
        nonlocal push
        action = push()
        if not push.done:
            return action
        if float(np.hypot(*(goal - env.object_xy[target]))) < CLOSE_ENOUGH:
            return _rest(env)
        push = ScriptedPush(env, target, goal)
        return push()

    return act


class Acting:
    """An agent of one policy for each episode, none of which looks at frames."""

    def __init__(self, policies: list[Act]) -> None:
        self.policies = policies

    def act(self, history: History) -> NDArray[np.float32]:
        """The next actions (E, A)."""
        return np.stack([policy() for policy in self.policies])

    def look(self, history: History) -> None:
        """Nothing to note: policies look at the simulator."""


class PolicyLoop:
    """A policy on a task set, group by group: the counterpart of `vfplan.control.session.ClosedLoop`."""

    def __init__(self, policy: Policy, env: PushConfig, tasks: TaskSet, *, steps: int, seed: int) -> None:
        self.policy, self.env, self.tasks, self.steps, self.seed = policy, env, tasks, steps, seed

    def run(
        self, group: range, *, record: bool = False, progress: Callable[[int], None] = lambda actions: None
    ) -> Trajectory:
        """Run the tasks of `group` in lockstep; the chances of a task depend on the seed and its index alone.

        There is no search to `record`.
        """
        part = self.tasks.select(group)
        environments, observations = part.start()
        acting = [
            self.policy(env, task, self.tasks, np.random.default_rng([self.seed, task]))
            for env, task in zip(environments, group, strict=True)
        ]
        problem = Problem(environments, observations, part.goals(hand=True))
        with misbehaving(self.env.name, group):
            return run_episodes(problem, Acting(acting), self.steps, progress=progress)


def _rest(env: PushEnv) -> Action:
    shape = env.action_space.shape
    assert shape is not None
    return np.zeros(shape, np.float32)
