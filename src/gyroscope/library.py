"""A home from a script or a notebook: predictions read as data frames, predictions made elsewhere written down.

`import gyroscope` offers `predictions` and `log` from here. Both work on the folders of a home on this machine;
nothing needs to run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from gyroscope.alerts import Incident
from gyroscope.assembly.house import House
from gyroscope.assembly.ingest import ingesting, version_for
from gyroscope.assembly.reading import selection
from gyroscope.assembly.rehearsal import Rehearsal, rehearsed
from gyroscope.clock import EventTime, event_time_of, parse_event_time, wall_now
from gyroscope.errors import InputError, SettingsError, did_you_mean
from gyroscope.ids import new_id
from gyroscope.models.signature import infer_signature
from gyroscope.models.store import Candidate
from gyroscope.predictions.ingest.cells import names
from gyroscope.predictions.ingest.given import Given
from gyroscope.predictions.reading.selection import LAST_TIME, Selection
from gyroscope.predictions.tables.table import FIRST_TIME
from gyroscope.records import Task, Version
from gyroscope.settings import FILE_NAME, find_settings, per_30_days
from gyroscope.sources import read_columns

Time = str | datetime | None
Home = str | PathLike[str] | None
SHOWN = 5


class Predictions:
    """The log of one model, as far as its recorder has come: a second behind the answers."""

    def __init__(self, house: House, model: str) -> None:
        self._house = house
        self._model = model

    def window(self, start: Time = None, end: Time = None, *, labels: bool = False) -> Selection:
        """The predictions with an event time in [start, end), not read yet.

        Times are ISO 8601 or datetimes, in UTC where they name no zone; None is no bound. With `labels` a column
        `label` holds what became of each prediction, missing where nobody knows.
        """
        first = FIRST_TIME if start is None else _time(start)
        return selection(self._house, self._model, first, LAST_TIME if end is None else _time(end), labels=labels)


class LogDetails(TypedDict, total=False):
    """What may be said of each row besides its inputs and outputs, and where to write it."""

    version: str
    entity_keys: Sequence[str]
    latency_ms: Sequence[float]
    statuses: Sequence[int]
    errors: Sequence[str]
    variant: Literal["live", "canary", "shadow"]
    home: Home
    register: bool
    task: Task
    classes: Sequence[str]


def predictions(model: str, home: Home = None) -> Predictions:
    """What a model was asked and answered.

    Parameters
    ----------
    model : str
        Its name.
    home : path, optional
        A settings file, or a folder that has one; else the nearest `gyroscope.yaml` from here upwards.

    Returns
    -------
    Predictions
        `.window(start, end)` chooses rows; `.arrow()`, `.polars()`, `.pandas()` and `.sql(query)` of that read them.

    Raises
    ------
    SettingsError
        When there is no settings file.
    ModelError
        When no model has this name.
    """
    house = _house(home)
    house.signature_of(model)
    return Predictions(house, model)


def incidents(model: str = "", home: Home = None) -> list[Incident]:
    """What monitors are sure of, what needs a person first; of all models when none is named.

    Raises `SettingsError` and `ModelError` as `predictions`.
    """
    house = _house(home)
    if model:
        house.signature_of(model)
    return house.incidents.all(model)


def rehearse(model: str, false_alarms: str = "1 per 30d", home: Home = None) -> Rehearsal:
    """The incidents that a budget of false alarms would have opened on a model's own history; it changes nothing.

    Raises `InputError` for a budget that is no rate, else as `predictions`.
    """
    house = _house(home)
    house.signature_of(model)
    try:
        return rehearsed(house, model, wall_now(), per_30_days(false_alarms))
    except ValueError as error:
        raise InputError(str(error), where="false_alarms", fix="such as 1 per 30d") from error


def log(
    model: str,
    inputs: Any,
    outputs: Any,
    request_ids: Sequence[str] | None = None,
    event_times: Any = None,
    **details: Unpack[LogDetails],
) -> list[str]:
    """Write down what a model that runs elsewhere answered; when this returns it is written.

    Parameters
    ----------
    model : str
        Its name; it must have been added (`gyro models add NAME --external`), unless `register` is true.
    inputs : data frame, mapping of columns, or list of records
        One row per prediction, a column per feature. Columns that the signature does not name are left out.
    outputs : array, data frame or list
        (n,), or (n, classes) for a multiclass model.
    request_ids : list of str, optional
        Made where not given. Labels name them, and a row that is logged again under its id is recorded once.
    event_times : list, array or column, optional
        When each happened: ISO 8601, seconds since 1970, or datetimes; else now.
    **details
        `version`, `entity_keys`, `latency_ms`, `statuses`, `errors`, `variant`, `home`; with `register=True` an unknown
        model is added with a signature inferred from these rows, for which `task` and `classes` may say what it is.

    Returns
    -------
    list of str
        The request ids, in the order of the rows.

    Raises
    ------
    InputError
        When a row does not fit the signature; then nothing is written.
    StoreError
        When there is no room for too long.
    """
    unknown = sorted(set(details) - set(LogDetails.__annotations__))
    if unknown:
        known = ("request_ids", "event_times", *LogDetails.__annotations__)
        raise InputError(f"log() takes no {unknown[0]!r}", where="the call", fix=did_you_mean(unknown[0], known))
    house = _house(details.get("home"))
    columns = _columns(inputs)
    answers = _answers(outputs)
    version = _version(house, model, columns, answers, details)
    now = wall_now()
    ids = names(list(request_ids)) if request_ids is not None else [new_id(now) for _ in answers]
    given = Given(
        request_id=ids,
        inputs=columns,
        outputs=list(answers.T),
        event_time=_as_column(event_times),
        entity_key=names(list(details["entity_keys"])) if "entity_keys" in details else None,
        latency_ms=details.get("latency_ms"),
        status=details.get("statuses"),
        error=details.get("errors"),
        variant=[details["variant"]] * len(ids) if "variant" in details else None,
    )
    _check_lengths(given)
    with ingesting(house, version) as ingest:
        checked = ingest.check(given, now)
        if checked.refused:
            raise _refused(checked.refused)
        ingest.write(checked)
    return ids


def _house(home: Home) -> House:
    if home is None:
        found = find_settings(Path.cwd())
        if found is None:
            raise SettingsError(
                f"there is no {FILE_NAME} here or in a folder above", where=str(Path.cwd()), fix="name one: home=..."
            )
        return House(found)
    path = Path(home)
    return House(path / FILE_NAME if path.is_dir() else path)


def _time(time: str | datetime) -> EventTime:
    try:
        if isinstance(time, str):
            return parse_event_time(time)
        return event_time_of(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, TypeError) as error:
        raise InputError(f"{time!r} is no time", where="window", fix="ISO 8601, or a datetime") from error


def _columns(inputs: Any) -> dict[str, Any]:
    """Columns by feature; records become columns, a single record one row."""
    if isinstance(inputs, Mapping) and not any(_is_column(value) for value in inputs.values()):
        inputs = [inputs]
    if isinstance(inputs, list | tuple):
        names = dict.fromkeys(name for record in inputs for name in record)
        return {str(name): [record.get(name) for record in inputs] for name in names}
    return dict(read_columns(inputs))


def _is_column(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__len__")


def _answers(outputs: Any) -> NDArray[np.float64]:
    """(n, width)."""
    try:
        found = np.asarray(outputs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the outputs are no numbers: {error}", where="outputs", fix="one number a row") from error
    if found.ndim > 2:
        raise InputError(f"the outputs have the shape {found.shape}", where="outputs", fix="(n,) or (n, classes)")
    return found.reshape(-1, 1) if found.ndim < 2 else found


def _as_column(values: Any) -> Any:
    return None if values is None else values if isinstance(values, list | tuple) else np.asarray(values)


def _version(
    house: House, model: str, columns: dict[str, Any], answers: NDArray[np.float64], details: LogDetails
) -> Version:
    if not details.get("register") or model in house.models.models():
        return version_for(house, model, details.get("version", ""))
    guess: Task = "multiclass" if answers.shape[1] > 1 else "binary"
    if guess == "binary" and np.any((answers < 0) | (answers > 1)):
        guess = "regression"
    task = details.get("task", guess)
    classes = tuple(details.get("classes", ())) or tuple(str(index) for index in range(answers.shape[1]))
    arrays = {name: values if isinstance(values, np.ndarray) else _array(values) for name, values in columns.items()}
    signature = infer_signature(arrays, task, classes=classes if task == "multiclass" else ())
    candidate = Candidate(model=model, runner="external", signature=signature, entry=details.get("version", ""))
    version = house.models.add(candidate, wall_now())
    features = ", ".join(f"{feature.name} ({feature.dtype})" for feature in signature.features)
    sys.stderr.write(f"gyroscope: added {model} {version.version}, served elsewhere: {task} of {features}\n")
    return version


def _array(values: Sequence[Any]) -> NDArray[Any]:
    found = np.asarray(values)
    return np.asarray(values, dtype=object) if found.dtype.kind in "USO" else found


def _check_lengths(given: Given) -> None:
    n = len(given.request_id)
    lengths = {name: len(values) for name, values in given.inputs.items()}
    lengths["outputs"] = len(given.outputs[0]) if given.outputs else 0
    for name in ("event_time", "entity_key", "latency_ms", "status", "error"):
        values = getattr(given, name)
        if values is not None:
            lengths[name] = len(values)
    for name, length in lengths.items():
        if length != n:
            raise InputError(f"{name} has {length} rows, the request ids {n}", where=name, fix="one value a row")


def _refused(refused: list[tuple[int, str]]) -> InputError:
    shown = "; ".join(f"row {row}: {reason}" for row, reason in refused[:SHOWN])
    more = f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    return InputError(f"{len(refused)} rows do not fit, nothing was written: {shown}{more}", where="inputs")
