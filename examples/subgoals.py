"""Plan by way of images that a point-to-point model proposes; the way, and what happened, as a GIF.

python -m vfplan.train data=data/push model=p2p run_dir=runs/p2p
python -m examples.subgoals runs/p2p/checkpoint num_tasks=3      # what follows changes settings, as in env=push_bair
"""

import sys
from pathlib import Path

from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.fit import load_trained
from vfplan.control.session import ClosedLoop
from vfplan.control.subgoals import Subgoals
from vfplan.models.base import ProposingModel
from vfplan.output.video import gif_bytes, grid
from vfplan.plan import main

name, *settings = sys.argv[1:] or sys.exit(__doc__)
loop = ClosedLoop(main.configuration(settings))  # plans with the model that ships, or checkpoint=...
proposer = load_trained(name, loop.world, "float32", loop.device).model
if not isinstance(proposer, ProposingModel):
    sys.exit(f"{name} holds a {proposer.config.name}, which proposes no way to a goal; expected model=p2p")

tasks = range(loop.config.num_tasks)
control, horizon = loop.config.control, loop.config.planner.horizon
controller = Controller(loop.model, loop.planner, loop.scorer(loop.tasks.select(tasks)), control, loop.rng(tasks))
with loop.problem(tasks) as problem:
    way = Subgoals(proposer, problem, control, horizon, loop.rng(tasks), loop.device)
    happened = plan_episodes(problem, controller, renew=way.renew, imagine=False)

for outcome in loop.tasks.outcomes(happened.frames, happened.infos):
    print(outcome.line())
goals = problem.goal_images[:, None]
columns = [("goal", goals), ("proposed", way.images), ("happened", happened.frames[:, 1:])]
Path("subgoals.gif").write_bytes(gif_bytes(grid(columns), 0.2))
print("wrote subgoals.gif")
