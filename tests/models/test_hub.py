"""Checkpoints of the Hub, by its real client from a server here: what travels, what is refused, what is offline."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.commands.tiny import TINY
from tests.models.hub_server import hub_running
from vfplan import benchmark, plan, train
from vfplan.errors import UserError
from vfplan.models import hub as hubs
from vfplan.models.checkpoint import checkpoint_folder, load_checkpoint, save_checkpoint, shipped_checkpoint
from vfplan.models.sharing import push_to_hub
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble

constants = pytest.importorskip("huggingface_hub.constants", reason="pip install 'vfplan[hub]'")
CONFIG = VideoFlowConfig(image_size=8, condition_dim=4, priors=(PriorConfig((4,), (1,)), PriorConfig((4,), (1,))))
REPOSITORY = "someone/a-model"
FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture
def folder(tmp_path):
    """A checkpoint with a card, and what must not travel with it."""
    torch.manual_seed(0)
    path = tmp_path / "saved"
    save_checkpoint(path, assemble(CONFIG), environment={"name": "push"}, training={"steps": 3})
    sha256 = json.loads((path / "config.json").read_text())["sha256"]
    (path / "README.md").write_text(f"# Mine\n\nWeights SHA-256 `{sha256}`.\n")
    (path / "state.pt").write_text("of the optimiser")
    (path / "secrets.txt").write_text("no")
    return path


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The server, and a client with an empty cache that knows no other."""
    hubs._download.cache_clear()
    with hub_running() as server:
        for name, value in (
            ("ENDPOINT", server.url),
            ("HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"),
            ("HF_HUB_CACHE", str(tmp_path / "cache")),
            ("HF_TOKEN_PATH", str(tmp_path / "token")),
        ):
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", "hf_of_this_test")
        yield server
    hubs._download.cache_clear()


@pytest.fixture
def offline(monkeypatch):
    def go():
        hubs._download.cache_clear()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    return go


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name in FILES}


def test_what_is_published_is_what_is_loaded(hub, folder):
    name = push_to_hub(folder, REPOSITORY)
    assert name == f"hub:{REPOSITORY}@{hub.branches[REPOSITORY]}"
    loaded, own = load_checkpoint(name), load_checkpoint(folder)
    assert loaded.sha256 == own.sha256 and loaded.training == own.training
    for key, value in own.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[key], value)


def test_three_files_travel_and_no_others(hub, folder):
    commit = push_to_hub(folder, REPOSITORY).partition("@")[2]
    assert hub.trees[REPOSITORY, commit] == contents(folder)
    assert hub.private == {"a-model": True}


def test_only_the_checkpoints_files_are_asked_for(hub, folder):
    commit = hub.commit(REPOSITORY, {**contents(folder), "code.py": b"1/0", "pytorch_model.bin": b"\x80"})
    found = checkpoint_folder(f"hub:{REPOSITORY}@{commit}")
    assert sorted(path.name for path in found.iterdir()) == ["config.json", "model.safetensors"]
    assert {path.rpartition("/")[2] for path in hub.asked} == {"config.json", "model.safetensors"}


def test_a_commit_is_fetched_once(hub, folder, offline):
    name = f"hub:{REPOSITORY}@{hub.commit(REPOSITORY, contents(folder))}"
    load_checkpoint(name)
    asked = len(hub.asked)
    hubs._download.cache_clear()
    load_checkpoint(name)
    assert len(hub.asked) == asked > 0
    offline()
    load_checkpoint(name)


def test_the_commit_of_a_branch_is_printed(hub, folder, capsys, offline):
    commit = hub.commit(REPOSITORY, contents(folder))
    load_checkpoint(f"hub:{REPOSITORY}@main")
    assert capsys.readouterr().out == f"hub:{REPOSITORY}@main is hub:{REPOSITORY}@{commit}\n"
    offline()
    assert checkpoint_folder(f"hub:{REPOSITORY}@main").name == commit


def test_a_prepared_cache_needs_no_network(hub, folder, offline, tmp_path):
    """As it is copied to a machine without a network: the client's own layout, no server."""
    hub.shutdown()
    commit = "0123456789" * 4
    cache = tmp_path / "cache" / f"models--{REPOSITORY.replace('/', '--')}"
    shutil.copytree(folder, cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "v1").write_text(commit)
    offline()
    for revision in (commit, "v1"):
        assert load_checkpoint(f"hub:{REPOSITORY}@{revision}").sha256 == load_checkpoint(folder).sha256
    assert hub.asked == []
    with pytest.raises(UserError, match=r"cannot get hub:someone/a-model@v2: it is not in the cache"):
        load_checkpoint(f"hub:{REPOSITORY}@v2")


def test_weights_that_are_not_those_of_their_description_are_refused(hub, folder):
    damaged = {**contents(folder), "model.safetensors": contents(folder)["model.safetensors"][:-1] + b"\x07"}
    with pytest.raises(UserError, match=r"corrupt checkpoint .*SHA-256"):
        load_checkpoint(f"hub:{REPOSITORY}@{hub.commit(REPOSITORY, damaged)}")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_file_that_is_too_large_is_not_fetched(file, hub, folder, tmp_path):
    commit = hub.commit(REPOSITORY, contents(folder))
    hub.sizes[file] = 2**40
    with pytest.raises(UserError, match=rf"{file} has 1099511627776 bytes; at most \d+ are fetched"):
        load_checkpoint(f"hub:{REPOSITORY}@{commit}")
    assert not list((tmp_path / "cache").rglob(file))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hub:nobody/nothing@main", "no such repository that you may read"),
        (f"hub:{REPOSITORY}@v9", "the repository has no such revision"),
        (f"hub:{REPOSITORY}@main", "it holds no checkpoint, which is a model.safetensors and a config.json"),
    ],
)
def test_what_is_not_there_is_one_line(name, message, hub):
    hub.commit(REPOSITORY, {"README.md": b"a data set"})
    with pytest.raises(UserError) as caught:
        load_checkpoint(name)
    assert str(caught.value) == f"cannot get {name}: {message}"


