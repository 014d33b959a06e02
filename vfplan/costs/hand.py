"""Where the hand will be seen: known from proprioception and the planned actions, without vision.

After Hu et al., "Know Thyself: Transferable Visual Control Policies Through Robot-Awareness", 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vfplan.costs.base import Goal, strength
from vfplan.errors import UserError


def hand_path(actions: Tensor, goal: Goal) -> Tensor:
    """Where actions (E, N, T, A) bring the hand, (E, N, T, 2) in fractions of the image (column, row).

    Raises:
        UserError: if nothing is known of the hand.
    """
    if goal.hand is None or goal.hand_motion is None:
        raise UserError("this cost needs to know where the hand is: the environment must give proprioception")
    travelled = torch.cumsum(actions[..., :2] @ goal.hand_motion.T, dim=2)
    return (goal.hand[:, None, None] + travelled).clamp(0, 1)


def hand_distance(actions: Tensor, goal: Goal, rows: int, columns: int) -> Tensor:
    """Distance (E, N, T, Y, X), in image widths, of every pixel from where actions (E, N, T, A) bring the hand.

    Raises:
        UserError: if nothing is known of the hand.
    """
    path = hand_path(actions, goal)
    x = (torch.arange(columns, device=actions.device) + 0.5) / columns
    y = (torch.arange(rows, device=actions.device) + 0.5) / rows
    across = (x - path[..., 0, None])[..., None, :].square() + (y - path[..., 1, None])[..., :, None].square()
    # Not quite zero, where the slope of a square root is infinite.
    return (across + 1e-12).sqrt()


def hand_free(actions: Tensor, goal: Goal, rows: int, columns: int, radius: float) -> Tensor:
    """Weight (E, N, T, 1, Y, X) of every pixel: 0 in a disc around the hand, 1 outside; the edge is a pixel wide.

    `radius` is in image widths. The disc covers a finger, not an arm.
    """
    outside = hand_distance(actions, goal, rows, columns) - radius
    return (4.0 * columns * outside).sigmoid().unsqueeze(-3)


def reach(seen: Tensor, target: Tensor, actions: Tensor, goal: Goal) -> Tensor:
    """Mean distance (E, N, T), in image widths, from the hand to the colour that is not yet where the goal has it.

    Of what is seen (E, N, T, C, Y, X) and of the goal's (E, C, Y, X). Falls to zero as that colour falls to none.
    Raises UserError if nothing is known of the hand.
    """
    rows, columns = seen.shape[-2:]
    misplaced = strength(seen) * strength(seen - target[:, None, None])
    full = target.square().sum(dim=(-3, -2, -1)).clamp_min(1e-6)[:, None, None]
    return (misplaced * hand_distance(actions, goal, rows, columns)).sum(dim=(-2, -1)) / full
