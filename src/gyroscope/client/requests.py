"""What a program asks of a running house: predictions, and labels for them; each a conversation not held yet.

`Client` and `AsyncClient` offer these methods; how one waits is theirs. Nothing here touches a socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from gyroscope.client.bodies import decode, encode
from gyroscope.client.conversation import Message, Steps, converse
from gyroscope.client.retries import Budget
from gyroscope.client.table import read_table
from gyroscope.client.wire import Origin
from gyroscope.clock import wall_now
from gyroscope.errors import InputError
from gyroscope.ids import new_id

Moment = str | float | datetime
_LABELS_A_REQUEST = 5_000


class Answer(msgspec.Struct, frozen=True):
    """What a model said: `predictions` is (n,), or (n, classes). A label names `request_id` and the place of its row.

    `logged` says how safe the record is: os, full, sampled or no. `attempts` is how often it was asked.
    """

    predictions: NDArray[np.float64]
    request_id: str
    version: str
    logged: str
    attempts: int


class LabelReport(msgspec.Struct, frozen=True):
    """What became of labels: `received` and the counts of each fate, and (place, reason) of each refused one."""

    received: int
    counts: dict[str, int]
    refused: list[tuple[int, str]]


class Asking(TypedDict, total=False):
    """What may be said of a prediction besides its rows."""

    model: str
    request_id: str
    event_time: Moment
    entity_key: str
    timeout_s: float


class LabelDetails(TypedDict, total=False):
    """What may be said of a label besides its value."""

    model: str
    row: int
    labeled_at: Moment
    version: int
    entity_key: str
    event_time: Moment


class Requests:
    """Requests to one origin, with one key; `model` is who is asked where a call names nobody."""

    def __init__(self, origin: Origin, key: str, model: str, timeout_s: float) -> None:
        self._origin = origin
        self._model = model
        self._timeout_s = timeout_s
        self._budget = Budget()
        host = origin.address.partition("//")[2]
        self._headers = {"Host": host, **({"Authorization": f"Bearer {key}"} if key else {})}

    def predict(self, rows: Any, **asking: Unpack[Asking]) -> Steps[Answer]:
        """Ask for predictions.

        Parameters
        ----------
        rows : data frame, mapping, list or array
            A dict of columns, a list of records, one record, a frame of pandas, Polars or Arrow, or a matrix of numbers
            in the order of the signature.
        **asking
            `model`, where the client was made without one; `request_id`, else one is made; `event_time`, when it
            happened, else now; `entity_key`, whom it is about; `timeout_s`.

        Returns
        -------
        Answer
            The predictions in the order of the rows, and the id that labels name.

        Raises
        ------
        InputError
            When the server refuses the rows, or they cannot be sent.
        OutputError
            When the model fails.
        OverloadError
            When there is no room or no time.
        ProcessError
            When nobody answers.
        """
        model = self._named(asking.get("model", ""))
        body = encode(model, read_table(rows))
        request_id = asking.get("request_id") or new_id(wall_now())
        headers = {"X-Request-Id": request_id}
        if asking.get("event_time") is not None:
            headers["X-Event-Time"] = str(_moment(asking["event_time"]))
        if asking.get("entity_key"):
            headers["X-Entity-Key"] = asking["entity_key"]
        what = f"{model}, request {request_id}"
        message = self._message(body.path, body.content, {**headers, **body.headers}, what)
        if "timeout_s" in asking:
            message = msgspec.structs.replace(message, timeout_s=asking["timeout_s"])
        heard = yield from converse(self._origin, message, self._budget)
        told = heard.reply.headers
        return Answer(
            predictions=decode(heard.reply),
            request_id=told.get("x-request-id", request_id),
            version=told.get("x-model-version", ""),
            logged=told.get("x-logged", ""),
            attempts=heard.attempt,
        )

    def label(self, request_id: str, value: float | str | bool, **details: Unpack[LabelDetails]) -> Steps[LabelReport]:
        """Say what became of one row of a prediction.

        Parameters
        ----------
        request_id : str
            The id of the prediction; empty when `entity_key` says whom the label is about.
        value : number, bool or text
            The outcome.
        **details
            `row` (0), `labeled_at`, `version`, `entity_key`, `event_time`, and `model` where the client was made
            without one.

        Returns
        -------
        LabelReport
            What became of it.

        Raises
        ------
        InputError
            When it is refused.
        """
        model = details.pop("model", "")
        report = yield from self.labels([{"request_id": request_id, "value": value, **details}], model=model)
        if report.refused:
            raise InputError(report.refused[0][1], where=f"the label of {request_id or details.get('entity_key', '')}")
        return report

    def labels(self, labels: Iterable[Mapping[str, Any]], *, model: str = "") -> Steps[LabelReport]:
        """Say what became of many.

        Parameters
        ----------
        labels : iterable of mappings
            Each with `value` and `request_id` (or `entity_key`), and what else `label` takes.
        model : str
            Where the client was made without one.

        Returns
        -------
        LabelReport
            One bad label refuses none of the others.
        """
        named = self._named(model)
        rows = [{key: _moment(value) for key, value in label.items()} for label in labels]
        received, counts, refused = 0, dict[str, int](), list[tuple[int, str]]()
        for start in range(0, len(rows), _LABELS_A_REQUEST):
            content = orjson.dumps({"model": named, "labels": rows[start : start + _LABELS_A_REQUEST]})
            message = self._message("/v1/labels", content, {"Content-Type": "application/json"}, f"labels of {named}")
            heard = yield from converse(self._origin, message, self._budget)
            told = msgspec.json.decode(heard.reply.body)
            received += told.pop("received")
            refused += [(start + one["row"], one["reason"]) for one in told.pop("refused")]
            for fate, count in told.items():
                counts[fate] = counts.get(fate, 0) + count
        return LabelReport(received, counts, refused)

    def _message(self, path: str, content: bytes, headers: dict[str, str], what: str) -> Message:
        every = {**self._headers, **headers, "Content-Length": str(len(content))}
        return Message(path, content, every, self._timeout_s, what)

    def _named(self, model: str) -> str:
        found = model or self._model
        if not found:
            raise InputError("no model is named", where="the call", fix="say model=..., here or when making the client")
        return found


def _moment(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
