"""Letters reach real receivers over real sockets, whatever these do first; and it is said when one never did."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import sqlite3
import threading
from collections import Counter
from contextlib import closing

import msgspec
import pytest
from benchmarks.loop.receiver import receiving
from tests.alerts.told import FAR, notice

from gyroscope.alerts import Incidents
from gyroscope.alerts.delivery import Delivery
from gyroscope.alerts.notices import Notice
from gyroscope.alerts.notifiers import Outcome
from gyroscope.alerts.notifiers.alertmanager import AlertmanagerNotifier
from gyroscope.alerts.notifiers.log import LogNotifier
from gyroscope.alerts.notifiers.webhook import WebhookNotifier
from gyroscope.alerts.outbox import Letter, Outbox
from gyroscope.alerts.outbox import post as put_in
from gyroscope.clock import HOUR_US, SECOND_NS, EventTime, MachineTime, machine_now, wall_now
from gyroscope.errors import SettingsError, StoreError
from gyroscope.signals.store import Signals

RAW = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(RAW).decode()


class Desk:
    """An outbox and a loop for a receiver."""

    def __init__(self, folder, url: str, *, timeout_s: float = 5.0, secret: str = SECRET, give_up_us: int = HOUR_US):
        self.path = folder / "state.db"
        self.outbox = Outbox(self.path)
        self.signals = Signals(self.path)
        self.delivery = Delivery(
            "team", WebhookNotifier(url, lambda: secret, timeout_s), self.outbox, self.signals, give_up_us
        )

    def write(self, *notices) -> None:
        with self.outbox._database.opened() as connection:
            put_in(connection, notices, ["team"])

    def now(self) -> None:
        """Whatever waits is due."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("UPDATE outbox SET next_at = 0")

    def due_now(self) -> None:
        """What waits for its next try has waited."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("UPDATE outbox SET next_at = ? WHERE tries > 0", (wall_now(),))

    def fill(self) -> None:
        """As on a full disk: nothing can be written down."""
        with closing(sqlite3.connect(self.path)) as database, database:
            full = "SELECT RAISE(ABORT, 'disk is full')"
            database.execute(f"CREATE TRIGGER full BEFORE UPDATE ON outbox BEGIN {full}; END")

    def free(self) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("DROP TRIGGER full")

    def letters(self) -> list[Letter]:
        return self.outbox.of("m-1")


class Killed:
    """Asks `behave` what comes of a letter; one that raises has been sent when control was killed."""

    def __init__(self, behave) -> None:
        self._behave = behave
        self._seen: Counter[str] = Counter()

    def send(self, one, now) -> Outcome:
        self._seen[one.key] += 1
        status = self._behave(one.key, self._seen[one.key] - 1)
        return Outcome(status == "202", status)


@pytest.fixture
def desk(tmp_path):
    made = []

    def at(url: str, **more) -> Desk:
        made.append(Desk(tmp_path, url, **more))
        return made[-1]

    yield at
    for one in made:
        one.signals.close()


def test_a_letter_is_signed_and_delivered_once(desk):
    with receiving() as receiver:
        mine = desk(receiver.url)
        mine.write(notice(at=wall_now()))
        assert [mine.delivery.run_once(), mine.delivery.run_once()] == [1, 0]
    (request,) = receiver.requests
    sent = request.headers
    text = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(RAW, text, hashlib.sha256).digest()).decode()
    assert sent["webhook-signature"] == f"v1,{expected}"
    assert (request.path, sent["webhook-id"], sent["content-type"]) == ("/hook", "m-1-1", "application/json")
    body = msgspec.json.decode(request.body)
    assert (body["type"], body["data"]["incident"], body["data"]["since"]) == (
        "incident.opened",
        "m-1",
        "1970-01-01T00:00:00+00:00",
    )
    assert (mine.letters()[0].progress, mine.letters()[0].tries) == ("delivered", 1)


@pytest.mark.parametrize("first", ["408", "425", "429", "500", "503", "reset"])
def test_what_may_pass_is_tried_again_with_the_same_key(desk, first):
    with receiving(lambda key, seen: first if seen < 2 else "202") as receiver:
        mine = desk(receiver.url)
        mine.write(notice(at=wall_now()))
        for _ in range(3):
            mine.delivery.run_once()
            mine.now()
    assert receiver.taken() == {"m-1-1": 1}
    assert (mine.letters()[0].progress, mine.letters()[0].tries) == ("delivered", 3)


def other(at: int) -> Notice:
    """Of another incident."""
    return msgspec.structs.replace(notice("m-2-1", at), incident="m-2")


def test_no_letter_overtakes_an_older_one_of_its_incident(desk):
    asked = []

    def behave(key, seen):
        asked.append(key)
        return "503" if (key, seen) == ("m-1-1", 0) else "202"

    with receiving(behave) as receiver:
        mine = desk(receiver.url)
        mine.write(notice(at=wall_now()))
        mine.delivery.run_once()
        mine.write(msgspec.structs.replace(notice("m-1-2", at=wall_now()), happened="resolved"), other(wall_now()))
        for _ in range(3):
            mine.delivery.run_once()
            if len(asked) > 1:
                mine.now()
    assert asked == ["m-1-1", "m-2-1", "m-1-1", "m-1-2"]


def test_the_letter_in_hand_when_control_was_killed_goes_first(desk):
    asked = []

    def behave(key, seen):
        asked.append(key)
        if key == "m-2-1" and seen == 0:
            raise SystemExit
        return "503" if (key, seen) == ("m-1-1", 0) else "202"

    mine = desk("http://127.0.0.1:9/")
    mine.delivery._notifier = Killed(behave)
    mine.write(notice(at=wall_now()), other(wall_now()))
    with pytest.raises(SystemExit):
        mine.delivery.run_once()
    mine.due_now()
    mine.delivery.run_once()
    assert asked == ["m-1-1", "m-2-1", "m-2-1", "m-1-1"]


@pytest.mark.parametrize("first", ["202", "503"])
def test_a_try_that_cannot_be_written_down_is_not_repeated_before_its_time(desk, first, monkeypatch):
    asked = []
    with receiving(lambda key, seen: asked.append(key) or ("202" if seen else first)) as receiver:
        mine = desk(receiver.url)
        mine.write(notice(at=wall_now()))
        mine.fill()
        start = wall_now()
        for later_us, tries in ((0, 1), (0, 1), (HOUR_US // 60, 1 if first == "202" else 2)):
            now = EventTime(start + later_us)
            monkeypatch.setattr("gyroscope.alerts.delivery.wall_now", lambda now=now: now)
            with pytest.raises(StoreError, match="disk is full"):
                mine.delivery.run_once()
            assert len(asked) == tries
        mine.free()
        mine.delivery.run_once()
    assert len(asked) == tries
    assert (mine.letters()[0].progress, mine.letters()[0].tries) == ("delivered", tries)


def test_a_full_disk_holds_up_no_other_letter_of_the_notifier(desk, monkeypatch):
    asked = []
    monkeypatch.setattr("gyroscope.alerts.delivery.AT_ONCE", 1)
    with receiving(lambda key, seen: asked.append(key) or "202") as receiver:
        mine = desk(receiver.url)
        mine.write(notice(at=wall_now()), other(wall_now()))
        mine.fill()
        for _ in range(3):
            with pytest.raises(StoreError, match="disk is full"):
                mine.delivery.run_once()
        mine.free()
        mine.delivery.run_once()
    assert asked == ["m-1-1", "m-2-1"]
    assert mine.outbox.count("team", "delivered") == 2


def test_what_became_of_a_letter_waits_for_no_disk_and_what_is_to_be_told_does(desk):
    mine = desk("http://127.0.0.1:9/")
    with mine.outbox.desk("team") as at:
        assert at._connection.execute("PRAGMA synchronous").fetchone() == (1,)  # NORMAL
    with Incidents(mine.path)._database.opened() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_what_stands_is_told_again_every_minute_to_a_receiver_that_forgets(desk, monkeypatch):
    """After what is new, all in one request, and nothing of an incident that is over."""
    minutes, answers = [0], ["202"]
    monkeypatch.setattr("gyroscope.alerts.delivery.machine_now", lambda: MachineTime(minutes[0] * 60 * SECOND_NS))
    with receiving(lambda key, seen: answers[0]) as receiver:
        mine = desk(receiver.url)
        delivery = Delivery("team", AlertmanagerNotifier(receiver.url, 5.0), mine.outbox, mine.signals, HOUR_US)
        mine.write(notice(at=wall_now()), other(wall_now()))
        assert [delivery.run_once(), delivery.run_once()] == [2, 0]
        minutes[0] += 1
        mine.write(msgspec.structs.replace(notice("m-1-2", at=wall_now()), happened="resolved"))
        assert [delivery.run_once(), delivery.run_once()] == [1, 0]
        minutes[0] += 1
        mine.write(notice("m-1-3", at=wall_now()))
        assert delivery.run_once() == 1
        minutes[0], answers[0] = minutes[0] + 1, "503"
        assert [delivery.run_once(), delivery.run_once()] == [0, 0]
    sent = sorted(receiver.requests, key=lambda one: one.came_s)  # each is noted by its own thread, once answered
    asked = [[one["labels"]["incident"] for one in msgspec.json.decode(each.body)] for each in sent]
    first, over, anew, refused = [["m-1"], ["m-2"]], [["m-1"], ["m-2"]], [["m-1"], ["m-2"]], ["m-2", "m-1"]
    assert asked == [*first, *over, *anew, refused]
    assert mine.outbox.count("team", "delivered") == 4, "a repetition changes no letter"


def test_what_stands_is_found_without_what_sqlite_had_only_in_2022(desk):
    """`->>` came with SQLite 3.38; a system's own may be older."""
    mine = desk("http://127.0.0.1:9/")
    mine.write(notice(at=wall_now()))

    def older(action: int, first: str | None, second: str | None, *_: object) -> int:
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_FUNCTION and second in ("->", "->>") else 0

    with mine.outbox.desk("team") as at:
        at._connection.set_authorizer(older)
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            at._connection.execute("SELECT notice ->> '$.happened' FROM outbox")
        assert at.standing() == []
        at.keep(msgspec.structs.replace(at.due(wall_now(), 1)[0], progress="delivered"))
        assert [letter.notice.key for letter in at.standing()] == ["m-1-1"]


