"""A whole plan with VideoFlow, cost and elite selection stays on its device."""

import pytest
import torch

import planners
from tests.no_waiting import NoWaiting
from vfplan.control.controller import Controller
from vfplan.control.scoring import FinalistsConfig, Scorer, ScoringConfig
from vfplan.control.settings import ControlConfig
from vfplan.costs import Goal, GoalImage, GoalImageConfig
from vfplan.models.base import Context
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble

SIZE, PROBLEMS = 16, 2
# The top has all that a prior may have: copies, alternatives for the whole latent, values that move.
TOP = PriorConfig((4,), (1,), "copy", components=3, copy_radius=1, advection_radius=1)
MODEL = VideoFlowConfig(image_size=SIZE, condition_dim=4, priors=(PriorConfig((4,), (1,)), TOP))
MODES = {
    "temperature_0": ScoringConfig(downscale=2),
    "samples": ScoringConfig(downscale=2, samples=3, temperature=0.5),
    "chunked": ScoringConfig(downscale=1, rows_per_call=16),
    "risk": ScoringConfig(downscale=2, samples=4, temperature=0.5, risk="cvar"),
    "quantile": ScoringConfig(downscale=2, samples=4, temperature=0.5, risk="quantile"),
    "finalists": ScoringConfig(downscale=2, finalists=FinalistsConfig(downscale=1, count=3)),
}


def problem(device):
    rng = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (PROBLEMS, 3, 3, SIZE, SIZE), generator=rng, dtype=torch.uint8)
    context = Context(frames.to(device), torch.zeros(PROBLEMS, 2, 4, device=device))
    images = torch.rand(PROBLEMS, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    hand, motion = torch.full((PROBLEMS, 2), 0.5), 0.1 * torch.eye(2)
    return context, Goal(images.to(device), hand.to(device), motion.to(device))


PLANNERS = {
    "sampling": planners.IcemConfig(horizon=3, samples=16, elites=4),
    "gradients": planners.IcemConfig(horizon=3, samples=16, elites=4, refine_steps=2),
}
every_way = pytest.mark.parametrize(
    ("mode", "planner"), [*((mode, "sampling") for mode in MODES), *((mode, "gradients") for mode in MODES)]
)


def controller(config, planner, device):
    torch.manual_seed(0)
    rng = torch.Generator(device).manual_seed(0)
    model = assemble(MODEL).to(device).eval()
    return Controller(
        model,
        planners.build(PLANNERS[planner], 4),
        Scorer(model, GoalImage(GoalImageConfig()), config),
        ControlConfig(),
        rng,
    )


@every_way
def test_a_plan_never_waits_for_the_device(mode, planner):
    context, goal = problem("cpu")
    planning = controller(MODES[mode], planner, "cpu")
    with NoWaiting():
        planning.plan(context, goal)
        planning.plan(context, goal)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_way
def test_on_cuda_a_plan_never_synchronises(mode, planner):
    context, goal = problem("cuda")
    planning = controller(MODES[mode], planner, "cuda")
    planning.plan(context, goal)
    torch.cuda.set_sync_debug_mode("error")
    try:
        plan = planning.plan(context, goal)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert plan.actions.is_cuda and plan.cost.isfinite().all()
