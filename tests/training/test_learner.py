"""Learning: the loss is what it says, a resumed run is the uninterrupted one, bad numbers stop it."""

import pytest
import torch

from vfplan.models.base import Clip, Context
from vfplan.models.recipe import LearningConfig
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.models.videoflow.distributions import CopyOrChange, Faithful, Gaussian, Mixture
from vfplan.models.videoflow.objective import corrupt, negative_log_likelihood
from vfplan.training.learner import Learner

MODEL = VideoFlowConfig(
    image_size=8, action_dim=2, past_frames=2, flow_width=4, condition_dim=4,
    priors=(PriorConfig((4,), (1,)), PriorConfig((4,), (1,))),
)  # fmt: skip
LEARNING = LearningConfig(steps=8, batch=(3, 5), warmup=2, imagined_steps=2, history_noise=(0.0, 0.01))


def learner(**changes):
    torch.manual_seed(0)
    config = LearningConfig(**{**vars(LEARNING), **changes})
    return Learner(assemble(MODEL), config, seed=0, device=torch.device("cpu"))


def windows(step, length=5, rows=5):
    rng = torch.Generator().manual_seed(step)
    frames = torch.randint(0, 256, (rows, length, 3, 8, 8), generator=rng, dtype=torch.uint8)
    return frames, torch.rand(rows, length - 1, 2, generator=rng) * 2 - 1


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def gaussian():
    leaves = [leaf(4, 3, 2, 2), leaf(4, 3, 2, 2)]
    return Gaussian(*leaves), leaves


def copy_or_change():
    leaves = [leaf(4, 3, 2, 2) for _ in range(3)] + [leaf(4, 9, 3, 2, 2), leaf(3, 1, 1), leaf(4, 9, 1, 2, 2)]
    return CopyOrChange(*leaves[3:5], Gaussian(*leaves[:2]), leaves[2], leaves[5].log_softmax(1)), leaves


def mixture():
    leaves = [leaf(4, 5), leaf(4, 5, 3, 2, 2), leaf(4, 5, 3, 2, 2)]
    return Mixture(leaves[0].log_softmax(1), Gaussian(*leaves[1:])), leaves


def mixture_of_copies():
    """Components that share the old values, and differ in where they copy from."""
    leaves = [leaf(4, 5)] + [leaf(4, 5, 3, 2, 2) for _ in range(3)]
    leaves += [leaf(4, 1, 9, 3, 2, 2), leaf(3, 1, 1), leaf(4, 5, 9, 1, 2, 2)]
    parts = CopyOrChange(*leaves[4:6], Gaussian(*leaves[1:3]), leaves[3], leaves[6].log_softmax(2))
    return Mixture(leaves[0].log_softmax(1), parts), leaves


@pytest.mark.parametrize("make", [gaussian, copy_or_change, mixture, mixture_of_copies])
def test_beta_zero_has_the_gradients_of_the_exact_likelihood(make):
    torch.manual_seed(0)
    prior, leaves = make()
    latent = leaf(4, 3, 2, 2)
    log_det = latent.flatten(1).sum(1)
    exact = -(prior.log_prob(latent) + log_det).sum()
    expected = torch.autograd.grad(exact, (*leaves, latent), retain_graph=True)
    loss, nats = negative_log_likelihood(prior, latent, log_det, 0.0)
    found = torch.autograd.grad(loss.sum(), (*leaves, latent))
    assert torch.allclose(nats.sum(), exact)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other)


def test_beta_one_gives_the_mean_the_gradient_of_the_squared_error():
    prior, latent = gaussian()[0], leaf(4, 3, 2, 2).detach()
    loss, _ = negative_log_likelihood(prior, latent, torch.zeros(4, dtype=torch.float64), 1.0)
    assert torch.allclose(torch.autograd.grad(loss.sum(), prior.mean)[0], prior.mean - latent)


def test_a_faithful_mean_learns_from_squared_errors_and_its_std_from_the_likelihood():
    torch.manual_seed(0)
    prior, latent = Faithful(leaf(4, 3, 2, 2), leaf(4, 3, 2, 2)), leaf(4, 3, 2, 2).detach()
    loss, nats = negative_log_likelihood(prior, latent, torch.zeros(4, dtype=torch.float64), 0.5)
    exact = -prior.log_prob(latent)
    expected = torch.autograd.grad(exact.sum(), prior.log_std, retain_graph=True)[0]
    of_mean, of_std = torch.autograd.grad(loss.sum(), (prior.mean, prior.log_std))
    assert torch.allclose(of_mean, prior.mean - latent) and torch.allclose(of_std, expected)
    assert torch.allclose(nats, exact)


def test_a_faithful_prior_keeps_its_std_from_shaping_the_features():
    torch.manual_seed(0)
    config = PriorConfig((4,), (1,), "faithful", advection_radius=1)
    model = assemble(VideoFlowConfig(image_size=8, action_dim=2, past_frames=2, condition_dim=4, priors=(config,)))
    torch.nn.init.normal_(model.priors[0].net.head.weight)
    past, actions = torch.randn(3, 2, 3, 8, 8), torch.randn(3, 2, 2)
    prior = model.priors[0](past, None, actions)
    assert isinstance(prior, Faithful) and prior.detach().log_std.requires_grad is False
    features = model.priors[0].net.stem.weight
    assert not torch.autograd.grad(prior.log_std.sum(), features, retain_graph=True)[0].any()
    assert torch.autograd.grad(prior.mean.square().sum(), features)[0].abs().max() > 0


