"""Discriminators: spectral norms, whose gradients a loss reaches, known optima."""

import copy
import math

import pytest
import torch
from torch import nn

from vfplan.models.parts.adversary import (
    Discriminator,
    feature_distance,
    told_apart,
    towards,
    unmoved,
    with_actions,
)

SHAPES = {False: (4, 3, 16, 16), True: (4, 3, 5, 16, 16)}


def discriminator(video=False):
    torch.manual_seed(0)
    return Discriminator(3, (8, 12), video=video)


def norms(network):
    """The largest singular value of every weight, as a matrix of its outputs."""
    return [torch.linalg.matrix_norm(layer.weight.flatten(1).double(), 2) for layer in (*network.layers, network.last)]


def trained(network, steps=60):
    """After steps at a rate that moves weights fast, and the losses on the way."""
    shape = SHAPES[network.last.weight.dim() == 5]
    rng = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for step in range(steps):
        network.refresh(step)
        real, fake = torch.rand(shape, generator=rng), 0.7 * torch.rand(shape, generator=rng)
        loss = told_apart("lsgan", network(real).scores, network(fake).scores)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    network.refresh(steps)
    return losses


@pytest.mark.parametrize("video", [False, True])
def test_spectral_norms_stay_one_while_it_learns(video):
    network = discriminator(video)
    before = [p.clone() for p in network.parameters()]
    losses = trained(network)
    assert losses[-1] < 0.7 * losses[0]
    assert all((p - q).abs().max() > 0.01 for p, q in zip(network.parameters(), before, strict=True))
    assert all(abs(norm - 1) < 1e-2 for norm in norms(network))


def test_more_power_iterations_bring_norms_closer_to_one():
    """The two largest singular values of a wide layer at the start are close."""
    torch.manual_seed(0)
    few = Discriminator(3, (16, 32, 32), video=True)
    many = Discriminator(3, (16, 32, 32), video=True, iterations=100)
    many.load_state_dict(few.state_dict())
    for network in (few, many):
        network.refresh(0)
    away = [max(abs(norm - 1) for norm in norms(network)) for network in (few, many)]
    assert away[1] < 1e-3 < away[0]


@pytest.mark.parametrize("video", [False, True])
def test_judging_changes_nothing_even_in_training(video):
    network = discriminator(video).train()
    before = copy.deepcopy(network.state_dict())
    x = torch.rand(SHAPES[video])
    assert torch.equal(network(x).scores, network(x).scores)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.refresh(0)
    assert any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_copy_and_its_state_judge_alike():
    network, other = discriminator(), Discriminator(3, (8, 12), video=False)
    trained(network, steps=3)
    x = torch.rand(SHAPES[False])
    other.load_state_dict(network.state_dict())
    for twin in (other, copy.deepcopy(network)):
        assert torch.equal(twin(x).scores, network(x).scores)
        twin.refresh(9)


@pytest.mark.parametrize("frames", [1, 2, 3, 8])
def test_videos_may_have_any_length(frames):
    scores = discriminator(video=True)(torch.rand(2, 3, frames, 16, 16)).scores
    assert scores.shape == (2, math.ceil(math.ceil(frames / 2) / 2), 4, 4)


@pytest.mark.parametrize(("video", "shape"), [(False, (4, 4)), (True, (2, 4, 4))])
def test_layers_of_stride_one_keep_what_they_are_given(video, shape):
    network = Discriminator(3, (4, 8, 8, 12), strides=(1, 2, 1, 2), video=video)
    judged = network(torch.rand(SHAPES[video]))
    sides = [features.shape[-1] for features in judged.features]
    assert sides == [16, 8, 8, 4] and judged.scores.shape == (4, *shape)
    assert [features.shape[1] for features in judged.features] == [4, 8, 8, 12]


