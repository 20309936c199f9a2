"""O9: notifications through receivers that fail in every way, while control is killed with -9 again and again.

A real house with seven notifiers. Five receivers draw what becomes of each request: 5xx, a hang, a reset, 429 with
Retry-After, a slow answer, or a good one; one is always good; one never answers. Incidents open and are over, by the
store that monitors use. Delivered is what was answered with 2xx; its key tells a duplicate. Where control dies between
the receiver's taking of a letter and the note of it, or the answer comes after the time-out, nobody can know that it
was taken: that costs one duplicate each time, and nothing else may.
"""

from __future__ import annotations

import base64
import random
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks.house import MODEL, Running, kill, running
from benchmarks.loop.receiver import Behave, Receiver, receiving
from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.target import Options
from gyroscope.alerts import Incidents
from gyroscope.alerts.delivery import Delivery
from gyroscope.alerts.notifiers.webhook import WebhookNotifier
from gyroscope.alerts.outbox import Letter, Outbox
from gyroscope.clock import DAY_US, SECOND_US, EventTime, wall_now
from gyroscope.records import Cause, Judged
from gyroscope.signals.store import Signals

FAULTS = ("500", "503", "hang", "reset", "429 after 1", "slow 0.2")
FAULTY, PATIENCE_S = 0.4, 900.0
TIMEOUT_S, DEAD_TIMEOUT_S = 3.0, 0.5
"""An answer that comes after the time-out was given and is not heard, so the letter comes again: on a busy machine a
second would measure that. The dead receiver never answers, and each of its letters costs the whole time-out."""
NOTED_S = 0.25
"""An answer is heard and noted within a millisecond; on a machine that is all busy, within this."""
TRIES = (20, 100)
"""Control is killed in the middle of its work: after so many tries since it was started."""

RECEIVERS = tuple(f"faulty-{place}" for place in range(5))
SECRET = "whsec_" + base64.b64encode(b"benchmark" * 4).decode()


def measure(options: Options) -> list[Row]:
    """1,000 deliveries to the five: 100 incidents, told of twice; 20 in the quick run."""
    incidents = 20 if options.is_quick else 100
    with ExitStack() as stack:
        told = {name: stack.enter_context(receiving(_drawn(options.seed, name))) for name in RECEIVERS}
        good = stack.enter_context(receiving())
        dead = stack.enter_context(receiving(lambda key, seen: "hang"))
        rows = _measured({**told, "good": good, "dead": dead}, incidents, options)
    missed = _sabotaged(options)
    return with_control(rows, control("O9", "letters marked delivered whatever was answered", missed, "missed", 20))


def _measured(receivers: dict[str, Receiver], incidents: int, options: Options) -> list[Row]:
    (options.folder / "secret").write_text(SECRET, encoding="utf-8")
    notifiers = {name: _webhook(one.url, options.folder) for name, one in receivers.items()}
    notifiers["dead"] |= {"give_up_hours": 0.01, "timeout_s": DEAD_TIMEOUT_S}
    with running(options.folder / "house", replicas=1, notifiers=notifiers) as house:
        kills = _told(house, incidents, list(receivers.values()), options)
        keys = {letter.notice.key for letter in _letters(house, "good")}
        gave_up = house.house.signals.latest("undelivered", {"notifier": "dead"})
        dead = [letter.progress for letter in _letters(house, "dead")]
    faulty = [receivers[name] for name in RECEIVERS]
    missed = sum(len(keys - set(one.taken())) for one in faulty)
    came = [count for one in (*faulty, receivers["good"]) for count in one.taken().values()]
    beyond = [each for one in (*faulty, receivers["good"]) for each in unexplained(one, kills)]
    asked = sum(len(one.requests) for one in faulty)
    wanted = len(keys) * len(faulty)
    said = f"{wanted:,} notifications to faulty receivers, {asked:,} tries, control killed {len(kills)} times"
    again = f"{sum(came) - len(came)} duplicates; most of one, beyond the answers that were lost to a kill"
    bodies = {(one.headers["webhook-id"], one.body) for each in (*faulty, receivers["good"]) for one in each.requests}
    return [
        at_most("O9", f"missed of {said}", missed, 0, "notifications", wanted),
        at_most("O9", again, max(beyond), 0, "duplicates", wanted),
        at_most("O9", "most times that one came", max(came), 2, "times", wanted),
        at_most("O9", "keys with two bodies", len(bodies) - len(keys), 0, "keys", wanted),
        at_least("O9", "notifications decided", len(keys), 2 * incidents, "keys", incidents),
        at_most("O9", "of a dead receiver, not given up", dead.count("waiting"), 0, "letters", len(dead)),
        at_least("O9", "given up, as the signal says", getattr(gave_up, "value", 0.0), len(dead), "letters", len(dead)),
        at_least("O9", "kills of control", len(kills), incidents / 5, "kills", len(kills)),
    ]  # fmt: skip


