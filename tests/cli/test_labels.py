"""The file of `gyro labels add`: how lines become labels, and which lines are refused before anything is sent."""

from __future__ import annotations

import pytest

from gyroscope.cli.labels.add import LABELS_A_REQUEST, _batches
from gyroscope.errors import LabelError


def batches(here, text):
    path = here / "outcomes.csv"
    path.write_text(text)
    return list(_batches(path))


def test_lines_become_labels_with_their_line_numbers(here):
    found = batches(here, 'value,request_id,row,labeled_at\n1,"a\nb",2,2026-01-01\nhigh,c,,\n')
    assert found == [
        (
            [3, 4],
            [
                {"request_id": "a\nb", "value": 1.0, "row": 2, "labeled_at": "2026-01-01"},
                {"request_id": "c", "value": "high"},
            ],
        )
    ]


def test_many_lines_come_in_portions(here):
    lines = "\n".join(f"id{at},0" for at in range(LABELS_A_REQUEST + 1))
    assert [len(labels) for _, labels in batches(here, f"request_id,value\n{lines}\n")] == [LABELS_A_REQUEST, 1]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("id,value\na,1\n", ":1"),
        ("request_id\na\n", ":1"),
        ("request_id,value,when\na,1,2\n", ":1"),
        ("request_id,value\na,1,2\n", ":2"),
        ("", ":1"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(here, text, where):
    with pytest.raises(LabelError) as refused:
        batches(here, text)
    assert refused.value.where.endswith(f"outcomes.csv{where}")
    assert refused.value.fix


def test_a_missing_file_fails_in_words(gyro, here):
    gyro("init")
    ended = gyro("labels", "add", "none.csv", "--model", "churn")
    assert ended.code == 2
    assert "cannot be read" in ended.err


def test_a_cell_that_is_no_number_is_left_to_the_server_to_refuse(here):
    ((lines, labels),) = batches(here, "request_id,value,row\na,1,first\nb,0,1\n")
    assert lines == [2, 3]
    assert labels[0]["row"] == "first"
    assert labels[1] == {"request_id": "b", "value": 0.0, "row": 1}