def test_a_letter_that_no_notifier_can_write_holds_up_no_other(desk):
    asked = []
    with receiving(lambda key, seen: asked.append(key) or "202") as receiver:
        mine = desk(receiver.url)
        far = msgspec.structs.replace(notice(at=wall_now()), since=FAR)  # ISO 8601 has no digits for such a year
        mine.write(far, other(wall_now()))
        mine.delivery.run_once()
    assert asked == ["m-2-1"]
    assert (mine.letters()[0].progress, mine.letters()[0].said) == ("waiting", "the notifier failed: ValueError")


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "410", "redirect http://127.0.0.1:9/elsewhere"])
def test_what_will_not_pass_is_given_up_at_once_and_said(desk, status, caplog):
    with receiving(lambda key, seen: status) as receiver:
        mine = desk(receiver.url)
        mine.write(notice(at=wall_now()))
        assert [mine.delivery.run_once(), mine.delivery.run_once()] == [0, 0]
    assert len(receiver.requests) == 1
    (letter,) = mine.letters()
    assert letter.progress == "given up"
    assert ("redirects are not followed" in letter.said) == status.startswith("redirect")
    assert "nobody was told that m-1 opened" in caplog.text
    assert mine.signals.latest("undelivered", {"notifier": "team"}).value == 1.0


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_a_receiver_that_never_ends_its_answer_is_left_in_time(desk, fault):
    with receiving(lambda key, seen: fault) as receiver:
        mine = desk(receiver.url, timeout_s=0.3)
        mine.write(notice(at=wall_now()))
        began = machine_now()
        mine.delivery.run_once()
        assert machine_now() - began < 20 * SECOND_NS
    assert mine.letters()[0].said.startswith("no answer")
    assert mine.letters()[0].progress == "waiting"


