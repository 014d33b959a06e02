"""Dataclasses of tensors that have a row for each of whatever is computed side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Self

import torch
from torch import Tensor


class Rows:
    """Base of frozen dataclasses whose fields are tensors with rows, other such dataclasses, or tuples of either."""

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The same with `function` applied to every tensor."""
        return replace(self, **{field.name: _mapped(getattr(self, field.name), function) for field in fields(self)})  # type: ignore[type-var,arg-type]

    def repeat(self, copies: int) -> Self:
        """Each row `copies` times, adjacent."""
        return self.map(lambda tensor: tensor.repeat_interleave(copies, 0))

    def take(self, rows: Tensor | slice) -> Self:
        """The chosen rows."""
        return self.map(lambda tensor: tensor[rows])

    def blend(self, other: Self, chosen: Tensor) -> Self:
        """These rows where `chosen` (B,) says so, and those of `other` elsewhere."""
        values = iter(_tensors(other))
        return self.map(lambda mine: torch.where(chosen.view(-1, *[1] * (mine.dim() - 1)), mine, next(values)))


def _mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    return value.map(function) if isinstance(value, Rows) else tuple(_mapped(item, function) for item in value)


def _tensors(value: Any) -> list[Tensor]:
    """All tensors, in the order in which `map` meets them."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    _mapped(value, keep)
    return found
