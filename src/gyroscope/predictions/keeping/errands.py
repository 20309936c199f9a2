"""Erasures that the command line asks of a running recorder: `<home>/run/erase-*.json`, each with its answer beside it.

The recorder alone may write the tables while it runs. The files name the subject, so both are removed when it is done.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

import msgspec

from gyroscope.clock import sleep
from gyroscope.errors import GyroscopeError, ProcessError, StoreError
from gyroscope.predictions.keeping.erasure import ERRAND, Erased, Subject
from gyroscope.predictions.tables.rewrite import sync

LOG = logging.getLogger(__name__)

DONE = ".done"
LOOK_EVERY_S = 0.2


class Errand(msgspec.Struct, frozen=True):
    """One erasure that was asked for."""

    name: str
    model: str
    subject: Subject


class Answer(msgspec.Struct, frozen=True):
    """What became of it: `erased`, or what went wrong."""

    erased: Erased | None = None
    what: str = ""
    where: str = ""
    fix: str = ""


def ask(home: Path, model: str, subject: Subject, *, timeout_s: float = 600.0) -> Erased:
    """Ask the recorder of this home and wait for its answer.

    Raises `StoreError` when it cannot be done, `ProcessError` when nobody answers.
    """
    errand = Errand(f"{ERRAND}{secrets.token_hex(8)}.json", model, subject)
    path = home / "run" / errand.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, msgspec.json.encode(errand))
    try:
        for _ in range(round(timeout_s / LOOK_EVERY_S)):
            answered = _answer_of(path)
            if answered is not None:
                return _result(answered)
            sleep(LOOK_EVERY_S)
    finally:
        for left in (path, _done(path)):
            left.unlink(missing_ok=True)
    raise ProcessError(
        "the recorder has not answered", where=str(path.parent), fix="see its log; or stop the house and ask again"
    )


def errands(home: Path, told: set[Path] | None = None) -> list[Errand]:
    """What is asked for and not yet answered; a file that is none of ours is removed.

    One that cannot be read is left out, and logged unless it is among the `told`.
    """
    found: list[Errand] = []
    told = set() if told is None else told
    for path in sorted((home / "run").glob(f"{ERRAND}*.json")):
        try:
            found += _read(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            if path not in told:
                LOG.error("an erasure that was asked for cannot be read: %s", error)
            told.add(path)
    return found


def answer(home: Path, errand: Errand, erased: Erased) -> None:
    """Say that it is done."""
    _say(home, errand, Answer(erased))


def refuse(home: Path, errand: Errand, error: Exception) -> None:
    """Say that it cannot be done, and why."""
    if isinstance(error, GyroscopeError):
        _say(home, errand, Answer(None, error.what, error.where, error.fix))
    else:
        what = str(error) or type(error).__name__
        _say(home, errand, Answer(None, what, str(home), "make room or mend the folder, then ask again"))


def _read(path: Path) -> list[Errand]:
    data = path.read_bytes()
    try:
        return [msgspec.json.decode(data, type=Errand)]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        path.unlink(missing_ok=True)
        return []


def _say(home: Path, errand: Errand, said: Answer) -> None:
    """The request goes before the answer comes: who asks again after a crash gets a new answer."""
    path = home / "run" / errand.name
    path.unlink(missing_ok=True)
    _write(_done(path), msgspec.json.encode(said))


def _write(path: Path, data: bytes) -> None:
    """Under another name first: readers meet the file whole."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    fresh.chmod(0o600)
    fresh.replace(path)
    sync(path.parent)


def _answer_of(path: Path) -> Answer | None:
    try:
        return msgspec.json.decode(_done(path).read_bytes(), type=Answer)
    except FileNotFoundError:
        return None


def _result(answered: Answer) -> Erased:
    if answered.erased is None:
        raise StoreError(answered.what, where=answered.where, fix=answered.fix)
    return answered.erased


def _done(path: Path) -> Path:
    return path.with_suffix(DONE)
