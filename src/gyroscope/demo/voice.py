"""What the demo says while it runs: a progress bar and numbers for people, or one JSON object a line for programs.

`run.py` talks through it. It never measures anything itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from gyroscope.clock import EventTime, iso
from gyroscope.demo.events import Event
from gyroscope.demo.flights import ZONE
from gyroscope.demo.replay import Progress as Sending

METRICS = ("accuracy", "precision", "recall", "f1", "auc", "brier")
SHOWN = ("brier", "auc")

COLOURS = {
    "incident_opened": "red",
    "incident_resolved": "green",
    "retraining_vetoed": "yellow",
    "promoted": "bold green",
    "rolled_back": "bold magenta",
    "scaled": "cyan",
}
FIGURES = (
    "rows", "columns", "windows", "difference", "evidence_better", "evidence_worse", "share", "requests_per_s", "needed"
)  # fmt: skip


COMMANDS = (
    ("gyro open", "the pages: performance by day, versions, incidents"),
    ("gyro incidents", "every incident, what needs a person first"),
    ("gyro rollouts show flights", "what became of each challenger, with the ids of the decisions"),
    ("gyro explain ID", "decide once more on what the loop knew then"),
    ("gyro down", "stop it"),
)


class Voice:
    """One of the two ways to say things; `people` is None for JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._console = None if as_json else Console(highlight=False)

    def say(self, kind: str, at: EventTime, reason: str, **more: Any) -> None:
        """One event: its type, when (event time), why, and what belongs to it."""
        if self._console is not None:
            self._console.print(f"[dim]{kind:>10}[/dim]  {escape(reason)}", soft_wrap=True)
        else:
            self.say_json(kind, at, reason, **more)

    def tell(self, event: Event, at: EventTime) -> None:
        """What the house did, when in the time of the flights, why, and on which figures."""
        if self._console is None:
            self.say_json(event.type, at, event.reason, version=event.version, evidence=event.evidence)
        elif event.evidence.get("pages", True):  # what only informs is in the pages
            figures = [f"{name} {_short(event.evidence[name])}" for name in FIGURES if event.evidence.get(name)]
            about = [event.version[:6], event.evidence.get("action", "")] if "act" in event.evidence else []
            colour, kind = COLOURS.get(event.type, "blue"), event.type.replace("_", " ")
            text = "; ".join([" ".join(filter(None, about)), event.reason, *figures]).strip("; ")
            self._console.print(
                f"[dim]{iso(at, ZONE)[:10]}[/dim] [{colour}]{kind:>20}[/{colour}]  {escape(text)}", soft_wrap=True
            )

    def progress(self, progress: Sending, per_s: float) -> None:
        """How far it is, for programs."""
        reason = f"{progress.answered:,} of {progress.total:,} answered"
        self.say_json("progress", progress.at, reason, per_s=round(per_s))

    def farewell(self, folder: Path, *, is_kept: bool) -> None:
        """Where people look next."""
        if self._console is None:
            return
        if not is_kept:
            self._console.print("Everything is stopped and removed. `--keep` leaves it running, to look around.")
            return
        self._console.print(f"Still running. In {escape(str(folder))}:")
        for command, what in COMMANDS:
            self._console.print(f"  [bold]{command:<28}[/bold] {what}")

    def say_json(self, kind: str, at: EventTime, reason: str, **more: Any) -> None:
        """An event for programs only; people see it elsewhere."""
        if self._console is not None:
            return
        line = {"type": kind, "at": iso(at, ZONE), "reason": reason, **more}
        sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
        sys.stdout.buffer.flush()

    def live(self, total: int) -> Bar | None:
        """The live view of the replay, for people only."""
        return Bar(self._console, total) if self._console is not None else None

    def table(self, title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """A table for people."""
        if self._console is None:
            return
        # Nine columns fit the 80 of a plain terminal without a frame.
        table = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2, 0, 0))
        for at, name in enumerate(header):
            table.add_column(name, justify="left" if at == 0 else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)


class Bar:
    """A progress bar over the flights with the newest day's numbers below."""

    def __init__(self, console: Console, total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._task = self._progress.add_task("flights", total=total)
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._draw)
        self._numbers: list[tuple[str, str]] = []
        self._roles: list[str] = []

    def __enter__(self) -> Bar:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, done: int, day: str, numbers: list[tuple[str, str]], roles: list[str]) -> None:
        """Move the bar to `done` flights and put these numbers and versions below it."""
        self._progress.update(self._task, completed=done, description=day)
        self._numbers, self._roles = numbers, roles

    def _draw(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_row(self._progress)
        grid.add_row("   ".join(f"{name} [bold]{value}[/bold]" for name, value in self._numbers))
        grid.add_row("   ".join(self._roles))
        return grid


def _short(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
