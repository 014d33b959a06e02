"""Folders as the commands leave them, made from known numbers in no time."""

import dataclasses
import json

import numpy as np

from tests.studies.benchmark.test_comparison_report import FACTS, ROWS
from tests.studies.test_fault_report import CALIBRATION, CALM, FOUND, episodes
from vfplan.control.loop import Trajectory
from vfplan.control.recording import Recording
from vfplan.control.searches import Searches, searches_file, write_searches
from vfplan.control.surprise import Surprise
from vfplan.output.folder import RunDir, as_json
from vfplan.output.video import png_bytes
from vfplan.statistics import Estimate
from vfplan.studies.benchmark.report import row_reports
from vfplan.studies.monitor.report import numbers

RATE = {"rate": 0.5, "low": 0.1, "high": 0.9}


def picture(width=8):
    return png_bytes(np.random.default_rng(0).integers(0, 256, (8, width, 3), np.uint8))


def train(folder):
    run = RunDir(folder, {"learning": {"steps": 4}})
    for step in range(1, 5):
        run.append_metrics({"step": step, "bits_per_dim": 9.0 - step, "level_0": 9.0, "steps_per_second": 2.0})
    run.append_metrics({"step": 4, "validation/bits_per_dim": 6.25, "validation/error_1": 0.5})
    run.write_bytes("validation.png", picture())
    about = {"model": {"name": "videoflow"}, "environment": {"name": "push"}, "training": {"steps": 4}}
    run.write_json("checkpoint/config.json", about)


def evaluate(folder):
    mean = dataclasses.asdict(Estimate(0.25, 0.24, 0.26))
    report = {
        "num_episodes": 3, "bound": "dequantised", "bits_per_dim": mean, "per_step": [mean] * 4,
        "bits_per_dim_no_actions": mean, "per_step_no_actions": [mean] * 4, "difference_no_actions": mean,
        "sections": {"occlusion": {"absent": "nothing is hidden"}, "drift": {"absent": [1]}},
        "pictures": {"rollouts.png": "The best sample and the worst.", "../away.png": "Not here."},
    }  # fmt: skip
    run = RunDir(folder, {"samples": 1})
    run.write_json("likelihood.json", report)
    run.write_bytes("rollouts.png", picture(1000))


def planned(rng, episodes, *, surprise=False):
    frames = rng.integers(0, 256, (episodes, 5, 16, 16, 3), np.uint8)
    values = rng.normal(size=(episodes, 4)).astype(np.float32)
    seen = Surprise(np.zeros((episodes, 4, 2, 2), np.float32), values, values > 1) if surprise else None
    calls, plans = rng.random((2, 3, episodes), np.float32), rng.random((2, episodes, 3, 4, 2), np.float32)
    thumbnails = rng.integers(0, 256, (2, episodes, 8, 8, 3), np.uint8)
    searches = Searches(
        calls, calls + 1, calls.astype(np.int64), plans, plans[..., 0, 0],
        rng.integers(0, 256, (2, episodes, 3, 4, 8, 8, 3), np.uint8), thumbnails, thumbnails,
    )  # fmt: skip
    infos = [[{}] * 4] * episodes
    actions = rng.random((episodes, 4, 2), np.float32)
    imagined = frames[:, 1:]
    costs = calls[:, -1]
    return Trajectory(frames, actions, infos, frames[:, 0], imagined, costs, (0.1, 0.1), seen, searches)


def plan(folder):
    run = RunDir(folder, {"env": {"name": "push"}})
    Recording(run.file("episodes"), {}).write(range(6), planned(np.random.default_rng(0), 6, surprise=True))
    tasks = [{"task": task, "final_cm": float(task), "solved_5cm": task < 5} for task in range(6)]
    results = {"num_tasks": 6, "model": "videoflow", "solved_5cm": RATE, "failed_tasks": [], "tasks": tasks}
    run.write_json("results.json", results)


def benchmark(folder):
    run = RunDir(folder, {"models": ["learned"]})
    reports = row_reports(ROWS, FACTS, reference="model", ceiling="simulator-image")
    summary = {"env": "push", "reference": "model", "rows": list(map(dataclasses.asdict, reports))}
    run.write_json("benchmark.json", summary)
    run.write_bytes("success.png", picture())
    kept = planned(np.random.default_rng(1), 2).searches
    write_searches(searches_file(run.file("episodes") / "model", range(2)), kept)


def monitor(folder):
    run = RunDir(folder, {"faults": ["teleport"]})
    results = [episodes("none", "ignore", CALM, [1, 1, 1, 0]), episodes("teleport", "ignore", FOUND, [0, 0, 1, 1])]
    run.write_json("surprise.json", CALIBRATION)
    run.write_json("monitor.json", numbers(results, CALIBRATION))
    run.write_bytes("monitor.png", picture())
    kept = Recording(run.file("episodes") / "teleport-ignore", {})
    kept.write(range(3), planned(np.random.default_rng(2), 3, surprise=True))


def audit(folder):
    run = RunDir(folder, {"costs": []})
    run.write_json("audit.json", {"num_states": 3, "num_episodes": 2})
    run.write_text("audit.txt", "pixel  0.42")
    run.write_bytes("audit.png", picture())


MAKERS = {each.__name__: each for each in (train, evaluate, plan, benchmark, monitor, audit)}
"""What leaves a folder, by the name of the command."""


def all_of(folder):
    """The folders of one run of each command."""
    for name, make in MAKERS.items():
        make(folder / name)
    return [folder / name for name in MAKERS]


def rewritten(path, **changes):
    """Change some entries of a JSON object in a file."""
    path.write_text(as_json(json.loads(path.read_text()) | changes))
