"""Packages that are not installed with vfplan: asked for in time, and refused in one line that says how to get them."""

import importlib.util

from vfplan.errors import UserError


def require_extra(what: str, extra: str, *libraries: str) -> None:
    """Raise UserError if a library, by the name it is imported under, is not there for `what` the user asked for."""
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise UserError(f"{what} needs {library}, which is not installed: pip install 'vfplan[{extra}]'")
