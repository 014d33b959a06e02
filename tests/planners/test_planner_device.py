"""Planning must never wait for the device: no value is read on the host, no tensor changes device."""

import pytest
import torch

import planners
from tests.no_waiting import NoWaiting
from tests.planners.every_planner import CONFIGS, A

every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def quadratic(plans):
    return plans.square().sum(dim=(2, 3))


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: torch.tensor([1.0]),
        lambda x: x.to("meta"),
    ],
)
def test_the_guard_sees_a_wait(wait):
    x = torch.ones(3)
    with NoWaiting(), pytest.raises(AssertionError):
        wait(x)


@every_config
def test_plan_never_waits(config):
    planner = planners.build(config, A)
    rng = torch.Generator().manual_seed(0)
    with NoWaiting():
        cold = planner.plan(quadratic, None, rng)
        planner.plan(quadratic, cold.belief.shift(1), rng)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_config
def test_plan_never_waits_on_cuda(config):
    planner = planners.build(config, A)
    rng = torch.Generator("cuda").manual_seed(0)
    planner.plan(quadratic, None, rng)  # the first call may build FFT plans and load kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        cold = planner.plan(quadratic, None, rng)
        warm = planner.plan(quadratic, cold.belief.shift(1), rng)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert warm.actions.is_cuda
    assert warm.trace.best.is_cuda
