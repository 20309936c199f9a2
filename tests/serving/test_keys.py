"""Keys count as soon as they are there, and no longer than they are."""

from __future__ import annotations

import hashlib

import pytest

from gyroscope.clock import MachineTime
from gyroscope.errors import StoreError
from gyroscope.serving.keys import LOOK_EVERY_NS, ApiKeys


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "digests"
    path.write_text("1")
    return path


def digest(key):
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.mark.parametrize("header", [b"Bearer good", b"bearer good"])
def test_a_known_key_may_ask(file, header):
    assert ApiKeys(lambda: [digest("other"), digest("good")], file).allow(header, MachineTime(0))


@pytest.mark.parametrize(
    "header",
    [b"", b"Bearer", b"Bearer ", b"Bearer bad", b"good", b"Basic good", b"Bearer  good", b"Bearer " + b"x" * 600],
)
def test_nothing_else_may(file, header):
    assert not ApiKeys(lambda: [digest("good")], file).allow(header, MachineTime(0))


def test_a_digest_is_no_key(file):
    keys = ApiKeys(lambda: [digest("good")], file)
    assert not keys.allow(b"Bearer " + digest("good").encode(), MachineTime(0))


def test_a_change_is_seen_at_the_next_look_and_not_asked_for_without_one(file):
    known, reads = [digest("old")], []

    def read():
        reads.append(1)
        return list(known)

    keys = ApiKeys(read, file)
    assert keys.allow(b"Bearer old", MachineTime(0))
    known[:] = [digest("new")]
    file.write_text("22")
    assert not keys.allow(b"Bearer new", MachineTime(LOOK_EVERY_NS - 1))
    assert keys.allow(b"Bearer new", MachineTime(LOOK_EVERY_NS))
    assert not keys.allow(b"Bearer old", MachineTime(LOOK_EVERY_NS * 3))
    assert len(reads) == 2


def test_no_file_means_nobody(tmp_path):
    assert not ApiKeys(lambda: [digest("good")], tmp_path / "missing").allow(b"Bearer good", MachineTime(0))


def test_a_file_that_cannot_be_read_for_a_moment_locks_nobody_out(file):
    is_busy = False

    def read():
        if is_busy:
            raise StoreError("locked")
        return [digest("good")]

    keys = ApiKeys(read, file)
    assert keys.allow(b"Bearer good", MachineTime(0))
    is_busy = True
    file.write_text("22")
    assert keys.allow(b"Bearer good", MachineTime(LOOK_EVERY_NS))
