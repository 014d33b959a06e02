"""Data and a model so small that a training makes 30 steps a second on one core."""

from pathlib import Path

from vfplan.generate import main as generate

MODEL = [
    "model.past_frames=1",
    "model.flow_width=4",
    "model.condition_dim=4",
    "model.dequantisation_width=4",
    "model.priors=[{widths:[4],blocks:[1],elements:copy,components:1},{widths:[4],blocks:[1],elements:copy,components:2}]",
    "learning.batch=[4,8]",
    "learning.history_noise=[0.0,0.01]",
    "learning.imagined_steps=1",
    "validation_episodes=2",
    "validate_every=1000000",
    "log_every=1",
    "threads=1",
    "device=cpu",
]


def store(folder: Path) -> Path:
    """Twelve episodes of 20x20 pixels at `folder`."""
    given = ["source=slip", "source.image_size=20", "episodes=12", "workers=1"]
    generate([*given, f"out={folder}", f"run_dir={folder.with_name('record')}"])
    return folder


def training(data: Path, folder: Path, *more: str) -> list[str]:
    """What `vfplan.train` is told."""
    return [f"data={data}", f"run_dir={folder}", *MODEL, *more]


def collecting(folder: Path, *more: str) -> list[str]:
    """What `vfplan.collect` is told: forty short episodes of 16x16 pixels in ten shards."""
    given = ["env.image_size=16", "env.length=4", "episodes=40", "shard_episodes=4", "workers=2", "seed=3"]
    return [*given, f"out={folder}", f"run_dir={folder.with_name(f'{folder.name}-record')}", *more]
