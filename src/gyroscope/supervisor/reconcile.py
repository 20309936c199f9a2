"""Wanted against actual: which process to start, drain, end or forget next, each with its reason. Pure.

The loop builds one `Post` per name and carries out the actions; nothing here touches a process or reads a clock.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Literal

from gyroscope.clock import SECOND_NS
from gyroscope.supervisor.state import PostState
from gyroscope.supervisor.wanted import ProcessSpec

Verb = Literal["start", "admit", "drain", "end", "kill", "forget"]

DRAIN_NS = 5 * SECOND_NS
"""What is in flight gets this long; then SIGTERM, on which a replica still finishes the item in hand."""

STEADY_NS = {"door": SECOND_NS, "replica": 5 * SECOND_NS, "service": 5 * SECOND_NS}
"""Ready for this long: the next death is an accident, not a crash loop, and the next start is at once."""


@dataclass(frozen=True)
class Post:
    """One name and who holds it now. Times are of the machine's monotonic clock."""

    spec: ProcessSpec
    state: PostState
    since_ns: int
    is_ready: bool = False
    in_flight: int = 0
    retry_ns: int = 0
    hung: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Action:
    """What to do with one post, and why.

    start: a new process; admit: into the door; drain: no new requests; end: SIGTERM; kill: out of the door, then
    SIGKILL; forget: remove the post and its files.
    """

    verb: Verb
    name: str
    reason: str


def decide(
    wanted: Mapping[str, ProcessSpec], posts: Mapping[str, Post], now_ns: int, aside: Container[str] = ()
) -> list[Action]:
    """The next step of every post that needs one. Nobody waits for those `aside`.

    >>> spec = ProcessSpec("control", ("true",))
    >>> decide({"control": spec}, {}, now_ns=0)
    [Action(verb='start', name='control', reason='wanted')]
    >>> decide({}, {"control": Post(spec, "ready", since_ns=0)}, now_ns=1)
    [Action(verb='drain', name='control', reason='no longer wanted')]
    """
    actions = [Action("start", name, "wanted") for name in wanted if name not in posts]
    changing: set[str] = set()
    for name, post in posts.items():
        if post.state == "waiting":
            action = _waiting(post, wanted.get(name), now_ns)
        else:
            action = _busy(post, now_ns) or _idle(post, wanted, posts, changing, aside)
        if action:
            actions.append(action)
    return actions


def back_off_ns(failures: int) -> int:
    """How long to wait before the next start after so many deaths in a row: at once, 0.2 s, 0.4 s ... 10 s.

    >>> [back_off_ns(n) / SECOND_NS for n in (0, 1, 2, 3, 20)]
    [0.0, 0.0, 0.2, 0.4, 10.0]
    """
    if failures <= 1:
        return 0
    return min(SECOND_NS // 5 << min(failures - 2, 10), 10 * SECOND_NS)


def _waiting(post: Post, spec: ProcessSpec | None, now_ns: int) -> Action | None:
    if spec is None:
        return Action("forget", post.spec.name, "no longer wanted")
    if now_ns >= post.retry_ns:
        return Action("start", spec.name, post.reason or "wanted")
    return None


def _busy(post: Post, now_ns: int) -> Action | None:
    """A hung process, or one on its way out."""
    name = post.spec.name
    if post.hung:
        return Action("kill", name, post.hung)
    if post.state == "stopping":
        late = now_ns - post.since_ns > post.spec.stop_grace_s * SECOND_NS
        return (
            Action("kill", name, f"still running {post.spec.stop_grace_s:g} s after it was told to end")
            if late
            else None
        )
    if post.state == "draining":
        done = post.in_flight == 0 or now_ns - post.since_ns > DRAIN_NS
        return Action("end", name, post.reason) if done else None
    return None


def _idle(
    post: Post,
    wanted: Mapping[str, ProcessSpec],
    posts: Mapping[str, Post],
    changing: set[str],
    aside: Container[str],
) -> Action | None:
    """A process that may stay, or must go for another. `changing` holds the models of which one leaves in this turn."""
    name, model = post.spec.name, post.spec.model
    if post.state not in ("starting", "ready"):
        return None
    if wanted.get(name) != post.spec and _can_leave(post, wanted, posts, aside):
        if name not in wanted:
            return Action("drain", name, "no longer wanted")
        if model not in changing or post.spec.kind != "replica":
            changing.add(model)
            return Action("drain", name, "wanted differently")
    if post.state == "starting" and post.is_ready:
        return Action("admit", name, "ready")
    return None


def _can_leave(post: Post, wanted: Mapping[str, ProcessSpec], posts: Mapping[str, Post], aside: Container[str]) -> bool:
    """A serving replica stays until all others that its model should have are ready: first the new, then the old."""
    if post.spec.kind != "replica" or post.state != "ready" or post.spec.name in aside:
        return True
    others = [
        name
        for name, spec in wanted.items()
        if spec.kind == "replica" and spec.model == post.spec.model and name not in aside
    ]
    return all(name in posts and posts[name].state == "ready" for name in others if name != post.spec.name)
