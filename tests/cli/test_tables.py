"""Files of rows: three kinds, one shape of columns."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from gyroscope.cli.tables import read_columns
from gyroscope.errors import InputError

ROWS = "SELECT * FROM (VALUES (1, 0.5, 'a', true), (2, NULL, NULL, false)) t(whole, part, text, flag)"


@pytest.mark.parametrize("ending", ["parquet", "csv", "json"])
def test_every_kind_of_file_gives_the_same_columns(tmp_path: Path, ending: str):
    path = tmp_path / f"rows.{ending}"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({ROWS}) TO '{path}' (FORMAT {ending})")
    columns = read_columns(path)
    assert list(columns) == ["whole", "part", "text", "flag"]
    assert columns["whole"].tolist() == [1, 2]
    assert columns["part"].tolist() == [0.5, None]
    assert columns["text"].tolist() == ["a", None]
    assert columns["text"].dtype == object
    assert np.asarray(columns["flag"]).tolist() == [True, False]


def test_a_path_with_quotes_is_a_path(tmp_path: Path):
    path = tmp_path / "it's; drop.csv"
    path.write_text("a\n1\n")
    assert read_columns(path)["a"].tolist() == [1]


@pytest.mark.parametrize(
    ("name", "content"), [("x.parquet", b"PAR1 no"), ("x.json", b"{{"), ("x.txt", b""), ("x.csv", None)]
)
def test_what_is_no_table_is_said_so(tmp_path: Path, name: str, content: bytes | None):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_columns(path)
    assert str(path) in refused.value.where
    assert refused.value.fix
