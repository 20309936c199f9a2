"""Labels out of a file: CSV, Parquet or JSON lines, in portions, each row with the line it ends on.

`gyro labels add` and the sources read through here. A row that cannot be one comes out as
something that is refused, with its line, and costs itself alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from gyroscope.errors import LabelError, did_you_mean

FIELDS = ("request_id", "value", "row", "labeled_at", "version", "entity_key", "event_time")
WHOLE, TEXTS = ("row", "version"), ("request_id", "entity_key")
Row = dict[str, Any]


class Portion(msgspec.Struct, frozen=True):
    """Some labels as the API wants them, the line of the file each ends on, and the share of the file read so far."""

    lines: list[int]
    labels: list[Row]
    done: float


def read_portions(file: Path, columns: Mapping[str, str] | None = None, *, most: int = 1_000) -> Iterator[Portion]:
    """The labels of a file. `columns` names the column of each field; without it they are called like the fields.

    Raises `LabelError` for a file that cannot be read or has no such columns.
    """
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise LabelError("labels come in .csv, .parquet or .jsonl", where=str(file), fix=f"known: {', '.join(READERS)}")
    try:
        yield from reader(file, columns, most)
    except (OSError, duckdb.Error) as error:
        raise LabelError(f"the file cannot be read: {error}", where=str(file), fix="is it whole, and yours?") from error


def fields_of(header: Sequence[str], columns: Mapping[str, str] | None, where: str) -> list[tuple[str, int]]:
    """Field and place of each column that is wanted.

    >>> fields_of(["id", "y", "more"], {"request_id": "id", "value": "y"}, "x.csv")
    [('request_id', 0), ('value', 1)]
    """
    wanted = dict(columns) if columns is not None else {name: name for name in header}
    for field, name in wanted.items():
        if field not in FIELDS:
            raise LabelError(f"no column of labels is called {field!r}", where=where, fix=did_you_mean(field, FIELDS))
        if name not in header:
            raise LabelError(f"there is no column {name!r}", where=where, fix=did_you_mean(name, header))
    for field in ("value",) if "entity_key" in wanted else ("request_id", "value"):
        if field not in wanted:
            raise LabelError(f"there is no column {field!r}", where=where, fix=f"the columns are {', '.join(FIELDS)}")
    return [(field, list(header).index(name)) for field, name in wanted.items()]


def label_of(cells: Sequence[Any], fields: Sequence[tuple[str, int]]) -> Row:
    """A row as the API wants it; what is empty is left out. What a value may be is not asked here."""
    label: Row = {}
    for field, place in fields:
        cell = cells[place] if place < len(cells) else None
        if cell is not None and cell != "":
            label[field] = _cell(field, cell)
    return label


def _csv(file: Path, columns: Mapping[str, str] | None, most: int) -> Iterator[Portion]:
    size = max(file.stat().st_size, 1)
    with file.open("rb") as raw:
        lines = map(_decoded, raw)
        reader = csv.reader(lines)
        header = [name.removeprefix("\ufeff") for name in next(reader, [])]
        fields = fields_of(header, columns, f"{file}:1")
        rows = _csv_rows(reader, header, fields)
        while portion := list(islice(rows, most)):
            yield Portion([line for line, _ in portion], [label for _, label in portion], raw.tell() / size)


def _csv_rows(reader: Any, header: Sequence[str], fields: Sequence[tuple[str, int]]) -> Iterator[tuple[int, Row]]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, {"a line that is no CSV": str(error)}
            continue
        if not cells:
            continue
        label = label_of(cells, fields)
        if len(cells) > len(header):
            label["more cells than the header"] = cells[len(header) :]
        if not _is_text("".join(cells)):
            label = {"not UTF-8": repr(cells)}
        yield reader.line_num, label


def _jsonl(file: Path, columns: Mapping[str, str] | None, most: int) -> Iterator[Portion]:
    size = max(file.stat().st_size, 1)
    with file.open("rb") as raw:
        numbered = ((number, line) for number, line in enumerate(raw, 1) if line.strip())
        while portion := list(islice(numbered, most)):
            labels = [_json_row(line, columns) for _, line in portion]
            yield Portion([number for number, _ in portion], labels, raw.tell() / size)


def _json_row(line: bytes, columns: Mapping[str, str] | None) -> Row:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        return {"a line that is no JSON": str(error)}
    if not isinstance(row, dict):
        return {"a line that is no object": row}
    if columns is None:
        return {field: cell for field, cell in row.items() if cell is not None}
    return {field: row[name] for field, name in columns.items() if row.get(name) is not None}


def _parquet(file: Path, columns: Mapping[str, str] | None, most: int) -> Iterator[Portion]:
    with duckdb.connect(config={"threads": 1}) as duck:
        found = duck.execute("SELECT * FROM read_parquet($1)", [str(file)])
        header = [item[0] for item in found.description or ()]
        fields = fields_of(header, columns, str(file))
        rows = duck.cursor().execute("SELECT count(*) FROM read_parquet($1)", [str(file)]).fetchall()[0][0]
        for portion in portions_of(found.fetchmany, fields, most):
            yield msgspec.structs.replace(portion, done=portion.lines[-1] / rows)


def portions_of(
    fetch: Callable[[int], Sequence[Sequence[Any]]], fields: Sequence[tuple[str, int]], most: int
) -> Iterator[Portion]:
    """Rows of a query in portions; a row's line is its number, from 1."""
    before = 0
    while rows := fetch(most):
        yield Portion(list(range(before + 1, before + len(rows) + 1)), [label_of(row, fields) for row in rows], 0.0)
        before += len(rows)


def _cell(field: str, cell: Any) -> Any:
    """Types of Parquet and of databases as JSON has them."""
    if isinstance(cell, Decimal):
        cell = int(cell) if cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if field in TEXTS:
        return str(cell)
    return _whole(cell) if field in WHOLE else cell


def _whole(cell: Any) -> Any:
    """What is no whole number goes as it is, to be refused alone."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    try:
        return int(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


READERS: dict[str, Callable[[Path, Mapping[str, str] | None, int], Iterator[Portion]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _jsonl,
}
