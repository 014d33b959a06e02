"""What vfplan asks of an environment, of tasks in it, and of what describes both. No simulation here.

To add an environment: a dataclass that configures it (`EnvConfig`), tasks with what success is (`Tasks`), and a `World`
that makes them; then `envs.register` both.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Env: TypeAlias = gymnasium.Env[Any, Any]
Infos: TypeAlias = Sequence[dict[str, Any]]

# How many tasks a set has and the seed of its random stream. Data sets draw from [seed, index] with seed < 2**31, so
# neither set can share a start with training data.
SPLITS = {"benchmark": (200, 2**31 + 11), "dev": (50, 2**31 + 22)}


def within(default: Any, low: float, high: float) -> Any:
    """A setting with this default, whose numbers are kept between `low` and `high`, also where settings are read."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class EnvConfig:
    """What every environment is told; its own configuration adds to this."""

    name: str = ""
    image_size: int = within(64, 2, 2048)
    length: int = within(30, 1, 100_000)
    """Actions of an episode."""

    def __post_init__(self) -> None:
        for each in fields(self):
            low, high = each.metadata.get("range", (0, math.inf))
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not low <= value <= high:
                raise ValueError(f"{each.name} must be in [{low:g}, {high:g}], got {value}")


@dataclass(frozen=True)
class Finding:
    """What an environment has, or lacks, of something that vfplan needs."""

    subject: str
    found: str
    needed: str = ""
    """What is needed instead; empty if nothing is lacking."""
    fix: str = ""
    """What to do about it; of something that is not lacking, what might be better."""


class LackingError(ValueError):
    """An environment lacks what vfplan needs."""

    def __init__(self, who: str, findings: Sequence[Finding]) -> None:
        self.findings = [finding for finding in findings if finding.needed]
        lacking = "; ".join(f"{finding.needed}, found {finding.found}" for finding in self.findings)
        super().__init__(f"{who} lacks what vfplan needs: {lacking}")


class WrongObservationError(ValueError):
    """An environment shows something else than it says."""

    episode: int | None = None
    """Which of those that run side by side."""


def check_image(image: Any, shape: tuple[int, ...], when: str) -> None:
    """Raise WrongObservationError unless an image is uint8 and of this shape."""
    found = np.asarray(image)
    if found.dtype != np.uint8 or found.shape != tuple(shape):
        expected, got = f"uint8 {tuple(shape)}", f"{found.dtype} {found.shape}"
        raise WrongObservationError(f"expected an image of {expected}, got {got} {when}")


@dataclass(frozen=True)
class Outcome(ABC):
    """What became of one task; its fields are a row of results.json."""

    @abstractmethod
    def line(self) -> str:
        """What is printed of it."""


@dataclass(frozen=True)
class Share:
    """How many tasks something is true of."""

    key: str
    """In results.json."""
    called: str
    """In print."""
    tasks: Sequence[bool]


@dataclass(frozen=True)
class Summary:
    """What is said of all tasks together."""

    shares: Sequence[Share]
    """The first is the primary measure of success."""
    numbers: Mapping[str, Any]
    """More for results.json."""
    lines: Mapping[str, str]
    """More to print: what it is called, and its value."""


AnyOutcome = TypeVar("AnyOutcome", bound=Outcome)


class Tasks(ABC, Generic[AnyOutcome]):
    """N tasks of one environment: where they start, what their goals look like, and what success is."""

    sha256: str
    """Of all that decides about them: equal hashes, equal tasks."""

    @abstractmethod
    def __len__(self) -> int:
        """N."""

    @abstractmethod
    def select(self, tasks: range) -> Self:
        """The chosen tasks; the SHA-256 stays that of the whole set."""

    @abstractmethod
    def start(self) -> tuple[list[Env], list[dict[str, Any]]]:
        """An environment for each task, at its start, and what it shows there."""

    @abstractmethod
    def goals(self, *, hand: bool) -> Bytes:
        """The goal images (N, Y, X, C); without the robot's hand where it can be left out, unless `hand`."""

    @abstractmethod
    def outcomes(self, frames: Bytes, infos: Sequence[Infos]) -> list[AnyOutcome]:
        """What became of each task, from frames (N, T + 1, Y, X, C) and the info after each of T actions."""

    @abstractmethod
    def summary(self, outcomes: Sequence[AnyOutcome]) -> Summary:
        """Say of all tasks together what a reader wants to know first."""


AnyConfig = TypeVar("AnyConfig", bound=EnvConfig)


class World(ABC, Generic[AnyConfig]):
    """An environment as its configuration describes it; nothing is built before it is asked for."""

    policies: ClassVar[tuple[str, ...]] = ("smooth",)
    """Names of the policies that can collect data in it, the usual one first."""
    identity: ClassVar[tuple[str, ...]] = ("name", "image_size")
    """Entries of a description that must be equal for a model of one world to be used in another."""
    packages: ClassVar[tuple[str, ...]] = ("gymnasium",)
    """Whose versions decide about frames, besides numpy's."""
    has_state: ClassVar[bool] = False
    """Whether it is a pushing environment: its state can be read and set, and objects put anywhere."""

    def __init__(self, config: AnyConfig) -> None:
        self.config = config

    @property
    def arguments(self) -> str:
        """What chooses it on a command line."""
        return f"env={self.config.name}"

    @property
    def hold(self) -> Mapping[str, float]:
        """Action components that plans keep at a value unless the planner is told otherwise."""
        return {}

    @property
    def switches(self) -> tuple[str, ...]:
        """Action components of which only the sign counts."""
        return ()

    @property
    def action_names(self) -> tuple[str, ...]:
        """What the components of an action are called."""
        return tuple(self.description["action_names"])

    @cached_property
    def description(self) -> dict[str, Any]:
        """What a data set should say about where it comes from; JSON-able.

        Holds at least the entries of `identity`, `action_names` (A) and `step_seconds`, the duration of an action.
        """
        return self.describe()

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Make the description. Raises ValueError for an environment that cannot be used."""

    def findings(self) -> list[Finding]:
        """Say what can be said of the environment without running it; nothing by default.

        Raises ValueError where there is none of that name.
        """
        return []

    @abstractmethod
    def build(self, *, images: bool = True) -> Env:
        """Make the environment; without `images` it draws none while it runs.

        Actions are (A,) in [-1, 1]; observations have `image` (Y, X, C) uint8, and `hand` (3,) in m where it is known.
        Raises ValueError for an environment that cannot be used.
        """

    @abstractmethod
    def tasks(self, split: str, count: int) -> Tasks[Any]:
        """Return the first `count` (0: all) tasks of a split. Raises ValueError where there are not as many."""
