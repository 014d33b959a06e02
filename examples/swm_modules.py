"""Modules of stable-worldmodel without the packages around them, which ask for far more than solvers and models need.

pip install --no-deps stable-worldmodel loguru einops
"""

import importlib
import sys
import types
from importlib.machinery import PathFinder
from pathlib import Path


def swm(module):
    """The module `stable_worldmodel.MODULE`; where the whole package is installed, a plain import does as well."""
    found = PathFinder.find_spec("stable_worldmodel")
    if found is None or not found.submodule_search_locations:
        sys.exit("stable-worldmodel is not installed: pip install --no-deps stable-worldmodel loguru einops")
    parts = f"stable_worldmodel.{module}".split(".")
    folder = Path(found.submodule_search_locations[0])
    for count in range(1, len(parts)):
        package = types.ModuleType(".".join(parts[:count]))
        package.__path__ = [str(folder.joinpath(*parts[1:count]))]
        sys.modules.setdefault(package.__name__, package)
    return importlib.import_module(".".join(parts))
