"""Streams that Polars wrote, in every layout, and bytes that nobody should have written."""

from __future__ import annotations

import io
import random
import struct

import numpy as np
import polars as pl
import pytest

from gyroscope.errors import InputError
from gyroscope.serving.arrow import reader
from gyroscope.serving.arrow.reader import Stream
from gyroscope.serving.arrow.writer import StreamWriter

FRAME = pl.DataFrame(
    {
        "a": [1.5, None, -3.0],
        "i": pl.Series([1, 2, None], dtype=pl.Int16),
        "u": pl.Series([1, 2, 2**64 - 1], dtype=pl.UInt64),
        "f": pl.Series([0.5, None, 2.0], dtype=pl.Float32),
        "s": ["UA", None, "a text that is longer than a view holds"],
        "t": [True, None, False],
        "c": pl.Series(["x", "y", None], dtype=pl.Categorical),
    }
)
LAYOUTS = {"offsets": pl.CompatLevel.oldest(), "views": pl.CompatLevel.newest()}


def stream(frame: pl.DataFrame, layout: str = "offsets", **options) -> bytes:
    out = io.BytesIO()
    frame.write_ipc_stream(out, compat_level=LAYOUTS[layout], **options)
    return out.getvalue()


def read(raw: bytes, most: int = 100):
    return Stream(raw, most).columns(lambda rows: None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_type_that_a_feature_can_be(layout):
    found = {column.name: column for column in read(stream(FRAME, layout))}
    assert {name: column.datatype for name, column in found.items()} == {
        "a": "FP64",
        "i": "INT16",
        "u": "UINT64",
        "f": "FP32",
        "s": "BYTES",
        "t": "BOOL",
        "c": "BYTES",
    }
    for name, column in found.items():
        (part,) = column.parts
        values = part.values if isinstance(part.values, list) else part.values.tolist()
        if part.missing is not None:
            values = [None if gap else value for value, gap in zip(values, part.missing, strict=True)]
        assert values == FRAME[name].to_list()


def test_batches_are_parts():
    frame = pl.concat([FRAME, FRAME], rechunk=False)
    column = read(stream(frame))[0]
    assert sum(len(part.values) for part in column.parts) == 6


def test_rows_are_counted_before_they_are_read():
    seen = []
    Stream(stream(FRAME), 100).columns(seen.append)
    assert seen[0] == 3


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pl.DataFrame({"l": [[1, 2]]}), "no feature can be of this Arrow type"),
        (pl.DataFrame({"d": [None]}), "no feature can be of this Arrow type"),
    ],
)
def test_other_types_are_named(frame, said):
    with pytest.raises(InputError, match=said) as refusal:
        read(stream(frame))
    assert (refusal.value.status, refusal.value.where) == (422, frame.columns[0])


def test_compressed_buffers_are_named():
    with pytest.raises(InputError, match="compressed buffers are not read"):
        read(stream(pl.DataFrame({"a": np.zeros(1_000)}), compression="zstd"))


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"ARROW1\0\0", b"\xff\xff\xff\xff\0\0\0\0", b"\xff\xff\xff\xff\xff\xff\xff\x7f"]
)
def test_what_is_no_stream(raw):
    with pytest.raises(InputError, match="malformed Arrow stream") as refusal:
        read(raw)
    assert refusal.value.status == 400


@pytest.mark.parametrize("layout", LAYOUTS)
def test_changed_bytes_are_read_or_refused_and_nothing_else(layout):
    whole, chance = stream(FRAME, layout), random.Random(7)
    for _ in range(1_500):
        broken = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            at = chance.randrange(len(broken))
            broken[at : at + 8] = chance.choice((b"\xff" * 8, bytes(8), bytes([chance.randrange(256)]), b""))
        try:
            read(bytes(broken))
        except InputError as error:
            assert error.status in (400, 413, 422)


def test_views_that_name_the_same_bytes_again_and_again_are_refused():
    # 3,000 views of one text of 4,000 characters: 52 KB that would become 12 MB.
    frame = pl.DataFrame({"s": ["x" * 4_000] * 3_000}, schema={"s": pl.Categorical})
    with pytest.raises(InputError, match="more than 4,194,304 characters") as refusal:
        read(stream(frame))
    assert refusal.value.status == 413


def test_buffers_that_lie_on_each_other_are_refused():
    whole = stream(pl.DataFrame({"a": np.arange(9.0), "b": np.arange(9.0)}))
    apart, together = struct.pack("<qq", 128, 72), struct.pack("<qq", 0, 72)
    assert whole.count(apart) == 1
    with pytest.raises(InputError, match="outside of its body or on another"):
        read(whole.replace(apart, together))


def test_a_thousand_batches_are_enough():
    one = StreamWriter(["p"]).write(np.array([0.5]))
    schema = 8 + int.from_bytes(one[4:8], "little")
    with pytest.raises(InputError, match="more than 1,000 batches") as refusal:
        read(one[:schema] + one[schema:-8] * 1_001)
    assert refusal.value.status == 413


def test_a_dictionary_counts_though_no_row_uses_it(monkeypatch):
    """Views in it may name the same bytes many times, so the size of its message says nothing."""
    monkeypatch.setattr(reader, "_MOST_TEXT", 10)
    frame = pl.DataFrame({"s": ["abcdef"]}, schema={"s": pl.Enum(["abcdef", "ghijkl"])})
    with pytest.raises(InputError, match="more than 10 characters") as refusal:
        read(stream(frame))
    assert refusal.value.where == "dictionary"
