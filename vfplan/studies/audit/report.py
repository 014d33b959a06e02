"""What an audit found: per cost, source of frames and population, how well candidates were ranked; table and picture.

S state, N candidate. Distances are in cm.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.metrics.motion import Motion, motion
from vfplan.metrics.ranking import bootstrap_interval, concordance, kendall, precision, regret, spearman

Floats = NDArray[np.float64]

FOLLOWED = "target followed by its hue"
"""What is judged beside the costs: how far the target is seen from its goal. It knows which object that is."""

SOURCES = ("true", "predicted")
POPULATIONS = ("first", "last")
SHOWN = ("concordance", "regret_cm", "elite_precision")
COLOURS = {"true": "tab:blue", "predicted": "tab:orange"}


@dataclass(frozen=True)
class Places:
    """Where the target was and where candidates bring it, in m: S state, N candidate."""

    start: Floats
    """(S, 2)"""
    end: Floats
    """(S, N, 2)"""
    found: Floats
    """(S, N, 2) as seen in the true last frame; NaN where it is not."""
    foretold: Floats
    """(S, N, 2) as seen in the predicted one."""

    def motion(self) -> Motion | None:
        """How well the places of targets that candidates move are foretold."""
        start = np.broadcast_to(self.start[:, None], self.end.shape)
        return motion(self.foretold, self.found, start, self.end)

    def take(self, states: NDArray[Any]) -> Places:
        """The chosen states."""
        return Places(self.start[states], self.end[states], self.found[states], self.foretold[states])

    @classmethod
    def joined(cls, parts: Sequence[Places]) -> Places:
        """All states of several."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True)
class Judged:
    """What costs say of candidates, and how far from the goal these really bring the object."""

    tasks: NDArray[Any]
    """(S,), the task that each state is from."""
    distances: dict[str, Floats]
    """Per population (S, N), true final distance in cm."""
    values: dict[tuple[str, str, str], Floats]
    """Per (cost, source of frames, population), costs (S, N)."""
    places: dict[str, Places] = field(default_factory=dict)
    """Per population, where the target goes."""
    left_out: int = 0
    """States in which no candidate moves the object, so that there is nothing to rank."""

    @classmethod
    def joined(cls, parts: Sequence[Judged]) -> Judged:
        """All states of several."""
        return cls(
            np.concatenate([part.tasks for part in parts]),
            {key: np.concatenate([part.distances[key] for part in parts]) for key in parts[0].distances},
            {key: np.concatenate([part.values[key] for part in parts]) for key in parts[0].values},
            {key: Places.joined([part.places[key] for part in parts]) for key in parts[0].places},
        )

    def where_objects_move(self, resolution: float) -> Judged:
        """Only the states in which true distances differ by more than `resolution` cm, in every population."""
        kept = np.all([np.ptp(rows, axis=1) > 1.5 * resolution for rows in self.distances.values()], axis=0)
        return Judged(
            self.tasks[kept],
            {key: rows[kept] for key, rows in self.distances.items()},
            {key: rows[kept] for key, rows in self.values.items()},
            {key: places.take(kept) for key, places in self.places.items()},
            int((~kept).sum()),
        )


def report(judged: Judged, *, elites: int, seed: int) -> dict[str, Any]:
    """The content of audit.json: every measure of every cost with a bootstrap interval over episodes."""
    rows = []
    for (cost, source, population), values in judged.values.items():
        truths = judged.distances[population]
        measures = {
            "spearman": spearman(values, truths),
            "kendall": kendall(values, truths),
            "concordance": concordance(values, truths),
            "regret_cm": regret(values, truths),
            "elite_precision": precision(values, truths, elites),
        }
        row: dict[str, Any] = {"cost": cost, "frames": source, "population": population}
        for name, found in measures.items():
            # The same episodes are drawn for every row, so that rows can be compared.
            interval = bootstrap_interval(found, judged.tasks, np.random.default_rng(seed))
            row[name] = {"mean": interval.estimate, "low": interval.low, "high": interval.high}
        row["spearman_per_state"] = measures["spearman"].round(4).tolist()
        rows.append(row)
    return {
        "num_states": len(judged.tasks),
        "num_episodes": len(np.unique(judged.tasks)),
        "states_left_out": judged.left_out,
        "elites": elites,
        "tasks": judged.tasks.tolist(),
        "distance_cm": {
            population: {"best": float(truths.min(axis=1).mean()), "mean": float(truths.mean())}
            for population, truths in judged.distances.items()
        },
        "motion": {name: asdict(moved) for name, places in judged.places.items() if (moved := places.motion())},
        "rows": rows,
    }


