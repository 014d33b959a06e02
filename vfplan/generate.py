"""Command: generate episodes whose exact entropy is known, for tests of likelihoods."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vfplan.checks import within
from vfplan.cli.config import command
from vfplan.data.episode import Episode
from vfplan.data.filling import FillConfig, fill_store, report
from vfplan.data.known import SOURCES, Movement, Noise, Slip
from vfplan.data.known import describe as describe_source
from vfplan.data.records import FORMAT_VERSION, StoreMeta
from vfplan.output.folder import RunDir, package_versions

HELP = """
Generate episodes whose exact entropy, and every possible next frame, are known: what likelihoods can be tested against.
  movement  a shape goes in one of 8 directions: 3 bits at the first step, 0 later (no actions)
  slip      actions choose the direction, but sometimes another one happens
  noise     a fixed scene under sensor noise of a known distribution (no actions)
A killed run goes on when the same command is run again; more episodes= makes a store grow.

  python -m vfplan.generate source=movement episodes=10000 out=data/movement
  python -m vfplan.generate source=slip source.slip=0.5 seed=7 out=data/slip-half
  python -m vfplan.generate source=noise source.noise_std=2
  python -m vfplan.generate -m source=movement,slip source.image_size=40
"""


@dataclass(frozen=True)
class GenerateConfig(FillConfig):
    """What to generate; the comments in `configs/generating/generate.yaml` say what each key is."""

    source: Movement | Slip | Noise
    episodes: int = within(1000, 1, 1_000_000_000)

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or f"data/{self.source.name}")


def generate(config: GenerateConfig) -> None:
    """Write the episodes that the store at `config.folder` lacks. Raises UserError."""
    run, meta = RunDir(config.run_dir, config), describe(config)
    filled = fill_store(config.folder, meta, functools.partial(_episodes, config), config)
    entropies = [config.source.entropy_bits(step) for step in range(config.source.length)]
    print(f"entropy of the next frame, step by step: {', '.join(f'{bits:.6g}' for bits in entropies)} bits")
    # Episodes are short, the last frame tells all that is to be known, and nobody plans with these models.
    report(filled, meta, run, verb="generate", options="model.past_frames=1 learning.imagined_steps=0")


def describe(config: GenerateConfig) -> StoreMeta:
    """All that decides about the bytes of the store; `vfplan.data.known.from_meta` makes the source from it."""
    return StoreMeta(
        version=FORMAT_VERSION,
        env=config.source.name,
        episodes=config.episodes,
        shard_episodes=config.shard_episodes,
        length=config.source.length,
        seed=config.seed,
        policy=config.source.policy,
        description=describe_source(config.source),
        versions=package_versions(("vfplan", "numpy")),
    )


def _episodes(config: GenerateConfig, indices: range) -> Iterator[Episode]:
    """The episodes of these numbers, drawn in a worker process."""
    return (config.source.episode(config.seed, index) for index in indices)


# A folder of its own: `source` is a group here, and a plain key of `convert`.
main = command(
    generate,
    GenerateConfig,
    name="generate",
    help=HELP,
    results="generate.json",
    sections={"source": lambda: SOURCES},
    folder="generating",
)

if __name__ == "__main__":
    main()
