"""The table of commands: which noun and verb runs which file.

`main` builds the shell from it, the reference in docs/cli.md is written from it. Only the file of the command that is
asked for is imported, and it imports what is heavy inside its function.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated

import typer

import gyroscope
from gyroscope.cli.nouns import NOUNS, noun

_WORDS = (
    *("init", "doctor", "models", "up", "status", "link", "open", "predict", "predictions", "labels", "incidents"),
    *("rollouts", "scale", "simulate", "rollback", "retrain", "explain", "monitor", "backup", "restore", "down"),
    *("profile", "compare", "demo"),
)
_OTHERWISE = {"open": "open_page"}
"""A verb's function has its name, where that is no function of Python."""


def gyro(words: Sequence[str] = ()) -> typer.Typer:
    """The command line, whole, or only what is asked for: to import and make all of it takes longer than most commands.

    `words` are those behind `gyro`; the first of them names a command or not.
    """
    shell = noun("Machine-learning models in production, kept accurate, observable and fast.")
    shell.callback()(_every_command)
    for word in words[:1] if words and words[0] in _WORDS else _WORDS:
        if word in NOUNS:
            shell.add_typer(NOUNS[word](), name=word)
        else:
            file = importlib.import_module(f"gyroscope.cli.{word}")
            shell.command(word)(getattr(file, _OTHERWISE.get(word, word)))
    return shell


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"gyroscope {gyroscope.__version__}")
        raise typer.Exit


def _every_command(
    version: Annotated[
        bool, typer.Option("--version", help="print the version and end", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """Machine-learning models in production, kept accurate, observable and fast."""
