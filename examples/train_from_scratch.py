"""From nothing to a plan: collect episodes, train a model on them, test it on held-out ones, plan with it.

python -m examples.train_from_scratch runs/scratch                # an hour and a half on two cores
python -m examples.train_from_scratch runs/tiny 8 2               # 8 episodes and 2 steps: a minute, solves nothing
"""

import sys
from pathlib import Path

from vfplan.collect import main as collect
from vfplan.evaluate import main as evaluate
from vfplan.plan import main as plan
from vfplan.train import main as train


def from_scratch(folder: Path, episodes: int = 10_000, steps: int = 4_500) -> None:
    """Leave data, model, test page and episodes in `folder`; the same call goes on where it was stopped."""
    data, held_out, checkpoint = folder / "data", folder / "held-out", folder / "run" / "checkpoint"
    tested = min(512, episodes)
    collect(["env=push", f"episodes={episodes}", f"out={data}", f"run_dir={folder / 'collected'}"])
    collect(["env=push", f"episodes={tested}", "seed=1", f"out={held_out}", f"run_dir={folder / 'collected-too'}"])
    train(
        [f"data={data}", f"learning.steps={steps}", f"learning.warmup={min(200, steps)}", f"run_dir={folder / 'run'}"]
    )
    evaluate([f"checkpoint={checkpoint}", f"data={held_out}", f"run_dir={folder / 'tested'}"])
    plan(["env=push", f"checkpoint={checkpoint}", "num_tasks=10", f"run_dir={folder / 'planned'}"])


if __name__ == "__main__":
    from_scratch(Path(sys.argv[1]), *map(int, sys.argv[2:]))
