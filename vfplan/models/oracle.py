"""The simulator itself as a world model: the upper bound that tells a model's errors from those of cost and planner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.scene import PushConfig
from envs.simulator import BatchSimulator
from vfplan.models.base import Context, Noise, State
from vfplan.models.rows import NoNoise
from vfplan.pixels import area_average, unit_from_frames


@dataclass(frozen=True)
class SimulatorState:
    """Simulator states (B, S)."""

    states: NDArray[np.float64]

    def repeat(self, copies: int) -> SimulatorState:
        """Each row `copies` times, adjacent."""
        return SimulatorState(self.states.repeat(copies, axis=0))

    def take(self, rows: Tensor | slice) -> SimulatorState:
        """The chosen rows."""
        return SimulatorState(self.states[rows if isinstance(rows, slice) else rows.cpu().numpy()])


@dataclass(frozen=True)
class SimulatorRollout:
    """Simulated states (B, T, S), not yet drawn."""

    states: NDArray[np.float64]
    downscale: int


class SimulatorOracle:
    """A world model that steps the true simulator; it ignores frames and noise and reads `Context.sim_state`."""

    past_frames = 1
    action_dim = 4
    reads_simulator = True

    def __init__(self, config: PushConfig, *, device: torch.device | str = "cpu") -> None:
        self.simulator = BatchSimulator(config)
        self.device = torch.device(device)

    def encode(self, context: Context) -> SimulatorState:
        """Take over the simulator states.

        Raises:
            ValueError: if the context has none.
        """
        if context.sim_state is None:
            raise ValueError("the oracle needs Context.sim_state")
        return SimulatorState(np.asarray(context.sim_state, dtype=np.float64))

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> NoNoise:
        """Nothing: the simulator is deterministic."""
        return NoNoise()

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> SimulatorRollout:
        """Step the simulator through actions (B, T, A)."""
        assert isinstance(state, SimulatorState)
        states, rows = [], state.states
        for action in actions.cpu().numpy().astype(np.float64).swapaxes(0, 1):
            rows = self.simulator.step(rows, action)
            states.append(rows)
        return SimulatorRollout(np.stack(states, axis=1), downscale)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Draw the chosen steps: images (B, T', C, Y / downscale, X / downscale) in [0, 1]."""
        assert isinstance(rollout, SimulatorRollout)
        states = rollout.states if steps is None else rollout.states[:, steps]
        rows, count, size = states.shape
        frames = torch.from_numpy(self.simulator.render(states.reshape(rows * count, size)))
        images = unit_from_frames(frames.permute(0, 3, 1, 2))
        return area_average(images, rollout.downscale).unflatten(0, (rows, count)).to(self.device)
