"""A whole plan with VideoFlow, cost and elite selection stays on its device."""

import pytest
import torch
from vfplan.scoring import Scorer, ScoringConfig

import planners
from tests.no_waiting import NoWaiting
from vfplan.control import ControlConfig, Controller
from vfplan.costs import Goal, GoalImage, GoalImageConfig
from vfplan.models.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.models.base import Context

SIZE, PROBLEMS = 16, 2
MODEL = VideoFlowConfig(image_size=SIZE, condition_dim=4, priors=(PriorConfig((4,), (1,)), PriorConfig((4,), (1,))))
MODES = {
    "temperature_0": ScoringConfig(downscale=2),
    "samples": ScoringConfig(downscale=2, samples=3, temperature=0.5),
    "chunked": ScoringConfig(downscale=1, rows_per_call=16),
}


def problem(device):
    rng = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (PROBLEMS, 3, 3, SIZE, SIZE), generator=rng, dtype=torch.uint8)
    context = Context(frames.to(device), torch.zeros(PROBLEMS, 2, 4, device=device))

    def goal(downscale):
        side = SIZE // downscale
        images = torch.rand(PROBLEMS, 3, side, side, generator=torch.Generator().manual_seed(1))
        return Goal(images.to(device), torch.full((PROBLEMS, 2), 0.5).to(device), (0.1 * torch.eye(2)).to(device))

    return context, goal


def controller(config, device):
    torch.manual_seed(0)
    planner = planners.build(planners.IcemConfig(horizon=3, samples=16, elites=4))
    rng = torch.Generator(device).manual_seed(0)
    model = assemble(MODEL).to(device).eval()
    return Controller(model, planner, Scorer(model, GoalImage(GoalImageConfig()), config), ControlConfig(), rng)


@pytest.mark.parametrize("mode", MODES)
def test_a_plan_never_waits_for_the_device(mode):
    context, goal = problem("cpu")
    planning = controller(MODES[mode], "cpu")
    with NoWaiting():
        planning.plan(context, goal(MODES[mode].downscale))
        planning.plan(context, goal(MODES[mode].downscale))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("mode", MODES)
def test_on_cuda_a_plan_never_synchronises(mode):
    context, goal = problem("cuda")
    planning = controller(MODES[mode], "cuda")
    target = goal(MODES[mode].downscale)
    planning.plan(context, target)
    torch.cuda.set_sync_debug_mode("error")
    try:
        plan = planning.plan(context, target)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert plan.actions.is_cuda and plan.cost.isfinite().all()
