"""A model of stable-worldmodel, here LeWM, under a planner of vfplan.

pip install --no-deps stable-worldmodel loguru einops
python -m examples.swm_model
"""

from types import SimpleNamespace

import torch
from torch import nn

from envs.task_set import load
from examples.swm_modules import swm
from planners import Icem, IcemConfig
from vfplan.interop.swm import score_of
from vfplan.pixels import unit_from_frames


class Encoder(nn.Module):  # in the place of the ViT that LeWM takes from another library
    def __init__(self, size):
        super().__init__()
        self.patches = nn.Conv2d(3, size, kernel_size=16, stride=16)

    def forward(self, images, interpolate_pos_encoding):
        return SimpleNamespace(last_hidden_state=self.patches(images).flatten(2).mT)  # (B, places, size)


def lewm(size=16):
    """A small one of random weights; in its place goes the one that you have trained."""
    parts = swm("wm.lewm.module")
    sizes = {"input_dim": size, "hidden_dim": size, "output_dim": size, "mlp_dim": size, "dim_head": 8}
    predictor = parts.Predictor(num_frames=3, depth=1, heads=2, **sizes)
    actions = parts.Embedder(input_dim=4, smoothed_dim=4, emb_dim=size)
    model = swm("wm.lewm.lewm").LeWM(Encoder(size), predictor, actions).eval()
    for weights in model.parameters():
        nn.init.normal_(weights, std=0.2)
    return model


@torch.inference_mode()
def plan(model, problems=2):
    """A plan for the first tasks of `push`, and what the plan of doing nothing costs."""
    task = load("push", "dev").select(range(problems))
    start, goal = (
        unit_from_frames(torch.from_numpy(images).permute(0, 3, 1, 2))[:, None]  # (B, T=1, C, Y, X), as it was trained
        for images in (task.start_image, task.goal_image)
    )
    info = {"pixels": start, "goal": goal, "action": torch.zeros(problems, 1, 4)}
    score, planner = score_of(model, info), Icem(IcemConfig(), action_dim=4)
    found = planner.plan(score, planner.initial_belief(problems, "cpu"), torch.Generator().manual_seed(0))
    return found, score(torch.zeros(problems, 1, planner.horizon, 4))[:, 0]


if __name__ == "__main__":
    torch.manual_seed(0)
    found, at_rest = plan(lewm())
    print("actions", tuple(found.actions.shape))
    print("cost of doing nothing", at_rest.tolist(), "of the plan", found.cost.tolist())
