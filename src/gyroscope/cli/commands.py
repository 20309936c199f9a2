"""The table of commands: which noun and verb runs which file.

`main` builds the shell from it, the reference in docs/cli.md is written from it. A command's file imports what is
heavy inside its function, so that `gyro --help` stays quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

import gyroscope
from gyroscope.cli import (
    backup,
    compare,
    demo,
    doctor,
    down,
    init,
    link,
    predict,
    profile,
    restore,
    rollback,
    status,
    up,
)
from gyroscope.cli.incidents import list as incidents_list
from gyroscope.cli.incidents import move as incidents_move
from gyroscope.cli.incidents import show as incidents_show
from gyroscope.cli.labels import add as labels_add
from gyroscope.cli.labels import counts as labels_counts
from gyroscope.cli.labels import pull as labels_pull
from gyroscope.cli.labels import refused as labels_refused
from gyroscope.cli.models import add, convert, serve, show
from gyroscope.cli.models import list as listing
from gyroscope.cli.monitor import rehearse as monitor_rehearse
from gyroscope.cli.monitor import show as monitor_show
from gyroscope.cli.open import open_page
from gyroscope.cli.predictions import add as predictions_add
from gyroscope.cli.predictions import erase as predictions_erase
from gyroscope.cli.predictions import export as predictions_export
from gyroscope.cli.predictions import query as predictions_query
from gyroscope.cli.predictions import tail as predictions_tail
from gyroscope.cli.predictions import verify as predictions_verify
from gyroscope.cli.rollouts import canary as rollouts_canary
from gyroscope.cli.rollouts import promote as rollouts_promote
from gyroscope.cli.scale import explain as scale_explain
from gyroscope.cli.scale import once as scale_once
from gyroscope.cli.scale import show as scale_show


def gyro() -> typer.Typer:
    """The whole command line."""
    shell = _noun("Machine-learning models in production, kept accurate, observable and fast.")
    shell.callback()(_every_command)
    shell.command("init")(init.init)
    shell.command("doctor")(doctor.doctor)
    shell.add_typer(_models(), name="models")
    shell.command("up")(up.up)
    shell.command("status")(status.status)
    shell.command("link")(link.link)
    shell.command("open")(open_page)
    shell.command("predict")(predict.predict)
    shell.add_typer(_predictions(), name="predictions")
    shell.add_typer(_labels(), name="labels")
    shell.add_typer(_incidents(), name="incidents")
    shell.add_typer(_rollouts(), name="rollouts")
    shell.add_typer(_scale(), name="scale")
    shell.command("rollback")(rollback.rollback)
    shell.add_typer(_monitor(), name="monitor")
    shell.command("backup")(backup.backup)
    shell.command("restore")(restore.restore)
    shell.command("down")(down.down)
    shell.command("profile")(profile.profile)
    shell.command("compare")(compare.compare)
    shell.command("demo")(demo.demo)
    return shell


def _models() -> typer.Typer:
    noun = _noun("The models of this home and their versions.")
    noun.command("add")(add.add)
    noun.command("list")(listing.list_models)
    noun.command("show")(show.show)
    noun.command("serve")(serve.serve)
    noun.command("convert")(convert.convert)
    return noun


def _predictions() -> typer.Typer:
    noun = _noun("What was asked and answered, and what models served elsewhere answered.")
    noun.command("tail")(predictions_tail.tail)
    noun.command("query")(predictions_query.query)
    noun.command("export")(predictions_export.export)
    noun.command("verify")(predictions_verify.verify)
    noun.command("erase")(predictions_erase.erase)
    noun.command("add")(predictions_add.add)
    return noun


def _labels() -> typer.Typer:
    noun = _noun("The outcomes that arrive after the predictions.")
    noun.command("add")(labels_add.add)
    noun.command("pull")(labels_pull.pull)
    noun.command("counts")(labels_counts.counts)
    noun.command("refused")(labels_refused.refused)
    return noun


def _incidents() -> typer.Typer:
    noun = _noun("What monitors are sure of: one incident per cause.")
    noun.command("list")(incidents_list.list_incidents)
    noun.command("show")(incidents_show.show)
    noun.command("acknowledge")(incidents_move.acknowledge)
    noun.command("close")(incidents_move.close)
    noun.command("noise")(incidents_move.noise)
    noun.command("accept")(incidents_move.accept)
    return noun


def _rollouts() -> typer.Typer:
    noun = _noun("The way of a challenger: shadow, canary, champion.")
    noun.command("canary")(rollouts_canary.canary)
    noun.command("promote")(rollouts_promote.promote)
    return noun


def _monitor() -> typer.Typer:
    noun = _noun("What monitors see, and what they would have done.")
    noun.command("show")(monitor_show.show)
    noun.command("rehearse")(monitor_rehearse.rehearse)
    return noun


def _scale() -> typer.Typer:
    noun = _noun("How many replicas each model has, and why.")
    noun.command("show")(scale_show.show)
    noun.command("explain")(scale_explain.explain)
    noun.command("once")(scale_once.once)
    return noun


def _noun(about: str) -> typer.Typer:
    # No tracebacks with local variables: they could show a key.
    return typer.Typer(help=about, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


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
