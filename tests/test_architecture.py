"""Who may import whom, how long files and functions may be: read from the syntax trees, so nothing is run."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("vfplan", "envs", "planners", "configs")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
COMMANDS = {path.stem for path in (ROOT / "configs").glob("*.yaml")} | {"train", "generate"}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 60

# The rooms of vfplan, from the ground up. Imports go down, those of types too: they couple as much. Rooms of one floor
# do not know each other.
FLOORS = (
    {"checks", "errors"},
    {"device", "extras", "overrides", "pixels", "reading", "schema", "statistics"},
    {"plugins"},
    {"execution", "output"},
    {"costs", "data", "flows"},
    {"models"},
    {"metrics"},
    {"control"},
    {"collection", "interop", "reports", "studies", "training"},
    {"cli", "sections"},
    {*COMMANDS, "__main__"},
)
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# What lies beside the rooms, and who may import it.
BESIDE = {
    "envs": {"control", "collection", "studies", "sections", *COMMANDS},
    "planners": {"control", "collection", "studies", "sections", *COMMANDS},
    "hydra": {"cli"},
    "omegaconf": {"cli"},
    "mujoco": set(),
    "gymnasium": set(),
    "configs": {"cli"},
}
# Commands that read settings as another one does.
PLANNED_WITH = {
    *(
        ("benchmark", "plan"),
        ("collect", "plan"),
        *(("compare", name) for name in ("evaluate", "plan", "speed", "train")),
        ("doctor", "plan"),
        ("speed", "train"),
    ),
}
EXCEPTIONS = {("vfplan.models.oracle", "envs")}  # the simulator as a model

# (modules, what they must not import, exceptions) within that.
RULES = [
    ("envs", {"torch", "planners", "vfplan", "configs"}, set()),
    ("planners", {"envs", "vfplan", "configs"}, set()),
    ("vfplan.control.loop", {f"envs.{part}" for part in ("push", "scene", "simulator", "gym_env", "worlds")}, set()),
    ("vfplan.control.scoring", {"envs", "planners", "vfplan.control.loop"}, set()),
    ("vfplan.control.risk", {"vfplan.models"}, set()),
    ("vfplan.control.surprise", {"planners", "vfplan.control.loop"}, set()),
    # A concrete model is named where models are registered, and nowhere else.
    ("vfplan", {"vfplan.models.videoflow", "vfplan.models.literature"}, {"vfplan.models.registry"}),
    ("vfplan.models.parts", {"vfplan.models.registry"}, set()),
    # What an extra installs is imported in one place, when it is asked for.
    ("vfplan", {"ray"}, {"vfplan.execution.ray"}),
    ("vfplan", {"submitit"}, {"vfplan.execution.slurm"}),
    ("vfplan", {"huggingface_hub"}, {"vfplan.models.hub"}),
    ("vfplan", {"vfplan.execution.ray", "vfplan.execution.slurm"}, {"vfplan.execution.executor"}),
    # Every offline test sees a model through the protocols of `vfplan.models.base` alone.
    ("vfplan.studies.offline", {"envs", "planners", "vfplan.models.registry"}, set()),
    ("vfplan.studies.offline", {"vfplan.models.checkpoint"}, {"vfplan.studies.offline.battery"}),
    *(
        (f"vfplan.studies.benchmark.{part}", {"torch", "vfplan.models"}, set())
        for part in ("report", "tables", "plots")
    ),
    *((f"vfplan.{room}", {"torch"}, set()) for room in ("errors", "checks", "reading", "schema", "execution", "cli")),
    ("vfplan.output.folder", {"torch"}, set()),
]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path):
    return ast.parse(path.read_text())


@cache
def imports(path):
    """The dotted names that a file imports, anywhere in it; `from a import b` counts as a and as a.b."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def under(name, prefix):
    return name == prefix or name.startswith(f"{prefix}.")


def room_of(name):
    """The room of vfplan that a dotted name lies in; None outside."""
    parts = name.split(".")
    if parts[-1] == "__main__":  # a command in a room of its name
        return "__main__"
    return parts[1] if parts[0] == "vfplan" and len(parts) > 1 and parts[1] in ROOMS else None


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_go_down(path):
    name = module_name(path)
    room = room_of(name)
    for found in imports(path):
        other = room_of(found)
        if room and other and other != room and (room, other) not in PLANNED_WITH:
            assert ROOMS[other] < ROOMS[room], f"{name} must not import {found}"
        beside = found.split(".")[0]
        if room and beside in BESIDE and (name, beside) not in EXCEPTIONS:
            assert room in BESIDE[beside], f"{name} must not import {found}"


def test_every_module_has_a_room():
    assert {module_name(path) for path in FILES if "vfplan" in path.parts and not room_of(module_name(path))} == {
        "vfplan"
    }


def test_studies_do_not_know_each_other():
    for path in FILES:
        study = module_name(path).split(".")[:3]
        if study[:2] == ["vfplan", "studies"] and len(study) == 3:
            others = {name for name in imports(path) if under(name, "vfplan.studies") and name != "vfplan.studies"}
            assert all(under(name, ".".join(study)) for name in others), f"{path} imports another study"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_imports_only_what_it_may(path):
    name = module_name(path)
    for prefix, forbidden, exceptions in RULES:
        if under(name, prefix) and name not in exceptions:
            broken = {
                found for found in imports(path) for bad in forbidden if under(found, bad) and not under(name, bad)
            }
            assert not broken, f"{name} must not import {sorted(broken)}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_files_and_functions_are_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_FILE_LINES, f"{path} has {lines} lines"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{path}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_nothing_is_unpickled_or_named_utils(path):
    assert path.stem not in ("utils", "helpers", "misc", "common")
    assert not imports(path) & {"pickle", "cloudpickle", "dill", "joblib"}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False"
        if isinstance(node, ast.keyword) and node.arg == "weights_only":
            assert ast.unparse(node.value) == "True"


@pytest.mark.parametrize("package", ["envs", "vfplan", "vfplan.cli.config", "vfplan.data.windows", "vfplan.data.known"])
def test_importing_needs_no_torch(package):
    program = f"import sys, {package}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("package", FOLDERS)
def test_the_packages_are_those_of_this_checkout(package):
    """`envs`, `planners` and `configs` are names that other projects use too."""
    assert Path(__import__(package).__file__).resolve().parent == ROOT / package
