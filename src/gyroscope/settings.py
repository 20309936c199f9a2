"""The one settings file, `gyroscope.yaml`, and the one place that reads the environment.

Everybody gets the frozen `Settings` tree; unknown keys and wrong values are errors with file, line and a near word.
Each setting is described where it is declared: `gyro init` and docs/settings.md are written from here.
The file is policy: no part of the product ever rewrites it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from gyroscope.errors import SettingsError
from gyroscope.settings_alerts import NotifierSettings, RuleSettings, faults
from gyroscope.settings_models import Loops, MlflowServer, ModelPolicy, Rollouts
from gyroscope.settings_tree import Section, Setting, describe_tree, read_tree
from gyroscope.yaml_file import Place, parse_yaml

FILE_NAME = "gyroscope.yaml"
RATE = re.compile(r"(\d+(?:\.\d+)?) per (\d+)d")


class Door(Section, frozen=True):
    """Where clients connect."""

    host: Annotated[str, Meta(description="address to listen on; loopback only, unless allow_remote")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="port to listen on")] = 8080
    grpc_port: Annotated[int, Meta(ge=0, le=65_535, description="port for gRPC; 0: it is not spoken")] = 0
    allow_remote: Annotated[
        bool, Meta(description="let other machines connect: in containers, behind an encrypting proxy")
    ] = False
    allowed_hosts: Annotated[tuple[str, ...], Meta(description="further names by which clients call this machine")] = ()
    key_share: Annotated[
        float, Meta(ge=0.01, le=1, description="share of a model's places that one API key may take while others ask")
    ] = 0.5
    repeat_kib: Annotated[
        int,
        Meta(
            ge=16,
            le=65_536,
            description="bodies up to this, KiB, the door sends again itself; larger ones: the repeater",
        ),
    ] = 64


class Serving(Section, frozen=True):
    """How predictions are answered and written down."""

    deadline_s: Annotated[
        float, Meta(ge=0.001, le=60, description="seconds a request may take; a replica stuck longer is replaced")
    ] = 1.0
    body_mib: Annotated[int, Meta(ge=1, le=64, description="largest request body, MiB; a larger one gets 413")] = 1
    max_in_flight: Annotated[
        int, Meta(ge=1, le=10_000, description="most requests in one replica at once; more wait at the door")
    ] = 64
    batch_calls: Annotated[
        int, Meta(ge=1, le=64, description="most requests that one prediction answers, where that is faster; 1: never")
    ] = 64
    warm: Annotated[int, Meta(ge=0, le=8, description="processes that have started and wait to become replicas")] = 1
    idle_after_s: Annotated[
        float, Meta(ge=0, le=2_592_000, description="seconds without a request until a model's replicas end; 0: never")
    ] = 0.0
    log: Annotated[
        Literal["os", "full", "off"], Meta(description="os: log to memory that survives kills; full: to disk")
    ] = "os"
    keep_one_in: Annotated[
        int, Meta(ge=1, le=1_000_000, description="log every error, but of so many answers one, which counts for all")
    ] = 1
    on_log_failure: Annotated[
        Literal["serve_unlogged", "fail_closed"], Meta(description="when it cannot be written")
    ] = "serve_unlogged"
    segment_cap_mib: Annotated[
        int, Meta(ge=4, le=65_536, description="memory one replica's unrecorded predictions may take, MiB")
    ] = 256


class LogKeeping(Section, frozen=True):
    """How long recorded predictions are kept, and the disk they may take; whole days go, the oldest first."""

    retention_days: Annotated[
        int, Meta(ge=0, le=36_500, description="days of event time the log is kept; 0: for ever")
    ] = 0
    budget_gib: Annotated[
        float, Meta(ge=0, le=1_000_000, description="disk all tables together may take, GiB; 0: no limit")
    ] = 20.0


DistanceName = Literal["psi", "js", "hellinger", "ks", "wasserstein", "chi_square", "l_infinity"]


class Thresholds(Section, frozen=True):
    """Plain limits; crossing one is a reading, drawn and listed, that pages nobody."""

    drift_effect: Annotated[
        float, Meta(ge=0, le=10, description="drift effect size w: 0.1 small, 0.3 medium, 0.5 large")
    ] = 0.3
    performance_drop: Annotated[float, Meta(ge=0, le=1, description="loss of a metric against its reference")] = 0.05
    missing_share: Annotated[float, Meta(ge=0, le=1, description="rise of a column's share of missing values")] = 0.05
    distances: Annotated[
        dict[DistanceName, float],
        Meta(description="limits of distances that have a name, such as {psi: 0.2}"),
    ] = {}


class Reference(Section, frozen=True):
    """What becomes the reference of a version that was registered without one."""

    first_days: Annotated[int, Meta(ge=0, le=3_650, description="days of its first predictions; 0: not by days")] = 7
    first_rows: Annotated[int, Meta(ge=0, le=10**9, description="rows of its first predictions; 0: not by rows")] = 0


class Monitoring(Section, frozen=True):
    """Windows of event time and what is looked at in them."""

    window: Annotated[
        Literal["1h", "6h", "1d", "7d"], Meta(description="length of a window; days start at midnight of the time zone")
    ] = "1d"
    timezone: Annotated[str, Meta(description="time zone of days and windows, such as America/New_York")] = "UTC"
    every_s: Annotated[float, Meta(ge=0.05, le=3_600, description="seconds between two rounds of measuring")] = 1.0
    label_wait_days: Annotated[
        int, Meta(ge=0, le=3_650, description="days a label may wait for its prediction before it is set aside")
    ] = 30
    entity_horizon_days: Annotated[
        int, Meta(ge=0, le=3_650, description="days a label of an entity may lie behind the prediction it belongs to")
    ] = 30
    false_alarms: Annotated[
        str, Meta(description="how many false pages of one model are affordable, such as 1 per 30d or 0.5 per 7d")
    ] = "1 per 30d"
    calendar: Annotated[
        dict[str, str],
        Meta(description="days that judge nothing, such as {christmas: 2013-12-24 to 2013-12-26}"),
    ] = {}
    thresholds: Thresholds = Thresholds()
    reference: Reference = Reference()


class LabelSource(Section, frozen=True):
    """A place labels are read from again and again: files by `path`, or a database by `url`; the key is its name."""

    model: Annotated[str, Meta(description="the model that was asked")] = ""
    path: Annotated[
        str, Meta(description="files, such as labels/*.csv; .csv, .parquet and .jsonl; relative to this file")
    ] = ""
    url: Annotated[str, Meta(description="database, as in postgresql+psycopg://user:password@host/name")] = ""
    query: Annotated[
        str, Meta(description="what to ask it; :last is the greatest value of the cursor's column read so far")
    ] = ""
    every_s: Annotated[float, Meta(ge=1, le=2_592_000, description="seconds between two looks at it")] = 60.0
    columns: Annotated[
        dict[str, str], Meta(description="column of each field, such as {request_id: order, value: outcome}")
    ] = {}
    cursor: Annotated[str, Meta(description="column of the query that grows; empty: everything is read again")] = ""
    start: Annotated[int | float | str, Meta(description=":last before anything was read")] = ""

    def __repr__(self) -> str:
        """Without the URL: it may hold a password, and settings may be shown."""
        return f"LabelSource(model={self.model!r}, path={self.path!r})"


class Settings(Section, frozen=True):
    """The whole file. Relative paths are resolved against the file's folder."""

    home: Annotated[
        str, Meta(min_length=1, description="folder of models, predictions and state, relative to this file")
    ] = ".gyroscope"
    runtime_dir: Annotated[
        str, Meta(description="folder in memory for sockets and unrecorded predictions; empty: below /dev/shm")
    ] = ""
    door: Door = Door()
    serving: Serving = Serving()
    log: LogKeeping = LogKeeping()
    monitoring: Monitoring = Monitoring()
    loops: Loops = Loops()
    rollouts: Rollouts = Rollouts()
    mlflow: MlflowServer = MlflowServer()
    models: dict[str, ModelPolicy] = {}
    label_sources: dict[str, LabelSource] = {}
    notifiers: dict[str, NotifierSettings] = {}
    rules: dict[str, RuleSettings] = {}

    @property
    def home_path(self) -> Path:
        return Path(self.home)

    @property
    def runtime_path(self) -> Path:
        """Sockets, heartbeats and segments: on tmpfs, short enough for a socket's name, one per home."""
        if self.runtime_dir:
            return Path(self.runtime_dir)
        digest = hashlib.sha256(str(self.home_path.resolve()).encode()).hexdigest()[:12]
        # Anybody may write there: whoever makes the folder makes it 0700 and refuses one of another owner.
        shm = Path("/dev/shm")  # noqa: S108
        return (shm if shm.is_dir() else Path("/tmp")) / f"gyroscope-{os.getuid()}-{digest}"  # noqa: S108


