"""Rows for `gyro predict`: files and words become what the signature says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyroscope.cli.rows import read_rows, row_of_words
from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature

SIGNATURE = Signature(
    "binary",
    (Feature("age"), Feature("visits", "int64"), Feature("zip", "string", ("007",)), Feature("vip", "bool")),
)


def test_a_csv_gives_rows_in_the_order_of_the_signature(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("vip,zip,visits,age,more\ntrue,007,3,41.5,x\n,,,,\n")
    assert read_rows(path, SIGNATURE) == [[41.5, 3, "007", True], [None, None, None, None]]


def test_a_json_list_keeps_its_types(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_text('[{"age": 41.5, "visits": 3, "zip": "007", "vip": false}, {"age": null}]')
    assert read_rows(path, SIGNATURE) == [[41.5, 3, "007", False], [None, None, None, None]]


def test_words_make_one_row():
    assert row_of_words(["zip=a=b", "age=4e1"], SIGNATURE) == [40.0, None, "a=b", None]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("age,visits,zip\n1,2,3\n", "rows.csv"),
        ("age,visits,zip,vip\n1,2,3,maybe\n", "rows.csv:2 vip"),
        ("\x00", "rows.csv"),
    ],
)
def test_a_wrong_csv_is_refused_with_its_line(tmp_path: Path, content: str, where: str):
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(InputError) as refused:
        read_rows(path, SIGNATURE)
    assert where in refused.value.where


@pytest.mark.parametrize("content", ["{}", "[1]", "[", ""])
def test_a_wrong_json_is_refused(tmp_path: Path, content: str):
    path = tmp_path / "rows.json"
    path.write_text(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(path, SIGNATURE)


@pytest.mark.parametrize("word", ["aeg=1", "age", "age=old", "visits=1.5", "vip=perhaps"])
def test_a_wrong_word_is_refused(word: str):
    with pytest.raises(InputError) as refused:
        row_of_words([word], SIGNATURE)
    assert refused.value.fix
