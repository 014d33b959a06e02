"""How well a monitor finds faults, and what its alarms are worth: numbers, table, chart and film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.task_set import SOLVED_CM, TaskSet
from vfplan.control.calibration import Calibration
from vfplan.control.loop import Trajectory
from vfplan.output.charts import encoded, figure
from vfplan.output.video import gif_bytes, grid
from vfplan.statistics import auroc, mcnemar, wilson_interval

INK = np.array([30.0, 60.0, 220.0])


@dataclass(frozen=True)
class Episodes:
    """E episodes under one fault and one reaction."""

    fault: str
    reaction: str
    values: NDArray[np.float32]
    """(E, T) nats, the monitor's statistic."""
    alarms: NDArray[np.bool_]
    """(E, T)."""
    solved: NDArray[np.bool_]
    """(E,)."""
    starts: list[int]
    """Per episode, the first action under the fault."""
    groups: list[Trajectory]
    """What happened, lockstep group by lockstep group."""

    @classmethod
    def of(cls, fault: str, reaction: str, tasks: TaskSet, groups: list[Trajectory], starts: list[int]) -> Episodes:
        """The episodes of all groups together; success is judged by the simulator's truth at the end."""
        watched = [group.surprise for group in groups if group.surprise is not None]
        infos = [info for group in groups for info in group.infos]
        solved = []
        for target, goal, info in zip(tasks.target, tasks.goal_xy, infos, strict=True):
            distance = np.linalg.norm(info[-1]["object_xy"][target] - goal[target])
            solved.append(bool(100 * distance < SOLVED_CM))
        values = np.concatenate([part.values for part in watched])
        alarms = np.concatenate([part.alarms for part in watched])
        return cls(fault, reaction, values, alarms, np.array(solved), starts, groups)

    def after_fault(self) -> NDArray[np.float32]:
        """The largest statistic (E,) of the frames after the fault."""
        return np.array([row[start:].max() for row, start in zip(self.values, self.starts, strict=True)])

    def delays(self) -> list[int]:
        """Frames between the first one after the fault and the alarm, of every episode in which there was one."""
        rows = [row[start:] for row, start in zip(self.alarms, self.starts, strict=True)]
        return [int(row.argmax()) for row in rows if row.any()]


def numbers(results: Sequence[Episodes], calibration: Calibration) -> dict[str, Any]:
    """The content of monitor.json; the first of `results` is nominal with alarms ignored."""
    nominal, count = results[0], len(results[0].solved)
    report: dict[str, Any] = {
        "episodes": count,
        "threshold_nats": calibration.threshold,
        "promised_false_alarms": calibration.false_alarms,
        "false_alarms_per_episode": _rate(np.array([row.any() for row in nominal.alarms])),
        "checkpoint_sha256": calibration.checkpoint_sha256,
        "faults": {},
    }
    for episodes in results:
        row = report["faults"].setdefault(episodes.fault, {"success": {}})
        if episodes.reaction == "ignore":
            ignored = episodes
            if episodes is not nominal:
                row |= _detection(episodes, nominal)
        row["success"][episodes.reaction] = _rate(episodes.solved) | _paired(ignored.solved, episodes.solved)
    return report


def _detection(episodes: Episodes, nominal: Episodes) -> dict[str, Any]:
    delays = episodes.delays()
    found = np.zeros(len(episodes.solved), np.bool_)
    found[: len(delays)] = True
    return {
        "auroc": auroc(episodes.after_fault(), nominal.after_fault()),
        "detected": _rate(found),
        "delay_median": float(np.median(delays)) if delays else None,
        "delays": delays,
    }


