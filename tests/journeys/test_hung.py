"""A model that spins is out within a second of its deadline; one that raises or returns NaN answers in words.

An input that spins or crashes takes two replicas at most: then it is refused everywhere, and nothing else is.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from tests.journeys.own import Answer, Own, started, until

pytestmark = [pytest.mark.journey, pytest.mark.quiet]

DEADLINE_S, OUT_S, TRIES, CLIENTS, KILLS = 1.0, 1.0, 4, 4, 2
REFUSED = 400  # MLflow's word for an input that is refused; V2 says 422
SPINS, CRASHES, RAISES, NAN = 666.0, 667.0, 13.0, 14.0
SIGNATURE = "task: regression\noutput: minutes\nfeatures: [{name: distance, nullable: false}]\n"
CODE = f"""
import os, pathlib, time
SPUN = pathlib.Path({{spun!r}})

class Model:
    def predict(self, matrix, columns):
        value = matrix[0, 0]
        if value == {SPINS}:
            with SPUN.open("a") as file:
                file.write(f"{{time.time()}}\\n")
            while True:
                pass
        if value == {CRASHES}:
            with SPUN.open("a") as file:
                file.write("crashed\\n")
            os.abort()
        if value == {RAISES}:
            raise ValueError("thirteen is not served; password=hunter2")
        if value == {NAN}:
            return matrix[:, 0] * float("nan")
        return matrix[:, 0] * 2
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    code = CODE.replace("{spun!r}", repr(str(tmp_path / "spun")))
    with started(tmp_path, SIGNATURE, code, replicas=3, serving={"deadline_s": DEADLINE_S}) as own:
        yield own


def events(own: Own, kind: str) -> list[dict[str, str]]:
    """What the supervisor wrote down of one kind."""
    every = [json.loads(line) for line in (own.house.run_dir / "supervisor.events").read_text().splitlines()]
    return [one for one in every if one["event"] == kind]


def kills(own: Own) -> list[tuple[float, str]]:
    """When a replica was killed, and why."""
    killed = events(own, "killed")
    return [(datetime.fromisoformat(one["at"]).timestamp(), one["reason"]) for one in killed]


def test_a_spinning_model_is_out_and_the_others_are_answered(own: Own, tmp_path: Path) -> None:
    others: list[Answer] = []
    enough = threading.Event()

    def go_on(who: int) -> None:
        number = itertools.count()
        while not enough.is_set():
            others.append(own.ask(1e6, request_id=f"other-{who}-{next(number)}"))

    beside = [threading.Thread(target=go_on, args=(who,)) for who in range(CLIENTS)]
    for client in beside:
        client.start()
    until(lambda: len(others) > 20, "the others are answered before")
    spun = own.ask(SPINS, request_id="spins")
    before = len(others)
    until(lambda: len(others) > before + 20, "the others are answered after")
    enough.set()
    for client in beside:
        client.join()

    begun = [float(line) for line in (tmp_path / "spun").read_text().split()]
    killed = kills(own)
    past_s = [at - begin - DEADLINE_S for (at, _), begin in zip(killed, begun, strict=True)]
    refused = [(one.status, one.text) for one in others if one.status != 200]
    print(f"spun {len(begun)} times, out {[f'{one:.2f}' for one in past_s]} s after the deadline; {killed}")
    print(f"the request itself: {spun.status} after {spun.seconds:.1f} s {spun.text}")
    print(f"others: {len(others)}, refused {refused}, longest {max(one.seconds for one in others):.2f} s")
    assert len(begun) == KILLS
    assert all(-0.1 < one < OUT_S for one in past_s)
    assert all("past its deadline" in reason for _, reason in killed)
    assert spun.status == REFUSED
    assert "quarantine: this input ended 2 replicas" in spun.said["message"]
    assert refused == []
    assert own.ask(SPINS).status == REFUSED, "and so it is for whoever sends it next"
    assert own.ask(SPINS + 1e-9).status == 200
    assert len(kills(own)) == len(events(own, "quarantined")) + 1 == KILLS
    own.recorded({one.headers["x-request-id"] for one in others})


def test_an_input_that_crashes_is_refused_once_it_is_known(own: Own, tmp_path: Path) -> None:
    crashed = own.ask(CRASHES)
    # The door hands it on faster than anybody can look at the dead, so all its tries may be used up before.
    until(lambda: len(events(own, "quarantined")) == 1, "the input is quarantined")
    until(lambda: own.ask(1.0).status == 200, "there are replicas again")
    refused = own.ask(CRASHES)
    taken = len((tmp_path / "spun").read_text().split())
    print(f"{taken} replicas crashed; the request itself: {crashed.status} {crashed.text}")
    assert refused.status == REFUSED
    assert KILLS <= taken <= TRIES
    assert crashed.status == REFUSED or taken > KILLS


@pytest.mark.parametrize(
    ("value", "cause"), [(RAISES, "thirteen is not served"), (NAN, "nan for row 0")], ids=["raises", "nan"]
)
def test_a_broken_answer_is_a_typed_500_with_its_cause_in_the_log(own: Own, value: float, cause: str) -> None:
    answer = own.ask(value, request_id="broken")
    assert answer.status == 500
    assert answer.said["error_code"] == "INTERNAL_ERROR"
    assert answer.said["message"].startswith("model_output_invalid: ")
    assert "hunter2" not in answer.text, "what a model says may hold secrets"
    assert answer.headers["x-logged"] == "os"
    assert own.ask(21.0, request_id="fine").said["predictions"] == [42.0]
    own.recorded({"broken", "fine"})
    rows = own.rows("status, error, output_0, answered, feature_distance", "request_id = 'broken'")
    answered = [row for row in rows if row[3]]
    assert len(answered) == 1 and len(rows) <= TRIES
    assert all(row[0] == 500 and cause in row[1] and row[2] is None and row[4] == value for row in rows)
    assert not kills(own)
    print(f"{len(rows)} attempts; in the log: {rows[0][1]}")
