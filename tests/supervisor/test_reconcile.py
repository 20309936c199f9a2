"""Wanted against actual, without a single process."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gyroscope.supervisor.reconcile import Action, Post, back_off_ns, decide
from gyroscope.supervisor.wanted import ProcessSpec

S = 1_000_000_000
A0 = ProcessSpec("a-1-0", ("a",), "replica", model="a")
A1 = ProcessSpec("a-1-1", ("a",), "replica", model="a")
NEW = ProcessSpec("a-2-0", ("a",), "replica", model="a")
CONTROL = ProcessSpec("control", ("c",))


def verbs(wanted: list[ProcessSpec], posts: list[Post], now_ns: int = 0) -> dict[str, str]:
    found = decide({spec.name: spec for spec in wanted}, {post.spec.name: post for post in posts}, now_ns)
    assert all(action.reason for action in found)
    assert len({action.name for action in found}) == len(found)
    return {action.name: action.verb for action in found}


def ready(spec: ProcessSpec, **fields: object) -> Post:
    return replace(Post(spec, "ready", since_ns=0, is_ready=True), **fields)


def test_nothing_to_do_when_all_is_as_wanted() -> None:
    assert verbs([A0, CONTROL], [ready(A0), ready(CONTROL)]) == {}


def test_a_post_waits_for_its_turn() -> None:
    waiting = Post(A0, "waiting", since_ns=0, retry_ns=5 * S, reason="exit code 1")
    assert verbs([A0], [waiting], 5 * S - 1) == {}
    assert decide({A0.name: A0}, {A0.name: waiting}, 5 * S) == [Action("start", A0.name, "exit code 1")]
    assert verbs([], [waiting]) == {A0.name: "forget"}


def test_ready_is_admitted_and_hung_is_killed_in_any_state() -> None:
    assert verbs([A0], [Post(A0, "starting", 0, is_ready=True)]) == {A0.name: "admit"}
    for state in ("starting", "ready", "draining", "stopping"):
        assert verbs([A0], [Post(A0, state, 0, hung="frozen")]) == {A0.name: "kill"}


def test_leaving_goes_drain_end_kill() -> None:
    assert verbs([], [ready(A0)]) == {A0.name: "drain"}
    draining = Post(A0, "draining", 0, in_flight=1, reason="no longer wanted")
    assert verbs([], [draining], 5 * S) == {}
    assert verbs([], [draining], 5 * S + 1) == {A0.name: "end"}
    assert verbs([], [replace(draining, in_flight=0)]) == {A0.name: "end"}
    stopping = Post(A0, "stopping", 0)
    assert verbs([], [stopping], 5 * S) == {}
    assert verbs([], [stopping], 5 * S + 1) == {A0.name: "kill"}


def test_the_old_version_serves_until_the_new_one_is_ready() -> None:
    assert verbs([NEW], [ready(A0), ready(A1)]) == {NEW.name: "start"}
    assert verbs([NEW], [ready(A0), ready(A1), Post(NEW, "starting", 0)]) == {}
    assert verbs([NEW], [ready(A0), ready(A1), ready(NEW)]) == {A0.name: "drain", A1.name: "drain"}


def test_changed_replicas_leave_one_after_another() -> None:
    new0, new1 = replace(A0, argv=("b",)), replace(A1, argv=("b",))
    assert verbs([new0, new1], [ready(A0), ready(A1)]) == {A0.name: "drain"}
    assert verbs([new0, new1], [Post(new0, "starting", 0), ready(A1)]) == {}
    assert verbs([new0, new1], [ready(new0), ready(A1)]) == {A1.name: "drain"}


def test_one_that_never_came_up_leaves_at_once() -> None:
    assert verbs([replace(A0, argv=("b",)), A1], [Post(A0, "starting", 0), Post(A1, "starting", 0)]) == {
        A0.name: "drain"
    }


ALL = [A0, A1, NEW]
STATES = st.sampled_from(["waiting", "starting", "ready", "draining", "stopping"])
POSTS = st.builds(
    lambda spec, state, is_ready, in_flight: Post(spec, state, 0, is_ready, in_flight, reason="some"),
    st.sampled_from(ALL),
    STATES,
    st.booleans(),
    st.integers(0, 2),
)


@given(
    posts=st.lists(POSTS, unique_by=lambda post: post.spec.name),
    wanted=st.lists(st.sampled_from(ALL), unique_by=lambda spec: spec.name, min_size=2),
    now_ns=st.integers(0, 20 * S),
)
def test_a_serving_model_is_never_emptied(posts: list[Post], wanted: list[ProcessSpec], now_ns: int) -> None:
    acts = verbs([replace(spec, argv=("changed",)) for spec in wanted], posts, now_ns)
    serving = [post.spec.name for post in posts if post.state == "ready"]
    assert not serving or any(acts.get(name) != "drain" for name in serving)


def test_back_off_grows_to_ten_seconds() -> None:
    spans = [back_off_ns(failures) for failures in range(200)]
    assert spans == sorted(spans)
    assert spans[1] == 0
    assert spans[-1] == 10 * S
