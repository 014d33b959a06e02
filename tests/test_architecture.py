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
# What a command runs, in a file of its own so that `--help` need not load torch; it may name its command's config type.
RUNNERS = {
    "vfplan.studies.audit.run": "audit",
    "vfplan.control.session": "plan audit",
    "vfplan.control.run": "plan",
    "vfplan.control.gym_run": "plan",
    "vfplan.benchmark": "plan",  # whose settings a row is made of
    "vfplan.collect": "plan",  # whose settings policy=planner plans with
    "vfplan.control.exploration": "collect plan",
    "vfplan.studies.benchmark.rows": "benchmark plan audit",
    "vfplan.studies.benchmark.runner": "benchmark",
    "vfplan.studies.offline.battery": "evaluate",
    "vfplan.studies.monitor.run": "monitor",
    "vfplan.studies.predictability.run": "predictability",
}
OURS = {"vfplan", "envs", "planners", "configs"}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 60

# (modules, what they must not import, exceptions). Modules are matched by their dotted prefix; the import of a type
# under TYPE_CHECKING counts too, for it couples as much.
RULES = [
    ("envs", {"torch", "planners", "vfplan", "configs", "hydra", "omegaconf"}, set()),
    ("planners", {"envs", "vfplan", "configs", "mujoco", "gymnasium", "hydra", "omegaconf"}, set()),
    ("vfplan.data", {"envs", "planners", "mujoco", "gymnasium", "vfplan.models", "vfplan.flows"}, set()),
    ("vfplan.flows", {"envs", "planners", "mujoco", "gymnasium", "configs"}, set()),
    ("vfplan.models", {"planners", "vfplan.data", "vfplan.cli.config"}, set()),
    ("vfplan.models", {"envs", "mujoco", "gymnasium"}, {"vfplan.models.oracle"}),
    ("vfplan.costs", {"envs", "planners", "vfplan.models"}, set()),
    ("vfplan.training.learner", {"envs", "planners"}, set()),
    ("vfplan.metrics.likelihood", {"envs", "planners"}, set()),
    ("vfplan.metrics.similarity", {"envs", "planners", "vfplan.models"}, set()),
    ("vfplan.metrics.ranking", {"envs", "planners", "vfplan.models"}, set()),
    ("vfplan.studies.audit.report", {"envs", "planners", "vfplan.models", "vfplan.costs"}, set()),
    ("vfplan.metrics.localisation", {"envs", "planners", "vfplan.models"}, set()),
    ("vfplan.offline", {"envs", "planners", "mujoco", "gymnasium"}, set()),
    # Every offline test sees a model through the protocols of `vfplan.models.base` alone.
    ("vfplan.offline", {"vfplan.models.videoflow", "vfplan.models.build"}, set()),
    ("vfplan.offline", {"vfplan.models.checkpoint"}, {"vfplan.studies.offline.battery"}),
    ("vfplan.benchmarking", {"planners", "hydra", "omegaconf"}, set()),
    *((f"vfplan.benchmarking.{part}", {"torch", "vfplan.models"}, set()) for part in ("report", "tables", "plots")),
    ("vfplan.control.loop", {"envs"}, set()),
    ("vfplan.control.scoring", {"envs", "vfplan.control.loop"}, set()),
    ("vfplan.control.risk", {"envs", "planners", "vfplan.models"}, set()),
    ("vfplan.control.finalists", {"envs", "planners", "vfplan.models"}, set()),
    ("vfplan.control.surprise", {"envs", "planners", "vfplan.control.loop"}, set()),
    ("vfplan.control.calibration", {"envs", "planners", "vfplan.control.loop"}, set()),
    ("vfplan.schema", {"torch", "envs", "planners", "hydra", "omegaconf"}, set()),
    ("vfplan.output.folder", {"torch", "envs", "planners", "hydra", "omegaconf"}, set()),
    ("vfplan.data.filling", {"torch", "envs", "planners", "hydra", "omegaconf"}, set()),
    ("vfplan.studies.predictability.positions", {"torch", "planners", "hydra", "omegaconf"}, set()),
    ("vfplan.studies.predictability.predictor", {"envs", "planners", "vfplan.models", "vfplan.data"}, set()),
    ("vfplan.execution.workers", {"torch", "envs", "planners", "hydra", "omegaconf"}, set()),
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


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_imports_only_what_it_may(path):
    name = module_name(path)
    for prefix, forbidden, exceptions in RULES:
        if under(name, prefix) and name not in exceptions:
            broken = {found for found in imports(path) for bad in forbidden if under(found, bad)}
            assert not broken, f"{name} must not import {sorted(broken)}"


@pytest.mark.parametrize("path", [path for path in FILES if "flows" in path.parts], ids=module_name)
def test_flows_know_only_flows(path):
    ours = {name for name in imports(path) if name.split(".")[0] in OURS and name != "vfplan"}
    assert all(under(name, "vfplan.flows") for name in ours)


def test_only_commands_and_their_frame_see_hydra():
    seen = {
        module_name(path)
        for path in FILES
        if any(name.split(".")[0] in ("hydra", "omegaconf") for name in imports(path))
    }
    assert seen <= {"vfplan.cli.config", "vfplan.cli.one_line"} | {f"vfplan.{command}" for command in COMMANDS}


def test_only_commands_import_the_command_layer_and_nobody_a_command():
    for path in FILES:
        name = module_name(path)
        if any(under(found, "vfplan.cli.config") for found in imports(path)):
            assert name in {f"vfplan.{command}" for command in COMMANDS}, f"{name} imports vfplan.cli.config"
        for command in COMMANDS - set(RUNNERS.get(name, "").split()):
            assert not any(under(found, f"vfplan.{command}") for found in imports(path)), f"{name} imports a command"


def test_only_control_and_commands_join_models_and_planners():
    joined = {
        "vfplan.control.loop",
        "vfplan.control.session",
        "vfplan.studies.audit.run",
        "vfplan.studies.audit.populations",
        "vfplan.studies.monitor.run",
    }
    joined |= {"vfplan.control.gym_run", "vfplan.control.exploration"}
    joined |= {f"vfplan.{command}" for command in COMMANDS}
    for path in FILES:
        models = any(under(found, "vfplan.models") for found in imports(path))
        planners = any(under(found, "planners") for found in imports(path))
        assert not (models and planners) or module_name(path) in joined, f"{path} joins models and planners"


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
