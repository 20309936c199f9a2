"""The table of commands: which noun and verb runs which file.

`main` builds the shell from it, the reference in docs/cli.md is written from it. A command's file imports what is
heavy inside its function, so that `gyro --help` stays quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

import gyroscope
from gyroscope.cli import (
    backup,
    compare,
    demo,
    doctor,
    down,
    explain,
    init,
    link,
    nouns,
    predict,
    profile,
    restore,
    retrain,
    rollback,
    simulate,
    status,
    up,
)
from gyroscope.cli.open import open_page


def gyro() -> typer.Typer:
    """The whole command line."""
    shell = nouns.noun("Machine-learning models in production, kept accurate, observable and fast.")
    shell.callback()(_every_command)
    shell.command("init")(init.init)
    shell.command("doctor")(doctor.doctor)
    shell.add_typer(nouns.models(), name="models")
    shell.command("up")(up.up)
    shell.command("status")(status.status)
    shell.command("link")(link.link)
    shell.command("open")(open_page)
    shell.command("predict")(predict.predict)
    shell.add_typer(nouns.predictions(), name="predictions")
    shell.add_typer(nouns.labels(), name="labels")
    shell.add_typer(nouns.incidents(), name="incidents")
    shell.add_typer(nouns.rollouts(), name="rollouts")
    shell.add_typer(nouns.scale(), name="scale")
    shell.command("simulate")(simulate.simulate)
    shell.command("rollback")(rollback.rollback)
    shell.command("retrain")(retrain.retrain)
    shell.command("explain")(explain.explain)
    shell.add_typer(nouns.monitor(), name="monitor")
    shell.command("backup")(backup.backup)
    shell.command("restore")(restore.restore)
    shell.command("down")(down.down)
    shell.command("profile")(profile.profile)
    shell.command("compare")(compare.compare)
    shell.command("demo")(demo.demo)
    return shell


def narrowed(shell: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """A shell without the nouns that are not asked for: making all fifty commands takes longer than most of them do."""
    commands, groups = shell.registered_commands, shell.registered_groups
    if words and words[0] in {one.name for one in commands} | {one.name for one in groups}:
        shell.registered_commands = [one for one in commands if one.name == words[0]]
        shell.registered_groups = [one for one in groups if one.name == words[0]]
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
