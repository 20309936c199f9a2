"""One row per claim: made here, printed as a table, written as JSON, judged by the exit code.

Every benchmark and chaos file gives back `Row`s; `target.py` collects them. Nothing is ever hidden or rounded to fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


class Row(msgspec.Struct, frozen=True):
    """One claim and what was measured for it in this run; `value` is None when it could not be measured.

    A claim with several figures has several rows with the same id.
    """

    id: str
    claim: str
    value: float | None
    bound: float
    holds: bool
    unit: str
    n: int
    peer: str = ""


def at_most(row_id: str, claim: str, value: float, bound: float, unit: str, n: int, peer: str = "") -> Row:
    """A row that holds when the value is not above its bound.

    >>> at_most("L5", "CPU of an append", 2.5, 3.0, "us", 5).holds
    True
    """
    return Row(row_id, claim, float(value), float(bound), bool(value <= bound), unit, n, peer)


def at_least(row_id: str, claim: str, value: float, bound: float, unit: str, n: int, peer: str = "") -> Row:
    """A row that holds when the value is not below its bound."""
    return Row(row_id, claim, float(value), float(bound), bool(value >= bound), unit, n, peer)


def control(row_id: str, sabotage: str, seen: float, unit: str, n: int) -> Row:
    """The control of a chaos row: the sabotage must be seen at least once, else the row proves nothing."""
    return Row(row_id, f"control: {sabotage}", seen, 1.0, seen >= 1, unit, n)


def with_control(rows: Sequence[Row], check: Row) -> list[Row]:
    """Rows with their control; all are void when the control passed."""
    if check.holds:
        return [*rows, check]
    void = [msgspec.structs.replace(row, claim=f"{row.claim} (void: the control passed)", holds=False) for row in rows]
    return [*void, check]


def unmeasured(row_id: str, why: str) -> Row:
    """What stands in the table when a row could not be measured."""
    return Row(row_id, why, None, 0.0, False, "", 0)


def complete(rows: Iterable[Row], wanted: Sequence[str]) -> list[Row]:
    """The rows, and for each wanted id without one a row that says so."""
    every = list(rows)
    there = {row.id for row in every}
    return every + [unmeasured(row_id, "missing: nothing was measured") for row_id in wanted if row_id not in there]


def publish(name: str, rows: Sequence[Row], wanted: Sequence[str], folder: Path = RESULTS) -> int:
    """Print the table, write `<folder>/<name>.json`; 1 when a claim falls short or a row is missing, else 0."""
    every = sorted(complete(rows, wanted), key=lambda row: _order(row.id))
    folder.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(every), indent=1)
    (folder / f"{name}.json").write_bytes(text + b"\n")
    console = Console()
    console.width = max(console.width, 160)
    console.print(_table(name, every))
    short = [row for row in every if not row.holds]
    for row in short:
        print(f"falls short: {row.id} {row.claim}")
    return 1 if short else 0


def _table(name: str, rows: Sequence[Row]) -> Table:
    table = Table(title=name)
    for head in ("id", "claim", "value", "bound", "unit", "n", "peer", "holds"):
        table.add_column(head, justify="right" if head in ("value", "bound", "n") else "left", overflow="fold")
    for row in rows:
        value = "-" if row.value is None else f"{row.value:,.6g}"
        holds = "yes" if row.holds else "NO"
        table.add_row(row.id, row.claim, value, f"{row.bound:,.6g}", row.unit, f"{row.n:,}", row.peer, holds)
    return table


def _order(row_id: str) -> tuple[str, int]:
    """L2 before L10.

    >>> sorted(["L10", "L2"], key=_order)
    ['L2', 'L10']
    """
    letters = row_id.rstrip("0123456789")
    return letters, int(row_id[len(letters) :] or 0)
