"""What happens next to a challenger: on, back, or wait; pure, from one record of all that is known.

The loop asks several times a second, `gyro explain` asks again from the journal, the simulation asks at every batch of
labels. Errors and slowness are compared side by side, labelled losses pair by pair over windows (`stats.comparison`).
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Literal

import msgspec
import numpy as np

from gyroscope.records import Decision
from gyroscope.stats.comparison import Canary, Minutes, Paired, Shadow, canary, shadow
from gyroscope.stats.comparison.one_sample import log_e_above

Stage = Literal["waiting", "shadow", "canary", "holdback", "standing"]
Asked = Literal["", "canary", "promote", "roll back", "serve"]
Needs = Literal["better", "no_worse", "nothing"]

MOST_DEATHS = 3
"""One may be an accident of the machine; a challenger that dies so often in one step is at fault itself."""

HARM = 100.0
"""Evidence at which labelled losses take a challenger back, as errors do; 20 promote. So of equal versions at most 5 in
100 are promoted and 1 is called worse, however often it is looked at."""

STRETCHES = 20.0
"""Evidence that slow answers need besides, from stretches of time: those of one moment are slow together."""
LONGER = 1.25
"""How many times as long as the champion's a model must work on a request for slow answers to be its fault."""

BLOCKS = 12
"""Into so many parts a step is cut to see how much the difference between the arms varies."""


class Reason(StrEnum):
    """Why a challenger goes on, back, or waits."""

    ASKED = "asked for"
    ITS_TURN = "it is its turn"
    CANNOT_START = "it does not start"
    KEEPS_DYING = "it keeps dying"
    ERRORS = "more errors than the champion"
    SLOW = "slower than the champion"
    WORSE = "worse on labelled predictions"
    NOT_BETTER = "cannot be better by the margin"
    TOO_LONG = "it took too long"
    PROVEN = "better on labelled predictions"
    CLEAN_STEP = "a clean step"
    SEGMENT = "worse in a segment"
    STARTING = "its replicas are starting"
    SPLIT = "the requests were not split as intended"
    NOT_ENOUGH_DATA = "not enough data"
    UNDECIDED = "undecided"
    CLEAN_HOLDBACK = "as good as the champion before"
    WARM_ENOUGH = "nobody went back to it in time"


class Policy(msgspec.Struct, frozen=True):
    """What a rollout asks for. Shares of each step; seconds and requests of the challenger that one takes at least.

    For `holdback_s` at least the champion before keeps the share `holdback` beside a new one, which is watched; 0: it
    keeps none.

    `needs` says what labelled predictions have to show: `margin` is by how much better, or no worse. More errors and
    slow answers than the champion's, as shares of the requests, have to be ruled out beyond `most_errors`, `most_slow`.
    """

    steps: tuple[float, ...] = (0.01, 0.05, 0.25)
    step_s: float = 600.0
    requests: int = 500
    needs: Needs = "better"
    margin: float = 0.0
    most_errors: float = 0.01
    most_slow: float = 0.05
    start_s: float = 120.0
    most_days: float = 60.0
    holdback: float = 0.05
    holdback_s: float = 3_600.0
    warm_s: float = 86_400.0


class Arms(msgspec.Struct, frozen=True):
    """Requests and harmful ones of champion and challenger, by stretches of time."""

    a_n: tuple[int, ...] = ()
    a_harm: tuple[int, ...] = ()
    b_n: tuple[int, ...] = ()
    b_harm: tuple[int, ...] = ()

    def minutes(self) -> Minutes:
        """As the comparison takes them; harm beyond requests, a skew of two counters, is cut."""
        a_n, a_harm, b_n, b_harm = (np.array(part, np.int64) for part in (self.a_n, self.a_harm, self.b_n, self.b_harm))
        return Minutes(a_n, np.minimum(a_harm, a_n), b_n, np.minimum(b_harm, b_n))


class Windows(msgspec.Struct, frozen=True):
    """Mean loss of the champion less the challenger's in each mature window, and the rows behind it."""

    differences: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()
    days: float = 0.0

    def paired(self) -> Paired:
        """As the comparison takes them."""
        return Paired(np.array(self.differences, np.float64), np.array(self.rows, np.int64))


