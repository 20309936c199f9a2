"""A profile that was read says the same as the one that was written, column by column and all at once."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.errors import StoreError
from gyroscope.stats.drift import effects
from gyroscope.stats.profiles import Profile, fit_layout, profile
from gyroscope.stats.profiles.late import table_of
from gyroscope.stats.quality import hard_rules, learn_limits
from gyroscope.stats.streams import fit_columns

NAMES = np.array(["a", "b", "c", None], dtype=object)


def rows(rng: np.random.Generator, n: int, kinds: int) -> dict[str, np.ndarray]:
    return {
        "x": np.where(rng.random(n) < 0.1, rng.choice([np.nan, np.inf, 9.0]), rng.normal(0, 1, n)),
        "s": NAMES[rng.integers(0, kinds, n)],
        "gone": np.full(n, np.nan),
        "unsaid": np.full(n, None),
        "one": np.full(n, 3.0),
    }


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1_000), st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(1, 4))
def test_what_was_read_is_measured_as_what_was_counted(seed: int, sizes: list[int], kinds: int) -> None:
    rng = np.random.default_rng(seed)
    before = [rows(rng, 50, 4) for _ in range(15)]
    layout = fit_layout({name: np.concatenate([part[name] for part in before]) for name in before[0]})
    normal = [profile(part, layout) for part in before]
    counted = [profile(rows(rng, n, kinds), layout) for n in sizes]
    read = [Profile.from_bytes(one.to_bytes()) for one in counted]
    assert read == counted and counted == read
    scale, limits, total = fit_columns(normal), learn_limits(normal), Profile.merge_all(normal)
    for mine, theirs in zip(read, counted, strict=True):
        assert hard_rules(limits, mine) == hard_rules(limits, theirs)
        assert mine.layout == layout
        assert mine.merge(theirs) == theirs.merge(mine) == theirs.merge(theirs)
        assert mine.scaled(3) == theirs.scaled(3)
    against = effects(total.columns, {}, 15)
    ones = [1.0] * len(sizes)
    assert against.of_each([one.columns for one in read], supports=ones) == against.of_each(
        [one.columns for one in counted], supports=ones
    )
    mine, theirs = scale.streams(read), scale.streams([*counted])
    assert np.array_equal(mine.y, theirs.y, equal_nan=True)
    assert np.array_equal(mine.within, theirs.within, equal_nan=True)


def test_windows_of_other_layouts_have_their_counts_where_they_belong() -> None:
    rng = np.random.default_rng(1)
    days = [rows(rng, 100, 4) for _ in range(15)]
    layout = fit_layout(days[0])
    scale = fit_columns([profile(day, layout) for day in days])
    day = {name: values for name, values in days[3].items() if name != "s"}
    short = profile(day, fit_layout(day))
    whole = profile(days[3], layout)
    mixed = scale.streams([whole, Profile(short.n, {**short.columns, "x": whole.columns["x"]}), whole])
    assert np.array_equal(mixed.y[:, 0], mixed.y[:, 2], equal_nan=True)
    x = [place for place, name in enumerate(mixed.names) if name.startswith("x:")]
    assert np.array_equal(mixed.y[x, 0], mixed.y[x, 1])
    s = [place for place, name in enumerate(mixed.names) if name.startswith("s")]
    assert np.isfinite(mixed.y[s, 0]).any() and np.isnan(mixed.y[s, 1]).all()


def test_a_column_that_is_not_there_is_no_column() -> None:
    counted = profile({"x": np.arange(9.0)}, fit_layout({"x": np.arange(9.0)}))
    read = Profile.from_bytes(counted.to_bytes())
    assert list(read.columns) == ["x"] and "y" not in read.columns and repr(read.columns) == repr(counted.columns)
    with pytest.raises(KeyError, match="y"):
        _ = read.columns["y"]
    assert read.columns["x"] is read.columns["x"]
    assert table_of({}).ends.size == 0


@pytest.mark.parametrize(
    ("place", "forged", "said"), [(5, [], "without an entry"), (5, [b"\0"], "cut off"), (6, [b""], "cut off")]
)
@pytest.mark.parametrize("number", [3, 4])
def test_columns_without_an_entry_or_with_half_a_sum_are_refused(
    number: int, place: int, forged: list[bytes], said: str
) -> None:
    counted = profile({"x": np.arange(9.0)}, fit_layout({"x": np.arange(9.0)}))
    form, _, n, layout, counts, check, buckets, *marks = msgspec.msgpack.decode(counted.to_bytes())
    if number == 3:
        check, marks = zlib.crc32(buckets[0]), []
    body = msgspec.msgpack.decode(zlib.decompress(counts))
    read = Profile.from_bytes(msgspec.msgpack.encode([form, number, n, layout, counts, check, buckets, *marks]))
    assert read.columns == counted.columns
    body[place] = forged
    counts = zlib.compress(msgspec.msgpack.encode(body))
    with pytest.raises(StoreError, match=said):
        Profile.from_bytes(msgspec.msgpack.encode([form, number, n, layout, counts, check, buckets, *marks]))
