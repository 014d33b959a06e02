"""Packages that add parts of every kind: each names a module of its own under the entry points `vfplan.plugins`."""

from functools import cache
from importlib.metadata import entry_points

from vfplan.errors import UserError, said

GROUP = "vfplan.plugins"


@cache
def load_plugins() -> tuple[str, ...]:
    """Import the modules that installed packages name, once; they register what they add. Returns their names.

    Raises:
        UserError: if one does not import.
    """
    found = sorted(entry_points(group=GROUP))
    for point in found:
        try:
            point.load()
        except Exception as error:  # whatever somebody else's module raises
            package = f" of the package {point.dist.name}" if point.dist else ""
            why = f"{type(error).__name__}: {said(error)}"
            raise UserError(
                f"the plug-in {point.value}{package} does not load ({why}); mend or uninstall it"
            ) from error
    return tuple(point.name for point in found)
