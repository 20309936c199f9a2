"""An Arrow IPC stream taken apart: schema, dictionaries, batches; back come whole columns.

`dialects/arrow.py` reads a `Stream`. Numbers of any width, texts in each of their layouts and dictionaries of texts are
understood; nested columns, big-endian and compressed bytes are refused by name. Its memory is bounded by the body's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import msgspec

from gyroscope.errors import InputError
from gyroscope.serving.arrow.columns import Kind, Part, Texts, looked_up, part
from gyroscope.serving.arrow.flatbuffer import Table, malformed

_PREFIX = struct.Struct("<Ii")
_CONTINUATION = 0xFFFF_FFFF
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_INT, _FLOAT, _UTF8, _BOOL, _LARGE_UTF8, _UTF8_VIEW = 2, 3, 5, 6, 20, 24
_FLOATS = {0: Kind("FP16", "<f2"), 1: Kind("FP32", "<f4"), 2: Kind("FP64", "<f8")}
_OTHERS = {
    _UTF8: Kind("BYTES", "offsets32"),
    _LARGE_UTF8: Kind("BYTES", "offsets64"),
    _UTF8_VIEW: Kind("BYTES", "views"),
    _BOOL: Kind("BOOL", "bits"),
}
# More than the rows of a request need; each costs some 30 us however few it holds.
_MOST_MESSAGES = 1_000
# Dictionaries and views name one text many times; each time it would be written to the log.
_MOST_TEXT = 4 * 1024 * 1024


class Field(msgspec.Struct, frozen=True):
    """One column of the schema; `words` is the id of the dictionary that its values are numbers into."""

    name: str
    kind: Kind
    words: int | None = None
    word_kind: Kind | None = None


class Column(msgspec.Struct):
    """One column, in the parts that its batches brought."""

    name: str
    datatype: str
    parts: list[Part] = []


class _Message(msgspec.Struct):
    kind: int
    head: Table
    body: memoryview


class Stream:
    """One stream whose schema has been read; of no more than `most` columns, since the rest could be of no use.

    Raises `InputError`: status 400 for bytes that are no such stream, 422 for columns that no feature can be.
    """

    def __init__(self, body: bytes, most: int) -> None:
        self._messages = _messages(memoryview(body))
        first = next(self._messages, None)
        if first is None or first.kind != _SCHEMA:
            raise malformed("it does not begin with a schema")
        self._fields = _fields(first.head, most)
        self._words: dict[int, Texts] = {}
        self._text = 0

    @property
    def names(self) -> list[str]:
        return [field.name for field in self._fields]

    def columns(self, count: Callable[[int], object]) -> list[Column]:
        """Every column, whole. `count` is told the rows so far before they are read, and raises when they are too many.

        Raises as the stream itself does.
        """
        columns = [Column(field.name, (field.word_kind or field.kind).datatype) for field in self._fields]
        rows = 0
        for seen, message in enumerate(self._messages):
            if seen == _MOST_MESSAGES:
                raise InputError(f"more than {_MOST_MESSAGES:,} batches", fix="write larger ones", status=413)
            if message.kind == _DICTIONARY:
                self._keep_words(message)
            elif message.kind == _BATCH:
                rows += _length(message.head)
                count(rows)
                found = _parts(message.head, message.body, self._fields)
                for column, field, one in zip(columns, self._fields, found, strict=True):
                    column.parts.append(self._resolved(field, one))
            else:
                raise malformed(f"a message of kind {message.kind}")
        count(rows)
        return columns

    def _keep_words(self, message: _Message) -> None:
        key, is_more = message.head.number(0, "<q"), message.head.number(2, "<B")
        kind = next((field.word_kind for field in self._fields if field.words == key), None)
        batch = message.head.table(1)
        if kind is None or batch is None:
            raise malformed("a dictionary belongs to no column")
        (found,) = _parts(batch, message.body, [Field("", kind)])
        # Views may name the same bytes many times: a dictionary counts as it is read, and again where it is used.
        self._count("dictionary", found)
        if is_more:
            self._words.setdefault(key, []).extend(found.values)
        else:
            self._words[key] = list(found.values)

    def _resolved(self, field: Field, found: Part) -> Part:
        if field.words is not None:
            if field.words not in self._words:
                raise malformed(f"the dictionary of {field.name!r} is missing")
            found = looked_up(found, self._words[field.words])
        self._count(field.name, found)
        return found

    def _count(self, name: str, found: Part) -> None:
        if isinstance(found.values, list):
            self._text += sum(len(text) for text in found.values if text is not None)
            if self._text > _MOST_TEXT:
                raise InputError(f"more than {_MOST_TEXT:,} characters", where=name, fix="split it", status=413)


def _messages(raw: memoryview) -> Iterator[_Message]:
    at = 0
    while at < len(raw):
        if len(raw) - at < _PREFIX.size:
            raise malformed("it ends in the middle of a message")
        continuation, size = _PREFIX.unpack_from(raw, at)
        at += _PREFIX.size
        if continuation != _CONTINUATION:
            raise malformed("a message does not begin as one")
        if size == 0:
            return
        if not 0 < size <= len(raw) - at:
            raise malformed("it ends in the middle of a message")
        message = Table.root(raw[at : at + size])
        at += size
        length = message.number(3, "<q")
        if not 0 <= length <= len(raw) - at:
            raise malformed("it ends in the middle of a body")
        head = message.table(2)
        if head is None:
            raise malformed("a message is empty")
        yield _Message(message.number(1, "<B"), head, raw[at : at + length])
        at += length


def _fields(schema: Table, most: int) -> list[Field]:
    if schema.number(0, "<h"):
        raise InputError("big-endian numbers are not read", where="schema.endianness", fix="send little-endian")
    return [_field(table) for table in schema.tables(1, most)]


def _field(table: Table) -> Field:
    name = table.text(0)
    kind = _kind(table.number(2, "<B"), table.table(3), name)
    if table.tables(5, 1):
        raise InputError("nested columns are not read", where=name, fix="one flat column per feature")
    dictionary = table.table(4)
    if dictionary is None:
        return Field(name, kind)
    if kind.datatype != "BYTES":
        raise InputError("a dictionary of anything but texts is not read", where=name, fix="send the plain values")
    index = dictionary.table(1)
    of_index = _kind(_INT, index, name) if index is not None else Kind("INT32", "<i4")
    return Field(name, of_index, dictionary.number(0, "<q"), kind)


def _kind(code: int, table: Table | None, name: str) -> Kind:
    if code == _INT and table is not None:
        bits, is_signed = table.number(0, "<i"), bool(table.number(1, "<B"))
        if bits in (8, 16, 32, 64):
            return Kind(f"{'' if is_signed else 'U'}INT{bits}", f"<{'i' if is_signed else 'u'}{bits // 8}")
    if code == _FLOAT and table is not None and (precision := table.number(0, "<h")) in _FLOATS:
        return _FLOATS[precision]
    if code in _OTHERS:
        return _OTHERS[code]
    raise InputError("no feature can be of this Arrow type", where=name, fix="send numbers, bools or texts")


def _length(batch: Table) -> int:
    length = batch.number(0, "<q")
    if length < 0:
        raise malformed("a batch of fewer than no rows")
    return length


def _parts(batch: Table, body: memoryview, fields: list[Field]) -> Iterator[Part]:
    if batch.table(3) is not None:
        raise InputError("compressed buffers are not read", where="batch.compression", fix="write them uncompressed")
    length = _length(batch)
    nodes = iter(batch.longs(1, 2))
    views = iter(batch.longs(4))
    buffers = _buffers(batch, body)
    for field in fields:
        rows, nulls = next(nodes, (-1, 0))
        more = next(views, (0,))[0] if field.kind.layout == "views" else 0
        if rows != length or not 0 <= more <= len(body):
            raise malformed(f"the column {field.name!r} does not have the rows of its batch")
        own = [view for _, view in zip(range(field.kind.buffers + more), buffers, strict=False)]
        if len(own) != field.kind.buffers + more:
            raise malformed(f"buffers of the column {field.name!r} are missing")
        yield part(field.kind, own, length, nulls)


def _buffers(batch: Table, body: memoryview) -> Iterator[memoryview]:
    """The buffers, one behind the other: were they to overlap, a few bytes could stand for any number of columns."""
    end = 0
    for at, size in batch.longs(2, 2):
        if not (end <= at and 0 <= size <= len(body) - at) and size:
            raise malformed("a buffer lies outside of its body or on another")
        yield body[at : at + size] if size else body[:0]
        end = at + size if size else end
