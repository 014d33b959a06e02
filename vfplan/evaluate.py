"""Command: offline tests of a model on held-out episodes."""

from __future__ import annotations

from vfplan import sections
from vfplan.cli.config import command
from vfplan.studies.offline.settings import EvaluateConfig

HELP = """
Test a model on held-out episodes, offline: exact bits per dimension with true, shuffled and zero actions; PSNR, SSIM
and object position of sampled rollouts; calibration; detection of wrong frames; temperatures; interpolation; rollouts
far longer than an episode; hidden objects. Writes likelihood.json, pictures and a page, index.html.

examples:
  python -m vfplan.collect env=push episodes=256 seed=1 out=data/push-heldout
  python -m vfplan.evaluate data=data/push-heldout
  python -m vfplan.evaluate checkpoint=runs/push/checkpoint data=data/push-heldout samples=4
  python -m vfplan.evaluate checkpoint=runs/push/checkpoint data=data/push episodes=32 rollout_samples=64
"""


def evaluate(config: EvaluateConfig) -> None:
    """Make every test, print the table, write likelihood.json, the pictures and index.html."""
    from vfplan.studies.offline.battery import run

    store, checkpoint = run(config)
    following = sections.plan_command(store.env, store.description, checkpoint)
    print(f"next: {following or f'open {config.run_dir}/index.html'}")


main = command(evaluate, EvaluateConfig, name="evaluate", help=HELP, results="likelihood.json")

if __name__ == "__main__":
    main()
