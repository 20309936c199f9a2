"""An MLflow server as far as we need it: its REST API 2.0 for versions, aliases, tags and proxied artifacts.

`gyro models add models:/name@alias` and control's thread for registries call this. It needs no package of MLflow's,
loads no model, and follows no redirect: a registry could else send us, with our credentials, wherever it likes.
"""

from __future__ import annotations

import base64
import logging
import re
import urllib.error
import urllib.request
from functools import cached_property
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import NoReturn, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import yaml

from gyroscope.errors import ModelError, StoreError

LOG = logging.getLogger(__name__)
SOURCE = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")
TIMEOUT_S = 10.0
MOST_BYTES = 1 << 30
"""The largest artifact that is fetched; the store keeps it in memory once while it hashes."""

FLAVORS = ("onnx", "lightgbm", "xgboost", "sklearn")
"""Whose one file we take, the first that a model has; of a pickle `gyro models add` says what to do instead."""


class Registered(msgspec.Struct, frozen=True):
    """One version of a registered model, by the number that the registry gave it."""

    name: str
    number: str


class _Version(msgspec.Struct):
    version: str | int
    alias: str = ""


class _Found(msgspec.Struct):
    model_version: _Version


class _Aliases(msgspec.Struct):
    aliases: tuple[_Version, ...] = ()


class _Model(msgspec.Struct):
    registered_model: _Aliases


class _Place(msgspec.Struct):
    artifact_uri: str


class _Done(msgspec.Struct):
    """An answer in which we look for nothing."""


Answer = TypeVar("Answer", bound=msgspec.Struct)


