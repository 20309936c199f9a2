"""One trainer at a time, its limits, and wherever the loop is killed one challenger comes of one training."""

from __future__ import annotations

import itertools
import os
import sys
import time

import msgspec
import psutil
import pytest

from gyroscope.clock import DAY_US, SECOND_US, EventTime, wall_now
from gyroscope.errors import ModelError
from gyroscope.models.challengers import Challengers
from gyroscope.retraining.decide import Seen, recompute
from gyroscope.retraining.loop import KEPT, Retraining
from gyroscope.retraining.trainer import BEHIND, LOG, PID, Limits, Result, end, look, start, works
from gyroscope.retraining.trainings import Trainings
from gyroscope.signals.journal import Journal

RESULT = '{"artifact": "model.txt", "runner": "lightgbm", "data": "b"}'
FINE = f"import pathlib; pathlib.Path('result.json').write_text('{RESULT}')"
LIMITS = Limits(timeout_s=30.0)


class Killed(BaseException):
    """What a SIGKILL looks like from inside."""


class Place:
    """A loop whose trainer is a real process of this code; `kill_at` ends the loop at the n-th thing it writes."""

    def __init__(self, home, code: str = FINE) -> None:
        self.home, self.code = home, code
        self.writes, self.kill_at, self.refuses = itertools.count(1), 0, False
        self.loop = self.start()

    def start(self) -> Retraining:
        self.trainings = Trainings(self.home / "state.db")
        self.challengers, self.journal = Challengers(self.home / "state.db"), Journal(self.home / "state.db")
        watched = ((self.trainings, "begin"), (self.trainings, "end"), (self.challengers, "propose"))
        for store, name in (*watched, (self.journal, "append")):
            setattr(store, name, self.counted(getattr(store, name)))
        return Retraining(self.trainings, self.challengers, self.journal, self, self.home / "trainings")

    def counted(self, write):
        def written(*given):
            number = next(self.writes)
            if number == self.kill_at:
                raise Killed
            done = write(*given)
            if number == -self.kill_at:
                raise Killed
            return done

        return written

    def seen(self, model, trainings, tries):
        done = tuple(one.started_at for one in trainings)
        day = EventTime(9 * DAY_US)
        return Seen(
            model, day, rows=5_000, last=day, data="b", incidents=("fell",), started=done, before="b" if done else ""
        )

    def argv(self, model, folder):
        return [sys.executable, "-c", self.code]

    def register(self, training, result, folder):
        if self.refuses:
            raise ModelError("it does not work", where="here", fix="mend it")
        return "0a1b2c3d4e5f"

    def turn(self, limits: Limits = LIMITS, switch="act"):
        return self.loop.run_once("m", limits, switch, wall_now())

    def until_it_ends(self, limits: Limits = LIMITS):
        give_up = time.monotonic() + 30
        while any(one.state == "running" for one in self.trainings.every("m")):
            assert time.monotonic() < give_up
            self.turn(limits)
            time.sleep(0.02)
        return self.trainings.every("m")[-1]


def test_a_training_becomes_a_challenger(tmp_path):
    place = Place(tmp_path)
    assert place.turn().action == "train"
    assert place.turn() is None, "one at a time"
    ended = place.until_it_ends()
    assert (ended.state, ended.version, ended.rows) == ("done", "0a1b2c3d4e5f", 5_000)
    assert ended.because == "retraining-1: an incident says that it got worse"
    assert [(one.version, one.origin, one.state) for one in place.challengers.open("m")] == [
        ("0a1b2c3d4e5f", "training-1", "waiting")
    ]
    act = place.journal.newest("retraining")[-1]
    assert recompute(act.inputs).reason == act.reason


@pytest.mark.parametrize(
    ("code", "said", "limits"),
    [
        ("print('no memory', flush=True); raise SystemExit(1)", "ended without a result: no memory", LIMITS),
        ("import time; print('slow', flush=True); time.sleep(60)", "took longer than 0.5 s", Limits(timeout_s=0.5)),
        ("import os; os.abort()", "ended without a result", LIMITS),
    ],
)
def test_a_training_that_fails_says_why(tmp_path, code, said, limits):
    place = Place(tmp_path, code)
    place.turn(limits)
    ended = place.until_it_ends(limits)
    assert ended.state == "failed"
    assert said in ended.said
    assert place.challengers.open("m") == []


def test_what_does_not_work_is_no_challenger(tmp_path):
    place = Place(tmp_path)
    place.refuses = True
    place.turn()
    assert "it does not work" in place.until_it_ends().said


