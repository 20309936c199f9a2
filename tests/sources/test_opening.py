"""The same rows in every kind of file give the same profile; what is no table is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from arro3.core import Table
from arro3.io import write_ipc_stream
from deltalake import write_deltalake

from gyroscope.errors import InputError
from gyroscope.sources import open_table, profile_table, read_columns

FRAME = pl.DataFrame(
    {
        "number": [1.5, None, 3.0] * 2_000,
        "text": ["a", None, "a longer text, with a comma"] * 2_000,
        "flag": [True, False, None] * 2_000,
        "moment": [datetime(2024, 5, 1, tzinfo=UTC), None, datetime(2024, 5, 2, tzinfo=UTC)] * 2_000,
    }
)


def _delta(path):
    write_deltalake(path / "t", FRAME[:4_000])
    write_deltalake(path / "t", FRAME[4_000:], mode="append")
    return path / "t"


def _folder(path):
    (path / "parts").mkdir()
    FRAME[:1_000].write_parquet(path / "parts" / "a.parquet")
    FRAME[1_000:].write_parquet(path / "parts" / "b.parquet")
    return path / "parts"


def _written(write, name):
    def made(path):
        write(path / name)
        return path / name

    return made


KINDS = {
    "parquet": _written(FRAME.write_parquet, "t.parquet"),
    "csv": _written(FRAME.write_csv, "t.csv"),
    "feather": _written(FRAME.write_ipc, "t.feather"),
    "arrows": _written(lambda path: write_ipc_stream(Table.from_arrow(FRAME), path), "t.arrows"),
    "delta": _delta,
    "folder": _folder,
    "table": lambda path: Table.from_arrow(FRAME),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_profile(kind, tmp_path):
    assert profile_table(open_table(KINDS[kind](tmp_path))).profile == profile_table(open_table(FRAME)).profile


def test_a_table_can_be_gone_through_again(tmp_path):
    table = open_table(KINDS["csv"](tmp_path))
    assert [block.rows for block in table.blocks()] == [block.rows for block in table.blocks()] == [6_000]


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".arrows", ".csv"])
def test_a_damaged_file_is_named(ending, tmp_path):
    path = tmp_path / f"x{ending}"
    path.write_bytes(b"PAR1\x00\xff\xfe not what its name says \x00" * 5)
    with pytest.raises(InputError) as refused:
        read_columns(path)
    assert refused.value.where == str(path) and "cannot be read" in refused.value.what


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Parquet file"):
        open_table(tmp_path)
