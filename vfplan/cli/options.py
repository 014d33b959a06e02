"""What may be chosen in the groups of a command: the YAML files of their folders, and what is registered besides."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from vfplan.checks import is_setting
from vfplan.schema import Registry


@dataclass(frozen=True)
class Options:
    """The groups of a command, each a folder in `root`; what is registered is as if there were a file of its defaults.

    To ask what is registered takes the imports of all there is, so it is asked only on demand.
    """

    root: Path
    registries: Mapping[str, Registry]

    def of(self, group: str, *, registered: bool) -> list[str]:
        """The names of a group's options, and that of what is registered without a file if this is asked for."""
        return sorted({*self._names(group), *(self._without_file(group) if registered else ())})

    def files(self, group: str) -> list[Path]:
        """The files of a group."""
        return sorted((self.root / group).glob("*.yaml"))

    @contextmanager
    def published(self, overrides: Iterable[str]) -> Iterator[None]:
        """Let Hydra know meanwhile what is registered without a file, where one of the overrides may choose it."""
        repository = ConfigStore.instance().repo
        before = {group: repository.get(group) for group in self.registries}
        chosen = [text.partition("=") for text in overrides]
        if any(group in before and set(names.split(",")) - self._names(group) for group, _, names in chosen):
            self._publish()
        try:
            yield
        finally:
            # The groups of one command are plain keys of another, in this very process.
            for group, files in before.items():
                repository.pop(group, None)
                if files is not None:
                    repository[group] = files

    def _publish(self) -> None:
        for group in self.registries:
            ConfigStore.instance().repo[group] = dict(ConfigStore.instance().repo.get(group, {}))
            for name, entry in self._without_file(group).items():
                ConfigStore.instance().store(name, {**defaults(entry), "name": name}, group)

    def _without_file(self, group: str) -> dict[str, Any]:
        entries = self.registries[group]() if group in self.registries else {}
        return {} if isinstance(entries, type) else {n: e for n, e in entries.items() if n not in self._names(group)}

    def _names(self, group: str) -> set[str]:
        return {path.stem for path in self.files(group)}


def defaults(entry: Any) -> dict[str, Any]:
    """The settings of a dataclass, or of an instance of one, as a YAML file lists them; `???` where it has none."""
    found = {field.name: _default(entry, field) for field in dataclasses.fields(entry) if is_setting(field)}
    return {name: _plain(value) for name, value in found.items()}


def _default(entry: Any, field: dataclasses.Field[Any]) -> Any:
    if not isinstance(entry, type):
        return getattr(entry, field.name)
    if field.default_factory is not MISSING:
        return field.default_factory()
    return "???" if field.default is MISSING else field.default


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
