"""Keys: single use, expiry, private files, nothing readable left behind."""

from __future__ import annotations

import contextlib
import hashlib
import stat
import threading

import pytest

from gyroscope.clock import DAY_US, SECOND_US, EventTime
from gyroscope.errors import InputError
from gyroscope.web.keys import Keys

NOW = EventTime(1_700_000_000 * SECOND_US)


class Clock:
    at = NOW

    def __call__(self) -> EventTime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path, clock) -> Keys:
    return Keys(tmp_path, clock)


def test_a_code_opens_one_session_only(keys):
    code = keys.new_login_code()
    token = keys.redeem(code)
    assert keys.check_session(token)
    with pytest.raises(InputError) as refused:
        keys.redeem(code)
    assert refused.value.status == 401


def test_of_many_who_bring_one_code_at_once_one_gets_in(tmp_path, clock):
    code = Keys(tmp_path, clock).new_login_code()
    tokens, barrier = [], threading.Barrier(8)

    def bring() -> None:
        barrier.wait()
        with contextlib.suppress(InputError):
            tokens.append(Keys(tmp_path, clock).redeem(code))

    threads = [threading.Thread(target=bring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 1


@pytest.mark.parametrize(("minutes", "works"), [(14.9, True), (15, False), (60, False)])
def test_a_code_lives_fifteen_minutes(keys, clock, minutes, works):
    code = keys.new_login_code()
    clock.at = EventTime(NOW + round(minutes * 60 * SECOND_US))
    if works:
        assert keys.redeem(code)
    else:
        with pytest.raises(InputError):
            keys.redeem(code)


def test_a_session_ends_after_a_week_and_outlives_a_restart(keys, tmp_path, clock):
    token = keys.redeem(keys.new_login_code())
    assert Keys(tmp_path, clock).check_session(token)
    clock.at = EventTime(NOW + 7 * DAY_US)
    assert not keys.check_session(token)


def test_one_kind_of_secret_is_no_other(keys):
    first = keys.create_first()
    token = keys.redeem(keys.new_login_code())
    assert keys.check(first.api_key)
    assert not keys.check(first.login_code) and not keys.check(token) and not keys.check("")
    assert not keys.check_session(first.api_key) and not keys.check_session(first.login_code)
    with pytest.raises(InputError):
        keys.redeem(first.api_key)


def test_the_first_key_stays(keys, tmp_path):
    first = keys.create_first()
    again = Keys(tmp_path).create_first()
    assert again.api_key == first.api_key == keys.api_key_path.read_text().strip()
    assert again.login_code != first.login_code


def test_started_twice_at_once_both_get_the_same_key(tmp_path):
    found, barrier = [], threading.Barrier(6)

    def start() -> None:
        barrier.wait()
        found.append(Keys(tmp_path).create_first().api_key)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1
    assert Keys(tmp_path).check(found[0])


def test_files_are_private_and_hold_digests(keys, tmp_path):
    first = keys.create_first()
    token = keys.redeem(keys.new_login_code())
    folder = tmp_path / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    kept = (folder / "digests").read_bytes()
    for secret in (first.api_key, first.login_code, token):
        assert secret.encode() not in kept
    assert keys.api_key_digests() == (hashlib.sha256(first.api_key.encode()).hexdigest(),)
    assert sorted(path.name for path in folder.iterdir()) == ["api_key", "digests"]


def test_secrets_do_not_show_when_printed(keys):
    first = keys.create_first()
    assert first.api_key not in f"{first} {first!r}" and first.login_code not in repr(first)