class Mlflow:
    """One tracking server. `credentials` is a token, or user:password; every call raises `StoreError` when it fails."""

    def __init__(self, uri: str, credentials: str = "") -> None:
        self._uri = uri.rstrip("/")
        self._headers = _authorization(credentials)

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        """Made with the first call: whoever has nothing to tell asks nobody."""
        return urllib.request.build_opener(_NoRedirect)

    def find(self, source: str) -> Registered:
        """The version behind `models:/name@alias` or `models:/name/3`. Raises `ModelError` for any other words."""
        found = SOURCE.fullmatch(source)
        if found is None:
            raise ModelError(
                "this is no version of a registered model",
                where=source,
                fix="write models:/NAME@ALIAS or models:/NAME/3",
            )
        name, alias, number = found["name"], found["alias"], found["number"]
        if alias:
            answer = self._call("GET", "registered-models/alias", {"name": name, "alias": alias}, _Found)
        else:
            answer = self._call("GET", "model-versions/get", {"name": name, "version": number}, _Found)
        return Registered(name, str(answer.model_version.version))

    def aliases(self, name: str) -> dict[str, Registered]:
        """What each alias of a registered model names. Raises `StoreError` without such a model."""
        found = self._call("GET", "registered-models/get", {"name": name}, _Model).registered_model.aliases
        return {one.alias: Registered(name, str(one.version)) for one in found}

    def named(self, name: str, alias: str) -> Registered | None:
        """The version that an alias names now; None when it names none, or when there is no such model any more."""
        try:
            return self.aliases(name).get(alias)
        except _MissingError:
            return None

    def fetch(self, version: Registered, folder: Path) -> Path:
        """Its one model file, written into a folder. Raises `ModelError` where it has none that could be served, and
        `StoreError` where the folder does not take it.
        """
        asked = {"name": version.name, "version": version.number}
        place = self._call("GET", "model-versions/get-download-uri", asked, _Place).artifact_uri
        where = f"models:/{version.name}/{version.number}"
        name = _model_file(self._read(place, "MLmodel"), where)
        path = folder / PurePosixPath(name).name
        content = self._read(place, name)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise StoreError(
                f"what was fetched cannot be written: {error.strerror}",
                where=str(path),
                fix="make room there, or name a folder with more in TMPDIR",
            ) from error
        return path

    def set_alias(self, version: Registered, alias: str) -> None:
        """Have an alias name this version, and no other; one that was deleted there is nobody's any more."""
        body = {"name": version.name, "alias": alias, "version": version.number}
        self._say("POST", "registered-models/alias", body)

    def drop_alias(self, name: str, alias: str) -> None:
        """Have an alias name nothing; one that does so already is fine."""
        self._say("DELETE", "registered-models/alias", {"name": name, "alias": alias})

    def set_tag(self, version: Registered, key: str, value: str) -> None:
        """Set a tag of a version, whatever it was; one that was deleted there needs none."""
        body = {"name": version.name, "version": version.number, "key": key, "value": value}
        self._say("POST", "model-versions/set-tag", body)

    def _say(self, method: str, what: str, told: dict[str, str]) -> None:
        """A word about what was deleted is as good as taken: it must not keep those about others from being said."""
        try:
            self._call(method, what, told, _Done)
        except _MissingError as error:
            LOG.warning("the registry has no %s any more, and is told nothing of it: %s", told["name"], error)

    def _call(self, method: str, what: str, asked: dict[str, str], kind: type[Answer]) -> Answer:
        url = f"{self._uri}/api/2.0/mlflow/{what}"
        body = None if method == "GET" else msgspec.json.encode(asked)
        answer = self._ask(method, f"{url}?{urlencode(asked)}" if method == "GET" else url, body)
        try:
            return msgspec.json.decode(answer or b"{}", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._strange(url, f"its answer is none of MLflow's: {error}") from error

    def _read(self, place: str, name: str) -> bytes:
        """A file of a model's artifacts: through the server, or where server and we share a disk."""
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts or not inside.name:
            raise ModelError(
                f"its MLmodel names no file inside of it: {name!r}", where=place, fix="log the model again"
            )
        parts = urlsplit(place)
        if parts.scheme in ("", "file"):
            try:
                return (Path(parts.path) / name).read_bytes()
            except OSError as error:
                raise StoreError(
                    f"an artifact cannot be read: {error.strerror}",
                    where=f"{place}/{name}",
                    fix="start the server with --artifacts-destination, so that it hands artifacts out itself",
                ) from error
        if parts.scheme != "mlflow-artifacts":
            raise ModelError(
                f"artifacts at {parts.scheme}:// are not read here",
                where=place,
                fix="start the server with --artifacts-destination, so that it hands artifacts out itself",
            )
        path = quote(f"{parts.path.strip('/')}/{name}")
        return self._ask("GET", f"{self._uri}/api/2.0/mlflow-artifacts/artifacts/{path}")

    def _ask(self, method: str, url: str, body: bytes | None = None) -> bytes:
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310  # settings allow http(s) alone
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                content: bytes = answer.read(MOST_BYTES + 1)
                if len(content) <= MOST_BYTES and answer.length:  # of a read with a size Python does not say so itself
                    raise HTTPException(f"it broke off {answer.length} bytes before the end")
        except urllib.error.HTTPError as error:
            self._refused(url, error)
        except (OSError, HTTPException) as error:
            raise StoreError(
                f"MLflow does not answer: {getattr(error, 'reason', error)}",
                where=url,
                fix="check mlflow.tracking_uri and that the server runs",
            ) from error
        if len(content) > MOST_BYTES:
            raise self._strange(url, f"its answer is larger than {MOST_BYTES} bytes")
        return content

    def _refused(self, url: str, error: urllib.error.HTTPError) -> NoReturn:
        with error:
            said = " ".join(error.read(2_000).decode("utf-8", "replace").split())[:300]
        # A proxy, or another server, says 404 too: it knows nothing of what MLflow has.
        kind = _MissingError if error.code == 404 and "RESOURCE_DOES_NOT_EXIST" in said else StoreError
        raise kind(
            f"MLflow refuses: status {error.code}, {said}",
            where=url,
            fix="check the names, and mlflow.credentials" if error.code in (401, 403, 404) else "see the server's log",
        ) from error

    def _strange(self, url: str, why: str) -> StoreError:
        return StoreError(f"this is no MLflow server: {why}", where=url, fix="check mlflow.tracking_uri")


class _MissingError(StoreError):
    """What was asked for is not in the registry."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is answered as the status that it is."""

    def redirect_request(self, *_: object) -> None:
        return None


def _authorization(credentials: str) -> dict[str, str]:
    """`user:password` for the server's own log-in, anything else as a token.

    >>> _authorization("ann:secret"), _authorization("token-1"), _authorization("")
    ({'Authorization': 'Basic YW5uOnNlY3JldA=='}, {'Authorization': 'Bearer token-1'}, {})
    """
    if not credentials:
        return {}
    if ":" in credentials:
        return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
    return {"Authorization": f"Bearer {credentials}"}


def _model_file(mlmodel: bytes, where: str) -> str:
    """The file that its MLmodel names.

    >>> _model_file(b"flavors: {python_function: {}, lightgbm: {data: model.lgb}}", "")
    'model.lgb'
    """
    try:
        plain = yaml.safe_load(mlmodel)
        flavors = dict(plain["flavors"])
        chosen = next(flavors[one] for one in FLAVORS if one in flavors)
        return str(chosen.get("data") or chosen["pickled_model"])
    except (
        yaml.YAMLError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        StopIteration,
    ) as error:
        raise ModelError(
            "no file of this model could be served",
            where=where,
            fix=f"log it as one of {', '.join(FLAVORS)}, or add its file by hand",
        ) from error
