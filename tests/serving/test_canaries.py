"""Values that must not be kept are sent in every way there is, and looked for in every file that was written."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from gyroscope.models.blocks import Blocks
from gyroscope.models.reference import build_reference
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.privacy import Privacy, protect
from gyroscope.records import Feature, Signature

TEXTS = ("ann@canary.example", "bob@canary.example", "Canarytown", "Canaryville", "canary-plan")
NUMBERS = (123456.75, 987654.25, 880088008800.0, 771177.0)
SIGNATURE = Signature(
    "regression",
    (
        Feature("age", role="pii"),
        Feature("mail", "string", (TEXTS[0],), role="pii"),
        Feature("income", role="drop"),
        Feature("account", "int64", role="hash"),
        Feature("place", "string", (TEXTS[2],), role="drop"),
        Feature("tier", "string", (TEXTS[4],), role="hash"),
        Feature("visits"),
    ),
    output="value",
)
ROW = {
    "age": [NUMBERS[0]], "mail": [TEXTS[0]], "income": [NUMBERS[1]], "account": [int(NUMBERS[2])], "place": [TEXTS[2]],
    "tier": [TEXTS[4]], "visits": [3],
}  # fmt: skip


def body(**changes: object) -> bytes:
    kinds = {"account": "INT64", "mail": "BYTES", "place": "BYTES", "tier": "BYTES"}
    inputs = []
    for name, values in {**ROW, **changes}.items():
        rows = len(values)  # type: ignore[arg-type]
        inputs.append({"name": name, "shape": [rows], "datatype": kinds.get(name, "FP64"), "data": values})
    return json.dumps({"inputs": inputs}).encode()


def quoting(rows):
    """A model that is right, unless it meets a place it does not like and says which."""
    if np.isnan(rows.matrix[0, 4]):
        raise ValueError(f"cannot use {rows.unseen}")
    return np.zeros(len(rows.matrix))


GOOD = {
    "plain": body(),
    "unseen": body(mail=[TEXTS[1]]),
    "many rows": body(**{name: values * 3 for name, values in ROW.items()}),
    "missing": body(mail=[None], account=[None], age=[None]),
}
BAD = {
    "model quotes": (body(place=[TEXTS[3]]), 500),
    "text for a number": (body(age=[TEXTS[1]]), 422),
    "fraction for a whole number": (body(account=[NUMBERS[0]]), 422),
    "value as a name": (body(**{TEXTS[1]: [1]}), 422),
    "value as a key": (b'{"inputs": [], "%s": 1}' % TEXTS[1].encode(), 422),
    "torn": (body()[:-20], 400),
}


@pytest.mark.parametrize("mode", ["os", "full"])
def test_no_canary_reaches_a_file(bench, tmp_path, mode):
    home, runtime = tmp_path / "home", tmp_path / "runtime"
    privacy = Privacy.of(home)
    place = home if mode == "full" else runtime
    served = bench(quoting, signature=SIGNATURE, mode=mode, privacy=privacy, segments=place / "segments" / "flights")
    statuses = {name: _ask(served, sent) for name, sent in GOOD.items()}
    assert set(statuses.values()) == {200}
    assert {name: _ask(served, sent) for name, (sent, _) in BAD.items()} == {
        n: status for n, (_, status) in BAD.items()
    }
    _reference(privacy, home / "reference")
    found = _look_for_canaries(tmp_path)
    served.log.close()
    recorder = Recorder(home, runtime, lambda *_: served.version, lambda _: "UTC", commit_every_s=0)
    assert recorder.drain() == len(GOOD) + 2 + len(BAD)
    assert recorder.failures == {}
    recorder.close()
    assert (found, _look_for_canaries(tmp_path)) == ([], [])
    _whole_rows_are_there(home, privacy)


def test_the_search_finds_what_is_there(tmp_path):
    (tmp_path / "a").write_bytes(b"..." + np.float64(NUMBERS[1]).tobytes())
    (tmp_path / "b").write_text(f"mail={TEXTS[0]}")
    assert len(_look_for_canaries(tmp_path)) == 2


def _ask(served, sent: bytes) -> int:
    answer = served.plane.handle(served.call(sent))
    if hasattr(answer, "waiting"):
        assert answer.waiting.wait(10) == "full"
        answer = served.plane.settle(answer)
    return answer.status


def _reference(privacy: Privacy, path: Path) -> None:
    columns = {
        name: np.array(values * 50, dtype=object if isinstance(values[0], str) else float)
        for name, values in ROW.items()
    }
    outputs = np.zeros(50)
    logged = protect(SIGNATURE, columns, privacy)
    path.write_bytes(build_reference(SIGNATURE, logged, outputs, None, np.arange(50), Blocks()).to_bytes())


def _look_for_canaries(folder: Path) -> list[tuple[str, str]]:
    needles = {text: [text.encode()] for text in TEXTS}
    for number in NUMBERS:
        packed = [np.float64(number).tobytes(), repr(number).encode()]
        whole = [np.int64(number).tobytes(), str(int(number)).encode()] if number.is_integer() else []
        needles[str(number)] = packed + whole
    return [
        (path.name, name)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for name, forms in needles.items()
        if any(form in path.read_bytes() for form in forms)
    ]


def _whole_rows_are_there(home: Path, privacy: Privacy) -> None:
    """What may be kept was kept: else the search finds nothing because nothing was written."""
    files = str(home / "tables" / "flights" / "**" / "*.parquet")
    everything = repr(
        duckdb.connect().execute(f"SELECT * EXCLUDE (event_time, arrival_time) FROM read_parquet('{files}')").fetchall()
    )
    assert not [value for value in (*TEXTS, *map(str, NUMBERS)) if value in everything]
    query = f"SELECT feature_visits, feature_mail, feature_account FROM read_parquet('{files}') WHERE status = 200"
    rows = duckdb.connect().execute(query).fetchall()
    mails = {privacy.digest(TEXTS[0]), privacy.digest(TEXTS[1]), None}
    assert {row[0] for row in rows} == {3.0}
    assert {row[1] for row in rows} == mails
    assert {row[2] for row in rows} == {privacy.digest(str(int(NUMBERS[2]))), None}
