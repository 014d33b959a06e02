"""Plain mappings into typed dataclasses, with one-line errors. Used for command lines and for files; knows no Hydra."""

import dataclasses
import difflib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from vfplan.checks import Range, require_range
from vfplan.errors import LONGEST, UserError

T = TypeVar("T")

Registry = Callable[[], Mapping[str, Any] | type]
"""Returns the dataclass of a section; or, for a section with a `name`, what each name stands for: a dataclass, or an
instance of one whose fields are the defaults.

A callable, so that heavy imports wait until they are due.
"""


def from_mapping(
    cls: type[T], values: Mapping[str, Any], *, where: str = "", sections: Mapping[str, Registry] | None = None
) -> T:
    """Build `cls` from `values`, checking every key and every type.

    A field named in `sections` becomes what its registry says, under `values[field]["name"]` where that holds several
    dataclasses; the others follow their annotations. `where` is the dotted path put before field names in messages.
    Raises UserError on an unknown or missing key, on a wrong type, on a number outside the range that the field's
    metadata have, and on whatever ValueError `__post_init__` raises.
    """
    sections = sections or {}
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise UserError(unknown_message("key", f"{where}{key}", [f"{where}{name}" for name in fields]))
    arguments = {}
    for name, field in fields.items():
        path = f"{where}{name}"
        if name in values:
            if name in sections:
                arguments[name] = _section(sections[name](), values[name], path)
            else:
                arguments[name] = _convert(_annotation(cls, field), values[name], path)
                _check_range(arguments[name], field.metadata.get("range"), path)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserError(f"missing key '{path}'")
    try:
        return cls(**arguments)
    except ValueError as error:
        raise UserError(f"{where.rstrip('.')}: {error}" if where else str(error)) from error


def unknown_message(kind: str, name: str, valid: Iterable[str], *, nearest_of: Iterable[str] = ()) -> str:
    """One line for a name that does not exist: the nearest one that does, and all the valid ones.

    `nearest_of` widens the search for the nearest beyond `valid`; a dotted name is also compared by its last part.
    """
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    valid = sorted(valid)
    known = sorted({*valid, *nearest_of})
    near = difflib.get_close_matches(name, known, n=1)
    if not near:
        by_leaf = {candidate.rsplit(".", 1)[-1]: candidate for candidate in known}
        near = [by_leaf[leaf] for leaf in difflib.get_close_matches(name.rsplit(".", 1)[-1], by_leaf, n=1)]
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{name}'{hint} (valid: {', '.join(valid)})"


def _section(registry: Mapping[str, Any] | type, value: Any, path: str) -> Any:
    if isinstance(registry, type):
        return from_mapping(registry, _expect(value, isinstance(value, Mapping), "a section", path), where=f"{path}.")
    if not isinstance(value, Mapping) or "name" not in value:
        raise UserError(
            f"{path} must be a section with a 'name' (one of {', '.join(sorted(registry))}), got {_shown(value)}"
        )
    name = value["name"]
    if name not in registry:
        raise UserError(unknown_message(f"{path}.name", str(name), registry))
    entry = registry[name]
    cls = entry if isinstance(entry, type) else type(entry)
    fields = [field.name for field in dataclasses.fields(cls)]
    arguments = {} if isinstance(entry, type) else {field: getattr(entry, field) for field in fields}
    arguments |= {key: item for key, item in value.items() if key != "name" or key in fields}
    return from_mapping(cls, arguments, where=f"{path}.")


def _check_range(value: Any, bounds: Range | None, path: str) -> None:
    try:
        require_range(value, bounds, path)
    except ValueError as error:
        raise UserError(str(error)) from error


def _annotation(cls: type, field: dataclasses.Field[Any]) -> Any:
    if not isinstance(field.type, str):
        return field.type
    # Field by field, not typing.get_type_hints: annotations of sections may name types imported for checking only.
    owner = next(base for base in cls.__mro__ if field.name in inspect.get_annotations(base))
    return eval(field.type, vars(sys.modules[owner.__module__]))


def _convert(kind: Any, value: Any, path: str) -> Any:
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, kind):
            return value
        return from_mapping(kind, _expect(value, isinstance(value, Mapping), "a section", path), where=f"{path}.")
    if origin is Literal:
        if value not in options:
            raise UserError(unknown_message(path, str(value), map(str, options)))
        return value
    if origin in (typing.Union, types.UnionType):
        return _convert_union(options, value, path)
    if origin in (tuple, list):
        return _convert_sequence(origin, options, value, path)
    if origin is dict:
        _expect(value, isinstance(value, Mapping), "a mapping", path)
        return {str(key): _convert(options[1], item, f"{path}.{key}") for key, item in value.items()}
    return _convert_scalar(kind, value, path)


def _convert_union(options: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in options:
        return None
    failures = []
    for option in options:
        if option is type(None):
            continue
        try:
            return _convert(option, value, path)
        except UserError as error:
            failures.append(error)
    raise failures[0]


def _convert_sequence(origin: type, options: tuple[Any, ...], value: Any, path: str) -> Any:
    _expect(value, isinstance(value, list | tuple), "a list", path)
    if origin is list or options[-1] is Ellipsis:
        # Stores list a seed for each episode.
        if options[0] in (bool, int, str) and all(type(item) is options[0] for item in value):
            return origin(value)
        return origin(_convert(options[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    _expect(value, len(value) == len(options), f"a list of {len(options)}", path)
    return tuple(
        _convert(option, item, f"{path}[{i}]") for i, (option, item) in enumerate(zip(options, value, strict=True))
    )


def _convert_scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is float and value in (".inf", "-.inf"):  # as YAML writes it; Hydra takes it for text
        value = float(str(value).replace(".", ""))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is bool:
        return _expect(value, isinstance(value, bool), "true or false", path)
    if kind is int:
        return int(_expect(value, number and value == value // 1, "an integer", path))
    if kind is float:
        return float(_expect(value, number and _fits_a_float(value), "a number", path))
    if kind in (str, Path):
        # A folder called 2024 reaches us as a number.
        return kind(str(_expect(value, isinstance(value, str) or number, "text", path)))
    raise TypeError(f"{path}: no conversion to {kind!r}")


def _expect(value: Any, holds: bool, wanted: str, path: str) -> Any:
    if not holds:
        raise UserError(f"{path} must be {wanted}, got {_shown(value)}")
    return value


def _fits_a_float(number: float) -> bool:
    """Whether it is no NaN and no whole number beyond the largest float; infinities are numbers."""
    return number == number and (isinstance(number, float) or abs(number) <= sys.float_info.max)


def _shown(value: Any) -> str:
    """A value as it was given, or its beginning: one of a stranger's file may have any length."""
    text = value if isinstance(value, str) else repr(value)
    return repr(value) if len(text) <= LONGEST else f"{text[:LONGEST]}..."
