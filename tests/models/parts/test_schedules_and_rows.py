"""Schedules pass where they say they do, and rows stay with their own."""

import math
from dataclasses import dataclass

import pytest
import torch

from vfplan.models.parts.rows import Rows
from vfplan.models.parts.schedules import ramp, truth_share


def test_ramp_is_linear_then_flat():
    assert [ramp(step, 4) for step in (0, 1, 2, 4, 9)] == [0, 0.25, 0.5, 1, 1]
    assert ramp(0, 0) == 1
    assert [ramp(step, 4) for step in (-5, -1)] == [0, 0] and ramp(-1, 0) == 0


@pytest.mark.parametrize("decay", [10, 900])
def test_truth_is_half_at_k_ln_k(decay):
    assert math.isclose(truth_share(round(decay * math.log(decay)), decay), 0.5, abs_tol=0.02)
    shares = [truth_share(step, decay) for step in range(0, 20 * decay, decay)]
    assert shares == sorted(shares, reverse=True) and math.isclose(shares[0], decay / (decay + 1))
    assert truth_share(10**9, decay) == 0


def test_no_decay_is_always_the_truth():
    assert truth_share(10**9, 0) == 1


@dataclass(frozen=True)
class Part(Rows):
    values: torch.Tensor


@dataclass(frozen=True)
class Whole(Rows):
    part: Part
    more: tuple[torch.Tensor, ...]


def whole(offset=0):
    return Whole(Part(torch.arange(3.0) + offset), (torch.arange(6.0).view(3, 2) + offset,))


def test_rows_are_taken_and_repeated_alike():
    repeated = whole().repeat(2)
    assert repeated.part.values.tolist() == [0, 0, 1, 1, 2, 2]
    taken = repeated.take(torch.tensor([0, 2, 4]))
    assert torch.equal(taken.part.values, whole().part.values) and torch.equal(taken.more[0], whole().more[0])


def test_blends_take_each_row_whole():
    chosen = torch.tensor([True, False, True])
    blended = whole().blend(whole(100), chosen)
    assert blended.part.values.tolist() == [0, 101, 2]
    assert blended.more[0].tolist() == [[0, 1], [102, 103], [4, 5]]