def test_with_propose_nothing_is_started(tmp_path):
    place = Place(tmp_path)
    assert [place.turn(switch="propose").action for _ in range(2)] == ["train", "train"]
    assert place.trainings.every() == []
    assert [(act.action, act.mode) for act in place.journal.newest()] == [("train", "propose")]
    assert place.turn(switch="off") is None


def test_killed_at_anything_it_writes_one_challenger_comes_of_it(tmp_path):
    for kill_at in itertools.count(1):
        survived = True
        for sign in (1, -1):
            home = tmp_path / f"{sign * kill_at}"
            home.mkdir()
            place = Place(home)
            place.kill_at = sign * kill_at
            give_up = time.monotonic() + 30
            while not any(one.state == "done" for one in place.trainings.every("m")):
                assert time.monotonic() < give_up
                try:
                    place.turn()
                except Killed:
                    survived = False
                    place.loop = place.start()
                time.sleep(0.02)
            assert len(place.challengers.every("m")) == 1
            assert len(place.trainings.every("m")) == 1
        if survived:
            break
    assert kill_at > 3


def test_folders_of_long_ago_go(tmp_path):
    place = Place(tmp_path)
    for number in range(KEPT + 1):
        old = place.trainings.begin("m", "long ago", EventTime(number), "", 0)
        place.loop.folder(old).mkdir(parents=True)
        place.trainings.end(old, "failed", "")
    place.trainings.begin("m", "now", EventTime(0), "", 0)
    place.until_it_ends()
    left = sorted(int(path.name.rpartition("-")[2]) for path in (tmp_path / "trainings").iterdir())
    assert left == list(range(3, KEPT + 3))


def test_a_trainer_gives_way_as_a_process_and_as_a_session(tmp_path):
    own = "pathlib.Path('/proc/self/autogroup')"
    code = f"import os, pathlib; own = {own}; print(os.nice(0), own.read_text().split()[-1] if own.exists() else '')"
    start([sys.executable, "-c", code], tmp_path, wall_now())
    give_up = time.monotonic() + 30
    while works(tmp_path):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    said = (tmp_path / LOG).read_text().split()
    assert int(said[0]) == min(19, os.nice(0) + BEHIND)
    assert said[1:] in ([], [str(BEHIND)])
    look(tmp_path, LIMITS, wall_now())


def test_a_trainer_whose_number_is_not_there_yet_has_no_second(tmp_path):
    """Control may be killed between the start of a trainer and the moment when its number is written down."""
    code = "import time; open('starts', 'a').write('x'); time.sleep(60)"
    for _ in range(3):
        start([sys.executable, "-c", code], tmp_path, wall_now())
        (tmp_path / PID).unlink(missing_ok=True)
    assert look(tmp_path, LIMITS, wall_now()) is None
    give_up = time.monotonic() + 30
    while not (tmp_path / "starts").is_file():
        assert time.monotonic() < give_up
        time.sleep(0.02)
    time.sleep(0.2)
    assert (tmp_path / "starts").read_text() == "x"
    holders = [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(tmp_path)]
    assert len(holders) == 1
    end(holders[0].pid)
    holders[0].wait(10)
    # Whether its number came to be written before the file was taken away is chance.
    assert look(tmp_path, LIMITS, wall_now()) in ("it was never started", "it ended without a result: ")


def test_a_result_counts_when_the_trainer_is_gone_and_leaves_no_zombie(tmp_path):
    start([sys.executable, "-c", f"{FINE}; import time; time.sleep(1)"], tmp_path, wall_now())
    give_up = time.monotonic() + 30
    while (seen := look(tmp_path, LIMITS, wall_now())) is None:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert isinstance(seen, Result)
    assert not works(tmp_path)
    assert int((tmp_path / PID).read_text()) not in [one.pid for one in psutil.Process().children()]


def test_the_result_of_a_trainer_that_hangs_at_its_end_is_kept(tmp_path):
    start([sys.executable, "-c", f"{FINE}; import time; time.sleep(60)"], tmp_path, wall_now())
    give_up = time.monotonic() + 30
    while not (tmp_path / "result.json").is_file():
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert look(tmp_path, LIMITS, wall_now()) is None
    late = EventTime(wall_now() + round(LIMITS.timeout_s * SECOND_US) + SECOND_US)
    assert isinstance(look(tmp_path, LIMITS, late), Result)


def test_seen_is_one_record():
    assert msgspec.json.decode(msgspec.json.encode(Seen("m", EventTime(1))), type=Seen) == Seen("m", EventTime(1))
