"""What the command `predictability` runs: episodes of each row, a network for each, a table of what it explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import envs
from vfplan.device import resolve_device, set_threads
from vfplan.errors import UserError
from vfplan.output.folder import RunDir
from vfplan.output.progress import Bar
from vfplan.statistics import Interval
from vfplan.studies.predictability.positions import Positions, Source, collect, is_in_pixels
from vfplan.studies.predictability.predictor import PAST, Predictor, Scores, fit
from vfplan.studies.predictability.settings import PredictabilityConfig

HELD_OUT = 6  # one of so many episodes
STILL = {"m": 0.005, "px": 5.0}  # a step that displaces an object by no more does not move it


@dataclass(frozen=True)
class Row:
    """What was found of the held-out episodes of one way to act, or at those of its steps with a switch on or off."""

    name: str
    object_steps: int
    """Objects times steps."""
    moving: float
    """Share of these at which the object moves."""
    explained: Interval | None
    """Share of the squared displacement of what moves; None if nothing does."""
    shuffled: dict[str, Interval | None] = field(default_factory=dict)
    """The same with one component of the actions from another episode, by its name."""


@dataclass(frozen=True)
class Report:
    """The content of predictability.json."""

    env: str
    policy: str
    unit: str
    moving: float
    """Smallest displacement that counts, in `unit`."""
    episodes: int
    held_out: int
    rows: list[Row]


def run(config: PredictabilityConfig) -> None:
    """Run the episodes, fit the networks, print the table, write the run folder. Raises UserError."""
    set_threads(config.threads)
    folder = RunDir(config.run_dir, config)
    report = Study(config).report()
    print("\n".join(table(report)))
    print(f"wrote {folder.write_json('predictability.json', report)}")
    chosen = envs.world(config.env).arguments
    print(f"next: python -m vfplan.collect {chosen} episodes=10000 out=data/{config.env.name}")


class Study:
    """An environment, the ways to act in it, and what counts as moving there. Raises UserError."""

    def __init__(self, config: PredictabilityConfig) -> None:
        self.config, env = config, config.env
        self.device = resolve_device(config.device)
        try:
            self.policy = envs.policy_name(env, config.policy)
        except ValueError as error:
            raise UserError(str(error)) from error
        self.unit = "px" if is_in_pixels(env) else "m"
        self.moving = STILL[self.unit] if config.moving is None else config.moving
        if env.length < PAST:
            raise UserError(
                f"env.length must be at least {PAST}, the actions that a prediction is told; got {env.length}"
            )
        world = envs.world(env)
        self.names, self.switches, self.hold = world.action_names, world.switches, world.hold

    def report(self) -> Report:
        """Everything that is to be said of the environment."""
        config, rows = self.config, list(self._rows("data", {}))
        if self.hold:
            rows += self._rows("held", {self.names.index(name): value for name, value in self.hold.items()})
        held_out = config.episodes // HELD_OUT
        return Report(config.env.name, self.policy, self.unit, self.moving, config.episodes, held_out, rows)

    def _rows(self, name: str, hold: Mapping[int, float]) -> Iterator[Row]:
        """A row for one way to act, and one for each position of the switches that are not held."""
        fitted, held_out = self._episodes(name, hold)
        predictor = self._fit(name, fitted)
        scores = predictor.scores(held_out)
        yield self._row(name, predictor, held_out, scores)
        for switch in () if hold else self.switches:
            on = held_out.actions[:, PAST - 1 :, self.names.index(switch)] > 0
            for position, where in (("on", on), ("off", ~on)):
                counted = scores.counted[where]
                share = float(counted.mean()) if counted.size else 0.0
                yield Row(f"  {switch} {position}", counted.size, share, scores.explained(where))

    def _row(self, name: str, predictor: Predictor, held_out: Positions, scores: Scores) -> Row:
        explained = scores.explained()
        if explained is None:
            raise UserError(
                f"in none of the {len(held_out.actions)} held-out episodes of row {name} is an object displaced by "
                f"more than moving={self.moving:g} {self.unit} at a step; expected a policy that moves objects"
            )
        shuffled = {
            each: predictor.scores_without(held_out, place).explained() for place, each in enumerate(self.names)
        }
        return Row(name, scores.counted.size, scores.moving, explained, shuffled)

    def _episodes(self, name: str, hold: Mapping[int, float]) -> tuple[Positions, Positions]:
        """The episodes to fit, and those held out."""
        config = self.config
        source = Source(config.env, self.policy, config.seed, hold)
        with Bar(total=config.episodes, desc=name, unit="episode") as bar:
            world = collect(source, config.episodes, config.workers, bar.update, patience=config.unit_seconds)
        first = config.episodes - config.episodes // HELD_OUT
        return world.take(slice(first)), world.take(slice(first, None))

    def _fit(self, name: str, world: Positions) -> Predictor:
        config, switches = self.config, [self.names.index(switch) for switch in self.switches]
        with Bar(total=config.steps, desc=name, unit="step") as bar:
            return fit(
                world, threshold=self.moving, switches=switches, steps=config.steps, seed=config.seed,
                device=self.device, progress=bar.update,
            )  # fmt: skip


def table(report: Report) -> list[str]:
    """The report as printed: a line per row, with a column per component of the actions."""
    components = list(report.rows[0].shuffled)
    name_width = max(len(row.name) for row in report.rows) + 2
    column = max(7, *(len(name) + 2 for name in components))
    lines = [
        f"{report.env}, policy {report.policy}: {report.held_out} of {report.episodes} episodes held out; "
        f"a step moves an object that it displaces by more than {report.moving:g} {report.unit}",
        "steps: of objects; explained: share of the squared displacement of what moves, 95 % bootstrap interval;",
        "on the right, the same with that component of the actions taken from another episode",
        f"{'':<{name_width}}{'steps':>8}{'moving':>9}  {'explained':<22}"
        + "".join(f"{name:>{column}}" for name in components),
    ]
    for row in report.rows:
        shuffled = "".join(f"{_number(row.shuffled[name]):>{column}}" for name in components if row.shuffled)
        line = (
            f"{row.name:<{name_width}}{row.object_steps:>8}{100 * row.moving:>7.1f} %  {_interval(row.explained):<22}"
        )
        lines.append((line + shuffled).rstrip())
    return lines


def _interval(found: Interval | None) -> str:
    return "nothing moves" if found is None else f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _number(found: Interval | None) -> str:
    return "" if found is None else f"{found.estimate:.3f}"