def find_settings(start: Path) -> Path | None:
    """The nearest `gyroscope.yaml` from a folder upwards; the variable GYROSCOPE_SETTINGS comes first."""
    if chosen := os.environ.get("GYROSCOPE_SETTINGS"):
        return Path(chosen)
    files = (folder / FILE_NAME for folder in (start.resolve(), *start.resolve().parents))
    return next((file for file in files if file.is_file()), None)


def read_settings(path: Path) -> Settings:
    """Read and check one file.

    Raises `SettingsError` naming file and line for anything that is missing, unknown or of the wrong type.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "the settings file cannot be read", where=f"{path}: {error}", fix="run 'gyro init' to write one"
        ) from error
    return parse_settings(text, path)


def secret_of(notifier: NotifierSettings, folder: Path) -> str:
    """The secret a notifier signs with, read anew at each call so that it can be changed under a running house.

    Raises `SettingsError`, which never holds any of it.
    """
    if notifier.secret_env:
        found, where = os.environ.get(notifier.secret_env, ""), f"the environment variable {notifier.secret_env}"
    else:
        path = _resolve(folder, notifier.secret_file)
        where = str(path)
        try:
            found = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            found = ""
    if not found.strip():
        raise SettingsError("there is no secret to sign with", where=where, fix="put it there; the next try reads it")
    return found.strip()


def describe() -> Iterator[Setting]:
    """Every setting in the order of the file, sections before what they hold.

    >>> next(setting for setting in describe() if setting.name == "door.port")
    Setting(name='door.port', kind='whole number, 1 to 65535', default=8080, about='port to listen on')
    """
    return describe_tree(Settings)


def parse_settings(text: str, path: Path = Path(FILE_NAME)) -> Settings:
    """Settings from the text of a file.

    >>> parse_settings("door: {port: 9000}").door.port
    9000
    """
    node, plain = parse_yaml(text, path)
    settings = read_tree(Settings, plain, Place(path, node))
    _check_values(settings, Place(path, node))
    folder = path.resolve().parent
    runtime_dir = str(_resolve(folder, settings.runtime_dir)) if settings.runtime_dir else ""
    return msgspec.structs.replace(settings, home=str(_resolve(folder, settings.home)), runtime_dir=runtime_dir)


def _check_values(settings: Settings, place: Place) -> None:
    """What types cannot say."""
    zone = settings.monitoring.timezone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"no time zone is called {zone!r}",
            where=str(place.child("monitoring").child("timezone")),
            fix="a name such as America/New_York or UTC",
        ) from error
    reference = settings.monitoring.reference
    if not reference.first_days and not reference.first_rows:
        raise SettingsError(
            "no reference can be made of 0 days and 0 rows",
            where=str(place.child("monitoring").child("reference")),
            fix="set first_days or first_rows",
        )
    _check_monitoring(settings, place)
    for key, what, fix in faults(settings.notifiers, settings.rules):
        raise SettingsError(what, where=str(_below(place, key)), fix=fix)
    for name, policy in settings.models.items():
        if policy.bounds.min > policy.bounds.max:
            raise SettingsError(
                f"{name} wants at least {policy.bounds.min} and at most {policy.bounds.max} replicas",
                where=str(place.child("models").child(name).child("replicas")),
                fix="make max at least min",
            )
        if policy.source and not settings.mlflow.tracking_uri:
            raise SettingsError(
                f"{name} comes from an MLflow server that is not named",
                where=str(_below(place, f"models.{name}.source")),
                fix="mlflow: {tracking_uri: http://...}",
            )
    for name, source in settings.label_sources.items():
        if not source.model or bool(source.path) == bool(source.url) or bool(source.url) != bool(source.query):
            raise SettingsError(
                f"{name} is no source of labels",
                where=str(place.child("label_sources").child(name)),
                fix="give it a model, and either a path or a url with a query",
            )
    if not settings.door.allow_remote and not is_loopback(settings.door.host):
        raise SettingsError(
            f"{settings.door.host} can be reached from other machines",
            where=str(place.child("door").child("host")),
            fix="listen on 127.0.0.1, or set door.allow_remote to true",
        )


def _check_monitoring(settings: Settings, place: Place) -> None:
    written = {"monitoring": settings.monitoring.false_alarms}
    written |= {f"models.{name}.monitor": policy.monitor.false_alarms for name, policy in settings.models.items()}
    for dotted, text in written.items():
        if text and not RATE.fullmatch(text):
            raise SettingsError(
                f"{text!r} is no rate of false alarms",
                where=str(_below(place, f"{dotted}.false_alarms")),
                fix="a number per a number of days, such as 1 per 30d",
            )
    for name, days in settings.monitoring.calendar.items():
        try:
            days_of(days)
        except ValueError as error:
            raise SettingsError(
                f"{name} is no stretch of days: {error}",
                where=str(_below(place, f"monitoring.calendar.{name}")),
                fix="a day such as 2013-11-28, or 2013-12-24 to 2013-12-26",
            ) from error


def _below(place: Place, dotted: str) -> Place:
    for key in dotted.split("."):
        place = place.child(key)
    return place


def per_30_days(rate: str) -> float:
    """A rate of false alarms as so many in 30 days.

    >>> per_30_days("1 per 30d"), per_30_days("0.5 per 10d")
    (1.0, 1.5)
    """
    found = RATE.fullmatch(rate)
    if found is None or not int(found[2]):
        raise ValueError(f"{rate!r} is no rate")
    return float(found[1]) * 30 / int(found[2])


def days_of(days: str) -> tuple[date, date]:
    """The first and the last day of an entry of the calendar. Raises `ValueError` for anything else.

    >>> days_of("2013-12-24 to 2013-12-26")
    (datetime.date(2013, 12, 24), datetime.date(2013, 12, 26))
    """
    first, _, last = days.partition(" to ")
    start = date.fromisoformat(first.strip())
    end = date.fromisoformat(last.strip()) if last else start
    if end < start:
        raise ValueError(f"{end} is before {start}")
    return start, end


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("::1")
    (True, True, False, True)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _resolve(folder: Path, path: str) -> Path:
    return (folder / Path(path).expanduser()).resolve()
