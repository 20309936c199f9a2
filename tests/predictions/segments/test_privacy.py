"""Roles: what may not be kept reaches no file, what is hashed is the same wherever it is met."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog
from gyroscope.predictions.segments.privacy import Privacy, Protect, protect
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Feature, Signature, Version

MAIL, FRIEND, PLACE = "ann@canary.example", "bob@canary.example", "Canarytown"
INCOME, ACCOUNT, AGE = 987654.25, 880088008800, 123.456

SIGNATURE = Signature(
    "regression",
    (
        Feature("age", role="pii"),
        Feature("mail", "string", (MAIL,), role="pii"),
        Feature("plan", "string", ("free", "paid")),
        Feature("income", role="drop"),
        Feature("account", "int64", role="hash"),
        Feature("place", "string", (PLACE,), role="drop"),
        Feature("visits"),
    ),
)
VERSION = Version("people", "0a1b2c3d4e5f", "onnx", "m", "0", SIGNATURE, EventTime(0))
PRIVACY = Privacy(bytes(range(32)))


def an_entry(rows: int = 1, **more: object) -> LogEntry:
    row = [AGE, 0, 1, INCOME, ACCOUNT, 0, 3]
    return LogEntry("r-1", 0, 0, 5, 200, np.tile(row, (rows, 1)), np.zeros((rows, 1)), **more)  # type: ignore[arg-type]


def test_values_become_digests_or_nothing():
    entry = an_entry(2, unseen=[(1, 1, FRIEND), (1, 2, "trial"), (0, 5, "Elsewhere")])
    assert entry.matrix is not None
    entry.matrix[1, 1] = np.nan
    entry.matrix[0, 4] = np.nan
    assert Protect(SIGNATURE, PRIVACY)(entry).unseen == [
        (0, 1, PRIVACY.digest(MAIL)),
        (1, 1, PRIVACY.digest(FRIEND)),
        (1, 2, "trial"),
        (1, 4, PRIVACY.digest(str(ACCOUNT))),
    ]


def test_an_error_without_input_has_no_texts():
    entry = LogEntry("r-1", 0, 0, 5, 422, error="it broke")
    assert Protect(SIGNATURE, PRIVACY)(entry).unseen == []


@pytest.mark.parametrize("mode", ["os", "full"])
def test_no_byte_of_a_private_value_is_written(tmp_path, mode):
    log = PredictionLog(tmp_path / "s", "people-0a1b2c3d4e5f-0", VERSION, LogPolicy(mode=mode), privacy=PRIVACY)
    entries = [an_entry(), an_entry(3, unseen=[(0, 1, FRIEND)]), an_entry(2)]
    assert log.append_all(entries) == [mode] * 3
    log.close()
    written = b"".join(path.read_bytes() for path in (tmp_path / "s").iterdir())
    for text in (MAIL, FRIEND, PLACE):
        assert text.encode() not in written
    for number in (AGE, INCOME, float(ACCOUNT)):
        assert np.float64(number).tobytes() not in written
    assert PRIVACY.digest(MAIL).encode() in written
    assert np.float64(3).tobytes() in written


def test_a_log_that_should_hash_needs_a_key(tmp_path):
    with pytest.raises(StoreError, match="there is no key") as refused:
        PredictionLog(tmp_path, "r", VERSION)
    assert "Privacy.of(home)" in refused.value.fix
    only_dropped = Signature("binary", (Feature("x"), Feature("y", role="drop")))
    PredictionLog(tmp_path, "r", Version("m", "0a1b2c3d4e5f", "onnx", "m", "0", only_dropped, EventTime(0)))


def test_references_hold_what_the_log_holds():
    columns = {
        "age": np.array([AGE, 2]),
        "mail": np.array([MAIL, None], dtype=object),
        "plan": np.array(["free", "paid"], dtype=object),
        "income": np.array([INCOME, 1]),
        "account": np.ma.masked_array([ACCOUNT, 7], mask=[False, True]),
        "place": np.array([PLACE, PLACE], dtype=object),
        "visits": np.array([1.0, 2.0]),
        "label": np.array([0, 1]),
    }
    found = protect(SIGNATURE, columns, PRIVACY)
    assert list(found) == list(SIGNATURE.as_logged.names)
    assert found["mail"].tolist() == [PRIVACY.digest(MAIL), None]
    assert found["account"].tolist() == [PRIVACY.digest(str(ACCOUNT)), None]
    assert found["plan"] is columns["plan"]
    logged = {text for row, column, text in Protect(SIGNATURE, PRIVACY)(an_entry()).unseen if column == 4}
    assert logged == {found["account"][0]}


def test_numbers_have_one_digest_whatever_their_type():
    assert PRIVACY.digest_of(7) == PRIVACY.digest_of(7.0) == PRIVACY.digest_of(np.float32(7)) == PRIVACY.digest("7")
    assert PRIVACY.digest_of(7.5) == PRIVACY.digest("7.5")
    assert PRIVACY.digest_of(float("inf")) == PRIVACY.digest("inf")
    assert (PRIVACY.digest_of(float("nan")), PRIVACY.digest_of(None)) == (None, None)


def test_another_key_gives_another_digest():
    assert Privacy(bytes(32)).digest(MAIL) != PRIVACY.digest(MAIL)


def test_the_key_is_made_once_and_is_private(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda _: Privacy.of(tmp_path).digest(MAIL), range(16)))
    path = tmp_path / "keys" / "privacy"
    assert len(digests) == 1
    assert (len(path.read_bytes()), stat.S_IMODE(path.stat().st_mode)) == (32, 0o600)
    assert [file.name for file in path.parent.iterdir()] == ["privacy"]


def test_a_broken_key_is_not_used(tmp_path):
    Privacy.of(tmp_path)
    path = tmp_path / "keys" / "privacy"
    path.write_bytes(b"short")
    with pytest.raises(StoreError, match="has 5 bytes"):
        Privacy.of(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        Privacy.of(tmp_path)
