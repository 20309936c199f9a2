"""What every command prints with: lines, tables, JSON, and errors in words.

Texts of users, models and servers go through `plain`: no markup or control character of theirs reaches the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from gyroscope.errors import GyroscopeError
from gyroscope.records import Route

if TYPE_CHECKING:
    from gyroscope.assembly.rolling import Moved


def say(text: str) -> None:
    """One line on stdout."""
    typer.echo(plain(text))


def warn(text: str) -> None:
    """One line on stderr, for what a person should know and a program should not parse."""
    typer.echo(plain(text), err=True)


def print_json(value: Any) -> None:
    """One JSON object on one line of stdout; paths as texts."""
    typer.echo(msgspec.json.encode(value, enc_hook=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout, as wide as its content; nothing in a cell is read as markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(plain(str(cell))) for cell in row))
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        # Into a file or a pipe nothing is folded: a program or a search reads whole lines.
        console.width = 10_000
    console.print(table)


def explain(error: GyroscopeError, *, as_json: bool) -> None:
    """Tell on stderr what happened, where and how to fix it."""
    if as_json:
        fields = {"error": type(error).__name__, "what": error.what, "where": error.where, "fix": error.fix}
        sys.stderr.write(msgspec.json.encode(fields).decode() + "\n")
    else:
        sys.stderr.write(plain(str(error)) + "\n")


def plain(text: str) -> str:
    """The text with every control character but newline and tab shown instead of obeyed.

    >>> plain("red \\x1b[31m")
    'red \\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def tell_move(moved: Moved, *, dry_run: bool, as_json: bool) -> None:
    """What a step of a rollout changed, or would change."""
    if as_json:
        print_json(moved)
    else:
        before = routes_text(moved.before) or "none"
        say(f"{'would serve' if dry_run else 'serving'} {routes_text(moved.after)} (before: {before})")


def routes_text(routes: Iterable[Route]) -> str:
    """Which version gets which share, in one line; empty when none is served."""
    return ", ".join(
        " ".join(
            (
                route.version,
                *([f"{route.share:.0%}"] if route.share or route.role in ("champion", "canary") else []),
                *([route.role] if route.role in ("shadow", "standby") else []),
            )
        )
        for route in routes
    )
