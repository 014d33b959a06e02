"""The number format of the networks while training and imagining; flows, losses and likelihoods stay in float32."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import torch
from torch import nn

Precision = Literal["auto", "float32", "bfloat16"]


def network_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype that `precision` means on `device`; auto takes bfloat16 where the device computes in it natively.

    Where it does not, bfloat16 is emulated, many times slower: standard error is told so once.
    """
    native = _has_native_bfloat16(device)
    if precision == "auto":
        return torch.bfloat16 if native else torch.float32
    if precision == "bfloat16" and not native:
        _warn_of_emulation(device.type)
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """Let the networks of `model` compute in float32 meanwhile, as likelihoods need it while plans are made in less."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    before = {module: module.compute_dtype for module in modules if hasattr(module, "compute_dtype")}
    try:
        for module in before:
            module.compute_dtype = torch.float32  # type: ignore[assignment]
        yield
    finally:
        for module, dtype in before.items():
            module.compute_dtype = dtype


def _has_native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported())


@cache
def _warn_of_emulation(processor: str) -> None:
    print(
        f"warning: this {processor} has no bfloat16 of its own: precision=float32 is several times faster",
        file=sys.stderr,
    )
