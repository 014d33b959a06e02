"""Command: planners and models beside the baselines that say what their results are worth, on the same tasks."""

from __future__ import annotations

from typing import Any

from vfplan.cli.config import command
from vfplan.plan import main as plan
from vfplan.studies.benchmark.settings import BenchmarkConfig

HELP = """
Compare rows of planner and model on the same tasks with the same seeds: success with Wilson intervals, exact McNemar
tests, distances, planning time. Random, zero actions, the data policy, a scripted pusher and the simulator as model
(with the true distance and with the image as the cost) are always there. Goes on where it was stopped if run_dir is
given. Writes a JSON per episode, benchmark.json, table.txt, table.md and pictures.

examples:
  python -m vfplan.benchmark env=push run_dir=runs/benchmark
  python -m vfplan.benchmark env=push workers=0 run_dir=runs/benchmark   # a process for each core
  python -m vfplan.benchmark tasks=dev num_tasks=20 planners=[icem,cem] models=[learned,runs/push/checkpoint]
  python -m vfplan.benchmark 'rows={cem-x10: "planner=cem planner.samples=320 planner.elites=60"}'
  python -m vfplan.benchmark 'rows={pixel: "cost=pixel", often: "control.replan_every=1"}' reference=pixel
  python -m vfplan.benchmark -m env=push,push_bair models=[oracle]
  python -m vfplan.benchmark 'settings="planner.samples=64 planner.elites=12"'
"""


def benchmark(config: BenchmarkConfig) -> None:
    """Run what is missing of all rows; write and print the tables."""
    from vfplan.studies.benchmark.runner import run

    run(config, plan.configuration)


def _environments() -> dict[str, Any]:
    from envs.scene import PRESETS

    return dict(PRESETS)


main = command(
    benchmark, BenchmarkConfig, name="benchmark", help=HELP, results="benchmark.json", sections={"env": _environments}
)

if __name__ == "__main__":
    main()
