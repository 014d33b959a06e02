"""The number format of the networks while training and imagining; flows, losses and likelihoods stay in float32."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def network_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype that `precision` means on `device`; auto takes bfloat16 where the device computes in it natively."""
    if precision == "auto":
        return torch.bfloat16 if _has_native_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def _has_native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported())