def test_a_frame_is_judged_with_the_action_that_led_to_it():
    frames, actions = torch.rand(2, 3, 1, 4, 4), torch.rand(2, 2, 5)
    videos = with_actions(frames, actions)
    assert videos.shape == (2, 6, 3, 4, 4) and torch.equal(videos[:, 0], frames[:, :, 0] - 0.5)
    assert (videos[:, 1:, 0] == 0).all()
    assert all((videos[:, 1:, 1:, y, x] == actions.transpose(1, 2)).all() for y, x in ((0, 0), (3, 1)))


@pytest.mark.parametrize("video", [False, True])
def test_each_loss_reaches_its_own_side_alone(video):
    network, generator = discriminator(video), nn.Linear(2, math.prod(SHAPES[video][1:]))
    made = generator(torch.rand(4, 2)).view(SHAPES[video])
    towards("lsgan", unmoved(network, made).scores, 1.0).backward(retain_graph=True)
    assert all(p.grad is None for p in network.parameters())
    assert all(p.grad.abs().sum() > 0 for p in generator.parameters())
    generator.zero_grad()
    told_apart("lsgan", network(torch.rand(SHAPES[video])).scores, network(made.detach()).scores).backward()
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_an_unmoved_discriminator_judges_as_before():
    """The same scores, and the same gradient for what it judges, as autograd gives through the network itself."""
    network, x = discriminator().double(), torch.rand(SHAPES[False], dtype=torch.float64, requires_grad=True)
    scores, held = network(x).scores, unmoved(network, x).scores
    assert torch.equal(scores, held) and all(p.requires_grad for p in network.parameters())
    assert torch.equal(*(torch.autograd.grad(s.square().sum(), x)[0] for s in (scores, held)))


@pytest.mark.parametrize(("rule", "cannot_tell"), [("lsgan", 0.25), ("bce", math.log(2))])
def test_the_best_scores_are_shares_of_the_densities(rule, cannot_tell):
    """Of six outcomes with probabilities p and q, one score each; the weighted mean is that of many samples."""
    counts = torch.tensor([1, 2, 3, 4, 5, 5])
    p, q = (share.double() / 20 for share in (counts, counts.flip(0)))
    scores = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    real, fake = (torch.arange(6).repeat_interleave(share) for share in (counts, counts.flip(0)))
    exactly = {"max_iter": 500, "tolerance_grad": 1e-12, "tolerance_change": 1e-18}
    optimiser = torch.optim.LBFGS([scores], line_search_fn="strong_wolfe", **exactly)

    def loss():
        optimiser.zero_grad()
        found = told_apart(rule, scores[real], scores[fake])
        found.backward()
        return found

    optimiser.step(loss)
    best = scores.detach() if rule == "lsgan" else scores.detach().sigmoid()
    assert torch.allclose(best, p / (p + q), atol=1e-6)
    if rule == "lsgan":
        assert abs(loss().item() - (p * q / (p + q)).sum() / 2) < 1e-9
    even = torch.full((8,), 0.5 if rule == "lsgan" else 0.0)
    assert abs(told_apart(rule, even, even).item() - cannot_tell) < 1e-6


@pytest.mark.parametrize(("rule", "undecided"), [("lsgan", 0.5), ("bce", 0.0)])
def test_towards_a_half_is_least_where_nothing_is_told(rule, undecided):
    scores = torch.tensor([undecided], dtype=torch.float64, requires_grad=True)
    towards(rule, scores, 0.5).backward()
    assert abs(scores.grad.item()) < 1e-12
    assert towards(rule, scores + 0.1, 0.5) > towards(rule, scores, 0.5)


def test_the_feature_distance_is_that_of_angles():
    """0 to itself at any length, 2 per layer to its negative, and nothing for what is real to learn."""
    features = [torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert abs(feature_distance(features, [3 * f for f in features]).item()) < 1e-12
    assert abs(feature_distance(features, [-f for f in features]).item() - 4) < 1e-12
    other = [torch.randn_like(f, requires_grad=True) for f in features]
    feature_distance(features, other).backward()
    assert all(f.grad is None for f in features) and all(f.grad.abs().sum() > 0 for f in other)
