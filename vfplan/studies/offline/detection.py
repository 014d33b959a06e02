"""Whether the likelihood tells the true next frame from a frame that does not belong there."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfplan.output.charts import encoded, figure
from vfplan.output.page import Picture, Table
from vfplan.statistics import Estimate, auroc
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.trial import NotApplicableError, Trial

Floats = NDArray[np.float64]

WRONG = {"same_episode": "from elsewhere in the episode", "other_episode": "from another episode"}


def measure(trial: Trial) -> Section:
    """Score the true next frame and two wrong ones at evenly spaced steps of the sampled episodes."""
    frames, steps = trial.true, _steps(trial)
    chosen = _wrong_frames(trial, steps)
    if not chosen:
        raise NotApplicableError("one episode with one frame to predict has no wrong frame to offer")
    true = _log2_prob(trial, steps, frames[:, steps])
    wrong = {name: _log2_prob(trial, steps, shown) for name, shown in chosen.items()}
    numbers: dict[str, Any] = {
        "num_episodes": len(frames),
        "steps": [step - trial.past + 1 for step in steps],
        "true_bits_per_dim": asdict(Estimate.of(-true.mean(axis=1))),
        "absent": sorted(set(WRONG) - set(wrong)),
    }
    for name, values in wrong.items():
        numbers[name] = {
            "auroc": auroc(true, values),
            "true_frame_wins": asdict(Estimate.of_shares(wins(true, values).mean(axis=1))),
            "bits_per_dim": asdict(Estimate.of(-values.mean(axis=1))),
        }
    lines = tuple(line(f"AUROC, {name.replace('_', ' ')}", f"{numbers[name]['auroc']:.4f}") for name in wrong)
    return Section(numbers, (_table(numbers, true, wrong), _picture(true, wrong)), lines)


def wins(true: Floats, wrong: Floats) -> Floats:
    """1 where the true frame is more likely than its own wrong one, 1/2 where they tie, else 0."""
    return (true > wrong) + 0.5 * (true == wrong)


def _steps(trial: Trial) -> list[int]:
    """Indices of evenly spaced frames to predict, the first and the last included."""
    count = min(trial.settings.detection_steps, trial.steps)
    return np.unique(np.linspace(trial.past, trial.past + trial.steps - 1, count).round().astype(int)).tolist()


def _wrong_frames(trial: Trial, steps: list[int]) -> dict[str, Tensor]:
    """A wrong frame for every episode and step, (N, M, C, Y, X) uint8.

    One is drawn from the frames of the same episode that the model neither remembers nor should predict, one from all
    the frames of a different episode.
    """
    rng, frames = trial.numpy_rng("wrong frames"), trial.true
    count, length = frames.shape[:2]
    found = {}
    if length > trial.past + 1:
        others = [np.setdiff1d(np.arange(length), np.arange(step - trial.past, step + 1)) for step in steps]
        picks = np.array([[rng.choice(other) for other in others] for _ in range(count)])
        found["same_episode"] = frames[torch.arange(count)[:, None], torch.from_numpy(picks)]
    if count > 1:
        episodes = (np.arange(count)[:, None] + rng.integers(1, count, size=(count, len(steps)))) % count
        picks = rng.integers(length, size=episodes.shape)
        found["other_episode"] = frames[torch.from_numpy(episodes), torch.from_numpy(picks)]
    return found


@torch.inference_mode()
def _log2_prob(trial: Trial, steps: list[int], shown: Tensor) -> Floats:
    """log2 p per dimension (N, M) of the frames (N, M, C, Y, X) uint8 shown as the next ones at `steps`."""
    rng, past = trial.torch_rng("detection"), trial.past  # the same dequantisation noise for true and wrong frames
    columns: list[list[Tensor]] = [[] for _ in steps]
    for rows, clip in trial.batches(trial.sampled, "out-of-sequence frames"):
        for column, step, offered in zip(columns, steps, shown[rows].unbind(1), strict=True):
            context, action = clip.context(past, step - past), clip.actions[:, step - 1 : step]
            log_prob = trial.scored_by.log_prob(context, action, offered[:, None].to(trial.device), rng)
            column.append(log_prob.per_frame[:, 0].double().cpu())
    scale = math.log(2) * shown[0, 0].numel()
    return torch.stack([torch.cat(column) for column in columns], dim=1).numpy() / scale


def _table(numbers: dict[str, Any], true: Floats, wrong: dict[str, Floats]) -> Table:
    rows = [("the true next frame", Estimate.of(-true.mean(axis=1)).text(2), "", "")]
    for name, values in wrong.items():
        won = Estimate.of_shares(wins(true, values).mean(axis=1)).scaled(100).text(1)
        rows.append(
            (f"a frame {WRONG[name]}", Estimate.of(-values.mean(axis=1)).text(2), f"{numbers[name]['auroc']:.4f}", won)
        )
    absent = "".join(f" A frame {WRONG[name]} is absent: there is none." for name in numbers["absent"])
    return Table(
        ("shown as the next frame", "bits / dim", "AUROC", "true frame likelier / %"),
        tuple(rows),
        f"{true.size} windows of {len(true)} episodes. AUROC is the chance that a true next frame scores higher "
        "than a wrong one of any window: 1 is perfect, 0.5 is guessing. The last column compares within the same "
        f"window.{absent}",
    )


def _picture(true: Floats, wrong: dict[str, Floats]) -> Picture:
    drawn, (axes,) = figure(1, width=6, height=2.8)
    series = {"the true next frame": -true, **{f"a frame {WRONG[name]}": -values for name, values in wrong.items()}}
    low, high = (bound([bound(values) for values in series.values()]) for bound in (np.min, np.max))
    # Wrong frames cost a hundred times as much as true ones: a linear axis would show one bar.
    edges = np.geomspace(low, high, 50) if 0 < low < high else np.linspace(low, high + 1e-6, 50)
    for label, values in series.items():
        axes.hist(values.ravel(), bins=edges, histtype="stepfilled", alpha=0.5, label=label)
    axes.set(xlabel="bits / dim", ylabel="windows", xscale="log" if low > 0 else "linear")
    axes.legend(fontsize=8)
    return Picture("detection.png", encoded(drawn), "The histograms of true and wrong frames should not overlap.")


TEST = Test(
    "detection",
    "Out-of-sequence frames",
    "Is a frame that does not belong there less likely than the one that does?",
    measure,
)
