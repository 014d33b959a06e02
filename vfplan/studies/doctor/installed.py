"""Packages: their versions against those that vfplan asks for, its extras, its plug-ins."""

from __future__ import annotations

import platform
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from vfplan.output.folder import git_commit
from vfplan.plugins import load_plugins
from vfplan.studies.doctor.finding import Finding

NOT_FOR_USE = {"dev", "docs"}


def python() -> Finding:
    """The interpreter, and vfplan itself."""
    commit = git_commit()
    at = f" at {commit[:12]}" if commit else ""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, vfplan {version('vfplan')}{at}"
    return Finding("python", found)


def packages() -> Iterator[Finding]:
    """What vfplan needs: one line if all of it is there, and one for each that is not."""
    needed = [requirement for requirement in _requirements() if requirement.marker is None]
    wrong = [requirement for requirement in needed if not _holds(requirement)]
    for each in wrong:
        installed = _version(each.name) or "not installed"
        yield Finding(each.name, f"{installed}, but vfplan needs {each.specifier}", f"pip install '{each}'")
    if not wrong:
        yield Finding("packages", ", ".join(f"{each.name} {_version(each.name)}" for each in needed))


def extras() -> Finding:
    """What was installed besides, and what could be."""
    parts: dict[str, list[Requirement]] = defaultdict(list)
    for requirement in _requirements():
        if requirement.marker and (extra := re.search(r"extra == ['\"](\w+)", str(requirement.marker))):
            parts[extra[1]].append(requirement)
    there = {name: all(map(_holds, needed)) for name, needed in sorted(parts.items()) if name not in NOT_FOR_USE}
    absent = [name for name, holds in there.items() if not holds]
    found = ", ".join(name for name, holds in there.items() if holds) or "none"
    more = f"; not installed: {', '.join(absent)} (pip install 'vfplan[NAME]')" if absent else ""
    return Finding("extras", found + more)


def plug_ins() -> Finding:
    """Packages that add models and environments."""
    return Finding("plug-ins", ", ".join(load_plugins()) or "none")


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in requires("vfplan") or []]


def _holds(requirement: Requirement) -> bool:
    installed = _version(requirement.name)
    return installed is not None and requirement.specifier.contains(installed, prereleases=True)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
