"""Files of predictions that were made elsewhere, in portions: CSV, Parquet or JSON lines, a portion at a time.

`gyro predictions add` reads through here. Which column is what is said by a mapping, else by its name. Values are
held against the signature later, so a line that cannot be read is refused alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from gyroscope.errors import InputError, did_you_mean
from gyroscope.predictions.ingest.cells import names
from gyroscope.predictions.ingest.given import Given
from gyroscope.predictions.reading.query import errors_named, quoted
from gyroscope.records import Feature, Signature

PORTION_ROWS = 10_000
PLAIN = ("request_id", "row", "event_time", "entity_key", "latency_ms", "status", "error", "variant")
IDS = ("request_id", "entity_key")
NUMBERS = ("row", "latency_ms", "status")
BOOLS = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}
FLOATS = msgspec.json.Decoder(list[float | None])
ENDINGS = (".csv", ".parquet", ".pq", ".jsonl", ".ndjson")

Table = dict[str, Sequence[Any]]


class Portion(msgspec.Struct):
    """Some rows of a file: their lines (rows in Parquet), the lines that are no rows, and the share read so far."""

    lines: list[int]
    given: Given
    refused: list[tuple[int, str]]
    done: float


class Plan(msgspec.Struct):
    """Which column of the file is what: target -> column; and the columns that are nothing."""

    plain: dict[str, str]
    features: dict[str, str]
    outputs: list[str]
    unknown: list[str]


def read_portions(path: Path, signature: Signature, mapping: Mapping[str, str]) -> tuple[Plan, Iterator[Portion]]:
    """The plan, and the rows as they are read.

    Raises `InputError` for a file that cannot be read, and for a column that is missing or mapped to nothing.
    """
    readers = {".csv": _csv, ".parquet": _parquet, ".pq": _parquet, ".jsonl": _json_lines, ".ndjson": _json_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("this kind of file is not known", where=str(path), fix=did_you_mean(path.suffix, ENDINGS))
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), fix="check the path")
    return reader(path, signature, mapping)


def plan_of(columns: Sequence[str], signature: Signature, mapping: Mapping[str, str], where: str) -> Plan:
    """What each column is: as the mapping says, else `request_id`, `output_0`, a feature's name or `feature_<name>`."""
    targets = [*PLAIN, *(f"output_{index}" for index in range(signature.width)), *signature.names]
    for target, column in mapping.items():
        if target not in targets:
            raise InputError(f"nothing is called {target!r}", where="--map", fix=did_you_mean(target, targets))
        if column not in columns:
            raise InputError(f"there is no column {column!r}", where=where, fix=did_you_mean(column, columns))
    found = {target: _column_of(target, columns, signature, mapping) for target in targets}
    needed = ["request_id", *(f"output_{index}" for index in range(signature.width))]
    needed += [feature.name for feature in signature.features if feature.is_logged]
    for target in needed:
        if not found[target]:
            raise InputError(
                f"there is no column for {target!r}", where=where, fix=f"name it: --map {target}=COLUMN; the file has "
                f"{', '.join(columns[:20])}",
            )  # fmt: skip
    return Plan(
        plain={name: found[name] for name in PLAIN if found[name]},
        features={name: found[name] for name in signature.names if found[name]},
        outputs=[found[f"output_{index}"] for index in range(signature.width)],
        unknown=[name for name in columns if name not in set(found.values())],
    )


def _column_of(target: str, columns: Sequence[str], signature: Signature, mapping: Mapping[str, str]) -> str:
    others = {target: (target,), **{name: (name, f"feature_{name}") for name in signature.names}}[target]
    if target == "output_0" and signature.width == 1:
        others = (*others, signature.output)
    return mapping.get(target) or next((name for name in others if name in columns), "")


def _given(table: Table, plan: Plan, feature: Callable[[str, Sequence[Any]], Sequence[Any]]) -> Given:
    """Columns of the file as columns that can be checked; `feature` converts one by the name of its feature."""
    return Given(
        inputs={name: feature(name, table[column]) for name, column in plan.features.items()},
        outputs=[feature("", table[column]) for column in plan.outputs],
        **{name: names(table[column]) if name in IDS else table[column] for name, column in plan.plain.items()},
    )


def _csv(path: Path, signature: Signature, mapping: Mapping[str, str]) -> tuple[Plan, Iterator[Portion]]:
    with _readable(path), path.open(encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines), [])
    plan = plan_of(header, signature, mapping, f"{path}:1")
    kinds = {feature.name: feature for feature in signature.features}

    def convert(name: str, column: Sequence[str]) -> Sequence[Any]:
        return _from_texts(column, kinds.get(name, Feature("output")))

    def portions() -> Iterator[Portion]:
        size = max(1, path.stat().st_size)
        with _readable(path), path.open("rb") as raw:
            reader = csv.reader(_decoded(raw))
            next(reader, None)
            while taken := list(islice(((reader.line_num, row) for row in reader), PORTION_ROWS)):
                rows = [(line, row) for line, row in taken if len(row) == len(header)]
                odd = [(line, _odd(row, header)) for line, row in taken if row and len(row) != len(header)]
                table = dict(zip(header, zip(*(row for _, row in rows), strict=True), strict=True)) if rows else {}
                columns: Table = {name: table.get(name, ()) for name in header}
                for name in plan.plain:
                    text = columns[plan.plain[name]]
                    columns[plan.plain[name]] = _from_texts(text, Feature(name)) if name in NUMBERS else _or_none(text)
                yield Portion([line for line, _ in rows], _given(columns, plan, convert), odd, raw.tell() / size)

    return plan, portions()


