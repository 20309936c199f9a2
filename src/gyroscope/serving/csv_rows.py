"""From a CSV text to rows: the first line names the features, each value is held to its feature's type.

The MLflow dialect calls this for `text/csv`. It takes what `DataFrame.to_csv()` writes, with or without the index, and
never fills in, drops or rounds.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence

from gyroscope.errors import InputError
from gyroscope.models.encoding import EXACT_INTEGER
from gyroscope.models.runners import Rows
from gyroscope.records import Dtype, Feature
from gyroscope.serving.intake import Intake, refuse_null_text

# What pandas reads as missing among numbers; among texts only the empty one, since 'NA' may be a category.
_MISSING = frozenset(("", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "null", "NULL", "None"))
_NUMBER = re.compile(r" *[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,4})? *", re.ASCII)
_WHOLE = re.compile(r" *[+-]?\d{1,17} *", re.ASCII)
_BOOLS = {"True": 1.0, "true": 1.0, "TRUE": 1.0, "False": 0.0, "false": 0.0, "FALSE": 0.0}


def read_csv(body: bytes, intake: Intake) -> Rows:
    """The rows of a CSV text.

    Raises `InputError`: status 400 for what is no CSV, else with line and column of the fault.
    """
    header, *lines = _table(body)
    # What to_csv() writes first, without a name, is the index; it means nothing to a model.
    skipped = 1 if header[0] == "" else 0
    order = intake.order(header[skipped:], lambda place: f"csv.header[{place + skipped}]", "csv.header")
    intake.count(len(lines), "csv")
    for i, line in enumerate(lines):
        if len(line) != len(header):
            raise InputError(f"{len(line)} values under {len(header)} names", where=f"csv[{i}]", fix="mend the line")
    columns = list(zip(*lines, strict=True))
    values = [_column(feature, columns[place + skipped]) for feature, place in zip(intake.features, order, strict=True)]
    rows = intake.from_columns(values)
    intake.check(rows.matrix, lambda row, column: f"csv[{row}].{intake.names[column]}")
    return rows


def _table(body: bytes) -> list[list[str]]:
    try:
        text = body.decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except UnicodeDecodeError as error:
        raise InputError(f"malformed CSV: not UTF-8 (byte {error.start})", status=400) from None
    except csv.Error as error:
        raise InputError(f"malformed CSV: {error}", status=400) from None
    if not lines:
        raise InputError("there is no header", where="csv", fix="the names of the features in the first line")
    return lines


def _column(feature: Feature, texts: Sequence[str]) -> Sequence[float] | Sequence[str | None]:
    if feature.dtype == "string":
        known = [text or None for text in texts]
        refuse_null_text(feature, known, lambda row: f"csv[{row}].{feature.name}")
        return known
    read = _READERS[feature.dtype]
    values = [math.nan if text in _MISSING else read(text) for text in texts]
    wrong = next((i for i, value in enumerate(values) if value is None), None)
    if wrong is None:
        return values  # type: ignore[return-value]  # None was looked for
    raise InputError(f"{texts[wrong][:80]!r} is not {feature.dtype}", where=f"csv[{wrong}].{feature.name}")


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _whole(text: str) -> float | None:
    number = int(text) if _WHOLE.fullmatch(text) else None
    return None if number is None or abs(number) > EXACT_INTEGER else float(number)


_READERS: dict[Dtype, Callable[[str], float | None]] = {
    "float64": _number,
    "float32": _number,
    "int64": _whole,
    "bool": _BOOLS.get,
}
