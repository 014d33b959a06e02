"""What every source with known answers has: episodes, and what a perfect model would need to encode them."""

from typing import Protocol

from vfplan.data.episode import Episode


class Source(Protocol):
    """A random process whose entropy is known exactly; an instance is its configuration, a frozen dataclass.

    Everything is a pure function of (seed, index) and the configuration. "The next frame" is frame step + 1, given all
    frames up to `step` and the action; steps run from 0 to length - 1, others are a ValueError.
    """

    @property
    def name(self) -> str:
        """Name of the process, and of the environment of its stores."""
        ...

    @property
    def image_size(self) -> int:
        """Pixels per side of the frames."""
        ...

    @property
    def length(self) -> int:
        """Actions per episode, T, or steps where nobody acts."""
        ...

    @property
    def policy(self) -> str:
        """Who chooses the actions."""
        ...

    def episode(self, seed: int, index: int) -> Episode:
        """Return episode `index` of data set `seed`."""
        ...

    def entropy_bits(self, step: int) -> float:
        """Return the entropy of the next frame in bits: the mean of `information_bits`, the least a model can need."""
        ...

    def information_bits(self, seed: int, index: int, step: int) -> float:
        """Return -log2 of the probability of the next frame that this episode has."""
        ...


def check_step(step: int, length: int) -> None:
    """Raise ValueError unless 0 <= step < length."""
    if not 0 <= step < length:
        raise ValueError(f"step must be 0 to {length - 1}; got {step}")
