"""Costs for stable-worldmodel's solvers are those of the scorer, and what they may not be told is refused."""

import pytest
import torch

from planners import CEM, CEMConfig
from vfplan.control.scoring import FinalistsConfig, Scorer, ScoringConfig
from vfplan.costs import DisplacementConfig, Goal, PixelConfig, build_cost
from vfplan.interop.swm import SwmCost, score_of
from vfplan.models.base import Context
from vfplan.models.checkpoint import load_checkpoint, shipped_checkpoint
from vfplan.models.still import StillModel
from vfplan.pixels import unit_from_frames

B, S, HORIZON, A, SIZE = 2, 5, 4, 4, 64
SAMPLED = ScoringConfig(samples=4, temperature=0.5, finalists=FinalistsConfig(count=2))
HAND = torch.tensor([[0.25, 0.5], [0.75, 0.25]])
MOTION = torch.tensor([[0.03, 0.0], [0.0, -0.03]])


@pytest.fixture(scope="module")
def model():
    return load_checkpoint(shipped_checkpoint("push")).model


def drawn(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2.4 - 1.2


def frames(times, seed=0):
    return torch.randint(0, 256, (B, times, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(seed)).byte()


def info(times=3, **more):
    told = {"pixels": frames(times), "goal": frames(1, seed=1), **more}
    return {key: value[:, None].expand(B, S, *value.shape[1:]) for key, value in told.items()}


def scored(model, config, context, goal, plans, cost=None):
    scorer = Scorer(model, build_cost(cost or DisplacementConfig()), config)
    return scorer.score(model.encode(context), goal, torch.Generator().manual_seed(7))(plans)


def adapted(model, config=None, cost=None):
    return SwmCost(model, build_cost(cost or DisplacementConfig()), config or ScoringConfig(), seed=7)


@torch.no_grad()
@pytest.mark.parametrize("config", [ScoringConfig(), SAMPLED], ids=["expected", "sampled"])
@pytest.mark.parametrize("cost", [DisplacementConfig(), PixelConfig()], ids=["displacement", "pixel"])
def test_costs_are_those_of_the_scorer(model, config, cost):
    plans, history = drawn(B, S, HORIZON, A), drawn(B, 2, A, seed=2).clamp(-1, 1)
    motion = MOTION.expand(B, 2, 2)
    given = info(action_history=history, hand=HAND, hand_motion=motion)
    goal = Goal(unit_from_frames(frames(1, seed=1)[:, 0]), HAND, MOTION, unit_from_frames(frames(3)))
    expected = scored(model, config, Context(frames(3), history), goal, plans.clamp(-1, 1), cost)
    swm = adapted(model, config, cost)
    found = swm.get_cost(given, plans)
    assert found.shape == (B, S) and found.std(dim=1).min() > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    again = adapted(model, config, cost).criterion(given, plans)
    assert torch.equal(found, again)
    assert torch.equal(found, swm.get_cost(given, plans)) == (config is not SAMPLED)


@torch.no_grad()
@pytest.mark.parametrize("times", [1, 2, 5])
def test_fewer_frames_stand_still_and_more_are_cut(model, times):
    seen, moved = frames(times), drawn(B, times - 1, A, seed=2).clamp(-1, 1)
    missing = max(0, 3 - times)
    last = torch.cat([seen[:, :1].expand(-1, missing, -1, -1, -1), seen[:, -3:]], dim=1)
    actions = torch.cat([torch.zeros(B, min(missing, 2), A), moved[:, -2:]], dim=1)[:, -2:]
    goal = Goal(unit_from_frames(frames(1, seed=1)[:, 0]), seen=unit_from_frames(seen))
    plans = drawn(B, S, HORIZON, A).clamp(-1, 1)
    expected = scored(model, ScoringConfig(), Context(last, actions), goal, plans)
    torch.testing.assert_close(adapted(model).get_cost(info(times, action_history=moved), plans), expected)


@torch.no_grad()
def test_unknown_actions_were_at_rest(model):
    plans, rest = drawn(B, S, HORIZON, A), torch.zeros(B, 2, A)
    unknown, at_rest = (adapted(model).get_cost(given, plans) for given in (info(), info(action_history=rest)))
    moving = adapted(model).get_cost(info(action_history=rest + 0.9), plans)
    assert torch.equal(unknown, at_rest) and not torch.equal(unknown, moving)


@torch.no_grad()
def test_arrays_and_candidates_of_their_own_memory_do(model):
    plans, given = drawn(B, S, HORIZON, A), info()
    copied = {"pixels": given["pixels"].contiguous().numpy(), "goal": given["goal"].contiguous()}
    assert torch.equal(adapted(model).get_cost(given, plans), adapted(model).get_cost(copied, plans))


def test_costs_have_slopes_for_solvers_that_descend(model):
    plans = (0.5 * drawn(B, S, HORIZON, A)).requires_grad_()
    adapted(model).get_cost(info(), plans).sum().backward()
    assert plans.grad.isfinite().all() and plans.grad.flatten(2).norm(dim=2).min() > 0


def test_it_is_a_module_of_the_models_type(model):
    swm = adapted(model)
    assert isinstance(swm, torch.nn.Module) and next(swm.parameters()).dtype == torch.float32
    assert len(list(swm.parameters())) == len(list(model.parameters()))


def other(**changes):
    return {**info(), **changes}


@pytest.mark.parametrize(
    ("given", "plans", "words"),
    [
        (info(), drawn(B, S, HORIZON, 2 * A), "with action_block=1; got (2, 5, 4, 8)"),
        (info(), drawn(B, S, A), "expected action_candidates (B, S, horizon, 4)"),
        ({"pixels": info()["pixels"]}, drawn(B, S, HORIZON, A), "info_dict has no goal; it has pixels"),
        (other(pixels=info()["pixels"] / 255), drawn(B, S, HORIZON, A), "uint8, untransformed; got (2, 1, 3, 3, 64"),
        (other(goal=info()["goal"].movedim(3, 5)), drawn(B, S, HORIZON, A), "expected goal (B, S, T, C, Y, X) uint8"),
        (
            other(goal=info()["goal"][..., :32, :32]),
            drawn(B, S, HORIZON, A),
            "goal (2, 3, 32, 32) and pixels (2, 3",
        ),
        (other(pixels=info()["pixels"].repeat_interleave(2, 5)), drawn(B, S, HORIZON, A), "sees 64 x 64 pixels; got"),
        (other(goal=frames(S).unsqueeze(2)), drawn(B, S, HORIZON, A), "goal differs between the candidates"),
        (info(action_history=torch.zeros(B, 3, A)), drawn(B, S, HORIZON, A), "(B, T - 1, A) = (2, 2, 4); got (2, 3"),
        (info(action_history=torch.full((B, 2, A), torch.nan)), drawn(B, S, HORIZON, A), "expected finite action_hist"),
        (info(hand=HAND), drawn(B, S, HORIZON, A), "info_dict has no hand_motion"),
        (info(hand=HAND, hand_motion=HAND), drawn(B, S, HORIZON, A), "hand_motion (B, S, 2, 2)"),
    ],
)
def test_what_it_cannot_be_told_is_refused(model, given, plans, words):
    with pytest.raises(ValueError) as caught:
        adapted(model).get_cost(given, plans)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_that_reads_the_simulator_is_refused():
    class Oracle(StillModel):
        reads_simulator = True

    with pytest.raises(ValueError, match="Oracle reads the state of a simulator"):
        SwmCost(Oracle(A), build_cost(PixelConfig()), ScoringConfig())


class Costable:
    """Remembers what it was told, and writes into it, as models do."""

    def __init__(self):
        self.told = []

    def get_cost(self, info_dict, action_candidates):
        assert "emb" not in info_dict and len(action_candidates) == 1
        info_dict["emb"] = True
        self.told.append(info_dict)
        return (action_candidates - info_dict["place"][:, :, None]).square().sum(dim=(2, 3))


def test_a_costable_scores_each_problem_by_what_is_told_of_it():
    place, costable = torch.tensor([[0.5, -0.5], [-0.25, 0.75]]), Costable()
    score = score_of(costable, {"place": place, "array": place.numpy(), "env_name": "push"})
    plans = drawn(B, S, HORIZON, 2)
    expected = (plans - place[:, None, None]).square().sum(dim=(2, 3))
    assert torch.equal(score(plans), expected) and torch.equal(score(plans), expected)
    assert [told["env_name"] for told in costable.told] == ["push"] * 4
    assert costable.told[1]["array"].shape == costable.told[1]["place"].shape == (1, S, 2)


def test_a_planner_of_vfplan_finds_what_a_costable_wants():
    place = torch.tensor([[0.5, -0.5], [-0.25, 0.75]])
    planner = CEM(CEMConfig(HORIZON, samples=64, elites=8, iterations=8), 2)
    score = score_of(Costable(), {"place": place})
    plan = planner.plan(score, planner.initial_belief(B, "cpu"), torch.Generator().manual_seed(0))
    assert (plan.actions - place[:, None]).abs().mean() < 0.15


@torch.no_grad()
def test_there_and_back_is_the_scorer(model):
    """The same costs, with the problems side by side and one by one."""
    plans = drawn(B, S, HORIZON, A).clamp(-1, 1)
    goal = Goal(unit_from_frames(frames(1, seed=1)[:, 0]), seen=unit_from_frames(frames(3)))
    expected = scored(model, ScoringConfig(), Context(frames(3), torch.zeros(B, 2, A)), goal, plans)
    back = score_of(adapted(model), {"pixels": frames(3), "goal": frames(1, seed=1)})(plans)
    torch.testing.assert_close(back, expected, rtol=0, atol=1e-6)