def test_nobody_there_is_tried_again(desk):
    with receiving() as receiver:
        url = receiver.url
    mine = desk(url)
    mine.write(notice(at=wall_now()))
    mine.delivery.run_once()
    assert (mine.letters()[0].said, mine.letters()[0].progress) == ("no answer: ConnectionRefusedError", "waiting")


def test_what_is_too_old_is_given_up(desk, caplog):
    with receiving(lambda key, seen: "503") as receiver:
        mine = desk(receiver.url)
        mine.write(notice(at=wall_now() - HOUR_US))
        mine.delivery.run_once()
    assert mine.letters()[0].progress == "given up"
    assert "after 1 tries: status 503" in caplog.text


@pytest.mark.parametrize("secret", ["", "plain", "whsec_!!", "whsec_é", "whsec_" + base64.b64encode(b"short").decode()])
def test_what_is_no_secret_signs_nothing(desk, secret, caplog):
    caplog.set_level(logging.INFO)
    with receiving() as receiver:
        mine = desk(receiver.url, secret=secret)
        mine.write(notice(at=wall_now()))
        mine.delivery.run_once()
    assert receiver.requests == []
    assert mine.letters()[0].progress == "waiting"
    assert "the secret is none" in caplog.text
    assert len(secret) < 7 or secret not in caplog.text


