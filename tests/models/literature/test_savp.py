"""Two discriminators make SAVP decide, where its generator alone learns medians; on 8x8 pixels."""

import copy
from functools import cache

import pytest
import torch

from tests.models.literature.test_latent_futures import movement, slip
from tests.models.test_known_futures import OUTCOMES, START, seeded
from vfplan.models.base import Context, LikelihoodModel, MonitorableModel
from vfplan.models.literature.savp import Savp, SavpConfig
from vfplan.models.literature.savp_objective import JUDGED, LOSSES, SavpRecipe
from vfplan.models.literature.savp_vae import SavpVae, SavpVaeConfig
from vfplan.models.registry import grown, objective_of
from vfplan.training.learner import Learner

TINY = {"image_size": 8, "past_frames": 1, "action_dim": 0, "width": 8, "judge": (16, 32, 32)}
TINY |= {"judge_strides": (1, 2, 1)}
SMALL = TINY | {"width": 2, "encoder": 2, "latent": 2, "action_dim": 2, "judge": (4, 4, 4)}
RECIPE = {"batch": (24,), "frames": 1, "learning_rate": 3e-3, "warmup": 30, "ema": 0.99, "adam": (0.5, 0.99, 1e-8)}
RECIPE |= {"clip": float("inf"), "kl_weight": 0.02, "kl_start": 0.7, "kl_warmup": 0.1}
AT_ONCE = {"batch": (4,), "steps": 10, "judged_from": 0.0}
STEPS = 400
CPU = torch.device("cpu")


def savp(**settings):
    torch.manual_seed(0)
    return Savp(SavpConfig(**SMALL | settings))


def judges(model):
    return model.prior_judge, model.posterior_judge


@cache
@torch.enable_grad()
def trained(judged_from):
    """After as many steps on the same clips, whether discriminators count or not."""
    torch.manual_seed(0)
    recipe = SavpRecipe(steps=STEPS, judged_from=judged_from, **RECIPE)
    learner = Learner(Savp(SavpConfig(**TINY)), recipe, seed=0, device=CPU)
    for step in range(STEPS):
        learner.step(movement(24, step))
    return learner


@torch.no_grad()
def away(model, count=1000):
    """How far samples (count,) are from the nearest of the eight outcomes, root mean square; black are 0.144."""
    context = Context(START[:1, None].expand(count, -1, -1, -1, -1), torch.zeros(count, 0, 0))
    noise = model.sample_noise(count, 1, seeded(1))
    images = model.rollout(model.encode(context), torch.zeros(count, 1, 0), noise)
    return (images - OUTCOMES[:1].float() / 256).square().mean((2, 3, 4)).sqrt().amin(1)


def test_samples_are_sharper_than_without_discriminators():
    """Root mean squares of three seeds: 0.07, 0.09, 0.11; alone 0.144: black, the median of all outcomes.

    66, 56 and 29 % of the samples are one of the eight outcomes, alone none; but they go two or three ways only.
    """
    judged, alone = (away(trained(share).averaged.eval()) for share in (0.1, 1.0))
    assert judged.mean() < 0.9 * alone.mean()
    assert (judged < 0.1).float().mean() > 0.2 and not (alone < 0.1).any()


def norms(model):
    """The largest singular value of every weight of both discriminators."""
    layers = (layer for judge in judges(model) for layer in (*judge.layers, judge.last))
    return torch.stack([torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) for layer in layers])


def test_spectral_norms_are_still_one():
    """Of three seeds, 1.003 at most; 1.017 with one power iteration a step."""
    assert ((norms(trained(0.1).model) - 1).abs() < 1e-2).all()


def parts(model):
    """Parameters of the generator, of what infers latents, and of both discriminators."""
    video = model.video
    inferring = [*video.encoder.parameters(), *video.posterior_head.parameters()]
    return [list(video.generator.parameters()), inferring, *(list(j.parameters()) for j in judges(model))]


def gradients(recipe, which):
    """How large the gradient of each part is after one of both losses, of a step in which discriminators count."""
    model = savp()
    settings = RECIPE | AT_ONCE | recipe
    losses = list(objective_of(model, SavpRecipe(**settings)).losses(slip(4, 0), 5, 0, seeded(0)))
    losses[which][0].backward()
    return [sum(float(p.grad.abs().sum()) for p in part if p.grad is not None) for part in parts(model)]


OFF = {"error": 0.0, "kl_weight": 0.0, "prior_judge": 0.0, "posterior_judge": 0.0, "features": 0.0}


@pytest.mark.parametrize(
    ("recipe", "inferred"), [({"prior_judge": 1.0}, False), ({"posterior_judge": 1.0}, True), ({"features": 1.0}, True)]
)
def test_judgement_reaches_what_made_the_video(recipe, inferred):
    """Of videos of the prior no latent was inferred; no discriminator learns from what the generator descends."""
    generator, inferring, *judging = gradients(OFF | recipe, 0)
    assert generator > 0 and (inferring > 0) == inferred and judging == [0, 0]


def test_discriminators_learn_from_their_own_loss_alone():
    generator, inferring, *judging = gradients({}, 1)
    assert generator == inferring == 0 and min(judging) > 0


def test_each_discriminator_has_videos_of_its_own():
    """What one descends does not depend on the other's fakes: without what infers latents, the prior's is the same."""
    found = []
    for shaken in (False, True):
        model = savp()
        if shaken:
            with torch.no_grad():
                model.video.posterior_head.layer.weight.add_(1.0)
        recipe = SavpRecipe(**RECIPE | AT_ONCE)
        found.append(list(objective_of(model, recipe).losses(slip(4, 0), 5, 0, seeded(0)))[1][1])
    assert torch.equal(found[0][0], found[1][0]) and not torch.equal(found[0][1], found[1][1])


