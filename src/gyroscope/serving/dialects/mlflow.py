"""MLflow's scoring protocol: `/invocations` with JSON, `/ping`, `/health`, `/version`.

`replica.py` builds one `Mlflow` per replica. A body holds exactly one of `dataframe_split`, `dataframe_records`,
`instances`, `inputs`. It speaks no CSV, and ignores nothing that a client sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from msgspec import UNSET, Raw, UnsetType
from numpy.typing import NDArray

from gyroscope import __version__
from gyroscope.errors import InputError
from gyroscope.models.runners import Rows
from gyroscope.records import Version
from gyroscope.serving.dialects import Dialect, Headers, Page, Question, fixed
from gyroscope.serving.dialects.media import JSON, media_type, unspoken
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


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """What an invocation may hold."""

    dataframe_split: Split | UnsetType = UNSET
    dataframe_records: Raw | UnsetType = UNSET
    instances: Raw | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET
    params: dict[str, Any] | UnsetType | None = UNSET


_BODY = msgspec.json.Decoder(Body)
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Mlflow:
    """The dialect for one version of one model."""

    def __init__(self, version: Version, intake: Intake) -> None:
        self._frames = FrameReader(intake)
        self.asks: tuple[str, ...] = ("/invocations", f"/models/{version.model}/invocations")
        self.pages: Mapping[str, Page] = {
            "/ping": fixed(b"\n"),
            "/health": fixed(b"\n"),
            "/version": fixed(__version__.encode()),
        }

    def dialect(self, headers: Mapping[bytes, bytes]) -> Dialect:
        media = media_type(headers)
        if media != JSON:
            raise unspoken(media, (JSON,))
        return self

    def read(self, body: bytes) -> Question:
        form = decode(_BODY, body, known=(*_FORMS, "params"))
        given = [name for name in _FORMS if getattr(form, name) is not UNSET]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise InputError(
                f"exactly one form of input is needed, found {found}", fix=f"send one of {', '.join(_FORMS)}"
            )
        if form.params:
            raise InputError("this model takes no params", where="params", fix="leave them out")
        rows, pairs = self._rows(form, given[0])
        refuse_twin_keys(body, pairs + 1 + (form.params is not UNSET))
        return Question(rows)

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