def _told(house: Running, incidents: int, receivers: list[Receiver], options: Options) -> list[float]:
    """Open each incident and let it end, kill control meanwhile, until every letter has found its end; when it was."""
    done, kills = threading.Event(), list[float]()
    rng = random.Random(options.seed)

    def strike() -> None:
        tries, last = rng.randint(*TRIES), 0
        while not done.wait(0.005):
            asked = sum(len(one.requests) for one in receivers)
            if asked - last >= tries:
                done.wait(rng.uniform(0, 0.3))
                for pid in house.pids("control"):
                    kill(pid)
                    kills.append(time.monotonic())
                tries, last = rng.randint(*TRIES), asked

    striking = threading.Thread(target=strike)
    striking.start()
    try:
        for place in range(incidents):
            for has_ended in (False, True):
                house.house.incidents.take(MODEL, _judged(place, has_ended), "benchmark")
                time.sleep(0.05)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and any(_waiting(house)):
            time.sleep(0.2)
    finally:
        done.set()
        striking.join()
    return kills


def unexplained(receiver: Receiver, kills: list[float]) -> list[int]:
    """Of each letter that was taken, how often it came again although its answer was heard, as far as anybody knows."""
    lost: Counter[str] = Counter()
    for one in receiver.requests:
        is_struck = any(one.came_s <= at <= one.ended_s + NOTED_S for at in kills)
        is_lost = is_struck or one.ended_s - one.came_s > TIMEOUT_S
        lost[one.headers["webhook-id"]] += one.became.startswith("2") and is_lost
    return [count - 1 - lost[key] for key, count in receiver.taken().items()]


def _waiting(house: Running) -> list[int]:
    return [house.house.outbox.count(name, "waiting") for name in (*RECEIVERS, "good", "dead")]


def _letters(house: Running, notifier: str) -> list[Letter]:
    every = [letter for one in house.house.incidents.all() for letter in house.house.outbox.of(one.id)]
    return [letter for letter in every if letter.notifier == notifier]


def _judged(place: int, has_ended: bool) -> Judged:
    """All incidents up to this one, far apart: each is a cause of its own."""
    causes = tuple(
        Cause(
            model=MODEL, version="v", kind="quality", subjects=(f"column-{at}",), since=EventTime(at * DAY_US),
            seen=EventTime(at * DAY_US), reason="all of it is missing",
            ended=EventTime(at * DAY_US + SECOND_US) if at < place or has_ended else None,
            is_settled=at < place or has_ended,
        )
        for at in range(place + 1)
    )  # fmt: skip
    return Judged(causes, {}, 0, wall_now())


def _webhook(url: str, folder: Path) -> dict[str, object]:
    return {"kind": "webhook", "url": url, "secret_file": str(folder / "secret"), "timeout_s": TIMEOUT_S}


def _drawn(seed: int, name: str) -> Behave:
    rng = random.Random(f"{seed} {name}")
    return lambda key, seen: rng.choice(FAULTS) if rng.random() < FAULTY else "204"


def _sabotaged(options: Options) -> int:
    """The same at most once: what is missed of 20 letters when each is marked delivered after its first try."""

    class Hasty(Delivery):
        def _try(self, letter: Letter) -> Letter:
            super()._try(letter)
            return msgspec.structs.replace(letter, progress="delivered")

    with tempfile.TemporaryDirectory() as folder, receiving(_drawn(options.seed, "sabotage")) as receiver:
        db = Path(folder) / "state.db"
        incidents, outbox, signals = Incidents(db, notifiers=("team",)), Outbox(db), Signals(db)
        for place in range(20):
            incidents.take(MODEL, _judged(place, has_ended=False))
        notifier = WebhookNotifier(receiver.url, lambda: SECRET, TIMEOUT_S)
        hasty = Hasty("team", notifier, outbox, signals, 3_600 * SECOND_US)
        while outbox.count("team", "waiting"):
            hasty.run_once()
        signals.close()
        written = [letter for one in incidents.all() for letter in outbox.of(one.id)]
        return len(written) - len(receiver.taken())
