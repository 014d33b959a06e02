"""A frame drawn as it was when the tasks were made, its likelihood, and plans: in a few seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import torch

import envs
from envs.task_set import TaskSet
from vfplan.control.loop import Trajectory
from vfplan.control.session import ClosedLoop
from vfplan.control.settings import PlanConfig
from vfplan.errors import UserError, said
from vfplan.models.base import Context, LikelihoodModel
from vfplan.models.precision import in_float32
from vfplan.studies.doctor.finding import Finding

REPORT = "please report it with this output"
MOST_BITS = 1.0
"""Per dimension, of a frame in which little moves; the model that ships has 0.2 on average."""


def self_test(config: PlanConfig) -> Iterator[Finding]:
    """Try what a command that plans does, on its tasks; ends at the first thing that does not work."""
    try:
        loop = ClosedLoop[TaskSet](config)
    except UserError as error:
        yield Finding("model", said(error), "install vfplan again")
        return
    yield drawing(loop)
    yield opengl()
    began = time.perf_counter()
    trajectory = loop.run(range(len(loop.tasks)))
    yield planning(trajectory, time.perf_counter() - began)
    yield likelihood(loop, trajectory)


def drawing(loop: ClosedLoop[TaskSet]) -> Finding:
    """The start of a task, drawn again."""
    with loop.problem(range(1)) as problem:
        same = np.array_equal(problem.observations[0]["image"], loop.tasks.start_image[0])
    if same:
        return Finding("drawing", "the frame of a stored task, bit for bit")
    made = f"{loop.tasks.renderer}, mujoco {loop.tasks.mujoco}"
    return Finding("drawing", "another frame than a stored task has", f"its frame was made with {made}; {REPORT}")


def opengl() -> Finding:
    """Whether `render=gl` works, which nothing needs by default."""
    try:
        environment = envs.make("push", render="gl")
        environment.reset(seed=0)
        environment.close()
    except ValueError:
        return Finding("OpenGL", "does not start; only render=gl needs it")
    return Finding("OpenGL", "starts, for render=gl")


def planning(trajectory: Trajectory, seconds: float) -> Finding:
    """Plans of one episode, and how long its actions took."""
    found = f"{len(trajectory.plan_seconds)} plans in {seconds:.1f} s"
    finite = trajectory.plan_costs is not None and bool(np.isfinite(trajectory.plan_costs).all())
    return Finding("planning", found, "" if finite else f"a plan has no finite cost; {REPORT}")


def likelihood(loop: ClosedLoop[TaskSet], trajectory: Trajectory) -> Finding:
    """What the first action led to, as the model scores it."""
    model = loop.model
    assert isinstance(model, LikelihoodModel)
    frames = torch.from_numpy(trajectory.frames[:1]).movedim(-1, 2).to(loop.device)  # (1, T, C, Y, X)
    actions = torch.from_numpy(trajectory.actions[:1]).to(loop.device)
    past = model.past_frames
    context = Context(frames[:, :1].expand(-1, past, -1, -1, -1), actions.new_zeros(1, past - 1, model.action_dim))
    rng = torch.Generator(loop.device).manual_seed(0)
    with torch.inference_mode(), in_float32(model):
        nats = model.log_prob(context, actions[:, :1], frames[:, 1:2], rng).per_frame
    bits = -nats.item() / math.log(2) / frames[0, 0].numel()
    fix = "" if math.isfinite(bits) and bits < MOST_BITS else f"expected less than {MOST_BITS:g}; {REPORT}"
    return Finding("likelihood", f"{bits:.3f} bits/dim of a frame that followed", fix)
