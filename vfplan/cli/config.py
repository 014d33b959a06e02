"""Commands from dataclasses: `key=value` overrides, groups and sweeps by Hydra, every mistake reported in one line.

The only file beside the commands that knows Hydra. A command `NAME` is `vfplan/NAME.py`, which ends in

    main = command(body, Schema, name="NAME", help=HELP, sections={"planner": planner_registry})

and `configs/NAME.yaml`, which lists every field of `Schema` with its default; a group is a folder
`configs/GROUP/` whose files hold a `name` and the fields of the dataclass that the registry has under that name; what
is registered without a file can be chosen, too. What several commands have in common stands in a file that their
defaults lists name as `shared/FILE@_global_`.
"""

import contextlib
import dataclasses
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import configs
from vfplan.cli.help import flat, help_text
from vfplan.cli.one_line import flatten, full_errors, one_line_errors
from vfplan.cli.options import Options
from vfplan.cli.presets import expanded, presets
from vfplan.cli.process import hydra_process, no_outer_hydra
from vfplan.cli.sweeps import Sweep
from vfplan.cli.words import named
from vfplan.errors import UserError
from vfplan.execution.interrupts import ctrl_c_held_back, sigusr1_terminates
from vfplan.output.claim import claimed
from vfplan.plugins import load_plugins
from vfplan.schema import Registry, from_mapping, unknown_message

C = TypeVar("C")

CONFIG_FOLDER = Path(configs.__file__).resolve().parent

# Hydra 1.3 warns when it is not told the version base, 1.4 when it is.
_VERSION: dict[str, Any] = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}


def command(
    body: Callable[[C], None],
    schema: type[C],
    *,
    name: str,
    help: str,
    sections: Mapping[str, Registry] | None = None,
    folder: str = "",
    called: str = "",
    words: str = "",
    results: str = "",
) -> "Command[C]":
    """Make the `main` of a command.

    Args:
        body: does the work; a UserError raised in it ends the process with one line and exit code 2.
        schema: the frozen dataclass of its configuration. An empty `run_dir` field is filled in before `body` runs.
        name: the command's name and that of its file in `configs/`.
        help: a sentence, and indented example lines, shown above the keys by `--help`.
        sections: for each group that is a section of `schema`, a function returning {name: dataclass}.
        folder: where in `configs/` the file `NAME.yaml` and its groups are; commands of one folder share its groups.
        called: what follows `python -m vfplan.`; the name by default.
        words: the key whose values may be given by themselves; none by default.
        results: the file of a run folder whose numbers a sweep lists: JSON, or a JSON object a line.
    """
    return Command(body, schema, name, help, dict(sections or {}), folder, called or name, words, results)


