"""The number format of the networks while training and imagining; flows, losses and likelihoods stay in float32."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

Precision = Literal["auto", "float32", "bfloat16"]


def network_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype that `precision` means on `device`; auto takes bfloat16 where the device computes in it natively.

    Where it does not, bfloat16 is emulated, many times slower: standard error is told so once.
    """
    native = has_native_bfloat16(device)
    if precision == "auto":
        return torch.bfloat16 if native else torch.float32
    if precision == "bfloat16" and not native:
        _warn_of_emulation(device.type)
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


class Reducible(nn.Module):
    """A network that can compute in less than float32; its output has the dtype of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.compute_dtype = torch.float32

    def autocast(self, x: Tensor) -> torch.autocast:
        """The context in which the network computes for x."""
        reduced = self.compute_dtype != torch.float32
        return torch.autocast(x.device.type, dtype=self.compute_dtype if reduced else None, enabled=reduced)


def reducible(model: nn.Module) -> list[Reducible]:
    """The networks of a model that can compute in less."""
    return [module for module in model.modules() if isinstance(module, Reducible)]


def require_float32(model: nn.Module) -> None:
    """Raise ValueError if any network of a model computes in less."""
    if any(network.compute_dtype != torch.float32 for network in reducible(model)):
        raise ValueError("likelihoods are computed in float32 only: call set_compute_dtype(torch.float32) first")


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """Let the networks of `model` compute in float32 meanwhile, as likelihoods need it while plans are made in less."""
    before = {network: network.compute_dtype for network in (reducible(model) if isinstance(model, nn.Module) else ())}
    try:
        for network in before:
            network.compute_dtype = torch.float32
        yield
    finally:
        for network, dtype in before.items():
            network.compute_dtype = dtype


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself; elsewhere it is emulated, many times slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported())


@cache
def _warn_of_emulation(processor: str) -> None:
    print(
        f"warning: this {processor} has no bfloat16 of its own: precision=float32 is several times faster",
        file=sys.stderr,
    )
