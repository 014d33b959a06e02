"""Where tensors live, and how many threads work on them."""

from __future__ import annotations

import re

import torch

from vfplan.errors import UserError


def resolve_device(name: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `cuda:N`; auto takes CUDA where there is one. Raises UserError."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UserError(f"device must be auto, cpu, cuda or cuda:N, got {name!r}")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device={name} asked for, but sees {torch.cuda.device_count()} CUDA devices; use device=cpu")
    return device


def set_threads(count: int) -> None:
    """Let torch use `count` CPU threads; 0 leaves it to torch."""
    if count:
        torch.set_num_threads(count)
