"""The one settings file, `gyroscope.yaml`, and the one place that reads the environment.

Everybody gets the frozen `Settings` tree; unknown keys and wrong types are errors that name file, line and a near word.
The file is policy: no part of the product ever writes it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from gyroscope.errors import SettingsError, did_you_mean

FILE_NAME = "gyroscope.yaml"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file: unknown keys are refused."""


class Door(Section, frozen=True):
    """Where clients connect. Only loopback addresses unless `allow_remote` is true."""

    host: str = "127.0.0.1"
    port: int = 8080
    allow_remote: bool = False
    allowed_hosts: tuple[str, ...] = ()


class Serving(Section, frozen=True):
    """How predictions are answered and written down."""

    deadline_s: float = 1.0
    body_mib: int = 1
    max_in_flight: int = 8
    log: Literal["os", "off"] = "os"
    on_log_failure: Literal["serve_unlogged", "fail_closed"] = "serve_unlogged"
    segment_cap_mib: int = 256


class Thresholds(Section, frozen=True):
    """Plain limits; crossing one is a reading, drawn and listed, that pages nobody."""

    drift_effect: float = 0.3
    performance_drop: float = 0.05
    missing_share: float = 0.05


class Reference(Section, frozen=True):
    """What becomes the reference of a version that was registered without one."""

    first_days: int = 7
    first_rows: int = 0


class Monitoring(Section, frozen=True):
    """Windows of event time and what is looked at in them."""

    window: Literal["1h", "6h", "1d", "7d"] = "1d"
    timezone: str = "UTC"
    every_s: float = 1.0
    label_wait_days: int = 30
    thresholds: Thresholds = Thresholds()
    reference: Reference = Reference()


class ModelPolicy(Section, frozen=True):
    """What one model gets; the key in the file is its name."""

    replicas: int = 1


class Settings(Section, frozen=True):
    """The whole file. `home` is resolved against the file's folder."""

    home: str = ".gyroscope"
    runtime_dir: str = ""
    door: Door = Door()
    serving: Serving = Serving()
    monitoring: Monitoring = Monitoring()
    models: dict[str, ModelPolicy] = {}

    @property
    def home_path(self) -> Path:
        return Path(self.home)

    @property
    def runtime_path(self) -> Path:
        """Sockets, heartbeats and segments: on tmpfs, short enough for a socket's name, one per home."""
        if self.runtime_dir:
            return Path(self.runtime_dir)
        digest = hashlib.sha256(str(self.home_path.resolve()).encode()).hexdigest()[:12]
        shm = Path("/dev/shm")
        return (shm if shm.is_dir() else Path("/tmp")) / f"gyroscope-{os.getuid()}-{digest}"


def find_settings(start: Path) -> Path | None:
    """The nearest `gyroscope.yaml` from a folder upwards; the variable GYROSCOPE_SETTINGS comes first."""
    chosen = os.environ.get("GYROSCOPE_SETTINGS")
    if chosen:
        return Path(chosen)
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


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


def parse_settings(text: str, path: Path = Path(FILE_NAME)) -> Settings:
    """Settings from the text of a file.

    >>> parse_settings("door: {port: 9000}").door.port
    9000
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        plain = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise SettingsError(
            f"this is not YAML: {getattr(error, 'problem', error)}", where=f"{path}{line}", fix="mend the line"
        ) from error
    _check(Settings, plain, node, path, "")
    settings = msgspec.convert(plain, Settings, strict=False)
    _check_values(settings, node, path)
    return msgspec.structs.replace(settings, home=str(_resolve(path, settings.home)))


def _resolve(path: Path, home: str) -> Path:
    return (path.resolve().parent / Path(home).expanduser()).resolve()


def _check(kind: Any, plain: Any, node: yaml.Node | None, path: Path, dotted: str) -> None:
    """Walk the tree so that every complaint carries its own line."""
    if not isinstance(plain, dict):
        line = node.start_mark.line + 1 if node else 1
        raise SettingsError(
            f"{dotted or 'the file'} must be a mapping of keys", where=f"{path}:{line}", fix="indent its keys under it"
        )
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in plain.items():
        child = _child(node, key)
        where = f"{path}:{child.start_mark.line + 1 if child else 1}  {dotted}{key}"
        if key not in fields:
            raise SettingsError(f"no setting is called {dotted}{key}", where=where, fix=did_you_mean(str(key), fields))
        _check_field(fields[key], value, child, path, f"{dotted}{key}.", where)


def _check_field(kind: Any, value: Any, node: yaml.Node | None, path: Path, dotted: str, where: str) -> None:
    if isinstance(kind, type) and issubclass(kind, Section):
        _check(kind, value, node, path, dotted)
    elif kind == dict[str, ModelPolicy]:
        if not isinstance(value, dict):
            raise SettingsError("models must map names to policies", where=where, fix="models: {flights: {replicas: 2}}")
        for name, policy in value.items():
            _check(ModelPolicy, policy, _child(node, name), path, f"{dotted}{name}.")
    else:
        try:
            msgspec.convert(value, kind, strict=not isinstance(value, int))
        except msgspec.ValidationError as error:
            raise SettingsError(f"wrong value {value!r}: {error}", where=where, fix="see docs/settings.md") from error


def _check_values(settings: Settings, node: yaml.Node | None, path: Path) -> None:
    """What types cannot say."""
    zone = settings.monitoring.timezone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(
            f"no time zone is called {zone!r}",
            where=_where(node, path, "monitoring", "timezone"),
            fix="a name such as America/New_York or UTC",
        ) from error
    limits = [
        ("door", "port", settings.door.port, 1, 65_535),
        ("serving", "deadline_s", settings.serving.deadline_s, 0.001, 60),
        ("serving", "body_mib", settings.serving.body_mib, 1, 64),
        ("serving", "max_in_flight", settings.serving.max_in_flight, 1, 10_000),
        ("monitoring", "every_s", settings.monitoring.every_s, 0.05, 3_600),
    ]
    for section, key, value, low, high in limits:
        if not low <= value <= high:
            raise SettingsError(
                f"{section}.{key} = {value} is outside {low} to {high}",
                where=_where(node, path, section, key),
                fix=f"choose a value from {low} to {high}",
            )


def _where(node: yaml.Node | None, path: Path, *keys: str) -> str:
    for key in keys:
        node = _child(node, key) or node
    line = node.start_mark.line + 1 if node else 1
    return f"{path}:{line}  {'.'.join(keys)}"


def _child(node: yaml.Node | None, key: Any) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for name, child in node.value:
            if name.value == str(key):
                return child  # type: ignore[no-any-return]
    return None
