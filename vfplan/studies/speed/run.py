"""What the command `speed` runs: the same rollouts by each model, timed in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vfplan.device import resolve_device, set_threads
from vfplan.errors import UserError
from vfplan.models.base import Context
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.precision import network_dtype
from vfplan.models.registry import FAMILIES, build_model
from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.output.folder import RunDir
from vfplan.schema import unknown_message
from vfplan.studies.speed.settings import SpeedConfig

HEADER = ("model", "image", "imagined at", "parameters", "passes/frame", "frames/s", "per CPU second")


@dataclass(frozen=True)
class Row:
    """How fast one model imagines at one scale."""

    model: str
    image_size: int
    downscale: int
    parameters: int
    passes_per_frame: int
    frames_per_second: float
    """By the clock, the best of all repeats."""
    frames_per_cpu_second: float | None
    """By the processor time of this process, the best of all repeats; None on a GPU."""

    def cells(self) -> tuple[str, ...]:
        """What the table shows."""
        size = self.image_size // self.downscale
        busy = "-" if self.frames_per_cpu_second is None else f"{self.frames_per_cpu_second:,.1f}"
        return (
            self.model,
            f"{self.image_size}x{self.image_size}",
            f"{size}x{size}",
            f"{self.parameters:,}",
            f"{self.passes_per_frame:,}",
            f"{self.frames_per_second:,.1f}",
            busy,
        )


def run(config: SpeedConfig, architecture_of: Callable[[str], Architecture]) -> None:
    """Time every model at every scale, print a row each, write the table and speed.json. Raises UserError."""
    device = resolve_device(config.device)
    set_threads(config.threads)
    named = [(name, _model(name, config, architecture_of).to(device).eval()) for name in config.models]
    folder, rows = RunDir(config.run_dir, config), []
    print(
        f"{config.rows} rows of {config.steps} frames, temperature {config.temperature:g}, best of {config.repeats}, "
        f"{torch.get_num_threads()} thread(s) on {device}",
        flush=True,
    )
    print(_line(HEADER), flush=True)
    for name, model in named:
        model.set_compute_dtype(network_dtype(config.precision, device))
        for row in _timed(name, model, config):
            rows.append(row)
            print(_line(row.cells()), flush=True)
    folder.write_json("speed.json", {"rows": [asdict(row) for row in rows], "threads": torch.get_num_threads()})
    print(f"wrote {folder.path / 'speed.json'}")


def _model(name: str, config: SpeedConfig, architecture_of: Callable[[str], Architecture]) -> TrainableModel:
    """A checkpoint's model, or one with fresh weights: what they are makes no difference to the time."""
    if Path(name, "config.json").is_file():
        return load_checkpoint(Path(name)).model
    if name not in FAMILIES:
        raise UserError(f"{unknown_message('model', name, FAMILIES)}; or the folder of a checkpoint")
    torch.manual_seed(config.seed)
    try:
        found = replace(architecture_of(name), image_size=config.image_size, action_dim=config.action_dim)
        return build_model(found)
    except ValueError as error:
        raise UserError(f"models: {name}: {error}") from error


def _timed(name: str, model: TrainableModel, config: SpeedConfig) -> Iterator[Row]:
    """A row for each scale at which the model imagines."""
    device, size = next(model.parameters()).device, model.config.image_size
    rng = torch.Generator(device).manual_seed(config.seed)
    frames = torch.randint(256, (1, model.config.channels, size, size), generator=rng, device=device, dtype=torch.uint8)
    still = frames[:, None].expand(config.rows, model.past_frames, -1, -1, -1)
    actions = torch.rand(config.rows, config.steps, model.action_dim, generator=rng, device=device) * 2 - 1
    context = Context(still, actions.new_zeros(config.rows, model.past_frames - 1, model.action_dim))
    for downscale in config.downscales:
        try:
            noise = model.sample_noise(config.rows, config.steps, rng, downscale=downscale).scaled(config.temperature)
        except ValueError:
            continue  # it does not imagine at this scale

        def imagine(noise: Any = noise, downscale: int = downscale) -> Tensor:
            return model.decode(model.rollout(model.encode(context), actions, noise, downscale=downscale))

        seconds, busy = _best(imagine, config.repeats, device)
        count = config.rows * config.steps
        yield Row(
            name,
            size,
            downscale,
            sum(parameter.numel() for parameter in model.parameters()),
            model.passes_per_frame,
            count / seconds,
            count / busy if device.type == "cpu" else None,
        )


@torch.inference_mode()
def _best(imagine: Callable[[], Tensor], repeats: int, device: torch.device) -> tuple[float, float]:
    """The shortest time of all repeats, by the clock and by the processor, in seconds."""
    found = []
    for _ in range(repeats):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started, busy = time.perf_counter(), time.process_time()
        imagine().sum().item()  # which waits for a GPU
        found.append((time.perf_counter() - started, time.process_time() - busy))
    return min(seconds for seconds, _ in found), min(busy for _, busy in found)


def _line(cells: Sequence[str]) -> str:
    widths = (9, 12, 12, 14, 12, 16)
    return cells[0].ljust(26) + "".join(cell.rjust(width) for cell, width in zip(cells[1:], widths, strict=True))
