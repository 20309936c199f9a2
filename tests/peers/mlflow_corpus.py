"""What `mlflow models serve` and our MLflow protocol are both asked, and where their answers may differ.

`test_mlflow.py` sends it; the model has three features that are doubles: age, income, visits.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.peers.sides import NAMES, Case, get, post

ASK = "/invocations"
CSV = "text/csv"
ROWS: list[list[float]] = [[40, 1000.5, 3], [23, 0, 0.25]]


def split(columns: Sequence[str] = NAMES, data: object = ROWS, **more: object) -> dict[str, object]:
    return {"dataframe_split": {"columns": list(columns), "data": data, **more}}


def record(**more: object) -> dict[str, object]:
    return {**dict(zip(NAMES, ROWS[0], strict=True)), **more}


CORPUS = [
    post("split", ASK, split()),
    post("split, one row", ASK, split(data=ROWS[:1])),
    post("split, a thousand rows", ASK, split(data=ROWS * 500)),
    post("split, columns in another order", ASK, split(NAMES[::-1], [row[::-1] for row in ROWS])),
    post("split with an index", ASK, split(index=[7, 9])),
    post("split, whole numbers", ASK, split(data=[[1, 2, 3]])),
    post("split, a column too many", ASK, split((*NAMES, "height"), [[*row, 1] for row in ROWS])),
    post("split, a column missing", ASK, split(NAMES[:2], [row[:2] for row in ROWS])),
    post("split, a column twice", ASK, split(("age", "age", "visits"))),
    post("split without columns", ASK, {"dataframe_split": {"data": ROWS}}),
    post("split without data", ASK, {"dataframe_split": {"columns": list(NAMES)}}),
    post("split, no rows", ASK, split(data=[])),
    post("split, a row too short", ASK, split(data=[[1, 2, 3], [1, 2]])),
    post("split, a row too long", ASK, split(data=[[1, 2, 3, 4]])),
    post("split, rows that are numbers", ASK, split(data=[1, 2, 3])),
    post("split, data that is a text", ASK, split(data="1,2,3")),
    post("split is a list", ASK, {"dataframe_split": ROWS}),
    post("a text where a number belongs", ASK, split(data=[["forty", 1, 2]])),
    post("a number written as a text", ASK, split(data=[["40", 1, 2]])),
    post("a bool where a number belongs", ASK, split(data=[[True, 1, 2]])),
    post("a list where a number belongs", ASK, split(data=[[[1], 1, 2]])),
    post("a missing value", ASK, split(data=[[None, 1, 2]])),
    post("NaN spelled out", ASK, '{"dataframe_split":{"columns":["age","income","visits"],"data":[[NaN,1,2]]}}'),
    post(
        "infinity spelled out", ASK, '{"dataframe_split":{"columns":["age","income","visits"],"data":[[Infinity,1,2]]}}'
    ),
    post(
        "a number beyond doubles", ASK, '{"dataframe_split":{"columns":["age","income","visits"],"data":[[1e400,1,2]]}}'
    ),
    post("records", ASK, {"dataframe_records": [record(), record(age=1)]}),
    post("records with different keys", ASK, {"dataframe_records": [record(), {"age": 1, "income": 2}]}),
    post("records with a key too many", ASK, {"dataframe_records": [record(height=2)]}),
    post("records with a key missing", ASK, {"dataframe_records": [{"age": 1, "income": 2}]}),
    post("no records", ASK, {"dataframe_records": []}),
    post("a record that is no list", ASK, {"dataframe_records": record()}),
    post("instances, records", ASK, {"instances": [record(), record(age=1)]}),
    post("instances, lists", ASK, {"instances": ROWS}),
    post("instances, one list", ASK, {"instances": ROWS[0]}),
    post("no instances", ASK, {"instances": []}),
    post("inputs, columns", ASK, {"inputs": {"age": [40, 23], "income": [1000.5, 0], "visits": [3, 0.25]}}),
    post("inputs, columns of different lengths", ASK, {"inputs": {"age": [40, 23], "income": [1], "visits": [3, 2]}}),
    post("inputs, a column missing", ASK, {"inputs": {"age": [40, 23], "income": [1000.5, 0]}}),
    post("inputs, lists", ASK, {"inputs": ROWS}),
    post("inputs, records", ASK, {"inputs": [record(), record(age=1)]}),
    post("inputs, one record", ASK, {"inputs": record()}),
    post("two forms", ASK, {**split(), "instances": ROWS}),
    post("no form", ASK, {"rows": ROWS}),
    post("another key beside", ASK, {**split(), "comment": "hello"}),
    post("params nobody declared", ASK, {**split(), "params": {"temperature": 1}}),
    post("empty params", ASK, {**split(), "params": {}}),
    post("an empty object", ASK, {}),
    post("a list", ASK, ROWS),
    post("a text", ASK, '"hello"'),
    post("null", ASK, "null"),
    post("no JSON", ASK, "{"),
    post("JSON with something after it", ASK, '{"instances": [[1, 2, 3]]} x'),
    post("an empty body", ASK, ""),
    post("no UTF-8", ASK, b'{"instances": "\xff"}'),
    post("JSON with charset", ASK, split(), "application/json; charset=utf-8"),
    post("JSON with charset in capitals", ASK, split(), "application/json; charset=UTF-8"),
    post("JSON in another charset", ASK, split(), "application/json; charset=latin-1"),
    post("JSON with another parameter", ASK, split(), "application/json; format=pandas-split"),
    post("another content type", ASK, split(), "text/plain"),
    post("no content type", ASK, split(), ""),
    post("csv", ASK, "age,income,visits\n40,1000.5,3\n23,0,0.25\n", CSV),
    post("csv with charset", ASK, "age,income,visits\n40,1000.5,3\n", f"{CSV}; charset=utf-8"),
    post("csv, columns in another order", ASK, "visits,age,income\n3,40,1000.5\n", CSV),
    post("csv, a column missing", ASK, "age,income\n40,1000.5\n", CSV),
    post("csv, a column too many", ASK, "age,income,visits,height\n40,1000.5,3,2\n", CSV),
    post("csv, a text where a number belongs", ASK, "age,income,visits\nforty,1000.5,3\n", CSV),
    post("csv in quotes", ASK, '"age","income","visits"\n"40","1000.5","3"\n', CSV),
    post("csv without rows", ASK, "age,income,visits\n", CSV),
    post("csv, nothing at all", ASK, "", CSV),
    get("ping", "/ping"),
    get("health", "/health"),
    get("version", "/version"),
    get("invocations with GET", ASK),
]

_UNKNOWN = "a name that the signature does not know is refused: of a misspelt one nobody would ever hear otherwise"
_STRICT = "only numbers are numbers: what was meant by a text or a bool is the client's to say"
_LISTS = "rows without names are taken in the signature's order; MLflow needs names for a model with columns"

DIFFERENCES = {
    "split, a column too many": _UNKNOWN,
    "records with a key too many": _UNKNOWN,
    "csv, a column too many": _UNKNOWN,
    "a number written as a text": _STRICT,
    "a bool where a number belongs": _STRICT,
    "instances, lists": _LISTS,
    "inputs, lists": _LISTS,
    "inputs, one record": "a row is always part of a list",
    "no content type": "taken as JSON; MLflow answers 500",
    "version": "each says its own",
}
"""Case -> why ours answers otherwise, on purpose."""


def by_name() -> dict[str, Case]:
    return {case.name: case for case in CORPUS}