class Seen(msgspec.Struct, frozen=True):
    """All that a decision is made of; the journal keeps it. `share` is the canary's, `step_s` how long this step lasts.

    For `starts_s` its replicas have not all been ready; one that died and starts again counts anew. `deaths` and
    `last_death` are the challenger's in this step. `work` is how many times as long as the champion's its
    model works on a request, without what waits; None where nobody has told. In the shadow, windows are pairs of the
    same requests; of a canary they are the windows' means of either side. After a promotion the version is the new
    champion, and it is compared with the one before. `asked` is a step that a person took, `because` in their words.
    """

    model: str
    version: str
    stage: Stage
    policy: Policy = Policy()
    share: float = 0.0
    step_s: float = 0.0
    age_days: float = 0.0
    is_ready: bool = True
    starts_s: float = 0.0
    deaths: int = 0
    last_death: str = ""
    errors: Arms = Arms()
    slow: Arms = Arms()
    work: float | None = None
    windows: Windows = Windows()
    segments: dict[str, Windows] = {}
    asked: Asked = ""
    because: str = ""


def decide(seen: Seen) -> Decision:
    """On ("shadow", "canary", "promote", "keep" a new champion), back ("roll back"), "retire" the standby, or "keep
    waiting".

    >>> fine = Arms((950,) * 9, (5,) * 9, (50,) * 9, (0,) * 9)
    >>> waits = Seen("m", "new", "canary", share=0.05, step_s=60.0, errors=fine, slow=fine)
    >>> str(decide(waits).reason)
    'not enough data'
    >>> broken = msgspec.structs.replace(waits, errors=Arms((950,) * 9, (5,) * 9, (50,) * 9, (10,) * 9))
    >>> decide(broken).action, str(decide(broken).reason)
    ('roll back', 'more errors than the champion')
    """
    if seen.asked:
        return Decision(seen.asked, Reason.ASKED, {"because": seen.because} if seen.because else {})
    if seen.stage == "waiting":
        return Decision("shadow", Reason.ITS_TURN)
    if seen.stage == "standing":
        return _standing(seen)
    return _judged(seen)


def recompute(inputs: str) -> Decision:
    """The decision again, from what the journal kept."""
    return decide(msgspec.json.decode(inputs, type=Seen))


def _judged(seen: Seen) -> Decision:
    health = _health(seen)
    if health is not None:
        return health
    harm = _harm(seen)
    if harm.action == "roll back":
        return harm
    quality = _quality(seen)
    if quality.action == "roll back":
        return quality
    if seen.stage == "holdback" and seen.step_s >= max(seen.policy.warm_s, seen.policy.holdback_s):
        return Decision("keep", Reason.WARM_ENOUGH, {**harm.evidence, "seconds": seen.step_s})
    on = _on(seen, harm, quality)
    # By the calendar or by the days that its labels are of: those of a replayed history are over sooner.
    days = max(seen.age_days, seen.windows.days)
    if on.action == "keep waiting" and seen.stage != "holdback" and days > seen.policy.most_days:
        return Decision("roll back", Reason.TOO_LONG, {**quality.evidence, "days": days})
    return on


def _standing(seen: Seen) -> Decision:
    """After the holdback only labels that come late still say something of the two side by side."""
    quality = _quality(seen)
    if quality.action == "roll back":
        return quality
    if seen.step_s >= seen.policy.warm_s:
        return Decision("retire", Reason.WARM_ENOUGH, {**quality.evidence, "seconds": seen.step_s})
    return Decision("keep waiting", Reason.UNDECIDED, quality.evidence)


def _health(seen: Seen) -> Decision | None:
    figures: dict[str, float | str] = {"deaths": seen.deaths, "last_death": seen.last_death, "seconds": seen.starts_s}
    if seen.deaths >= MOST_DEATHS:
        return Decision("roll back", Reason.KEEPS_DYING, figures)
    is_late = not seen.is_ready and seen.starts_s > seen.policy.start_s
    if is_late and seen.stage != "holdback":  # in which it has stood long ago
        return Decision("roll back", Reason.CANNOT_START, figures)
    return None


def _harm(seen: Seen) -> Decision:
    """Errors and slowness beside the champion's. A shadow is sent what it can take: its share is what it took."""
    counts = {name: arms.minutes() for name, arms, _ in _harms(seen)}
    n_a, n_b = sum(seen.errors.a_n), sum(seen.errors.b_n)
    share = seen.share if seen.stage != "shadow" else (n_b + 1) / (n_a + n_b + 2)
    gate = Canary(share=min(max(share, 1e-6), 1 - 1e-6), requests=seen.policy.requests, minutes=0)
    verdict = canary(counts, gate)
    if verdict.action == "roll back" and verdict.evidence["harm"] == "slow":
        stretches = _slower_by_stretches(seen.slow)
        if stretches >= STRETCHES:
            return Decision("roll back", Reason.SLOW, {**verdict.evidence, "evidence_stretches": stretches})
        verdict = canary({"errors": counts["errors"]}, gate)
    if verdict.action == "roll back":
        return Decision("roll back", Reason.ERRORS, verdict.evidence)
    reasons = {"not enough data": Reason.NOT_ENOUGH_DATA, "the requests were not split as intended": Reason.SPLIT}
    return Decision("keep waiting", reasons.get(verdict.reason, Reason.UNDECIDED), verdict.evidence)