def test_a_hub_that_is_out_of_reach_is_one_line(hub):
    hub.shutdown()
    hub.server_close()
    with pytest.raises(UserError, match="cannot get hub:") as caught:
        load_checkpoint(f"hub:{REPOSITORY}@{'0' * 40}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "hub:",
        "hub:push",
        "hub:someone/a-model",
        "hub:someone/a-model@",
        "hub:../../etc@main",
        "hub:someone/..@main",
        "hub:someone/a--b@main",
        "hub:someone/a/b@main",
        "hub:/etc/passwd@main",
        "hub:someone/a-model@../../main",
        "hub:someone/a-model@/main",
        "hub:someone/a-model@a/../b",
        "hub:someone/a-model@main\n",
        "hub:someone/a-model@main?x=1",
        "hub:someone/a-model@@main",
        "hub:" + "a" * 97 + "/b@main",
        "hub:http://127.0.0.1/a@main",
    ],
)
def test_names_that_could_be_paths_are_refused_unasked(name, hub, tmp_path):
    with pytest.raises(UserError, match=r"expected (hub:OWNER/NAME@REVISION|a revision)") as caught:
        load_checkpoint(name)
    assert "\n" not in str(caught.value) and hub.asked == [] and not (tmp_path / "cache").exists()


def test_only_a_whole_checkpoint_with_its_own_card_is_published(hub, folder):
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text("# Of other weights")
    with pytest.raises(UserError, match=r"README.md is of other weights .*python -m vfplan.card checkpoint="):
        push_to_hub(folder, REPOSITORY)
    (folder / "README.md").unlink()
    with pytest.raises(UserError, match=r"has no README.md; make it: python -m vfplan.card"):
        push_to_hub(folder, REPOSITORY)
    (folder / "README.md").write_text(card)
    with pytest.raises(UserError, match="expected a repository as OWNER/NAME"):
        push_to_hub(folder, "../model")
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="corrupt checkpoint"):
        push_to_hub(folder, REPOSITORY)
    assert hub.asked == []


def test_what_ships_and_folders_have_names(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = shipped_checkpoint("push")
    assert checkpoint_folder("push") == shipped and str(checkpoint_folder("saved")) == "saved"
    (tmp_path / "push").mkdir()  # a folder that is something else
    assert checkpoint_folder("push") == shipped
    shutil.copytree(folder, tmp_path / "push", dirs_exist_ok=True)
    assert load_checkpoint("push").sha256 == load_checkpoint(folder).sha256 != load_checkpoint(shipped).sha256
    with pytest.raises(UserError, match=r"no checkpoint at psuh: .*or one that ships \(push, push_bair"):
        load_checkpoint("psuh")


def published(hub, path):
    """The name of the two files of a checkpoint, put into a repository."""
    files = {name: (path / name).read_bytes() for name in ("config.json", "model.safetensors")}
    return f"hub:{REPOSITORY}@{hub.commit(REPOSITORY, files)}"


def test_plan_and_benchmark_take_all_three_names(hub, run, tmp_path):
    path = run / "checkpoint"
    name, few = published(hub, path), ["planner=random", "control.steps=1", "num_tasks=1", "gif=false", "device=cpu"]
    shas = {}
    for spelled in (name, str(path), "push"):
        out = tmp_path / f"plan-{len(shas)}"
        plan.main(["env=push", f"checkpoint={spelled}", *few, f"run_dir={out}"])
        shas[spelled] = json.loads((out / "results.json").read_text())["checkpoint_sha256"]
    assert shas[name] == shas[str(path)] == load_checkpoint(path).sha256 != shas["push"]
    compared = [f"models=[push,'{name}']", "planners=random", "num_tasks=1", "steps=1", "threads=1"]
    benchmark.main([*compared, f"run_dir={tmp_path / 'benchmark'}"])
    rows = json.loads((tmp_path / "benchmark" / "benchmark.json").read_text())["rows"]
    assert [row["about"].get("checkpoint_sha256") for row in rows][-2:] == [shas["push"], shas[name]]


def test_a_training_begins_from_the_hub(hub, run, store, tmp_path):
    name, learning = published(hub, run / "checkpoint"), [*TINY[3:], "learning.steps=1"]
    train.main([f"data={store}", f"init={name}", f"run_dir={tmp_path / 'run'}", *learning])
    assert load_checkpoint(tmp_path / "run" / "checkpoint").model.config == load_checkpoint(name).model.config


def test_the_command_line_finds_the_server_of_its_shell(hub, run, tmp_path):
    given = ["env=push", "planner=random", "control.steps=1", "num_tasks=1", "gif=false", "run_dir=planned"]
    shell = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(Path.cwd())}
    name = published(hub, run / "checkpoint").partition("@")[0] + "@main"
    called = [sys.executable, "-m", "vfplan.plan", *given, f"checkpoint={name}"]
    done = subprocess.run(called, cwd=tmp_path, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{name} is hub:{REPOSITORY}@{hub.branches[REPOSITORY]}\n")
