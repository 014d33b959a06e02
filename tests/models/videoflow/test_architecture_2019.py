"""The model of 2019: exact density of the whole, its published sizes, explicit initialisation."""

import math
from dataclasses import replace

import pytest
import torch

from vfplan.flows import ActNorm
from vfplan.models.base import Clip, Context
from vfplan.models.recipe import LearningConfig
from vfplan.models.videoflow.architecture_2019 import VideoFlow2019Config, assemble
from vfplan.pixels import LOG_LEVELS
from vfplan.train import main as train
from vfplan.training.learner import Learner

SMALL = VideoFlow2019Config(
    image_size=8, action_dim=2, past_frames=2, num_levels=2, flow_steps=2, coupling_width=6,
    prior_depth=1, prior_width=6, dilations=(1,),
)  # fmt: skip


def perturbed(config, scale=0.1):
    torch.manual_seed(0)
    model = assemble(config)
    for parameter in model.parameters():
        parameter.data += scale * torch.randn_like(parameter)
    return model.eval()


def batch(rows, seed=0, action_dim=2):
    rng = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (rows, 3, 3, 8, 8), generator=rng, dtype=torch.uint8)
    return frames, torch.rand(rows, 2, action_dim, generator=rng) * 2 - 1


@pytest.mark.parametrize("coupling", ["affine", "additive"])
def test_density_is_that_of_the_change_of_variables(coupling):
    model = perturbed(replace(SMALL, coupling=coupling))
    frames, actions = batch(1)
    state = model.encode(Context(frames[:, :2], actions[:, :1]))
    model, state = model.double(), state._map(torch.Tensor.double)
    action, image = actions[:, 1].double(), torch.rand(1, 3, 8, 8, dtype=torch.float64) - 0.5

    def to_noise(flat):
        noise = []
        for level, (latent, coarse, _) in enumerate(model.split(flat.view_as(image))):
            prior = model.prior(level, state, action, coarse)
            noise.append(((latent - prior.mean) * (-prior.log_std).exp()).flatten())
        return torch.cat(noise)

    jacobian = torch.autograd.functional.jacobian(to_noise, image.flatten())
    normal = (-0.5 * to_noise(image.flatten()).square() - 0.5 * math.log(2 * math.pi)).sum()
    expected = normal + torch.linalg.slogdet(jacobian).logabsdet
    found = model.level_log_probs(state, action, image, torch.zeros(1, dtype=torch.float64)).sum()
    assert (found + image.numel() * LOG_LEVELS).item() == pytest.approx(expected.item(), abs=1e-7)


def test_initialisation_is_one_explicit_step_that_is_saved():
    torch.manual_seed(0)
    model = assemble(SMALL)
    norms = [module for module in model.modules() if isinstance(module, ActNorm)]
    frames, actions = batch(40)
    known = Context(frames[:, :2], actions[:, :1])
    model.log_prob(known, actions[:, 1:], frames[:, 2:], torch.Generator())
    assert not any(norm.initialised for norm in norms)  # looking does not initialise
    model.initialise(known, actions[:, 1:], frames[:, 2:], torch.Generator().manual_seed(0))
    assert all(norm.initialised for norm in norms)
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    other = assemble(SMALL)
    other.load_state_dict(saved)
    other.initialise(*(Context(frames[:, :2] // 2, actions[:, :1]), actions[:, 1:], frames[:, 2:], torch.Generator()))
    for name, value in other.state_dict().items():
        assert torch.equal(value, saved[name]), name  # what is initialised stays


def test_levels_learn_together():
    """The flow of every level and every prior gets a gradient from one step."""
    model = perturbed(SMALL)
    before = {name: value.clone() for name, value in model.named_parameters()}
    config = LearningConfig(
        name="any", steps=4, batch=(4,), beta=0.0, flow_rate=1.0, history_noise=(0.0, 0.0), imagined_steps=0
    )
    learner = Learner(model, config, seed=0, device=torch.device("cpu"))
    learner.step(Clip(*batch(4)))
    still = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert still == []


def test_the_first_loss_is_the_reported_one():
    """Learning and evaluation agree on the bits of the same windows, up to their dequantisation noise."""
    model = perturbed(SMALL, scale=0.01)
    frames, actions = batch(64)
    config = LearningConfig(
        name="any", steps=4, batch=(64,), beta=0.0, flow_rate=1.0, history_noise=(0.0, 0.0), imagined_steps=0
    )
    with torch.no_grad():
        context = Context(frames[:, :2], actions[:, :1])
        nats = model.log_prob(context, actions[:, 1:], frames[:, 2:], torch.Generator().manual_seed(0)).per_frame
    expected = -nats.mean().item() / math.log(2) / frames[0, 0].numel()
    found = Learner(model, config, seed=0, device=torch.device("cpu")).step(Clip(frames, actions))["bits_per_dim"]
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "priors"),
    [("videoflow_2019", 52.4, 15.0), ("videoflow_2019_bair_qual", 29.8, 15.0), ("videoflow_2019_shapes", 47.75, 20.2)],
)
def test_presets_have_the_published_sizes(name, codec, priors):
    """Parameters in millions without actions: section 3 of the paper's code; ours lack its unconditional prior."""
    config = replace(train.configuration(["data=none", f"model={name}"]).model, action_dim=0)
    with torch.device("meta"):
        model = assemble_on_meta(config)
    counts = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (model.levels, model.priors)]
    assert counts == pytest.approx([codec, priors], abs=0.1)


def assemble_on_meta(config):
    """Without the linear algebra that a 1x1 convolution starts from, which the meta device does not have."""
    original = torch.linalg.qr, torch.linalg.lu
    shapes = lambda m: (torch.empty_like(m), torch.empty_like(m), torch.empty_like(m))  # noqa: E731
    try:
        torch.linalg.qr = lambda m: type("QR", (), {"Q": m})()
        torch.linalg.lu = shapes
        return assemble(config)
    finally:
        torch.linalg.qr, torch.linalg.lu = original


def test_every_preset_comes_with_its_learning_settings():
    config = train.configuration(["data=none", "model=videoflow_2019"])
    assert config.learning.name == "videoflow_2019"
    assert config.learning.adam == (0.85, 0.997, 1e-6)
    assert (config.learning.learning_rate, config.learning.warmup, config.learning.schedule) == (
        3e-4,
        10_000,
        "constant",
    )
    assert config.learning.batch == (5,) and config.learning.beta == 0.0
    mixed = train.configuration(["data=none", "model=videoflow_2019", "learning=videoflow_2019_small"])
    assert (mixed.model.name, mixed.learning.name) == ("videoflow_2019", "videoflow_2019_small")
