"""The loop takes a challenger all the way and back, and goes on wherever it is killed."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from gyroscope.clock import DAY_US, SECOND_US, EventTime, MachineTime
from gyroscope.models import Candidate
from gyroscope.models.challengers import Challengers
from gyroscope.models.routes import Routes
from gyroscope.models.store import ModelStore
from gyroscope.records import Feature, Route, Signature
from gyroscope.rollouts import loop, moves
from gyroscope.rollouts.decide import Arms, Policy, Reason, Seen, Windows, decide, recompute
from gyroscope.rollouts.loop import Rollouts
from gyroscope.rollouts.losses import Compared
from gyroscope.settings_models import Loops
from gyroscope.signals.journal import Journal

POLICY = Policy(steps=(0.1, 0.5), step_s=1.0, needs="nothing", holdback=0.1, holdback_s=1.0, warm_s=5.0)
LOSS = Windows(tuple(-0.02 - 0.002 * (at % 3) for at in range(14)), (500,) * 14, 14.0)
ACT = Loops(promotion="act", rollback="act")


class Killed(BaseException):
    """What a SIGKILL looks like from inside."""


class Place:
    """A home with two versions, told what its loop sees; `kill_at` ends it at the n-th thing it writes."""

    def __init__(self, home, switches: Loops = ACT, policy: Policy = POLICY) -> None:
        self.home, self.switches, self.policy, self.worse = home, switches, policy, Windows()
        (home / "t.txt").write_bytes(b"tree\n")
        store, signature = ModelStore(home), Signature("binary", (Feature("x"),))
        signatures = [msgspec.structs.replace(signature, threshold=0.1 * n) for n in (1, 2)]
        candidates = [Candidate("m", "lightgbm", one, home / "t.txt") for one in signatures]
        self.old, self.new = (store.add(candidate, 1).version for candidate in candidates)
        self.routes = Routes(home / "state.db")
        self.routes.set_route(Route("m", self.old), reason="first", now=EventTime(1))
        self.now, self.writes, self.kill_at = 10, itertools.count(1), 0
        self.harm, self.deaths = 0, 0
        self.loop = self.start()

    def start(self) -> Rollouts:
        self.challengers, self.journal = Challengers(self.home / "state.db"), Journal(self.home / "state.db")
        for store, name in ((self.challengers, "turn"), (self.journal, "append")):
            setattr(store, name, self.counted(getattr(store, name)))
        return Rollouts(self.routes, self.challengers, self.journal, self, self.counted(self.take), self.switches)

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

    def take(self, model, step, reason):
        self.routes.set_routes(model, step(self.routes.routes(model)), reason=reason, now=EventTime(self.now))

    def health(self, step, model):
        return True, 0.0, self.deaths, ""

    def counts(self, step, model, now, is_ready):
        share = step.share or 0.5
        n = round(10_000 * share)
        arms = Arms((10_000 - n,) * 10, (10 - n // 1_000,) * 10, (n,) * 10, (n // 1_000 + self.harm,) * 10)
        return arms, msgspec.structs.replace(arms, a_harm=(0,) * 10, b_harm=(0,) * 10), None

    def losses(self, step, model):
        return Compared(self.worse)

    def turn(self, seconds: float = 2.0):
        self.now += round(seconds * SECOND_US)
        return self.loop.run_once("m", self.policy, EventTime(self.now), MachineTime(self.now * 1_000))

    def roles(self) -> list[tuple[str, str, float]]:
        return [(route.version, route.role, route.share) for route in self.routes.routes("m")]


def test_the_whole_way_and_who_stood_by_leaves(tmp_path):
    place = Place(tmp_path)
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    taken = [place.turn().action for _ in range(4)]
    assert taken == ["shadow", "canary", "canary", "promote"]
    assert place.roles() == [(place.new, "champion", 0.9), (place.old, "standby", 0.1)]
    assert [place.turn().action for _ in range(2)] == ["keep", "keep waiting"]
    assert place.roles() == [(place.new, "champion", 1.0), (place.old, "standby", 0.0)]
    assert place.turn(6.0).action == "retire"
    place.turn()
    assert place.roles() == [(place.new, "champion", 1.0)]
    assert [one.state for one in place.challengers.every("m")] == ["promoted"]
    for act in place.journal.newest("rollouts"):
        again = recompute(act.inputs)
        assert (again.action, again.reason) == (act.action, act.reason)


@pytest.mark.parametrize("fault", [{"harm": 500}, {"deaths": 3}])
def test_a_bad_one_goes_back_whatever_step_it_is_in(tmp_path, fault):
    place = Place(tmp_path)
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    place.turn(), place.turn()
    for name, value in fault.items():
        setattr(place, name, value)
    assert place.turn().action == "roll back"
    place.turn()
    assert place.roles() == [(place.old, "champion", 1.0)]
    closed = place.challengers.every("m")[0]
    assert closed.state == "rolled_back"
    assert closed.reason.startswith("rollouts-")


@pytest.mark.parametrize("fault", [{"harm": 500}, {"deaths": 3}, {"worse": LOSS}])
def test_a_new_champion_that_harms_goes_back_and_its_promotion_is_taken_back(tmp_path, fault):
    place = Place(tmp_path, policy=msgspec.structs.replace(POLICY, needs="better"))
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    place.turn()
    place.take("m", lambda routes: moves.to_canary(routes, place.new, 0.5), "by hand")
    place.take("m", lambda routes: moves.to_champion(routes, 0.1), "by hand")
    place.turn(0.1)
    assert place.challengers.every("m")[0].state == "promoted"
    for name, value in fault.items():
        setattr(place, name, value)
    assert place.turn().action == "roll back"
    place.turn()
    assert place.roles() == [(place.old, "champion", 1.0)]
    closed = place.challengers.every("m")[0]
    assert (closed.state, closed.reason.partition(":")[2][:11]) == ("rolled_back", " roll back,")
    act = place.journal.newest("rollouts")[0]
    assert recompute(act.inputs).reason == act.reason


def test_labels_that_come_after_the_holdback_still_take_a_champion_back(tmp_path):
    place = Place(tmp_path, policy=msgspec.structs.replace(POLICY, needs="better"))
    place.take("m", lambda routes: moves.to_canary(routes, place.new, 0.5), "by hand")
    place.take("m", moves.to_champion, "by hand")
    assert place.turn(0.1).action == "keep waiting"
    place.worse = LOSS
    decision = place.turn(0.1)
    assert (decision.action, decision.reason) == ("roll back", Reason.WORSE)
    assert place.roles() == [(place.old, "champion", 1.0)]


def test_a_challenger_waits_until_the_new_champion_is_kept(tmp_path):
    place = Place(tmp_path)
    place.take("m", lambda routes: moves.to_canary(routes, place.new, 0.5), "by hand")
    place.take("m", lambda routes: moves.to_champion(routes, 0.1), "by hand")
    place.challengers.propose("m", place.old, "retraining", EventTime(5))
    assert [place.turn(0.1).action, place.turn().action, place.turn().action] == ["keep waiting", "keep", "shadow"]


def test_while_nothing_new_is_seen_nothing_is_decided_anew(tmp_path, monkeypatch):
    place, asked = Place(tmp_path), []
    monkeypatch.setattr(loop, "decide", lambda seen: asked.append(seen) or decide(seen))
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    place.turn(), place.turn(0.01), place.turn(0.01)
    before = len(asked)
    assert [place.turn(0.1).action for _ in range(9)] == ["keep waiting"] * 9
    assert len(asked) == before
    place.deaths = 3
    assert place.turn(0.01).action == "roll back"


def test_with_propose_it_says_once_what_it_would_do(tmp_path):
    place = Place(tmp_path, Loops(promotion="propose"))
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    for _ in range(3):
        place.turn()
    assert place.roles() == [(place.old, "champion", 1.0)]
    assert [(act.action, act.mode) for act in place.journal.newest()] == [("shadow", "propose")]


@pytest.mark.parametrize(("harm", "harmful_after"), [(0, 0), (500, 2), (500, 3)])
def test_killed_at_anything_it_writes_it_goes_on(tmp_path, harm, harmful_after):
    ends = set()
    for kill_at in itertools.count(1):
        survived = True
        for sign in (1, -1):  # just before it is written, and just after
            home = tmp_path / f"{sign * kill_at}"
            home.mkdir()
            place = Place(home)
            place.challengers.propose("m", place.new, "retraining", EventTime(5))
            place.kill_at, place.harm = sign * kill_at, 0
            for number in range(10):
                place.harm = harm if number > harmful_after else 0
                try:
                    place.turn()
                except Killed:
                    survived = False
                    place.loop = place.start()
                assert [role for _, role, _ in place.roles()].count("champion") == 1
            ends.add((tuple(place.roles()), place.challengers.every("m")[0].state))
        if survived:
            break
    assert kill_at > 4
    assert len({states for _, states in ends}) == 1, ends
    assert ends.pop()[1] == ("rolled_back" if harm else "promoted")


@pytest.mark.parametrize("back_s", [1, 3_600])
def test_a_clock_that_is_set_back_takes_no_champion_back_and_keeps_none(tmp_path, back_s):
    place = Place(tmp_path)
    place.now = 7_200 * SECOND_US
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    assert [place.turn().action for _ in range(3)] == ["shadow", "canary", "canary"]
    place.now -= back_s * SECOND_US
    promoted_at = place.now
    place.take("m", lambda routes: moves.to_champion(routes, 0.1), "by hand")
    assert place.turn(0.1).action == "keep waiting"
    assert [one.state for one in place.challengers.every("m")] == ["promoted"]
    assert place.loop.step("m").since == promoted_at
    place.now -= back_s * SECOND_US
    place.take("m", moves.back, "it is no good")
    place.turn(0.1)
    closed = place.challengers.every("m")[0]
    assert (closed.state, closed.reason) == ("rolled_back", "it is no good")


def test_a_version_that_was_taken_back_once_may_be_promoted_later(tmp_path):
    place = Place(tmp_path)
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    assert [place.turn().action for _ in range(4)][-1] == "promote"
    place.take("m", moves.back, "it is no good")
    place.turn()
    place.challengers.propose("m", place.new, "by hand", EventTime(place.now))
    assert [place.turn().action for _ in range(5)][-2:] == ["promote", "keep"]
    assert [one.state for one in place.challengers.every("m")] == ["rolled_back", "promoted"]


def test_killed_before_its_first_step_it_takes_it_after_a_clock_was_set_back_too(tmp_path):
    place = Place(tmp_path)
    place.routes.set_route(Route("m", place.old), reason="again", now=EventTime(3_600 * SECOND_US))
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    place.kill_at = 3
    with pytest.raises(Killed):
        place.turn()
    assert place.challengers.every("m")[0].state == "rolling"
    place.loop = place.start()
    assert place.turn().action == "shadow"
    assert place.roles()[1] == (place.new, "shadow", 0.0)


def test_who_became_champion_by_hand_while_it_waited_is_done(tmp_path):
    place = Place(tmp_path)
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    place.routes.set_route(Route("m", place.new), reason="by hand", now=EventTime(6))
    for _ in range(2):
        place.turn()
    assert [one.state for one in place.challengers.every("m")] == ["promoted"]
    assert place.roles() == [(place.new, "champion", 1.0)]


def test_the_days_that_it_waited_for_its_turn_are_none_of_its_way(tmp_path):
    place = Place(tmp_path)
    place.challengers.propose("m", place.new, "retraining", EventTime(5))
    place.now += round(2 * POLICY.most_days * DAY_US)
    assert [place.turn().action for _ in range(2)] == ["shadow", "canary"]


def test_seen_is_one_record(tmp_path):
    assert msgspec.json.decode(msgspec.json.encode(Seen("m", "v", "canary")), type=Seen) == Seen("m", "v", "canary")
