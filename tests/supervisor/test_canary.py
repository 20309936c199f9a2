"""A canary at the door: its share and no more; what it fails the others answer; the way up and the way back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.supervisor.rig import INFER, Load, Rig, binaries, running, until

from gyroscope.supervisor import Split

CANARY = "echo-c-0"


@pytest.fixture(params=binaries(), ids=["debian", "wheel"])
def rig(request: pytest.FixtureRequest, tmp_path) -> Iterator[Rig]:
    with running(tmp_path, request.param) as rig:
        rig.specs.append(rig.replica(0, "c"))
        split(rig, 0.3)
        until(lambda: rig.is_ready(CANARY))
        until(lambda: any(rig.request(X_Request_Id=f"id-{n}")[1]["x-seen-canary"] == "echo-c" for n in range(50)))
        yield rig


def split(rig: Rig, share: float) -> None:
    rig.split = Split((CANARY,), canaries=(CANARY,), share=share)
    rig.write()


def asked(rig: Rig, n: int, **headers: str) -> tuple[int, bool]:
    """Who answered, and whether it was told that it is the canary."""
    status, seen, _ = rig.request(X_Request_Id=f"id-{n}", **headers)
    assert status == 200
    return int(seen["x-pid"]), seen["x-seen-canary"] == "echo-c"


def test_its_share_by_hash_and_what_it_fails_the_others_answer(rig: Rig) -> None:
    answers = [asked(rig, n) for n in range(100)]
    drawn = [is_canary for _, is_canary in answers]
    assert {pid == rig.pid(CANARY) for pid, is_canary in answers if is_canary} == {True}
    assert 15 < sum(drawn) < 50
    assert [asked(rig, n)[1] for n in range(50)] == drawn[:50], "the same id is drawn again"
    assert len({asked(rig, n, X_Entity_Key="alice")[1] for n in range(30)}) == 1, "an entity stays where it is"
    first = drawn.index(True)
    assert not asked(rig, drawn.index(False), X_Canary="echo-c")[1], "a client chooses nothing"
    assert rig.request(path="/v2/models/echo/stats", X_Request_Id=f"id-{first}")[1]["x-seen-canary"] == "None"
    assert {rig.request(b"fail", X_Request_Id=f"id-{n}")[0] for n in range(20)} == {500}, "all fail this one"


def test_a_dead_or_hung_canary_harms_nobody(rig: Rig) -> None:
    with Load(rig) as load:
        for _ in range(3):
            pid = rig.pid(CANARY)
            next(process for process in rig.processes() if process.pid == pid).kill()
            until(lambda pid=pid: rig.is_ready(CANARY, after=pid))
    assert len(load.sent) > 50
    assert {sent.status for sent in load.sent} == {200}


def test_promotion_and_the_way_back_fail_nobody(rig: Rig) -> None:
    old = tuple(spec.name for spec in rig.specs if spec.name != CANARY)
    pids = {rig.pid(name) for name in old}
    with Load(rig) as load:
        for aside, by in (((old), {rig.pid(CANARY)}), ((CANARY,), pids)):
            rig.split = Split(aside)
            rig.write()
            until(lambda by=by: {asked_plainly(rig) for _ in range(5)} <= by)
    assert {sent.status for sent in load.sent} == {200}
    assert pids == {rig.pid(name) for name in old}, "nobody was started anew"


def test_a_standby_answers_while_nobody_else_can(rig: Rig) -> None:
    old = tuple(spec.name for spec in rig.specs if spec.name != CANARY)
    rig.split = Split(old, standby=old)
    rig.specs = [spec if spec.name != CANARY else rig.replica(1, "c") for spec in rig.specs]
    with Load(rig) as load:
        rig.write()
        until(lambda: rig.is_ready("echo-c-1"))
        until(lambda: asked_plainly(rig) == rig.pid("echo-c-1"))
        next(process for process in rig.processes() if process.pid == rig.pid("echo-c-1")).kill()
        until(lambda: asked_plainly(rig) in {rig.pid(name) for name in old})
        begun = len(load.sent)
        until(lambda: len(load.sent) > begun + 50)
    # In the twentieth of a second until the supervisor has seen the death there is nobody; after it nobody is missed.
    assert {sent.status for sent in load.sent[begun + 10 :]} == {200}


def asked_plainly(rig: Rig) -> int:
    return int(rig.request(path=INFER)[1].get("x-pid", 0))
