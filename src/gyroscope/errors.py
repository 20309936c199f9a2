"""Every error a user can meet, each saying what, where and how to fix it.

Everybody raises these; only the shells turn them into exit codes and statuses. Standard library only.

    GyroscopeError              anything this package refuses; exit code 2
    ├── SettingsError           gyroscope.yaml is wrong: file, line, did-you-mean
    ├── ModelError              an artifact, a signature or a reference is missing or wrong
    ├── InputError              a request does not fit the signature: status 4xx and the path of the fault
    ├── OutputError             a model broke its own signature: status 500
    ├── OverloadError           no room or no time left for this request: status 429, 503 or 504
    ├── LabelError              a label cannot be kept: names the row
    ├── StoreError              a table, segment or database is damaged, locked or full
    └── ProcessError            a process, port or door could not be started or reached
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GyroscopeError(Exception):
    """What happened, where, and what to do about it.

    >>> print(GyroscopeError("the port is taken", where="127.0.0.1:8080", fix="choose another door.port"))
    the port is taken
      where: 127.0.0.1:8080
      fix:   choose another door.port
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


class SettingsError(GyroscopeError):
    """The settings file is missing, unreadable or says something unknown."""


class ModelError(GyroscopeError):
    """An artifact, a signature or a reference is missing or does not fit."""


class InputError(GyroscopeError):
    """A request does not fit; `where` is the path inside the body, `status` the HTTP status."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", status: int = 422) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


class OutputError(GyroscopeError):
    """A model returned something its signature does not allow (shape, NaN) or raised."""


class OverloadError(GyroscopeError):
    """There is no room or no time left; `status` is 429, 503 or 504."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", status: int = 503) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


class LabelError(GyroscopeError):
    """A label cannot be kept; `where` names its row."""


class StoreError(GyroscopeError):
    """A table, a segment or a database is damaged, locked or full."""


class ProcessError(GyroscopeError):
    """A process, a port or the door could not be started or reached."""


# What a stranger calls a name may be as long as a body; comparing a megabyte takes a tenth of a second.
LONGEST_WORD = 200


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The `fix` line for an unknown word.

    >>> did_you_mean("kubernets", ["local", "kubernetes"])
    "did you mean 'kubernetes'? known: kubernetes, local"
    >>> did_you_mean("zzz", ["local"])
    'known: local'
    """
    names = sorted(known)
    near = difflib.get_close_matches(word[:LONGEST_WORD], names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(names)}"
