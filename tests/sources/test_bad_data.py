"""Whatever is in a table: a defined result, or a reason why there is none. Never a fault, a warning or a NaN."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import numpy as np
import polars as pl
import pytest
from arro3.core import Table

from gyroscope.notebook import Profile, compare, profile
from gyroscope.records import NotEnoughData
from gyroscope.stats.drift import PLAIN, plain_distance

NORMAL = {"x": np.random.default_rng(0).normal(size=500), "t": np.array(["a", "b", None, "c"] * 125, dtype=object)}
BAD = {
    "all missing": pl.DataFrame({"x": [None, None], "t": [None, None]}),
    "all NaN": {"x": np.full(50, np.nan), "t": np.full(50, None)},
    "constant": {"x": np.full(50, 3.0), "t": np.full(50, "a", dtype=object)},
    "one row": {"x": np.array([1.0]), "t": np.array(["a"], dtype=object)},
    "no rows": pl.DataFrame(schema={"x": pl.Float64, "t": pl.String}),
    "no rows, no types": pl.DataFrame({"x": [], "t": []}),
    "no columns": pl.DataFrame(),
    "all distinct": {"x": np.arange(5_000.0), "t": np.array([f"id {row}" for row in range(5_000)], dtype=object)},
    "1e308": {"x": np.array([1e308, -1e308, 1.7e308, 5e-324, 0.0] * 20), "t": np.full(100, "", dtype=object)},
    "infinite": {"x": np.array([np.inf, -np.inf, np.nan, 1.0] * 20), "t": np.full(80, "nan", dtype=object)},
    "mixed types": {"x": np.array([1, "two", None, 3.5, b"4", [5]], dtype=object),
                    "t": np.array([1, "a", None, 2.5, {}, ()], dtype=object)},
    "text for numbers": pl.DataFrame({"x": ["1", "2", "high"], "t": ["a", "b", None]}),
    "numbers for text": pl.DataFrame({"x": [True, False, None], "t": [1, 2, None]}),
    "lists": pl.DataFrame({"x": [[1.0], [2.0]], "t": ["a", "b"]}),
    "records": pl.DataFrame({"x": [1.0, 2.0], "t": [{"a": 1}, {"a": 2}]}),
    "bytes": pl.DataFrame({"x": [1.0, 2.0], "t": [b"a", b"\xff"]}),
    "decimals": pl.DataFrame({"x": pl.Series([Decimal("1.5"), None], dtype=pl.Decimal(38, 10)), "t": ["a", "b"]}),
    "dates": pl.DataFrame({"x": [date(1, 1, 1), date(9999, 12, 31)], "t": ["a", "b"]}),
    "moments": pl.DataFrame({"x": [datetime(1677, 9, 22, tzinfo=UTC), None], "t": ["a", "b"]}),
    "spans": pl.DataFrame({"x": [timedelta(days=-99_999), None], "t": ["a", "b"]}),
    "far dates": {"x": np.array(["NaT", "292277-01-01"], "datetime64[s]"), "t": np.array(["a", "b"], dtype=object)},
    "a dictionary": pl.DataFrame({"x": [1.0, 2.0], "t": pl.Series(["a", None], dtype=pl.Categorical)}),
    "large texts": pl.DataFrame({"x": [1.0, 2.0], "t": ["a" * 1_000_000, "b" * 1_000_000]}),
    "odd texts": pl.DataFrame({"x": [1.0] * 4, "t": ["\0", "a\0b", "\ufeff", "é" * 200]}),
    "large integers": {"x": np.array([2**63, 2**64 - 1], np.uint64), "t": np.array(["a", "b"], dtype=object)},
    "masked": {"x": np.ma.array([1.0, np.inf, 3.0], mask=[0, 1, 1]), "t": np.ma.array(["a", "b", "c"], mask=[1, 0, 0])},
    "other columns": pl.DataFrame({"y": [1.0], "u": ["a"]}),
}  # fmt: skip


def check(found: object) -> None:
    """No NaN and no infinite number anywhere in a result, and a word for what is not known."""
    if isinstance(found, NotEnoughData):
        assert found.reason
    elif isinstance(found, float):
        assert math.isfinite(found)
    elif isinstance(found, msgspec.Struct):
        for name in found.__struct_fields__:
            check(getattr(found, name))


def check_comparison(before: object, after: object) -> None:
    found = compare(before, after)
    for column in found.columns:
        check(column)
        counts = found.reference.columns[column.name], found.current.columns[column.name]
        for name in PLAIN:
            distance = plain_distance(name, *counts)
            assert isinstance(distance, NotEnoughData) or all(math.isfinite(number) for number in distance)
    said = str(found) + found._repr_html_()
    assert "nan" not in said.replace("id nan", "").lower().split()


@pytest.mark.parametrize("name", BAD)
def test_a_profile_of_it_has_defined_numbers(name):
    found = profile(BAD[name])
    assert Profile.from_bytes(found.to_bytes()) == found == profile(BAD[name])
    for column in found.columns.values():
        assert column.counts.sum() + column.missing + column.nan_or_inf == column.n == found.n
        for number in (column.mean, column.sd, column.min, column.max, column.quantile(0.5)):
            check(number)


@pytest.mark.parametrize("name", BAD)
def test_it_is_compared_in_every_direction(name):
    check_comparison(NORMAL, BAD[name])
    check_comparison(BAD[name], NORMAL)
    check_comparison(BAD[name], BAD[name])


def test_what_a_column_holds_now_is_the_reason():
    reason = compare(NORMAL, BAD["lists"])["x"].effect.reason
    assert reason == "it holds lists now"


def test_a_schema_that_changes_in_mid_stream(tmp_path):
    for place, name in enumerate(("constant", "text for numbers", "lists", "other columns", "no rows")):
        frame = BAD[name] if isinstance(BAD[name], pl.DataFrame) else pl.DataFrame({"x": [3.0] * 50, "t": ["a"] * 50})
        frame.write_parquet(tmp_path / f"{place}.parquet")
    found = compare(NORMAL, tmp_path)
    assert found.current.n == 56 and found.added == ("y", "u")
    assert (found.current.columns["x"].missing, found.current.columns["t"].missing) == (4, 2)
    assert profile(tmp_path).columns["x"].bins.categories[0] == "3.0"


def test_ten_million_categories_take_no_more_memory_than_a_thousand():
    rows = np.arange(300_000)
    texts = Table.from_arrow(pl.DataFrame({"t": pl.Series(rows).cast(pl.String)}))
    found = profile(texts)
    assert len(found.columns["t"].bins.categories) == 100 and len(found.columns["t"].bins.rare) == 1_000
    assert found.columns["t"].counts.sum() == 300_000 and len(found.to_bytes()) < 10_000
