"""`results.csv` of a sweep: a row for each job, with the overrides that it was given and the numbers that it found."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from vfplan.errors import UserError
from vfplan.output.folder import write_text
from vfplan.reading import parse_object, read_bounded

NAME, JOB = "results.csv", "job"

Row = dict[str, str]


class Sweep:
    """The tables that the jobs of a sweep write: one, unless `run_dir` is swept as well."""

    def __init__(self, results: str) -> None:
        """`results` is the file of a run folder that has the numbers: a JSON object, or such line by line."""
        self.results = results
        self._tables: dict[Path, None] = {}

    @contextlib.contextmanager
    def job(self, folder: Path, overrides: Sequence[str]) -> Iterator[None]:
        """Give the job that writes into `folder` a row in the table beside it, however the job ends.

        The rows of other jobs stay, so that a sweep may be stopped and go on. A job that leaves no folder has no row.

        Raises:
            UserError: before the job, if a file of that name is no such table.
        """
        table = folder.parent / NAME
        _rows(table)
        try:
            yield
        finally:
            if folder.is_dir():
                self._tables[table] = None
                found = {f"{Path(self.results).stem}.{key}": value for key, value in numbers(folder / self.results)}
                _put(table, {JOB: folder.name, **dict(map(_assignment, overrides)), **found})

    def farewell(self) -> None:
        """Say where the tables are."""
        for table in self._tables:
            print(f"wrote {table}", flush=True)


def numbers(path: Path) -> Iterator[tuple[str, str]]:
    """The numbers in a file by dotted key, of several lines the last of each; none where it cannot be read."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        data = read_bounded(path)
        for part in data.splitlines() if path.suffix == ".jsonl" else [data]:
            with contextlib.suppress(ValueError):  # a line that a crash has cut
                found.update(_flat(parse_object(part)))
    yield from found.items()


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, int | float):
        yield key, json.dumps(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value):
        for item in value:
            yield from _flat(item, f"{key}.{item['name']}")


def _assignment(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+~"), value


def _put(table: Path, row: Row) -> None:
    """Add a row to the table, or replace that of the same job."""
    lock = FileLock(table.with_name(f".{NAME}.lock"))
    with lock:
        rows = {kept[JOB]: kept for kept in [*_rows(table), row]}
        write_text(table, _text([rows[job] for job in sorted(rows, key=lambda job: (len(job), job))]))
        # Before it is released: who waits for a lock that is no longer there takes a new one.
        Path(lock.lock_file).unlink(missing_ok=True)


def _text(rows: Iterable[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _rows(table: Path) -> list[Row]:
    """The rows of a table, none where there is no file. Raises UserError for a file that is none of ours."""
    if not table.exists():
        return []
    try:
        reader = csv.DictReader(io.StringIO(read_bounded(table).decode(), newline=""), strict=True)
        rows = [{name: value for name, value in row.items() if value} for row in reader]
        if (reader.fieldnames or [""])[0] != JOB or any(JOB not in row or None in row for row in rows):
            raise ValueError(f"its first column is not {JOB}, or a row does not fit")
    except (ValueError, csv.Error) as error:
        raise UserError(f"{table} is no table of a sweep ({error}); move it, or give another run_dir") from error
    return rows
