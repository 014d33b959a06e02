"""A deterministic model without a likelihood trains, is evaluated, plans and ships; what needs one says so."""

import json
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from examples.own_model import Likelihood
from tests.refusal import refused
from vfplan.benchmark import main as benchmark
from vfplan.models.base import LikelihoodModel, MonitorableModel
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.recipe import LearningConfig
from vfplan.models.registry import FAMILIES, Family, register
from vfplan.models.rows import NoNoise, Rows
from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.monitor import main as monitor
from vfplan.pixels import area_average, unit_from_frames
from vfplan.plan import main as plan
from vfplan.studies.offline import battery
from vfplan.studies.offline.settings import EvaluateConfig
from vfplan.training import run as training
from vfplan.training.settings import TrainConfig

ABSENT = "Blend gives no likelihoods: it has no log_prob"


@dataclass(frozen=True)
class BlendConfig(Architecture):
    name: str = "blend"
    past_frames: int = 1


class Blend(TrainableModel):
    """Every pixel becomes a blend of the 9 around it, which the action chooses; nothing is random."""

    reads_simulator, coarsest = False, 4

    def __init__(self, config):
        super().__init__()
        self.config, self.past_frames, self.action_dim = config, config.past_frames, config.action_dim
        self.blend = nn.Linear(config.action_dim, 9)

    def after(self, images, action):
        around = nn.functional.unfold(images, 3, padding=1).unflatten(1, (3, 9)).unflatten(3, images.shape[-2:])
        return (around * self.blend(action).softmax(1)[:, None, :, None, None]).sum(2)

    def encode(self, context):
        return Rows(unit_from_frames(context.frames[:, -1]))

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        return NoNoise()

    def rollout(self, state, actions, noise, *, downscale=1):
        frames = [state.values]
        for action in actions.unbind(1):
            frames.append(self.after(frames[-1], action))
        return Rows(area_average(torch.stack(frames[1:], 1), downscale))

    def decode(self, rollout, steps=None):
        return rollout.values if steps is None else rollout.values[:, steps]


class SquaredError(Likelihood):
    def losses(self, clip, step, part, rng):
        images = unit_from_frames(clip.frames)
        loss = (self.model.after(images[:, 0], clip.actions[:, 0]) - images[:, 1]).square().mean()
        yield loss, [loss.detach()]

    def report(self, losses):
        return {"squared_error": losses[0]}


@pytest.fixture(scope="module")
def checkpoint(store, tmp_path_factory):
    if "blend" not in FAMILIES:
        register("blend", Family(BlendConfig, Blend, SquaredError))
    run = tmp_path_factory.mktemp("blend") / "run"
    recipe = LearningConfig(steps=60, batch=(4,), learning_rate=0.1, warmup=1, ema=0.5)
    often = {"validation_episodes": 3, "validate_every": 20, "log_every": 1}
    training.run(TrainConfig(str(store), BlendConfig(), recipe, run_dir=str(run), **often))
    return run / "checkpoint"


def test_it_trains_without_bits_and_learns(checkpoint):
    rows = [json.loads(line) for line in (checkpoint.parent / "metrics.jsonl").read_text().splitlines()]
    assert not any("bits_per_dim" in key for row in rows for key in row)
    errors = [row["validation/error_1"] for row in rows if "validation/error_1" in row]
    assert len(errors) == 3 and errors[-1] < errors[0]


def test_its_checkpoint_is_loaded_as_any_other(checkpoint):
    model = load_checkpoint(checkpoint).model
    assert isinstance(model, Blend)
    assert not isinstance(model, LikelihoodModel | MonitorableModel)


def test_evaluation_leaves_out_what_needs_likelihoods(checkpoint, store, tmp_path, capsys):
    few = {"rollout_samples": 2, "temperature_samples": 2, "detection_steps": 2, "long_steps": 4}
    battery.run(EvaluateConfig(data=str(store), checkpoint=str(checkpoint), run_dir=str(tmp_path), **few))
    report = json.loads((tmp_path / "likelihood.json").read_text())
    absent = {name for name, section in report["sections"].items() if section == {"absent": ABSENT}}
    assert absent == {"likelihood", "detection"}
    assert "bits_per_dim" not in report and report["rollout_error_relative_to_copying"][0] > 0
    assert f"Absent: {ABSENT}" in (tmp_path / "index.html").read_text()
    assert "bits/dim" not in capsys.readouterr().out


def test_it_plans_and_is_benchmarked(checkpoint, tmp_path):
    tiny = "planner.samples=4 planner.elites=2 planner.horizon=2 planner.iterations=1"
    plan([f"checkpoint={checkpoint}", f"run_dir={tmp_path / 'plan'}", "num_tasks=1", "control.steps=2", *tiny.split()])
    assert len(json.loads((tmp_path / "plan" / "results.json").read_text())["tasks"]) == 1
    given = [f"models=[{checkpoint}]", f'settings="{tiny}"', "tasks=dev", "num_tasks=1", "steps=2"]
    benchmark([*given, f"run_dir={tmp_path / 'rows'}", "device=cpu"])
    assert (tmp_path / "rows" / "benchmark.json").is_file()


@pytest.mark.parametrize(
    ("main", "given", "words"),
    [
        (monitor, [], "a monitor needs a model with cell_log_prob, which Blend has not"),
        (plan, ["cost=goal_likelihood"], "cost goal_likelihood looks into the latents of a learned flow"),
    ],
)
def test_what_needs_likelihoods_refuses_in_one_line(main, given, words, checkpoint, tmp_path, capsys):
    arguments = [f"checkpoint={checkpoint}", f"run_dir={tmp_path / 'run'}", *given]
    assert refused(capsys, main, arguments, begun=True).startswith(words)
