"""Days on which River's ADWIN fires on any column: `alarm_days.py REFERENCE.csv LATER.csv OUT.json`.

A detector a column with its defaults, value after value; all have read the reference before.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from river import drift

OWN = ("score", "said", "late", "at")


def main(reference_path: str, later_path: str, out: str) -> None:
    """Fold both tables into the detectors, row by row."""
    detectors: dict[str, drift.ADWIN] = {}
    codes: dict[tuple[str, str], int] = {}
    found: dict[str, None] = {}
    for path in (reference_path, later_path):
        for row in _rows(path):
            day = row["at"][:10]
            for name, text in row.items():
                if name in OWN or not text:
                    continue
                detector = detectors.setdefault(name, drift.ADWIN())
                detector.update(_number(name, text, codes))
                if detector.drift_detected and path == later_path:
                    found[day] = None
    Path(out).write_text(json.dumps({"River, ADWIN on any column": list(found)}), encoding="utf-8")


def _rows(path: str) -> Iterator[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as source:
        yield from csv.DictReader(source)


def _number(name: str, text: str, codes: dict[tuple[str, str], int]) -> float:
    """The value, for a category the number of its first appearance."""
    try:
        return float(text)
    except ValueError:
        return float(codes.setdefault((name, text), len(codes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
