"""Labels out of a database by SQLAlchemy: one query, its rows in portions, and how far it was read.

Only `sources.py` uses it. SQLAlchemy comes with the extra `gyroscope[sql]`, the driver of the database with its
own package. The password of a URL is in no message.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote, quote_plus

from gyroscope.backends import missing_library
from gyroscope.errors import LabelError
from gyroscope.predictions.labels.files import Portion, fields_of, portions_of

Cursor = int | float | str
ROWS_AT_ONCE = 10_000


class SqlRows:
    """The rows of one query. After all portions were taken, `last` is the greatest value of the cursor's column."""

    def __init__(self, url: str, query: str, columns: Mapping[str, str], cursor: str, last: Cursor | None) -> None:
        self._url, self._query, self._columns, self._cursor = url, query, columns, cursor
        self._greatest: Any = None
        self.last = last

    def portions(self) -> Iterator[Portion]:
        """Raises `LabelError` for a URL, a query or a database that does not work."""
        with self._result() as result:
            header = list(result.keys())
            fields = fields_of(header, self._columns or None, "the query")
            if self._cursor and self._cursor not in header:
                raise LabelError(
                    f"the query has no column {self._cursor!r}", where="cursor", fix="select it, or leave cursor out"
                )
            place = header.index(self._cursor) if self._cursor else -1

            def fetch(most: int) -> Sequence[Sequence[Any]]:
                rows = result.fetchmany(most)
                if place >= 0:
                    self._see(row[place] for row in rows)
                return [tuple(row) for row in rows]

            yield from portions_of(fetch, fields, ROWS_AT_ONCE)
        if self._greatest is not None:
            self.last = _kept(self._greatest)

    def _see(self, values: Iterator[Any]) -> None:
        known = [value for value in values if value is not None]
        known += [] if self._greatest is None else [self._greatest]
        if known:
            self._greatest = max(known)

    @contextlib.contextmanager
    def _result(self) -> Iterator[Any]:
        try:
            import sqlalchemy
            from sqlalchemy.exc import SQLAlchemyError

            engine = sqlalchemy.create_engine(self._url, poolclass=sqlalchemy.NullPool)
        except ModuleNotFoundError as missing:
            raise missing_library(missing, what="a source of labels by SQL") from missing
        except SQLAlchemyError as error:
            raise self._failed("the URL of the database cannot be used", error) from None
        parameters = {"last": self.last} if ":last" in self._query else {}
        try:
            with engine.connect() as connection:
                yield connection.execution_options(stream_results=True).execute(
                    sqlalchemy.text(self._query), parameters
                )
        except SQLAlchemyError as error:
            raise self._failed("the database does not give labels", error) from None
        finally:
            engine.dispose()

    def _failed(self, what: str, error: Exception) -> LabelError:
        said = str(getattr(error, "orig", None) or error)
        return LabelError(
            f"{what}: {hidden(said, self._url)}", where=hidden(self._url, self._url), fix="try the query in its shell"
        )


def hidden(text: str, url: str) -> str:
    """The text without the password of this URL, however it is written there.

    >>> hidden("no postgresql://ann:s3cret@host/db for you: s3cret", "postgresql://ann:s3cret@host/db")
    'no postgresql://ann:***@host/db for you: ***'
    """
    _, _, rest = url.partition("://")
    who, at, _ = rest.rpartition("@")
    password = who.partition(":")[2] if at else ""
    for secret in sorted(_spellings(password), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _spellings(password: str) -> set[str]:
    from urllib.parse import unquote, unquote_plus

    plain = {password, unquote(password), unquote_plus(password)}
    return {word for one in plain for word in (one, quote(one, safe=""), quote_plus(one)) if word}


def _kept(value: Any) -> Cursor:
    """What is bound as `:last` the next time: numbers as they are, times and all others as texts."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value.isoformat() if isinstance(value, date) else str(value)
    return value