def table(found: dict[str, Any]) -> str:
    """The report as printed: a line per cost, better ones on predicted frames first, for each population."""
    lines = [
        f"{found['num_states']} states of {found['num_episodes']} episodes "
        f"({found['states_left_out']} left out: no candidate moves the object); 95 % bootstrap intervals over episodes"
    ]
    top = f"top {found['elites']} found"
    for population in POPULATIONS:
        spread = found["distance_cm"][population]
        lines += [
            "",
            f"{population} population of the search: best candidate {spread['best']:.2f} cm from the goal, "
            f"mean {spread['mean']:.2f} cm",
            *_moved(found["motion"].get(population)),
            f"{'':<34}{'rank correlation (Spearman)':^40}{'pairs in order':^17}{'regret / cm':^17}{top:^17}",
            f"{'cost':<34}{'true frames':^20}{'predicted':^20}" + 3 * f"{'true':>7}{'predicted':>10}",
        ]
        for cost in ranked(found, population):
            true, predicted = (find(found, cost, source, population) for source in SOURCES)
            pairs = zip(*([f"{row[key]['mean']:.2f}" for key in SHOWN] for row in (true, predicted)), strict=True)
            lines.append(
                f"{cost:<34}{_interval(true['spearman']):^20}{_interval(predicted['spearman']):^20}"
                + "".join(f"{first:>7}{second:>10}" for first, second in pairs)
            )
    return "\n".join(lines)


def _moved(motion: dict[str, Any] | None) -> list[str]:
    """A line on where moved targets were foretold to go."""
    if motion is None:
        return []
    return [
        f"targets that {motion['count']} candidates move: {motion['explained']:.3f} of their squared displacement is "
        f"foretold (found in true frames {motion['ceiling']:.3f}), median error {motion['centimetres']:.2f} cm"
    ]


def plot(found: dict[str, Any]) -> bytes:
    """The report as a PNG: rank correlation and regret of every cost, true beside predicted frames."""
    from matplotlib.figure import Figure

    names = ranked(found, "last")[::-1]
    figure = Figure(figsize=(12, 1.2 + 0.32 * len(names)), layout="constrained")
    panels = figure.subplots(1, 4, sharey=True)
    shown = [(measure, population) for measure in ("spearman", "regret_cm") for population in POPULATIONS]
    for axes, (measure, population) in zip(panels, shown, strict=True):
        for source, offset in zip(SOURCES, (0.12, -0.12), strict=True):
            rows = [find(found, name, source, population)[measure] for name in names]
            mean, low, high = (np.array([row[key] for row in rows]) for key in ("mean", "low", "high"))
            axes.errorbar(
                mean, np.arange(len(names)) + offset, xerr=np.abs([mean - low, high - mean]), fmt="o", markersize=4,
                color=COLOURS[source], label=f"{source} frames",
            )  # fmt: skip
        axes.set_title(f"{population} population", fontsize=9)
        axes.set_xlabel("Spearman" if measure == "spearman" else "regret / cm")
        axes.grid(alpha=0.25)
    panels[0].set_yticks(np.arange(len(names)), names, fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside upper center", ncols=2)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def ranked(found: dict[str, Any], population: str) -> list[str]:
    """The costs, best rank correlation on predicted frames first."""
    names = dict.fromkeys(row["cost"] for row in found["rows"])
    return sorted(names, key=lambda name: -find(found, name, "predicted", population)["spearman"]["mean"])


def find(found: dict[str, Any], cost: str, source: str, population: str) -> dict[str, Any]:
    """The row of the report about a cost, a source of frames and a population."""
    key = (cost, source, population)
    return next(row for row in found["rows"] if (row["cost"], row["frames"], row["population"]) == key)


def _interval(row: dict[str, float]) -> str:
    return f"{row['mean']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