def test_the_secret_is_in_no_log_and_no_file(desk, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    with receiving(lambda key, seen: "500") as receiver:
        mine = desk(receiver.url, give_up_us=0)
        mine.write(notice(at=wall_now()))
        mine.delivery.run_once()
    assert mine.letters()[0].progress == "given up"
    kept = caplog.text.encode() + b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert SECRET.encode() not in kept
    assert RAW not in kept


def test_a_secret_that_cannot_be_read_is_said(tmp_path):
    def missing() -> str:
        raise SettingsError("there is no secret to sign with", where="team.secret", fix="")

    outcome = WebhookNotifier("http://127.0.0.1:9/", missing, 1.0).send(notice(), EventTime(0))
    assert outcome == Outcome(False, "there is no secret to sign with (team.secret)")


def test_a_clock_that_was_set_back_delays_nothing_for_long(desk):
    mine = desk("http://127.0.0.1:9/")
    mine.write(notice(at=FAR))
    with mine.outbox.desk("team") as at:
        assert len(at.due(wall_now(), 100)) == 1


def test_a_slow_receiver_delays_no_other(tmp_path, desk):
    with receiving(lambda key, seen: "hang") as slow, receiving() as quick:
        mine = desk(slow.url, timeout_s=30.0)
        other = Delivery("boss", WebhookNotifier(quick.url, lambda: SECRET, 5.0), mine.outbox, mine.signals, HOUR_US)
        with mine.outbox._database.opened() as connection:
            put_in(connection, [notice(at=wall_now())], ["team", "boss"])
        hung = threading.Thread(target=mine.delivery.run_once, daemon=True)
        hung.start()
        assert other.run_once() == 1
        assert hung.is_alive()
        slow.ended.set()
        hung.join()


def test_the_same_notice_is_put_in_once(desk):
    mine = desk("http://127.0.0.1:9/")
    mine.write(notice(), notice())
    mine.write(notice())
    assert len(mine.letters()) == 1


def test_the_log_is_told_in_one_line(caplog):
    hostile = msgspec.structs.replace(notice(), why="fine\nERROR all is lost")
    assert LogNotifier().send(hostile, EventTime(0)).is_delivered
    assert caplog.messages == ["incident m-1 opened: 'broken data: age', 'fine\\nERROR all is lost'"]
