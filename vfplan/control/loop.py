"""The one episode loop: E environments in lockstep, whoever acts.

E problem (episode), T step, A action, C channel, Y row, X column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from envs.base import WrongObservationError, check_image
from vfplan.control.proprioception import Proprioception
from vfplan.control.searches import Searches
from vfplan.control.surprise import Surprise


class Environment(Protocol):
    """What control needs of an environment."""

    def step(self, action: NDArray[np.float32]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Execute one action (A,)."""

    def close(self) -> None:
        """Release what it holds."""


class Simulated(Environment, Protocol):
    """An environment of a simulator that can be continued from anywhere."""

    def get_state(self) -> NDArray[np.float64]:
        """The simulator's state (S,), for the oracle and for nobody else."""


@dataclass(frozen=True)
class Problem:
    """E episodes to run; the environments have been reset to `observations`."""

    environments: Sequence[Environment]
    observations: Sequence[dict[str, Any]]
    """Each with image (Y, X, C) uint8, and hand (3,) in m where there is proprioception."""
    goal_images: NDArray[np.uint8]
    """(E, Y, X, C)."""
    proprioception: Proprioception | None = None

    def states(self) -> NDArray[np.float64]:
        """The simulators' states (E, S); for problems in pushing environments alone."""
        return np.stack([cast(Simulated, environment).get_state() for environment in self.environments])

    def __enter__(self) -> Problem:
        return self

    def __exit__(self, *error: object) -> None:
        for environment in self.environments:
            environment.close()


@dataclass(frozen=True)
class Failure:
    """An episode whose environment raised."""

    episode: int
    """Its place among the E."""
    step: int
    """The action at which it did so, counted from 0."""
    error: str


@dataclass
class History:
    """What E episodes have shown up to now."""

    observations: Sequence[dict[str, Any]]
    """The newest of each."""
    frames: list[NDArray[np.uint8]]
    """(E, Y, X, C) before the first action, and after each."""
    hands: list[NDArray[np.float32]]
    """(E, 3) m, at the same times; none where observations have no hand."""
    actions: list[NDArray[np.float32]] = field(default_factory=list)
    """(E, A) each."""
    infos: list[list[dict[str, Any]]] = field(default_factory=list)
    """After each action, the environments' infos."""

    @classmethod
    def of(cls, observations: Sequence[dict[str, Any]]) -> History:
        """Nothing but first observations."""
        return cls(observations, [_images(observations)], _hands(observations))

    def add(self, actions: NDArray[np.float32], results: Sequence[tuple[Any, ...]]) -> None:
        """Note one action (E, A), and what each environment answered."""
        self.observations = [result[0] for result in results]
        self.frames.append(_images(self.observations))
        self.hands += _hands(self.observations)
        self.actions.append(actions)
        self.infos.append([result[4] for result in results])


class Agent(Protocol):
    """Who acts in E episodes."""

    def act(self, history: History) -> NDArray[np.float32]:
        """The next actions (E, A)."""

    def look(self, history: History) -> None:
        """Take note of what followed the last action."""


@dataclass(frozen=True)
class Trajectory:
    """What happened to E episodes in lockstep, and what of it was planned."""

    frames: NDArray[np.uint8]
    """(E, T + 1, Y, X, C)."""
    actions: NDArray[np.float32]
    """(E, T, A)."""
    infos: list[list[dict[str, Any]]]
    """Per episode, the environment's info after each action."""
    goals: NDArray[np.uint8] | None = None
    """(E, Y, X, C) images planned for at first; None if nothing was planned."""
    imagined: NDArray[np.uint8] | None = None
    """(E, T, Y, X, C): what the model expected of the actions at the last planning; None if nobody asked."""
    plan_costs: NDArray[np.float32] | None = None
    """(R, E) cost of the chosen plan at each of R plannings; None if nothing was planned."""
    plan_seconds: tuple[float, ...] = ()
    """Wall time of each planning, all E problems together."""
    surprise: Surprise | None = None
    """What the monitor saw; None without one."""
    searches: Searches | None = None
    """What the planner looked at; None if nobody asked."""
    failures: tuple[Failure, ...] = ()
    """Episodes whose environment raised; from then on they show what they showed last."""

    def completed(self) -> list[int]:
        """The episodes that did not fail."""
        failed = {failure.episode for failure in self.failures}
        return [episode for episode in range(len(self.frames)) if episode not in failed]


def run_episodes(
    problem: Problem, agent: Agent, steps: int, *, progress: Callable[[int], Any] = lambda actions: None
) -> Trajectory:
    """Let an agent act `steps` times in each of E environments; `progress` hears how many actions were executed.

    Raises:
        WrongObservationError: if an environment shows something else than it says.
    """
    history = History.of(problem.observations)
    pairs = zip(problem.environments, problem.observations, strict=True)
    worlds = [_Watched(episode, *pair) for episode, pair in enumerate(pairs)]
    for _ in range(steps):
        actions = agent.act(history)
        history.add(actions, [world.step(row) for world, row in zip(worlds, actions, strict=True)])
        progress(len(actions))
        agent.look(history)
    return Trajectory(
        frames=np.stack(history.frames, axis=1),
        actions=np.stack(history.actions, axis=1),
        infos=[list(infos) for infos in zip(*history.infos, strict=True)],
        failures=tuple(world.failure for world in worlds if world.failure is not None),
    )


class _Watched:
    """An environment that may raise: it then shows for the rest of its episode what it showed last."""

    def __init__(self, episode: int, environment: Environment, observation: dict[str, Any]) -> None:
        self.episode, self.environment, self.steps = episode, environment, 0
        self.last: tuple[Any, ...] = (observation, 0.0, False, False, {})
        self.shape = np.shape(observation["image"])
        self.failure: Failure | None = None

    def step(self, action: NDArray[np.float32]) -> tuple[Any, ...]:
        if self.failure is None:
            try:
                self.last = self.environment.step(action)
                check_image(self.last[0]["image"], self.shape, f"after {self.steps + 1} actions")
            except WrongObservationError as error:
                error.episode = self.episode
                raise
            except (Exception, SystemExit) as error:
                self.failure = Failure(self.episode, self.steps, " ".join(f"{type(error).__name__}: {error}".split()))
        self.steps += 1
        return self.last


def _hands(observations: Sequence[dict[str, Any]]) -> list[NDArray[np.float32]]:
    """Where the hands are (E, 3), as a list of one; empty where nobody says."""
    if "hand" not in observations[0]:
        return []
    return [np.stack([observation["hand"] for observation in observations]).astype(np.float32)]


def _images(observations: Sequence[dict[str, Any]]) -> NDArray[np.uint8]:
    return np.stack([observation["image"] for observation in observations])