def test_videos_of_the_prior_learn_through_all_their_frames():
    """The score of the last frame alone has a gradient for the latents of the first step."""
    model = savp().eval()
    clip = slip(2, 0)
    noise = model.sample_noise(2, 3, seeded(0)).map(lambda tensor: tensor.requires_grad_())
    images = model.rollout(model.encode(clip.context(1)), torch.zeros(2, 3, 2), noise)
    found = torch.autograd.grad(images[:, -1].square().sum(), noise.levels[0])[0]
    assert (found[:, 0].abs().sum(1) > 0).all()


def test_discriminators_count_from_their_share_of_the_steps_on():
    model = savp()
    recipe = SavpRecipe(**RECIPE | AT_ONCE | {"judged_from": 0.5})
    objective = objective_of(model, recipe)
    before, after = (list(objective.losses(slip(4, 0), step, 0, seeded(0))) for step in (4, 5))
    assert [len(exact) for _, exact in before] == [2] and [len(exact) for _, exact in after] == [5, 2]
    assert tuple(objective.report([1.0, 2.0])) == LOSSES
    assert tuple(objective.report([1.0] * 7)) == LOSSES + JUDGED


def test_the_loss_is_the_sum_of_its_weighted_parts():
    model = savp().double()
    weights = {"error": 3.0, "kl_weight": 0.5, "prior_judge": 0.7, "posterior_judge": 1.3, "features": 2.0}
    recipe = SavpRecipe(**RECIPE | AT_ONCE | weights | {"kl_start": 0.0})
    loss, (error, latents, *judged) = next(objective_of(model, recipe).losses(slip(4, 0), 9, 0, seeded(0)))
    expected = 3 * error + 0.5 * latents + 0.7 * judged[0] + 1.3 * judged[1] + 2 * judged[2]
    assert latents > 0 and abs(loss - expected) < 1e-12


def test_parts_of_a_batch_meet_the_same_discriminators():
    found = []
    for order in ((), (0, 1), (1,)):
        model = savp()
        recipe = SavpRecipe(**RECIPE | AT_ONCE | {"micro_batches": 2})
        for part in order:
            list(objective_of(model, recipe).losses(slip(4, 0), 5, part, seeded(part)))
        found.append(torch.cat([vector for judge in judges(model) for _, vector in judge.named_buffers()]))
    before, together, alone = found
    assert torch.equal(together, alone) and not torch.equal(before, together)


def test_training_goes_on_as_if_it_had_not_been_left():
    """Also where discriminators begin to count only later."""
    recipe = SavpRecipe(**RECIPE | AT_ONCE | {"steps": 4, "judged_from": 0.5})
    learners = [Learner(savp(), recipe, seed=0, device=CPU) for _ in range(2)]
    learners[0].step(slip(4, 0))
    learners[1].load_state_dict(copy.deepcopy(learners[0].state_dict()))
    for step in (1, 2, 3):
        one, other = (learner.step(slip(4, step)) for learner in learners)
        assert one == other
    states = [learner.state_dict()["model"] for learner in learners]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def variational(**settings):
    torch.manual_seed(1)
    settings = {"emission": "laplace"} | settings
    given = {name: value for name, value in SMALL.items() if not name.startswith("judge")}
    return SavpVae(SavpVaeConfig(**given | settings))


@torch.no_grad()
@pytest.mark.parametrize("emission", ["sigma", "laplace"])
def test_it_goes_on_from_what_savp_vae_knows(emission):
    model, wanted = variational(emission=emission), SavpConfig(**SMALL, emission=emission)
    larger = grown(model, wanted)
    assert isinstance(larger, Savp) and larger.config == wanted
    state, plan, noise = model.encode(slip(3, 0).context(1)), torch.zeros(3, 2, 2), model.sample_noise(3, 2, seeded(0))
    assert torch.equal(
        larger.rollout(larger.encode(slip(3, 0).context(1)), plan, noise), model.rollout(state, plan, noise)
    )


@pytest.mark.parametrize("settings", [{"emission": "sigma"}, {"width": 4}, {"latent": 3}, {"prior": "learned"}])
def test_it_goes_on_from_nothing_of_other_sizes(settings):
    assert grown(variational(**settings), SavpConfig(**SMALL)) is None
    assert grown(variational(), SavpVaeConfig(**variational().config.__dict__ | {"width": 4})) is None


def test_it_gives_no_likelihoods():
    assert not isinstance(savp(), LikelihoodModel | MonitorableModel)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"judge_strides": (1, 2)}, "judge_strides needs 3 numbers, one for each of judge"),
        ({"judge": (4,) * 4, "judge_strides": (2,) * 4}, "image_size=8 cannot be halved 4 times, as judge_strides say"),
        ({"emission": "copy"}, "savp needs an emission of one scale, sigma or laplace; got copy"),
        ({"judge": (), "judge_strides": ()}, "judge needs a layer or more"),
        ({"image_size": 20}, "image_size=20 cannot be halved 3 times"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        savp(**settings)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"batch": (4, 4)}, "batch needs one number for savp"),
        ({"lead_in": 1}, "lead_in=1 leaves none of past_frames=1"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        objective_of(savp(), SavpRecipe(**recipe))
