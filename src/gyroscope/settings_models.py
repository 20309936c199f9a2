"""Settings of each model and of the loops that act on models: sections of `gyroscope.yaml`.

`settings.py` puts them into the tree and is who everybody asks. Nothing here reads a file or the environment.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gyroscope.settings_tree import Section


class ModelMonitor(Section, frozen=True):
    """How one model is judged, where the defaults from its signature and reference do not fit."""

    enabled: Annotated[bool, Meta(description="false: it is measured, and nothing becomes an incident")] = True
    false_alarms: Annotated[str, Meta(description="as monitoring.false_alarms, for this model; empty: as there")] = ""
    metrics: Annotated[
        tuple[str, ...], Meta(description="metrics whose fall may page; empty: the one that fits its task")
    ] = ()
    tolerance: Annotated[
        float,
        Meta(ge=0, le=5, description="worse by so many standard deviations between normal windows is no incident"),
    ] = 0.25
    minimum_effect: Annotated[
        float, Meta(ge=0, le=10, description="drift effect size w below which a change is a reading, no incident")
    ] = 0.1
    segments: Annotated[
        tuple[str, ...], Meta(description="columns whose values part the rows: performance is judged in each")
    ] = ()
    ignore: Annotated[tuple[str, ...], Meta(description="columns that are measured and never judged")] = ()
    made_from: Annotated[
        dict[str, str],
        Meta(description="source of columns that are computed, as {age_squared: age}"),
    ] = msgspec.field(default_factory=dict)


MostReplicas = Annotated[int, Meta(ge=1, le=256)]


class Replicas(Section, frozen=True):
    """Between which numbers of replicas the loop `scaling` may choose."""

    min: MostReplicas = 1
    max: MostReplicas = 1


class Slo(Section, frozen=True):
    """What its clients are promised; the size of the model follows from it."""

    p99_ms: Annotated[
        float, Meta(ge=0, le=60_000, description="time 99 of 100 requests may take; 0: serving.deadline_s")
    ] = 0.0
    availability: Annotated[
        float, Meta(ge=50, le=99.999, description="of 100 requests, those that must find room before they are refused")
    ] = 99.9


class Retrain(Section, frozen=True):
    """When and how a model is trained anew from its own labelled predictions."""

    train: Annotated[
        str, Meta(description="its training function, as in train.py:train, relative to this file; empty: never")
    ] = ""
    on_incident: Annotated[bool, Meta(description="train when an incident says that it got worse")] = True
    every_days: Annotated[float, Meta(ge=0, le=3_650, description="train every so many days of event time; 0: not")] = (
        0.0
    )
    new_labels: Annotated[int, Meta(ge=0, le=10**10, description="train after so many new labelled rows; 0: not")] = 0
    least_rows: Annotated[int, Meta(ge=1, le=10**10, description="labelled rows it takes at least")] = 1_000
    span_days: Annotated[
        float, Meta(ge=0, le=36_500, description="days of event time, up to now, it is trained on; 0: all")
    ] = 0.0
    folds: Annotated[
        int,
        Meta(
            ge=0,
            le=20,
            description="twins that make its reference, each judges a fold it has not seen; 0: no reference",
        ),
    ] = 0
    cool_down_hours: Annotated[
        float, Meta(ge=0, le=87_600, description="hours of event time between two trainings")
    ] = 24.0
    per_day: Annotated[int, Meta(ge=1, le=1_000, description="most trainings in a day of event time")] = 2
    timeout_s: Annotated[float, Meta(ge=1, le=10**7, description="seconds a training may take")] = 3_600.0
    memory_gib: Annotated[float, Meta(ge=0.1, le=100_000, description="memory a training may ask for, GiB")] = 8.0


class ModelPolicy(Section, frozen=True):
    """What one model gets; the key in the file is its name."""

    replicas: Annotated[
        MostReplicas | Replicas, Meta(description="processes that answer for it: a number, or {min: 1, max: 8} by load")
    ] = 1
    shrink_after_s: Annotated[
        float, Meta(ge=1, le=86_400, description="seconds in which fewer replicas were always enough, before some go")
    ] = 120.0
    slo: Slo = Slo()
    keep_one_in: Annotated[
        int, Meta(ge=0, le=1_000_000, description="as serving.keep_one_in, for this model; 0: as there")
    ] = 0
    threads: Annotated[int, Meta(ge=1, le=256, description="threads one of its processes may use for a prediction")] = 1
    batch_calls: Annotated[
        int, Meta(ge=0, le=64, description="as serving.batch_calls, for this model; 0: as there")
    ] = 0
    retention_days: Annotated[
        int, Meta(ge=-1, le=36_500, description="days its log is kept; 0: for ever, -1: as log.retention_days")
    ] = -1
    budget_gib: Annotated[
        float, Meta(ge=0, le=1_000_000, description="disk its own log may take, GiB; 0: its part of log.budget_gib")
    ] = 0.0
    monitor: ModelMonitor = ModelMonitor()
    retrain: Retrain = Retrain()
    source: Annotated[
        str,
        Meta(
            pattern="^(models:/[^/@]+@[^/@]+)?$",
            description="alias in MLflow, as models:/churn@next: what it newly names becomes a challenger",
        ),
    ] = ""

    @property
    def bounds(self) -> Replicas:
        """The least and the most replicas; a plain number is both."""
        return self.replicas if isinstance(self.replicas, Replicas) else Replicas(self.replicas, self.replicas)


Switch = Literal["off", "propose", "act"]
Share = Annotated[float, Meta(ge=0.0001, le=1)]  # the door draws from ten thousand


class Rollouts(Section, frozen=True):
    """What a challenger has to show on its way to champion."""

    needs: Annotated[
        Literal["better", "no_worse", "nothing"],
        Meta(description="what labels must show in the shadow"),
    ] = "better"
    margin: Annotated[
        float, Meta(ge=0, le=1_000, description="by how much better, or how much worse it may be, in units of the loss")
    ] = 0.0
    most_errors: Annotated[
        float, Meta(ge=0, le=1, description="errors beyond the champion's, of all requests, that must be ruled out")
    ] = 0.01
    most_slow: Annotated[
        float,
        Meta(ge=0, le=1, description="answers slower than twice the champion's median that must be ruled out"),
    ] = 0.05
    steps: Annotated[
        tuple[Share, ...],
        Meta(min_length=1, description="shares of the requests a canary is offered, one after another"),
    ] = (
        0.01,
        0.05,
        0.25,
    )
    step_s: Annotated[float, Meta(ge=0, le=10**7, description="seconds the shadow and each step last at least")] = 600.0
    requests: Annotated[
        int, Meta(ge=1, le=10**9, description="requests of the challenger that each takes at least")
    ] = 500
    start_s: Annotated[float, Meta(ge=1, le=86_400, description="seconds its replicas may take to be ready")] = 120.0
    most_days: Annotated[float, Meta(ge=0.01, le=3_650, description="days after which it is taken back undecided")] = (
        60.0
    )
    holdback: Annotated[
        float,
        Meta(ge=0.0001, le=0.5, description="share of the requests that stays with the champion before, meanwhile"),
    ] = 0.05
    holdback_s: Annotated[
        float,
        Meta(ge=0, le=10**7, description="seconds a new champion is watched at least, by the one before; 0: not"),
    ] = 3_600.0
    warm_s: Annotated[float, Meta(ge=0, le=10**7, description="seconds the champion before stands by after that")] = (
        86_400.0
    )
    copies: Annotated[float, Meta(ge=0, le=1, description="share of the requests that a shadow is sent copies of")] = (
        1.0
    )


class MlflowServer(Section, frozen=True):
    """The MLflow server that models come from as models:/name@alias; aliases and tags there follow their rollouts."""

    tracking_uri: Annotated[
        str, Meta(pattern="^(https?://.+)?$", description="its address, as http://127.0.0.1:5000; empty: none")
    ] = ""
    credentials: Annotated[
        str, Meta(description="file with user:password or a token, relative to this file; empty: it asks for none")
    ] = ""


class Loops(Section, frozen=True):
    """What runs by itself. propose: it decides and writes down what it would do."""

    scaling: Annotated[Switch, Meta(description="replicas follow the load, where there is a choice")] = "act"
    retraining: Annotated[Switch, Meta(description="train a challenger when one of its triggers says so")] = "propose"
    promotion: Annotated[Switch, Meta(description="move a challenger on: from shadow to canary to champion")] = (
        "propose"
    )
    rollback: Annotated[Switch, Meta(description="take a version back that harms")] = "act"
