"""Errors in one line: for a client in full, for the log without what a role keeps out of it.

The plane and the shells call this. It knows no status and no format of a reply.
"""

from __future__ import annotations

from collections.abc import Callable

from gyroscope.errors import GyroscopeError, InputError, OverloadError
from gyroscope.predictions.segments.privacy import has_private
from gyroscope.records import Signature

_LONGEST = 500


def error_words(signature: Signature) -> Callable[[GyroscopeError], str]:
    """How the log of this signature words an error: in full, or without what may quote a value that must not be kept.

    A client that mixes up names and values, or a model that says which value it could not read, would else put into the
    log what its role keeps out. The client itself reads everything.
    """
    return _guarded_line if has_private(signature) else one_line


def _guarded_line(error: GyroscopeError) -> str:
    if isinstance(error, OverloadError):
        return one_line(error)
    cause = f"{type(error.__cause__).__name__}; " if error.__cause__ else ""
    status = "refused; " if isinstance(error, InputError) else ""
    where = f"{error.where}: " if error.where else ""
    return f"{where}{status}{cause}the words are not kept, because they may quote a value that must not be"


def one_line(error: GyroscopeError) -> str:
    """Where, what and how to fix it, as a client reads it.

    >>> one_line(InputError("expected float, got str", where="inputs[0].data[3]"))
    'inputs[0].data[3]: expected float, got str'
    """
    where = _cut(error.where)
    text = f"{where}: {_cut(error.what)}" if where else _cut(error.what)
    return f"{text}; {error.fix}" if error.fix else text


def _cut(text: str) -> str:
    """Names that a stranger chose may be as long as a body; neither reply nor log repeats a megabyte."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
