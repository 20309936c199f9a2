"""MLflow's scoring protocol: `/invocations` with JSON or CSV, `/ping`, `/health`, `/version`.

`replica.py` builds one `Mlflow` per replica. A JSON body holds exactly one of `dataframe_split`, `dataframe_records`,
`instances`, `inputs`; as at MLflow, other keys and `params` mean nothing to a model that has declared none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from msgspec import UNSET, Raw, UnsetType
from numpy.typing import NDArray

from gyroscope import __version__
from gyroscope.errors import InputError, did_you_mean
from gyroscope.models.runners import Rows
from gyroscope.records import Version
from gyroscope.serving.csv_rows import read_csv
from gyroscope.serving.dialects import Dialect, Headers, Page, Question, fixed
from gyroscope.serving.dialects.media import CSV, JSON, media_type, unspoken
from gyroscope.serving.frames import FrameReader
from gyroscope.serving.intake import Intake
from gyroscope.serving.strict import decode, refuse_twin_keys

_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "REQUEST_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Split(msgspec.Struct, forbid_unknown_fields=True):
    """`dataframe_split`; `index` means nothing to a model."""

    columns: list[str]
    data: Raw
    index: Raw | UnsetType = UNSET


class Body(msgspec.Struct):
    """What an invocation may hold."""

    dataframe_split: Split | UnsetType = UNSET
    dataframe_records: Raw | UnsetType = UNSET
    instances: Raw | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET


_BODY = msgspec.json.Decoder(Body)
_KEYS = msgspec.json.Decoder(dict[str, Raw])
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Mlflow:
    """The dialect for one version of one model."""

    def __init__(self, version: Version, intake: Intake) -> None:
        self._frames = FrameReader(intake)
        self.takes_one, self.width = intake.is_plain and len(intake.names) > 1, len(intake.names)
        number = float | None if intake.is_nullable else float
        row: Any = tuple[list[number]] | UnsetType  # type: ignore[valid-type]
        fields = [(form, row, UNSET) for form in ("inputs", "instances")]
        self._one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct("OneRow", fields, forbid_unknown_fields=True)
        )
        self._csv = _Csv(self, intake)
        self.asks: tuple[str, ...] = ("/invocations", f"/models/{version.model}/invocations")
        self.pages: Mapping[str, Page] = {
            "/ping": fixed(b"\n"),
            "/health": fixed(b"\n"),
            "/version": fixed(__version__.encode()),
        }

    def dialect(self, headers: Mapping[bytes, bytes]) -> Dialect:
        media = media_type(headers)
        if media == JSON:
            return self
        if media == CSV:
            return self._csv
        raise unspoken(media, (JSON, CSV))

    def read(self, body: bytes) -> Question:
        form = decode(_BODY, body)
        given = [name for name in _FORMS if getattr(form, name) is not UNSET]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            keys = {} if given else decode(_KEYS, body)
            word = next(iter(keys), "")
            raise InputError(f"exactly one form of input is needed, found {found}", fix=did_you_mean(word, _FORMS))
        rows, pairs = self._rows(form, given[0])
        refuse_twin_keys(body, pairs + 1)
        return Question(rows)

    def one(self, body: bytes) -> list[float | None] | None:
        """The numbers of the one row of `inputs` or `instances`, as lists; None for any other body."""
        try:
            found = self._one.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        rows = found.inputs or found.instances
        # One colon: neither form was there twice, nor both.
        is_one = rows and len(rows[0]) == self.width and body.count(b":") == 1
        return rows[0] if is_one else None

    def answer_one(self, output: float, request_id: str) -> bytes:
        return b'{"predictions":[%b]}' % orjson.dumps(output)

    def answer(self, question: Question, outputs: NDArray[Any], request_id: str) -> tuple[bytes, Headers]:
        return b'{"predictions":' + orjson.dumps(outputs.tolist()) + b"}", ()

    def complain(self, status: int, what: str) -> tuple[int, bytes]:
        # MLflow's own server answers 400 to whatever does not fit the model's schema.
        status = 400 if status == 422 else status
        return status, orjson.dumps({"error_code": _CODES.get(status, "BAD_REQUEST"), "message": what})

    def _rows(self, form: Body, name: str) -> tuple[Rows, int]:
        """The rows, and how many keys they were found under."""
        if isinstance(form.dataframe_split, Split):
            split = form.dataframe_split
            rows = self._frames.split(split.columns, split.data, name)
            return rows, 2 + (split.index is not UNSET)
        text: Raw = getattr(form, name)
        return self._frames.records(text, name) if name == "dataframe_records" else self._frames.any_form(text, name)


class _Csv:
    """The dialect of CSV bodies; answers as to JSON."""

    def __init__(self, mlflow: Mlflow, intake: Intake) -> None:
        self._intake = intake
        self.answer = mlflow.answer
        self.complain = mlflow.complain

    def read(self, body: bytes) -> Question:
        return Question(read_csv(body, self._intake))
