"""Checkpoints: what was saved is what is loaded, and nothing else is."""

import json
import resource

import pytest
import torch

from vfplan.errors import UserError
from vfplan.models.checkpoint import load_checkpoint, save_checkpoint, shipped_checkpoint
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble

CONFIG = VideoFlowConfig(image_size=8, condition_dim=4, priors=(PriorConfig((4,), (1,)), PriorConfig((4,), (1,))))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "saved", assemble(CONFIG), environment={"name": "push"}, training={"steps": 3})
    return tmp_path / "saved"


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_checkpoint_gives_back_weights_architecture_and_record(folder):
    torch.manual_seed(0)
    expected, loaded = assemble(CONFIG), load_checkpoint(folder)
    assert loaded.model.config == CONFIG
    assert (loaded.environment, loaded.training) == ({"name": "push"}, {"steps": 3})
    for name, value in expected.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)
    assert not loaded.model.training


def test_weights_in_half_the_bytes_are_the_rounded_ones(tmp_path, folder):
    whole, small = load_checkpoint(folder).model, tmp_path / "small"
    save_checkpoint(small, whole, environment={}, training={}, dtype=torch.bfloat16)
    loaded = load_checkpoint(small).model.state_dict()
    for name, value in whole.state_dict().items():
        assert loaded[name].dtype == value.dtype and torch.equal(loaded[name], value.bfloat16().to(value.dtype))
    sizes = [(path / "model.safetensors").stat().st_size for path in (folder, small)]
    assert sizes[1] < 0.75 * sizes[0]  # of so small a model the header is a good part


def test_saving_again_replaces_the_folder_whole(folder):
    torch.manual_seed(1)
    save_checkpoint(folder, assemble(CONFIG), environment={"name": "push"}, training={"steps": 4})
    assert load_checkpoint(folder).training == {"steps": 4}
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]


def test_a_flipped_bit_is_noticed(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"corrupt checkpoint .*SHA-256"):
        load_checkpoint(folder)


def test_a_truncated_file_is_noticed(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="corrupt checkpoint"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format 99; this version reads format 2"),
        ({"model": {"name": "dreamer"}}, "model named 'dreamer'; known models: videoflow"),
        ({"model": {"name": "videoflow", "_target_": "os.system"}}, "unknown key 'model._target_'"),
        ({"training": None}, "expected the keys"),
    ],
)
def test_a_foreign_description_is_refused_in_one_line(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(UserError, match=message) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_weights_of_another_architecture_are_refused(folder):
    description = json.loads((folder / "config.json").read_text())
    edit(folder, model={**description["model"], "condition_dim": 8})
    with pytest.raises(UserError, match="the weights do not fit"):
        load_checkpoint(folder)


def test_text_that_is_not_json_is_refused(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        load_checkpoint(folder)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"expected a folder with model.safetensors and config.json"):
        load_checkpoint(tmp_path)


def test_an_environment_without_a_shipped_checkpoint_says_which_have_one():
    with pytest.raises(UserError, match="no checkpoint ships for env=kitchen"):
        shipped_checkpoint("kitchen")


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = assemble(CONFIG)
    model.priors[1].raw_log_std.data[0] = torch.nan
    save_checkpoint(tmp_path / "saved", model, environment={}, training={})
    with pytest.raises(UserError, match=r"no finite numbers \(priors.1.raw_log_std\)"):
        load_checkpoint(tmp_path / "saved")


def test_a_description_says_nothing_else(folder):
    edit(folder, _target_="os.system")
    with pytest.raises(UserError, match=r"expected the keys .* and no others"):
        load_checkpoint(folder)


PRIOR = {"widths": [4], "blocks": [1]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition_dim": 10**9}, "model.condition_dim must be in"),
        ({"condition_dim": 8192}, "the weights do not fit"),
        ({"flow_width": 10**400}, "model.flow_width must be in"),
        ({"image_size": -8}, "model.image_size must be in"),
        ({"past_frames": 0}, "model.past_frames must be in"),
        ({"switches": [10**6]}, "model.switches must be in"),
        ({"name": ["videoflow"]}, "holds a model named"),
        ({"priors": [PRIOR, {**PRIOR, "blocks": [10**9]}]}, "blocks must be in"),
        ({"priors": [PRIOR, {**PRIOR, "widths": [4] * 10**5}]}, "widths must have at most 1024 numbers"),
        ({"priors": [PRIOR, {**PRIOR, "widths": [4, 4, 4]}]}, "no model can be built so"),
        ({"priors": [PRIOR] * 40}, "cannot be halved"),
        ({"priors": []}, "cannot be halved"),
        ({"priors": [PRIOR, {**PRIOR, "copy_radius": 10**6, "elements": "copy"}]}, "copy_radius must be in"),
    ],
)
def test_sizes_are_bounded_before_memory_is_taken(folder, changes, message):
    model = json.loads((folder / "config.json").read_text())["model"]
    edit(folder, model={**model, **changes})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=message) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB
