"""One try to post: addresses, names and certificates that are none, and when a receiver asks to be tried again."""

from __future__ import annotations

import contextlib
import socket
import threading

import msgspec
import pytest
from benchmarks.loop.receiver import receiving
from tests.alerts.told import notice

from gyroscope.alerts.notifiers import Outcome
from gyroscope.alerts.notifiers.posting import Posted, post
from gyroscope.alerts.outbox import LONGEST_WAIT_US, Letter
from gyroscope.alerts.patience import after
from gyroscope.clock import HOUR_US, SECOND_NS, SECOND_US, EventTime, machine_now


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0", "[fe80::1]", "224.0.0.1"])
def test_addresses_that_no_receiver_has_are_not_connected_to(host):
    outcome = post(Posted(f"http://{host}:9/", b"", {}, 5.0), EventTime(0))
    assert outcome.said == "no answer: ConnectionRefusedError"


def test_a_name_that_is_none_is_an_outcome():
    assert post(Posted("http://nobody.invalid/", b"", {}, 5.0), EventTime(0)).said == "no answer: gaierror"


def test_https_needs_a_certificate_that_is_trusted():
    with receiving() as receiver:
        outcome = post(Posted(receiver.url.replace("http:", "https:"), b"", {}, 5.0), EventTime(0))
    assert outcome.said == "no answer: SSLError"


def test_a_handshake_that_never_ends_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def trickle() -> None:
            taken, _ = server.accept()
            with taken, contextlib.suppress(OSError):
                taken.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB is to come
                while not ended.wait(0.02):
                    taken.sendall(b"\0")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        began = machine_now()
        outcome = post(Posted(f"https://127.0.0.1:{server.getsockname()[1]}/", b"", {}, 0.3), EventTime(0))
        taken_ns = machine_now() - began
        ended.set()
        thread.join()
    assert (outcome.is_delivered, outcome.is_final) == (False, False)
    assert taken_ns < 20 * SECOND_NS


def test_a_receiver_that_says_when_is_believed_within_an_hour():
    letter = Letter(1, "team", notice())
    far = EventTime(10 * HOUR_US)

    def next_s(outcome: Outcome, tries: int = 0, drawn: float = 0.0) -> float:
        started = msgspec.structs.replace(letter, tries=tries)
        return after(started, outcome, EventTime(0), far, drawn).next_at / SECOND_US

    assert next_s(Outcome(False, after_s=120.0)) == 120
    assert next_s(Outcome(False, after_s=1e9)) == LONGEST_WAIT_US / SECOND_US
    assert [next_s(Outcome(False), tries) for tries in (0, 1, 2, 9, 5_000)] == [0.5, 1, 2, 150, 150]
    assert next_s(Outcome(False), 9, 0.999) == pytest.approx(299.85)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("5", 5.0),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 60.0),
        ("soon", 0.0),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(said, seconds):
    with receiving(lambda key, seen: f"429 after {said}") as receiver:
        assert post(Posted(receiver.url, b"", {}, 5.0), EventTime(0)).after_s == seconds