@dataclasses.dataclass(frozen=True)
class Command(Generic[C]):
    """A command line program; calling it runs it on `sys.argv`."""

    body: Callable[[C], None]
    schema: type[C]
    name: str
    help: str
    sections: dict[str, Registry]
    folder: str
    called: str
    words: str
    results: str

    @property
    def _root(self) -> Path:
        return CONFIG_FOLDER / self.folder

    def __call__(self, arguments: Sequence[str] | None = None) -> None:
        """Run on `arguments` (default: those of the process). Exits with code 2 on a mistake of the user's."""
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        with sigusr1_terminates(), one_line_errors():
            load_plugins()
            arguments = named(arguments, self.words) if self.words else arguments
            arguments = expanded(arguments, self.name, CONFIG_FOLDER / "preset")
            overrides = [text for text in arguments if ("=" in text and not text.startswith("-")) or text[:1] == "~"]
            self._check(overrides)
            if {"-h", "--help"} & set(arguments):
                print(self._help_text(overrides), flush=True)
            else:
                self._run_hydra(arguments, overrides)

    def configuration(self, overrides: Sequence[str] = ()) -> C:
        """The validated configuration for these overrides, without running anything. Raises UserError."""
        overrides = expanded(overrides, self.name, CONFIG_FOLDER / "preset")
        self._check(overrides)
        return self._to_schema(self._compose(overrides), stamp=_timestamp())

    def groups(self, *, registered: bool | None = None) -> dict[str, list[str]]:
        """The options of every group that the command's defaults list names.

        With what is `registered` and has no file, too; by default where there are plug-ins.
        """
        names = [str(next(iter(entry))) for entry in self._defaults() if isinstance(entry, DictConfig)]
        asked = bool(load_plugins()) if registered is None else registered
        return {name: self._options.of(name, registered=asked) for name in names}

    @property
    def _options(self) -> Options:
        return Options(self._root, self.sections)

    def _defaults(self) -> list[Any]:
        root = OmegaConf.load(self._root / f"{self.name}.yaml")
        return list(root.get("defaults", [])) if isinstance(root, DictConfig) else []

    def _shared(self) -> list[Path]:
        """The files that the command has in common with others."""
        names = [entry.partition("@") for entry in self._defaults() if isinstance(entry, str)]
        return [self._root / f"{name}.yaml" for name, _, package in names if package == "_global_"]

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        try:
            with (
                self._options.published(overrides),
                no_outer_hydra(),
                hydra.initialize_config_dir(**_VERSION, config_dir=str(self._root)),
            ):
                return hydra.compose(self.name, list(overrides))
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(flatten(error)) from error

    def _check(self, overrides: Sequence[str]) -> None:
        """Refuse what Hydra would accept or explain at length: unknown keys, unknown options, added keys."""
        parser = OverridesParser.create()
        groups = self.groups()
        chosen: dict[str, list[str]] = {}
        assigned = []
        for text in overrides:
            try:
                override = parser.parse_override(text)
            except HydraException as error:
                raise UserError(
                    f"cannot read '{text}': {flatten(error)} (quote values with , = spaces or brackets)"
                ) from error
            if override.is_hydra_override():
                continue
            if override.key_or_group in groups:
                chosen[override.key_or_group] = _options_named(override)
            else:
                assigned.append((text, override))
        self._check_options(chosen, groups)
        keys = self._keys(chosen) if assigned else set()
        for text, override in assigned:
            if override.key_or_group not in keys:
                level = override.key_or_group.rpartition(".")[0]
                # A key that is no section, as `model` is for some commands, has nothing below it to offer.
                siblings = _below(level, keys) or _below("", keys)
                raise UserError(unknown_message("key", override.key_or_group, siblings, nearest_of=keys))
            if override.is_delete() or (override.is_add() and not override.is_force_add()):
                raise UserError(f"'{text}' adds or removes a key; write {override.key_or_group}=VALUE to set it")

    def _check_options(self, chosen: Mapping[str, list[str]], groups: Mapping[str, list[str]]) -> None:
        if any(name not in groups[group] for group, names in chosen.items() for name in names):
            groups = self.groups(registered=True)
        for group, names in chosen.items():
            for name in names:
                if name not in groups[group]:
                    raise UserError(unknown_message(group, name, groups[group]))

    def _keys(self, chosen: Mapping[str, list[str]]) -> set[str]:
        """Every dotted key, sections included, that exists under any of the chosen group options."""
        keys: set[str] = set()
        columns = [[f"{group}={option}" for option in options] for group, options in chosen.items() if options]
        for row in itertools.zip_longest(*columns) if columns else [()]:
            keys |= {key for key, _ in flat(self._compose([text for text in row if text is not None]))}
        return keys

    def _help_text(self, overrides: Sequence[str]) -> str:
        words = f"{self.words.upper()}... " if self.words else ""
        head = [f"python -m vfplan.{self.called} {words}[key=value ...]", "", self.help.strip(), ""]
        files = (*self._shared(), self._root / f"{self.name}.yaml")
        known = presets(CONFIG_FOLDER / "preset", self.name)
        return help_text(head, self._compose(overrides), self.groups(), known, files, self._options)

    def _run_hydra(self, arguments: list[str], overrides: Sequence[str]) -> None:
        full, stamp, sweep = full_errors(), _timestamp(), Sweep(self.results)

        def job(composed: DictConfig) -> None:
            # Caught here, not around Hydra, which would print the overrides and its own advice first.
            with one_line_errors(full):
                number, given = None, HydraConfig.get().overrides.task
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    number = HydraConfig.get().job.num
                    print(f"job {number}: {' '.join(given)}", flush=True)
                with ctrl_c_held_back():  # it loads modules
                    config = self._to_schema(composed, stamp=stamp, job_number=number)
                with contextlib.ExitStack() as stack:
                    if folder := _folder(config):
                        if number is not None:
                            stack.enter_context(sweep.job(folder, given))
                        stack.enter_context(claimed(folder))
                    self.body(config)

        with tempfile.TemporaryDirectory() as scratch:
            quiet = {
                "hydra.job.name": self.name,
                "hydra.output_subdir": "null",
                "hydra.run.dir": ".",
                "hydra.sweep.dir": scratch,
                "hydra.sweep.subdir": ".",
                "hydra/job_logging": "none",
                "hydra/hydra_logging": "none",
            }
            given = {text.partition("=")[0] for text in overrides}
            extra = [f"{key}={value}" for key, value in quiet.items() if key not in given]
            with self._options.published(overrides), hydra_process(self.called, [*arguments, *extra]):
                try:
                    hydra.main(**_VERSION, config_path=str(self._root), config_name=self.name)(job)()
                finally:
                    sweep.farewell()

    def _to_schema(self, composed: DictConfig, *, stamp: str, job_number: int | None = None) -> C:
        try:
            values: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            raise UserError(flatten(error)) from error
        if "run_dir" in values:
            values["run_dir"] = self._run_dir(values, stamp, job_number)
        return from_mapping(self.schema, values, sections=self.sections)

    def _run_dir(self, values: Mapping[Any, Any], stamp: str, job_number: int | None) -> str:
        subjects = [section["name"] for section in values.values() if isinstance(section, dict) and "name" in section]
        # In one folder, whatever they are about, for their table lies there.
        about = subjects[:1] if job_number is None else ["sweep"]
        path = Path(str(values["run_dir"] or Path("runs", "-".join([self.name, *about, stamp]))))
        if not values["run_dir"] and path.exists() and job_number is None:
            path = path.with_name(f"{path.name}-{os.getpid()}")
        # The jobs of a sweep must not write over each other.
        return str(path if job_number is None else path / str(job_number))


def _options_named(override: Override) -> list[str]:
    """The options that a group override names; ranges and globs are left to Hydra."""
    if override.is_choice_sweep():
        return list(override.sweep_string_iterator())
    return [] if override.is_sweep_override() else [override.get_value_element_as_str()]


def _below(section: str, keys: set[str]) -> list[str]:
    return [key for key in keys if key.rpartition(".")[0] == section]


def _folder(config: Any) -> Path | None:
    """The folder of a run, if it has one. Of processes that torchrun started, only the first writes."""
    return Path(config.run_dir) if hasattr(config, "run_dir") and os.environ.get("RANK", "0") == "0" else None


def _timestamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S")
