"""The command layer, on a small command of its own whose configs live in a temporary folder."""

import dataclasses
import importlib
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

import vfplan.cli.config
from tests.refusal import refused
from vfplan.checks import is_setting
from vfplan.cli.config import CONFIG_FOLDER, command
from vfplan.device import resolve_device
from vfplan.errors import UserError
from vfplan.schema import from_mapping


@dataclass(frozen=True)
class Icem:
    samples: int = 64
    beta: float = 2.5

    def __post_init__(self):
        if self.samples < 1:
            raise ValueError(f"samples must be >= 1, got {self.samples}")


@dataclass(frozen=True)
class Shooting:
    name: str
    draws: int = 10


@dataclass(frozen=True)
class ToyConfig:
    planner: "SomethingImportedForCheckingOnly"  # noqa: F821
    horizon: int = 8
    scale: float | None = None
    mode: Literal["fast", "exact"] = "fast"
    sizes: tuple[int, ...] = (1, 2)
    run_dir: str = ""
    seed: int = 0


FILES = {
    "toy.yaml": """
        defaults: [planner: icem, _self_]
        horizon: 8  # steps looked ahead
        scale: null
        mode: fast
        sizes: [1, 2]
        run_dir: ""
        seed: 0
        """,
    "planner/icem.yaml": "name: icem\nsamples: 64  # plans per iteration\nbeta: 2.5\n",
    "planner/icem_small.yaml": "defaults: [icem]\nsamples: 8\n",
    "planner/shooting.yaml": "name: shooting\ndraws: 10\n",
}


@pytest.fixture
def seen():
    return []


@pytest.fixture
def toy(tmp_path, monkeypatch, seen):
    for name, text in FILES.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    monkeypatch.setattr(vfplan.cli.config, "CONFIG_FOLDER", tmp_path / "configs")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    yield command(
        seen.append,
        ToyConfig,
        name="toy",
        help="Try a toy.\n\n  python -m vfplan.toy horizon=3",
        sections={"planner": lambda: {"icem": Icem, "shooting": Shooting, "long": Shooting("long", 99)}},
    )
    assert list(work.iterdir()) == [], "the command layer wrote something by itself"


def test_defaults_and_overrides_reach_the_body_as_dataclasses(toy, seen):
    toy(["horizon=3", "planner.samples=5", "scale=2", "sizes=[4,5,6]", "run_dir=r", "mode=exact"])
    assert seen == [ToyConfig(Icem(5, 2.5), 3, 2.0, "exact", (4, 5, 6), "r", 0)]
    assert isinstance(seen[0].scale, float)


def test_a_group_chooses_the_dataclass_and_keeps_its_name_if_it_has_one(toy, seen):
    toy(["planner=shooting", "planner.draws=3"])
    toy(["planner=icem_small"])
    assert [config.planner for config in seen] == [Shooting("shooting", 3), Icem(8, 2.5)]


def test_a_registered_instance_supplies_the_values_that_its_file_leaves_out(toy, seen):
    (vfplan.cli.config.CONFIG_FOLDER / "planner" / "long.yaml").write_text("name: long")
    toy(["planner=long"])
    assert seen[0].planner == Shooting("long", 99)


def test_an_empty_run_dir_is_named_after_the_command_and_its_first_section(toy, seen):
    toy([])
    assert seen[0].run_dir.startswith("runs/toy-icem-20")


def test_a_sweep_runs_every_job_in_its_own_folder(toy, seen, capsys):
    toy(["-m", "planner=icem,shooting", "seed=0,1", "run_dir=sweep"])
    assert [(type(config.planner).__name__, config.seed) for config in seen] == [
        ("Icem", 0), ("Icem", 1), ("Shooting", 0), ("Shooting", 1),
    ]  # fmt: skip
    assert [config.run_dir for config in seen] == ["sweep/0", "sweep/1", "sweep/2", "sweep/3"]
    assert "job 3: planner=shooting seed=1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["horizn=3"], "unknown key 'horizn'; did you mean 'horizon'? (valid: horizon, mode, planner, run_dir, s"),
        (["planner.sampels=3"], "unknown key 'planner.sampels'; did you mean 'planner.samples'? (valid: planner.beta"),
        (["sampels=3"], "unknown key 'sampels'; did you mean 'planner.samples'? (valid: horizon"),
        (["horizon.far=3"], "unknown key 'horizon.far'; did you mean 'horizon'? (valid: horizon, mode, planner"),
        (["planner=shooting", "planner.samples=3"], "unknown key 'planner.samples'"),
        (["+new=1"], "unknown key 'new'"),
        (["++new=1"], "unknown key 'new'"),
        (["+horizon=1"], "'+horizon=1' adds or removes a key; write horizon=VALUE to set it"),
        (["~horizon"], "'~horizon' adds or removes a key"),
        (["planner=icme"], "unknown planner 'icme'; did you mean 'icem'? (valid: icem, icem_small, long, shooting)"),
        (["-m", "planner=icem,icme"], "unknown planner 'icme'; did you mean 'icem'?"),
        (["horizon=abc"], "horizon must be an integer, got 'abc'"),
        (["horizon=1.5"], "horizon must be an integer, got 1.5"),
        (["horizon=true"], "horizon must be an integer, got True"),
        (["horizon="], "horizon must be an integer, got ''"),
        (["planner.beta=hot"], "planner.beta must be a number, got 'hot'"),
        (["sizes=3"], "sizes must be a list, got 3"),
        (["mode=exacte"], "unknown mode 'exacte'; did you mean 'exact'? (valid: exact, fast)"),
        (["planner.samples=0"], "planner: samples must be >= 1, got 0"),
        (["planner.name=icme"], "unknown planner.name 'icme'; did you mean 'icem'?"),
        (["planner.name=shooting"], "unknown key 'planner.samples'"),
        (["horizon=1,2"], ""),
        (["horizon=[1"], "cannot read 'horizon=[1'"),
        (["push"], ""),
        (["horizon=${nothing}"], ""),
    ],
)
def test_a_mistake_is_refused_in_one_line(toy, seen, capsys, arguments, message):
    assert refused(capsys, toy, arguments).startswith(message)
    assert seen == []


