"""From nothing to a plan: collect episodes, train a model on them, test it on held-out ones, plan with it.

python -m examples.train_from_scratch runs/tiny tiny    # a minute, to see every step; it solves nothing
python -m examples.train_from_scratch runs/full full    # hours: the recipe of the checkpoint that ships
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from vfplan.collect import main as collect
from vfplan.evaluate import main as evaluate
from vfplan.plan import main as plan
from vfplan.train import main as train


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    episodes: int = 10_000
    held_out: int = 512
    training: tuple[str, ...] = ("learning.steps=4500",)
    testing: tuple[str, ...] = ()
    planning: tuple[str, ...] = ("num_tasks=100",)


SIZES = {
    "full": Size(),
    "tiny": Size(
        episodes=8,
        held_out=4,
        training=("learning.steps=2", "learning.warmup=1", "learning.batch=[2,2,4]", "validation_episodes=2"),
        testing=("rollout_samples=2", "temperature_samples=2", "detection_steps=2", "long_steps=4"),
        planning=("num_tasks=1", "control.steps=4", "planner.iterations=1"),
    ),
}


def from_scratch(folder: Path, size: Size) -> None:
    """Leave data, model, test page and episodes in `folder`; a training that was stopped goes on."""
    data, held_out, checkpoint = folder / "data", folder / "held-out", folder / "run" / "checkpoint"
    collect(["env=push", f"episodes={size.episodes}", f"out={data}", f"run_dir={folder / 'of-data'}"])
    collect(["env=push", f"episodes={size.held_out}", "seed=1", f"out={held_out}", f"run_dir={folder / 'of-held-out'}"])
    train([f"data={data}", f"run_dir={folder / 'run'}", *size.training])
    evaluate([f"checkpoint={checkpoint}", f"data={held_out}", f"run_dir={folder / 'tested'}", *size.testing])
    plan(["env=push", f"checkpoint={checkpoint}", f"run_dir={folder / 'planned'}", *size.planning])


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in SIZES:
        sys.exit(__doc__)
    from_scratch(Path(sys.argv[1]), SIZES[sys.argv[2]])
