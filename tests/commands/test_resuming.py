"""A resumed training is the same run, from a whole state, and nobody else's at the time."""

import shutil

import pytest

from tests.commands.tiny import TINY
from tests.refusal import refused
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.registry import FAMILIES
from vfplan.output.folder import as_json
from vfplan.reading import parse_object
from vfplan.train import main as train


@pytest.fixture
def begun(run, tmp_path):
    """A copy of a finished run, to be changed."""
    return shutil.copytree(run, tmp_path / "run")


@pytest.fixture
def again(store, begun):
    """The arguments with which `begun` goes on."""
    return [f"data={store}", f"run_dir={begun}", *TINY]


@pytest.mark.parametrize("setting", ["actions=none", "precision=bfloat16", "validation_episodes=2", "seed=1"])
def test_a_setting_that_decides_weights_is_refused(again, begun, setting, capsys):
    before = (begun / "checkpoint" / "state.pt").read_bytes()
    message = refused(capsys, train, [*again, setting])
    part = "model" if setting == "actions=none" else setting.partition("=")[0]
    assert f"holds a run with {part}" in message and "give another run_dir" in message
    assert (begun / "checkpoint" / "state.pt").read_bytes() == before


@pytest.mark.parametrize("data", ["{second}", "[{store},{second}]"])
def test_other_data_are_refused_by_their_digest(store, second_store, again, data, capsys):
    message = refused(capsys, train, [*again, f"data={data.format(store=store, second=second_store)}"])
    assert "was trained on data " in message and f"{second_store})" in message
    assert message.endswith("give another run_dir, or allow_mismatch=true")


def test_the_same_data_elsewhere_go_on(store, again, tmp_path, capsys):
    moved = shutil.copytree(store, tmp_path / "moved")
    train([*again, f"data={moved}"])
    assert "at step 4" in capsys.readouterr().out


def test_mismatch_may_be_allowed(again, begun):
    train([*again, "learning.steps=6", "allow_mismatch=true"])
    assert load_checkpoint(begun / "checkpoint").training["steps"] == 6


def test_another_model_is_never_resumed(again, capsys):
    message = refused(capsys, train, [*again, "model.flow_width=6", "allow_mismatch=true"])
    assert "holds a run with model.flow_width=4, not 6" in message


def test_other_threads_are_one_warning(again, capsys):
    train([*again, "threads=1"])
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1 and "threads 0, now 1" in warnings[0]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_run_configuration_is_one_line(again, begun, content, capsys):
    (begun / "config.json").write_bytes(content)
    assert f"damaged {begun / 'config.json'}" in refused(capsys, train, again)


def test_a_missing_run_configuration_is_one_line(again, begun, capsys):
    (begun / "config.json").unlink()
    assert "holds a run without config.json" in refused(capsys, train, again)


def _cut(data):
    return data[: len(data) // 2]


def _flipped(data):
    return data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]


@pytest.mark.parametrize("file", ["state.pt", "model.safetensors", "config.json", "manifest.json"])
@pytest.mark.parametrize("damage", [lambda data: b"", _cut, _flipped], ids=["empty", "cut", "flipped"])
def test_a_damaged_checkpoint_is_skipped(again, begun, run, file, damage, capsys):
    path = begun / "checkpoints" / "step-4" / file
    path.write_bytes(damage(path.read_bytes()))
    train(again)
    said = capsys.readouterr()
    assert f"warning: damaged checkpoint {path.parent}: " in said.err and "; going on from step-2" in said.err
    assert "at step 2" in said.out
    assert load_checkpoint(begun / "checkpoint").sha256 == load_checkpoint(run / "checkpoint").sha256


def test_a_run_with_none_but_damaged_ones_is_refused(again, begun, capsys):
    for path in begun.glob("checkpoints/*/state.pt"):
        path.unlink()
    message = refused(capsys, train, again)
    assert "step-4: state.pt is missing, and there is no older whole one; give another run_dir" in message


def test_a_run_of_an_older_version_is_one_line(again, begun, capsys):
    shutil.move(begun / "checkpoints" / "step-4" / "state.pt", begun / "state.pt")
    shutil.rmtree(begun / "checkpoints")
    assert "older version; give another run_dir, and init=" in refused(capsys, train, again)


def test_a_missing_extra_is_said_before_anything_is_written(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    asked_for = {"tensorboard=true": "tensorboard", "logger=tensorboard": "tensorboard"}
    for asked, name in (asked_for | {"logger=[csv,wandb]": "wandb", "logger=trackio": "trackio"}).items():
        given = [f"data={store}", f"run_dir={tmp_path / 'new'}", asked, *TINY]
        words = f"logger={name} needs {name}, which is not installed: pip install 'vfplan[{name}]'"
        assert refused(capsys, train, given) == words
        assert not (tmp_path / "new").exists()


def test_weights_obey_the_umask(run, tmp_path):
    (tmp_path / "plain").touch()
    weights = run / "checkpoint" / "model.safetensors"
    assert weights.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_run_without_a_limit_of_gradients_is_kept_and_goes_on(store, tmp_path, capsys):
    given = [f"data={store}", f"run_dir={tmp_path / 'run'}", *TINY, "learning.clip=.inf"]
    train(given)
    train(given)
    assert "at step 4" in capsys.readouterr().out
    assert load_checkpoint(tmp_path / "run" / "checkpoint").training["learning"]["clip"] == "inf"
    assert "holds a run with learning.clip=inf, not 1.0" in refused(capsys, train, [*given, "learning.clip=1.0"])


@pytest.mark.parametrize("name", FAMILIES)
def test_the_settings_of_every_model_can_be_kept(name):
    config = train.configuration([f"model={name}", "data=somewhere"])
    assert parse_object(as_json(config).encode())["model"]["name"] == name