def test_a_user_error_in_the_body_is_one_line_and_a_traceback_only_on_request(toy, capsys, monkeypatch):
    def body(config):
        raise UserError(f"no such thing as {config.horizon}")

    failing = dataclasses.replace(toy, body=body)
    assert refused(capsys, failing, []) == "no such thing as 8"
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(SystemExit) as exit_:
        failing([])
    assert exit_.value.code == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_in_the_body_is_not_disguised(toy):
    def body(config):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        dataclasses.replace(toy, body=body)([])


def test_help_shows_sentence_groups_keys_values_and_comments(toy, seen, capsys):
    toy(["--help", "planner.samples=9"])
    text = capsys.readouterr().out
    assert "Try a toy." in text
    assert "planner    icem, icem_small, shooting" in text
    assert any(line.split() == ["horizon=8", "steps", "looked", "ahead"] for line in text.splitlines())
    assert any(line.split() == ["planner.samples=9", "plans", "per", "iteration"] for line in text.splitlines())
    assert seen == []


@pytest.mark.parametrize(("planner", "comment"), [("icem", "plans per iteration"), ("aim", "all at once")])
def test_help_explains_a_key_as_the_chosen_option_does(toy, capsys, planner, comment):
    aim = vfplan.cli.config.CONFIG_FOLDER / "planner" / "aim.yaml"
    aim.write_text("name: aim\nsamples: 3  # all at once\nbeta: 1.0")
    dataclasses.replace(toy, sections={"planner": lambda: {"icem": Icem, "aim": Icem}})(
        [f"planner={planner}", "--help"]
    )
    assert any("planner.samples" in line and comment in line for line in capsys.readouterr().out.splitlines())


def test_cfg_job_prints_the_configuration(toy, seen, capsys):
    toy(["--cfg", "job", "horizon=4"])
    assert "horizon: 4\n" in capsys.readouterr().out
    assert seen == []


def test_configuration_needs_no_process(toy):
    assert toy.configuration(["horizon=2"]).horizon == 2
    with pytest.raises(UserError, match="did you mean 'horizon'"):
        toy.configuration(["horizn=2"])


def test_resolve_device():
    torch = pytest.importorskip("torch")
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="device must be"):
        resolve_device("gpu")
    with pytest.raises(UserError, match="device=cuda:99 asked for"):
        resolve_device("cuda:99")


def test_a_mapping_from_a_file_is_checked_like_a_command_line():
    assert from_mapping(Icem, {"samples": 3}) == Icem(3)
    with pytest.raises(UserError, match="unknown key '_target_'"):
        from_mapping(Icem, {"_target_": "os.system"})
    with pytest.raises(UserError, match="missing key 'name'"):
        from_mapping(Shooting, {})


COMMAND_FOLDERS = [CONFIG_FOLDER, CONFIG_FOLDER / "training", CONFIG_FOLDER / "generating"]
COMMANDS = sorted(path.stem for folder in COMMAND_FOLDERS for path in folder.glob("*.yaml"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_yaml_lists_every_field_and_every_group_option_builds(name):
    main = importlib.import_module(f"vfplan.{name}").main
    listed = set(main._compose([]))
    assert listed == {field.name for field in dataclasses.fields(main.schema)}
    for group, options in main.groups().items():
        for option in options:
            section = main._compose([f"{group}={option}"]).get(group)
            known = main.sections[group]() if group in main.sections else {}
            # A group is shared by commands, not all of which take all of its options.
            if section is None or section.name not in known:
                continue
            entry = known[section.name]
            if isinstance(entry, type):
                fields = {field.name for field in dataclasses.fields(entry) if is_setting(field)}
                assert set(section) | {"name"} == fields | {"name"}, f"configs/{group}/{option}.yaml"
            else:
                assert {key: getattr(entry, key) for key in section} == section, f"configs/{group}/{option}.yaml"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_of_every_key_what_it_is(name, capsys):
    importlib.import_module(f"vfplan.{name}").main(["--help"])
    keys = capsys.readouterr().out.split("keys and their values here:")[1].split("also:")[0]
    silent = re.findall(r"^  ([\w.]+)=\S*$", keys, flags=re.MULTILINE)
    assert all(key.endswith(".name") for key in silent), silent


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_refusals_of_a_command_load_no_torch(name, tmp_path):
    program = f"""
import sys
from vfplan.{name} import main
try:
    main([{{argument!r}}])
except SystemExit:
    pass
assert "torch" not in sys.modules
"""
    for argument in ("--help", "no_such_key=1"):
        process = subprocess.run(
            [sys.executable, "-c", program.format(argument=argument)], cwd=tmp_path, capture_output=True, text=True,
            env={"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PATH": ""},
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_enough_of_the_help_gets_no_traceback():
    command = [sys.executable, "-m", "vfplan.collect", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 141