def _slower_by_stretches(slow: Arms) -> float:
    """Evidence with the stretches as units. A machine that halts for a moment makes all answers of that moment slow, of
    whichever arm it was: to count them one by one takes one bad moment for a slow version.
    """
    arms = slow.minutes()
    both = (arms.a_n > 0) & (arms.b_n > 0)
    differences = arms.b_harm[both] / arms.b_n[both] - arms.a_harm[both] / arms.a_n[both]
    return math.exp(min(float(log_e_above(differences)[-1]), 600.0)) if differences.size else 0.0


def _quality(seen: Seen) -> Decision:
    """Labelled losses. After the shadow they can only take back: what promotes was shown there, pair by pair."""
    policy = seen.policy
    if policy.needs == "nothing":
        return Decision("keep waiting", Reason.UNDECIDED)
    margin = policy.margin if policy.needs == "better" else -policy.margin
    segments = {name: part.paired() for name, part in seen.segments.items()}
    verdict = shadow(seen.windows.paired(), seen.windows.days, Shadow(margin=margin), segments)
    reason = {
        "better": Reason.PROVEN,
        "worse": Reason.WORSE,
        "worse in a segment": Reason.SEGMENT,
        "cannot be better by the margin": Reason.NOT_BETTER,
        "not enough data": Reason.NOT_ENOUGH_DATA,
    }.get(verdict.reason, Reason.UNDECIDED)
    is_sure = float(verdict.evidence.get("evidence_worse", 0.0)) >= HARM
    if (reason == Reason.WORSE and not is_sure) or (seen.stage != "shadow" and reason != Reason.WORSE):
        return Decision("keep waiting", Reason.UNDECIDED, verdict.evidence)
    return Decision(verdict.action, reason, verdict.evidence)


def _on(seen: Seen, harm: Decision, quality: Decision) -> Decision:
    """The next step, when this one is over and clean."""
    policy, figures = seen.policy, {**quality.evidence, **harm.evidence, "seconds": seen.step_s}
    if not seen.is_ready:
        return Decision("keep waiting", Reason.STARTING, figures)
    least_s = policy.holdback_s if seen.stage == "holdback" else policy.step_s
    if sum(seen.errors.b_n) < policy.requests or seen.step_s < least_s:
        return Decision("keep waiting", Reason.NOT_ENOUGH_DATA, figures)
    if harm.reason == Reason.SPLIT:
        return Decision("keep waiting", Reason.SPLIT, figures)
    if not all(_is_ruled_out(seen, arms, most) for _, arms, most in _harms(seen)):
        return Decision("keep waiting", Reason.UNDECIDED, figures)
    if seen.stage == "shadow":
        if policy.needs != "nothing" and quality.action != "promote":
            return Decision("keep waiting", quality.reason, figures)
        reason = Reason.CLEAN_STEP if policy.needs == "nothing" else Reason.PROVEN
        return Decision("canary", reason, {**figures, "share": policy.steps[0]} if policy.steps else figures)
    if seen.stage == "holdback":
        return Decision("keep", Reason.CLEAN_HOLDBACK, figures)
    further = [share for share in policy.steps if share > seen.share + 1e-9]
    if further:
        return Decision("canary", Reason.CLEAN_STEP, {**figures, "share": further[0]})
    return Decision("promote", Reason.CLEAN_STEP, {**figures, "holdback": policy.holdback})


def _harms(seen: Seen) -> list[tuple[str, Arms, float]]:
    """What is counted of either side, and how much more of it has to be ruled out. A shadow stands back behind
    everybody else, so on a busy machine it is slow whatever it is. Whoever gets most of the requests has the longer
    line, so its answers are later: a version is slow where its model works longer.
    """
    errors, slow = ("errors", seen.errors, seen.policy.most_errors), ("slow", seen.slow, seen.policy.most_slow)
    works_longer = seen.work is None or seen.work >= LONGER
    return [errors, slow] if works_longer and seen.stage != "shadow" else [errors]


def _is_ruled_out(seen: Seen, arms: Arms, margin: float) -> bool:
    """Whether harm beyond the margin is; no evidence of harm would not do, since few requests give none."""
    counts = arms.minutes()
    block = max(1, len(arms.b_n) // BLOCKS)
    gate = Canary(
        share=0.5, requests=seen.policy.requests, minutes=0, margin=margin, block=block, split_evidence=math.inf
    )
    return canary({"harm": counts}, gate).action == "promote"