def _paired(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> dict[str, Any]:
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    return {"solved_only_when_ignored": lost, "solved_only_with_reaction": won, "mcnemar_p": mcnemar(lost, won)}


def _rate(found: NDArray[np.bool_]) -> dict[str, float]:
    interval = wilson_interval(int(found.sum()), len(found))
    return {"rate": interval.estimate, "low": interval.low, "high": interval.high}


def lines(report: dict[str, Any]) -> list[str]:
    """The table as printed."""
    reactions = list(next(iter(report["faults"].values()))["success"])
    text = [
        f"{report['episodes']} episodes per fault, Wilson 95 % intervals",
        f"  nominal episodes with an alarm: {_percent(report['false_alarms_per_episode'])}",
        f"  {'fault':10} {'AUROC':>6} {'detected':>22} {'delay':>6}  "
        + "  ".join(f"{f'within 5 cm, {reaction}':>22}" for reaction in reactions),
    ]
    for fault, row in report["faults"].items():
        detection = f"{'':6} {'':>22} {'':>6}"
        if "auroc" in row:
            delay = "-" if row["delay_median"] is None else f"{row['delay_median']:g}"
            detection = f"{row['auroc']:6.3f} {_percent(row['detected']):>22} {delay:>6}"
        success = "  ".join(f"{_percent(row['success'][reaction]):>22}" for reaction in reactions)
        text.append(f"  {fault:10} {detection}  {success}")
    return text


def _percent(row: dict[str, float]) -> str:
    return f"{100 * row['rate']:.0f} % [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"


def chart(results: Sequence[Episodes], report: dict[str, Any], calibration: Calibration) -> bytes:
    """A PNG: the statistic around the fault, and success with every reaction."""
    drawn, (time, success) = figure(2, width=5.2, height=3.4)
    for episodes in results:
        if episodes.reaction == "ignore":
            after = min(len(row) - start for row, start in zip(episodes.values, episodes.starts, strict=True))
            before = min(episodes.starts)
            rows = [row[s - before : s + after] for row, s in zip(episodes.values, episodes.starts, strict=True)]
            style = {"color": "tab:gray", "linewidth": 3} if episodes is results[0] else {}
            time.plot(np.arange(-before, after), np.median(rows, axis=0), label=episodes.fault, **style)
    time.axhline(calibration.threshold, color="black", linestyle="--", label="alarm")
    time.set(xlabel="frames since the fault", ylabel="surprise / nats (median)")
    time.set_yscale("symlog", linthresh=10.0)
    time.set_ylim(bottom=1.2 * min(float(results[0].values.min()), 0.0))
    time.legend(fontsize=7, ncols=2)
    names, reactions = list(report["faults"]), list(next(iter(report["faults"].values()))["success"])
    width = 0.8 / len(reactions)
    for index, reaction in enumerate(reactions):
        rates = [report["faults"][name]["success"][reaction] for name in names]
        middle = np.array([row["rate"] for row in rates])
        reach = np.abs(np.array([[row["low"] for row in rates], [row["high"] for row in rates]]) - middle)
        place = np.arange(len(names)) + (index - (len(reactions) - 1) / 2) * width
        success.bar(place, middle, width, yerr=reach, label=reaction, error_kw={"linewidth": 1})
    success.set_xticks(range(len(names)), names, fontsize=8)
    success.set(ylabel="within 5 cm at the end", ylim=(0, 1))
    success.legend(fontsize=7, loc="lower right")
    return encoded(drawn)


def film(results: Sequence[Episodes], calibration: Calibration, seconds: float) -> bytes:
    """A GIF with a row per fault: what was seen of the first task, and the surprise over it, in blue.

    Full blue is the threshold; a blue border is an alarm.
    """
    shown = [episodes for episodes in results if episodes.reaction == "ignore"]
    seen = np.stack([episodes.groups[0].frames[0] for episodes in shown])
    surprise = np.stack([_overlaid(episodes.groups[0], calibration.threshold) for episodes in shown])
    columns = [("seen", seen), ("surprise", surprise)]
    return gif_bytes(grid(columns, scale=2, row_labels=[episodes.fault for episodes in shown]), seconds)


def _overlaid(group: Trajectory, threshold: float) -> NDArray[np.uint8]:
    """The frames (T + 1, Y, X, 3) of the first episode, dimmed, with the surprise of their cells in blue."""
    assert group.surprise is not None
    frames = 128 + 0.5 * group.frames[0].astype(np.float64)
    rows = frames.shape[1] // group.surprise.maps.shape[2]
    columns = frames.shape[2] // group.surprise.maps.shape[3]
    heat = (group.surprise.maps[0] / max(threshold, 1e-6)).clip(0, 1).repeat(rows, axis=1).repeat(columns, axis=2)
    frames[1:] += heat[..., None] * (INK - frames[1:])
    for frame, alarm in zip(frames[1:], group.surprise.alarms[0], strict=True):
        if alarm:
            frame[:2] = frame[-2:] = frame[:, :2] = frame[:, -2:] = INK
    return frames.round().astype(np.uint8)
