"""The library without a server: the same table in any dress gives the same profile."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from arro3.core import Table

import gyroscope
from gyroscope.errors import InputError
from gyroscope.notebook import compare, profile
from gyroscope.sources import read_columns

SIX, NEXT_DAY = datetime(2020, 1, 1, 6, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "number": [1.5, None, 3.0, 2.0],
        "whole": [1, 2, None, 4],
        "flag": [True, None, False, True],
        "text": ["a", None, "b", "a"],
        "day": [date(2020, 1, 1), None, date(2020, 1, 3), date(2020, 1, 3)],
        "moment": [SIX, None, NEXT_DAY, NEXT_DAY],
    }
)


def _pandas():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    return pandas.DataFrame(
        {
            "number": [1.5, None, 3.0, 2.0],
            "whole": pandas.array([1, 2, None, 4], dtype="Int64"),
            "flag": pandas.array([True, None, False, True], dtype="boolean"),
            "text": ["a", None, "b", "a"],
            "day": pandas.to_datetime(["2020-01-01", None, "2020-01-03", "2020-01-03"]),
            "moment": pandas.to_datetime(
                ["2020-01-01T06:00", None, "2020-01-02", "2020-01-02"], utc=True, format="ISO8601"
            ),
        }
    )


def _mapping():
    days = np.array(["2020-01-01", "NaT", "2020-01-03", "2020-01-03"], dtype="datetime64[D]")
    moments = np.array(["2020-01-01T06:00", "NaT", "2020-01-02", "2020-01-02"], dtype="datetime64[m]")
    return {
        "number": np.array([1.5, np.nan, 3.0, 2.0]),
        "whole": np.ma.array([1, 2, 0, 4], mask=[0, 0, 1, 0]),
        "flag": np.array([1.0, np.nan, 0.0, 1.0]),
        "text": ["a", None, "b", "a"],
        "day": days,
        "moment": moments,
    }


def _parquet(tmp_path):
    FRAME.write_parquet(tmp_path / "a[1]'*.parquet")
    return tmp_path / "a[1]'*.parquet"


def _csv(tmp_path):
    FRAME.write_csv(tmp_path / "a.csv")
    return str(tmp_path / "a.csv")


@pytest.mark.parametrize("dress", ["polars", "pandas", "arrow", "mapping", "parquet", "csv"])
def test_the_same_table_gives_the_same_profile(dress, tmp_path):
    made = {
        "polars": lambda: FRAME,
        "pandas": _pandas,
        "arrow": lambda: Table.from_arrow(FRAME),
        "mapping": _mapping,
        "parquet": lambda: _parquet(tmp_path),
        "csv": lambda: _csv(tmp_path),
    }[dress]()
    found, expected = profile(made), profile(FRAME)
    for name in FRAME.columns:
        assert found.columns[name] == expected.columns[name], name
    assert list(found.columns) == FRAME.columns and found.n == 4


def test_what_the_numbers_are():
    found = profile(FRAME).columns
    assert (found["number"].missing, found["number"].mean) == (1, 6.5 / 3)
    assert found["flag"].counts.tolist() == [0, 1, 2, 0]
    assert found["text"].bins.categories == ("a", "b")
    assert found["moment"].min == SIX.timestamp() * 1e6


def test_columns_of_unusual_kinds():
    frame = pl.DataFrame(
        {
            'a "quoted" name': pl.Series(["x", "y"], dtype=pl.Categorical),
            "money": pl.Series(["1.50", "2"]).cast(pl.Decimal(10, 2)),
            "span": [timedelta(seconds=1), None],
            "large": pl.Series([1, 2**63], dtype=pl.UInt64),
            "nothing": [None, None],
        }
    )
    found = read_columns(frame)
    assert found['a "quoted" name'].tolist() == ["x", "y"]
    assert found["money"].tolist() == [1.5, 2.0] and found["large"].tolist() == [1.0, 2.0**63]
    assert found["span"][0] == 1e6 and np.isnan(found["span"][1]) and np.isnan(found["nothing"]).all()


def test_a_comparison_of_two_tables():
    before = pl.DataFrame({"x": np.arange(1_000) % 2, "old": 0})
    after = pl.DataFrame({"x": np.arange(1_000) % 4 // 3, "new": 0})
    found = compare(before, after)
    assert found["x"].effect.effect == pytest.approx(0.5, abs=0.01)
    assert found.added == ("new",) and "no such column" in found["old"].effect.reason
    assert compare(profile(before), profile(after, reference=profile(before)))["x"] == found["x"]


def test_the_report_of_a_comparison_is_written(tmp_path):
    frame = {"x": np.arange(100.0)}
    path = compare(frame, frame).to_html(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (7, "not a table"),
        ("missing.parquet", "no such file"),
        ("data.xlsx", "not known"),
        (pl.DataFrame({"x": [[1], [2]]}), "column 'x' holds"),
        (pl.DataFrame({"x": [{"a": 1}]}), "column 'x' holds"),
    ],
)
def test_what_cannot_be_read_is_said(data, what):
    with pytest.raises(InputError) as refused:
        profile(data)
    assert what in refused.value.what and refused.value.fix


def test_a_damaged_file_is_named(tmp_path):
    damaged = tmp_path / "x.parquet"
    damaged.write_bytes(b"PAR1 not really")
    with pytest.raises(InputError) as refused:
        profile(damaged)
    assert str(damaged) in refused.value.where


def test_a_name_is_never_run_as_sql(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({'x" FROM range(3); --': [1, 2]}).write_parquet(path)
    assert profile(path).n == 2


def test_import_is_light_and_the_names_are_there():
    program = "import gyroscope, sys; print(*({'numpy', 'plotly', 'duckdb'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
    assert gyroscope.compare is compare and gyroscope.profile is profile


def test_text_far_down_a_csv_makes_a_column_of_text(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("x\n" + "1\n" * 30_000 + "late\n")
    assert profile(path).columns["x"].bins.categories == ("1", "late")
