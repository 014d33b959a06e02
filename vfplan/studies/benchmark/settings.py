"""What is compared. No torch here: `python -m vfplan.benchmark --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vfplan.checks import MOST_SEED, require_ranges, within
from vfplan.execution.executor import ExecutorName, require_executor

if TYPE_CHECKING:
    from envs.scene import PushConfig


@dataclass(frozen=True)
class BenchmarkConfig:
    """Configuration of `vfplan.benchmark`; the comments in `configs/benchmark.yaml` say what each key is."""

    env: PushConfig
    tasks: Literal["benchmark", "dev"] = "benchmark"
    num_tasks: int = within(0, 0, 1_000_000)
    models: tuple[str, ...] | str = ("learned",)
    planners: tuple[str, ...] | str = ("icem",)
    rows: dict[str, str] | None = None
    settings: str = ""
    reference: str = ""
    data_policy: str = "mixed"
    steps: int = within(30, 1, 100_000)
    record: bool = False
    lockstep: int = within(10, 1, 10_000)
    executor: Literal["auto", "serial", "processes", "ray", "slurm"] = "auto"
    workers: int = within(1, 0, 1024)
    unit_seconds: float = within(600, 0, 1e6)
    threads: int = within(0, 0, 1024)
    device: str = "auto"
    seed: int = within(0, 0, MOST_SEED)
    run_dir: str = ""

    def __post_init__(self) -> None:
        require_ranges(self)
        require_executor(self.executor, self.workers)
        if self.chosen_executor != "serial" and self.threads > 1:
            each = "each process (workers=0)" if self.workers == 0 else f"each of workers={self.workers} processes"
            raise ValueError(f"{each} has one thread; got threads={self.threads}: leave one out")
        for name in ("models", "planners"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name at least one")

    @property
    def chosen_executor(self) -> ExecutorName:
        """What `auto` stands for here."""
        if self.executor != "auto":
            return self.executor
        return "serial" if self.workers == 1 else "processes"