@pytest.mark.parametrize("make", [gaussian, copy_or_change, mixture, mixture_of_copies])
def test_the_flow_keeps_its_exact_gradient_for_any_beta(make):
    torch.manual_seed(0)
    prior, latent, zero = make()[0], leaf(4, 3, 2, 2), torch.zeros(4, dtype=torch.float64)
    expected = torch.autograd.grad(-prior.log_prob(latent).sum(), latent, retain_graph=True)[0]
    found = torch.autograd.grad(negative_log_likelihood(prior, latent, zero, 0.5)[0].sum(), latent)[0]
    assert torch.allclose(found, expected)


def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one():
    whole = learner()
    for step in range(8):
        whole.step(Clip(*windows(step)))
    first = learner()
    for step in range(5):
        first.step(Clip(*windows(step)))
    second = learner()
    second.load_state_dict(first.state_dict())
    for step in range(5, 8):
        second.step(Clip(*windows(step)))
    for name, value in whole.average.state_dict().items():
        assert torch.equal(second.average.state_dict()[name], value), name


def test_each_level_learns_and_so_does_the_average():
    trained, fresh = learner(), learner()
    for step in range(3):
        trained.step(Clip(*windows(step)))
    for part in (trained.model, trained.averaged):
        for level, prior in enumerate(part.priors):
            before = fresh.model.priors[level].state_dict()
            assert any(not torch.equal(value, before[name]) for name, value in prior.state_dict().items())


def test_a_step_reports_bits_per_dim_as_the_weighted_mean_of_its_levels():
    metrics = learner().step(Clip(*windows(0)))
    dims = [3 * 3 * 16, 3 * 16]
    expected = (metrics["level_0"] * dims[0] + metrics["level_1"] * dims[1]) / sum(dims)
    assert metrics["bits_per_dim"] == pytest.approx(expected)


@pytest.mark.parametrize("left", [0, 1])
def test_a_level_without_windows_stays_as_it_is_and_the_others_learn(left):
    batch = tuple(0 if level == left else rows for level, rows in enumerate(LEARNING.batch))
    trained, fresh = learner(batch=batch), learner()
    for step in range(3):
        metrics = trained.step(Clip(*windows(step)))
    assert [name for name in metrics if name.startswith("level")] == [f"level_{1 - left}"]
    assert metrics["bits_per_dim"] == pytest.approx(metrics[f"level_{1 - left}"])
    for part in (trained.model, trained.averaged):
        for level, prior in enumerate(part.priors):
            before = fresh.model.priors[level].state_dict()
            same = [torch.equal(value, before[name]) for name, value in prior.state_dict().items()]
            assert all(same) if level == left else not all(same)


def test_a_window_cannot_begin_before_the_memory_of_its_first_frame():
    with pytest.raises(ValueError, match="lead_in=2 leaves none of past_frames=2 frames to the episode"):
        learner(lead_in=2)


def test_a_gradient_that_is_not_finite_stops_before_any_update():
    broken = learner()
    broken.model.priors[1].net.head.bias.data[0] = torch.nan
    before = {name: value.clone() for name, value in broken.model.state_dict().items()}
    with pytest.raises(FloatingPointError, match="not finite at step 0"):
        broken.step(Clip(*windows(0)))
    for name, value in broken.model.state_dict().items():
        assert torch.equal(value, before[name]) or value.isnan().any()
    assert broken.steps_done == 1  # the next step sees other data


def test_imagined_history_enters_only_after_its_share_of_the_steps():
    early, never = learner(imagine_from=1.0), learner(imagined_steps=0)
    for step in range(3):
        frames, actions = windows(step)
        assert early.step(Clip(frames, actions)) == never.step(Clip(frames[:, :3], actions[:, :2]))


def test_corruption_has_the_promised_scale_and_spares_actions():
    torch.manual_seed(0)
    model = assemble(MODEL)
    frames, actions = windows(0, length=2, rows=400)
    state = model.encode(Context(frames, actions))
    noisy = corrupt(state, (0.0, 0.1), torch.Generator().manual_seed(0))
    assert torch.equal(noisy.actions, state.actions)
    difference = (noisy.levels[1].latents - state.levels[1].latents).flatten(1)
    assert torch.equal(noisy.levels[0].latents, state.levels[0].latents)
    untouched = (difference == 0).all(dim=1)
    assert untouched.float().mean().item() == pytest.approx(0.5, abs=0.1)
    # The std of the others is uniform in [0, 0.1] per row: mean square 0.1^2 / 3.
    assert difference[~untouched].square().mean().item() == pytest.approx(0.01 / 3, rel=0.15)
    assert difference.std(dim=1).max() < 0.13


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be in"),
        ({"batch": (0, 0)}, r"batch must give windows to one level or more, and 0 to the others; got \(0, 0\)"),
        ({"batch": (-1, 1)}, "batch must be in"),
        ({"lead_in": -1}, "lead_in must be in"),
        ({"batch": (1,)}, r"batch needs 2 numbers for videoflow; got \(1,\)"),
        ({"history_noise": (0.1,)}, "history_noise needs 2"),
        ({"micro_batches": 2}, r"batch \(3, 5\) does not split into micro_batches=2 equal parts"),
        ({"learning_rate": 0.0}, "learning_rate must be in"),
        ({"imagined_steps": -1}, "imagined_steps must be in"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        learner(**changes)