def _decoded(raw: Any) -> Iterator[str]:
    """Lines of text; `raw` goes on saying how far it has been read."""
    for number, line in enumerate(raw):
        yield line.decode("utf-8-sig" if number == 0 else "utf-8")


def _odd(row: list[str], header: list[str]) -> str:
    return f"this line has {len(row)} cells, the header {len(header)}"


def _from_texts(column: Sequence[str], feature: Feature) -> Sequence[Any]:
    """Cells as the feature's type; an empty one is missing, one of another type stays the text it is."""
    if feature.dtype == "string":
        return _or_none(column)
    if feature.dtype == "bool":
        return [BOOLS.get(text.lower(), text) if text else None for text in column]
    try:
        # As one JSON list: five times as fast as a number at a time. A comma inside a cell would make the list longer.
        found = FLOATS.decode(f"[{','.join([text or 'null' for text in column])}]")
    except (msgspec.MsgspecError, UnicodeEncodeError):
        found = []
    return found if len(found) == len(column) else [_number(text) for text in column]


def _number(text: str) -> float | str | None:
    try:
        return float(text) if text and "_" not in text else text or None
    except ValueError:
        return text


def _or_none(column: Sequence[str]) -> list[str | None]:
    return [text or None for text in column]


def _json_lines(path: Path, signature: Signature, mapping: Mapping[str, str]) -> tuple[Plan, Iterator[Portion]]:
    with _readable(path), path.open("rb") as raw:
        names: dict[str, None] = {}
        for _, row, _ in islice(_json_rows(raw), PORTION_ROWS):
            names.update(dict.fromkeys(row))
    plan = plan_of(list(names), signature, mapping, str(path))
    missing = {plan.features[name]: msgspec.UNSET for name in plan.features}

    def portions() -> Iterator[Portion]:
        size = max(1, path.stat().st_size)
        with _readable(path), path.open("rb") as raw:
            while taken := list(islice(_json_rows(raw), PORTION_ROWS)):
                rows = [(line, row) for line, row, fault in taken if not fault]
                odd = [(line, fault) for line, _, fault in taken if fault]
                columns = [*plan.plain.values(), *plan.features.values(), *plan.outputs]
                table: Table = {name: [row.get(name, missing.get(name)) for _, row in rows] for name in columns}
                yield Portion([line for line, _ in rows], _given(table, plan, _as_it_is), odd, raw.tell() / size)

    return plan, portions()


def _json_rows(raw: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any], str]]:
    """(line, row, fault)."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    for line, text in enumerate(raw, start=1):
        if not text.strip():
            continue
        try:
            yield line, decoder.decode(text), ""
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            yield line, {}, f"this line is no JSON object: {error}"


def _parquet(path: Path, signature: Signature, mapping: Mapping[str, str]) -> tuple[Plan, Iterator[Portion]]:
    # Characters that DuckDB takes for patterns stand for themselves in a bracket.
    exact = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
    with duckdb.connect() as connection, errors_named(str(path)):
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [exact]).fetchall()
    kinds = {str(row[0]): str(row[1]) for row in described}
    plan = plan_of(list(kinds), signature, mapping, str(path))
    wanted = list(dict.fromkeys([*plan.plain.values(), *plan.features.values(), *plan.outputs]))

    def portions() -> Iterator[Portion]:
        line = 0
        with duckdb.connect(config={"threads": 1}) as connection, errors_named(str(path)):
            total = connection.execute("SELECT count(*) FROM read_parquet(?)", [exact]).fetchall()[0][0]
            connection.execute("SET TimeZone = 'UTC'")
            query = f"SELECT {', '.join(_cell(name, kinds[name]) for name in wanted)} FROM read_parquet(?)"  # noqa: S608
            connection.execute(query, [exact])
            while rows := connection.fetchmany(PORTION_ROWS):
                table: Table = dict(zip(wanted, zip(*rows, strict=True), strict=True))
                lines = list(range(line + 1, line + len(rows) + 1))
                line += len(rows)
                yield Portion(lines, _given(table, plan, _as_it_is), [], line / max(1, total))

    return plan, portions()


def _cell(name: str, kind: str) -> str:
    """Dates and times as seconds: Python's own kinds would need a library for time zones."""
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"epoch_us({quoted(name)}::TIMESTAMPTZ) / 1e6"
    return quoted(name)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"the file cannot be read: {error}", where=str(path), fix="a CSV file in UTF-8") from error


def _as_it_is(_: str, column: Sequence[Any]) -> Sequence[Any]:
    return column
