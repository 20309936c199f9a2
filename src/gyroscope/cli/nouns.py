"""The nouns of the command line and their verbs.

`commands.py` hangs them into the whole; every verb is a file of its own, imported when its noun is asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import typer


def models() -> typer.Typer:
    from gyroscope.cli.models import add, convert, serve, show
    from gyroscope.cli.models import list as listing

    return noun(
        "The models of this home and their versions.",
        add=add.add,
        list=listing.list_models,
        show=show.show,
        serve=serve.serve,
        convert=convert.convert,
    )


def predictions() -> typer.Typer:
    from gyroscope.cli.predictions import add as predictions_add
    from gyroscope.cli.predictions import erase as predictions_erase
    from gyroscope.cli.predictions import export as predictions_export
    from gyroscope.cli.predictions import query as predictions_query
    from gyroscope.cli.predictions import tail as predictions_tail
    from gyroscope.cli.predictions import verify as predictions_verify

    return noun(
        "What was asked and answered, and what models served elsewhere answered.",
        tail=predictions_tail.tail,
        query=predictions_query.query,
        export=predictions_export.export,
        verify=predictions_verify.verify,
        erase=predictions_erase.erase,
        add=predictions_add.add,
    )


def labels() -> typer.Typer:
    from gyroscope.cli.labels import add as labels_add
    from gyroscope.cli.labels import counts as labels_counts
    from gyroscope.cli.labels import pull as labels_pull
    from gyroscope.cli.labels import refused as labels_refused

    return noun(
        "The outcomes that arrive after the predictions.",
        add=labels_add.add,
        pull=labels_pull.pull,
        counts=labels_counts.counts,
        refused=labels_refused.refused,
    )


def incidents() -> typer.Typer:
    from gyroscope.cli.incidents import list as incidents_list
    from gyroscope.cli.incidents import move as incidents_move
    from gyroscope.cli.incidents import show as incidents_show
    from gyroscope.cli.incidents import trial as incidents_trial

    return noun(
        "What monitors are sure of: one incident per cause.",
        list=incidents_list.list_incidents,
        show=incidents_show.show,
        acknowledge=incidents_move.acknowledge,
        snooze=incidents_move.snooze,
        close=incidents_move.close,
        noise=incidents_move.noise,
        accept=incidents_move.accept,
        test=incidents_trial.test,
    )


def rollouts() -> typer.Typer:
    from gyroscope.cli.rollouts import canary as rollouts_canary
    from gyroscope.cli.rollouts import promote as rollouts_promote
    from gyroscope.cli.rollouts import show as rollouts_show
    from gyroscope.cli.rollouts import start as rollouts_start

    return noun(
        "The way of a challenger: shadow, canary, champion.",
        start=rollouts_start.start,
        show=rollouts_show.show,
        canary=rollouts_canary.canary,
        promote=rollouts_promote.promote,
    )


def monitor() -> typer.Typer:
    from gyroscope.cli.monitor import rehearse as monitor_rehearse
    from gyroscope.cli.monitor import show as monitor_show

    return noun(
        "What monitors see, and what they would have done.",
        show=monitor_show.show,
        rehearse=monitor_rehearse.rehearse,
    )


def scale() -> typer.Typer:
    from gyroscope.cli.explain import explain
    from gyroscope.cli.scale import once as scale_once
    from gyroscope.cli.scale import show as scale_show

    return noun(
        "How many replicas each model has, and why.",
        show=scale_show.show,
        explain=explain,
        once=scale_once.once,
    )


def noun(about: str, **verbs: Callable[..., None]) -> typer.Typer:
    """A part of the command line; the verbs in this order."""
    # No tracebacks with local variables: they could show a key.
    made = typer.Typer(help=about, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    for name, verb in verbs.items():
        made.command(name)(verb)
    return made


NOUNS = {one.__name__: one for one in (models, predictions, labels, incidents, rollouts, monitor, scale)}
"""By name."""
