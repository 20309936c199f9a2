"""How many replicas a model should have: one pure function, with a reason for whatever it says.

The loop in control, `gyro scale`, `gyro explain` and the simulation all call `decide`. It knows no clock, process or
store; what it has to remember goes in and comes out as `Memory`. All times are seconds of the machine's clock.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from gyroscope.records import NotEnoughData
from gyroscope.scaling.capacity import Capacity
from gyroscope.scaling.load import LEVEL, SIGMAS, STRETCHES_S, TINY_S, Load, Stretch
from gyroscope.stats.queueing import Promise, Service, servers_needed

DRAIN = 2.0
"""A line in which the last will be late is cleared within so many times the promised time."""

PLANNED = 0.1
"""Of what the promise allows; the rest is for the minutes in which demand moves and replicas start."""

LEAST_MARGIN = 0.1
"""Demand may rise by so much, or by as much as chance moves it, before the smaller size would be too small again: a
size that is left is not needed again a minute later."""


SLIGHT = 0.25
"""Replicas beyond what lasts that are not worth a change by themselves: they stay as long as the others."""


class Reason(StrEnum):
    """Why a size is as it is."""

    FIXED = "fixed_size"
    METRICS_MISSING = "metrics_missing_hold"
    CAPACITY_UNKNOWN = "capacity_unknown_hold"
    BURST = "burst"
    ABOVE = "demand_above_capacity"
    BELOW = "demand_below_capacity"
    STABILISING = "stabilising"
    STEADY = "steady"
    AT_MAX = "at_max"
    MACHINE_FULL = "machine_full"
    OUT_OF_BOUNDS = "out_of_bounds"


class Policy(msgspec.Struct, frozen=True):
    """What the user asks for. `most_batch` requests may share one call, which may use so many `threads`; `cores` 0:
    nobody knows how many there are.

    A new replica works after `start_s`. A size is left only after `down_after_s` in which the smaller one was always
    enough.
    """

    least: int
    most: int
    promise: Promise
    most_batch: int = 1
    threads: int = 1
    cores: int = 0
    start_s: float = 1.0
    down_after_s: float = 120.0


class Memory(msgspec.Struct, frozen=True):
    """What one decision leaves to the next: sizes with their times, newest last, each larger than those after it.

    `enough` were those for the demand that lasts, `brief` those for bursts to come and lines to clear, which are over
    sooner. `since_s` is when this memory began: nothing shrinks before a whole stretch was watched.
    """

    since_s: float
    enough: tuple[tuple[float, int], ...] = ()
    brief: tuple[tuple[float, int], ...] = ()


class Inputs(msgspec.Struct, frozen=True):
    """Everything a decision depends on: journaled with it, so that it can be made again.

    `size` replicas were wanted until now; of them `ready` work and the others start.
    """

    now_s: float
    size: int
    ready: int
    policy: Policy
    load: Load | NotEnoughData
    capacity: Capacity | NotEnoughData
    memory: Memory


class Sizing(msgspec.Struct, frozen=True):
    """The size to have, why, and the figures behind it: `needed` now, `enough` for what lasts, with the margin."""

    replicas: int
    reason: Reason
    memory: Memory
    needed: int = 0
    enough: int = 0
    per_s: float = 0.0
    request_s: float = 0.0


def decide(inputs: Inputs) -> Sizing:
    """The size a model should have now.

    Parameters
    ----------
    inputs : Inputs

    Returns
    -------
    Sizing
        Within the policy's bounds; never smaller than `inputs.size` when load or capacity are not known. Its
        `memory` belongs into the next inputs.

    Examples
    --------
    Fifty requests a second of 0.1 s each, promised within 0.4 s, ask for seven replicas:

    >>> policy = Policy(least=1, most=20, promise=Promise(within_s=0.4))
    >>> load, capacity = Load((Stretch(50.0, 30.0),)), Capacity(0.0, 0.1, cv2=0.25)
    >>> sizing = decide(Inputs(100.0, 2, 2, policy, load, capacity, Memory(0.0)))
    >>> sizing.replicas, sizing.reason.value
    (7, 'demand_above_capacity')
    >>> sizing = decide(Inputs(101.0, 7, 2, policy, NotEnoughData("control was away"), capacity, sizing.memory))
    >>> sizing.replicas, sizing.reason.value
    (7, 'metrics_missing_hold')
    """
    policy, size = inputs.policy, inputs.size
    bounded = min(max(size, policy.least), policy.most)
    blank = Memory(inputs.now_s)  # what was not watched cannot have been enough
    if policy.least == policy.most:
        return Sizing(bounded, Reason.FIXED, blank)
    if isinstance(inputs.load, NotEnoughData):
        return Sizing(bounded, Reason.METRICS_MISSING, blank)
    if isinstance(inputs.capacity, NotEnoughData):
        if not inputs.load.is_idle:
            return Sizing(bounded, Reason.CAPACITY_UNKNOWN, blank)
        memory = _remember(inputs, policy.least, policy.least)
        return _settle(Sizing(bounded, Reason.STEADY, memory, policy.least, policy.least), inputs, is_burst=False)
    service = inputs.capacity.service(policy.promise.within_s, policy.most_batch, policy.threads)
    needed, enough, is_burst = _wanted(inputs.load, service, policy, inputs.ready)
    memory = _remember(inputs, needed, enough)
    found = Sizing(bounded, Reason.STEADY, memory, needed, enough, inputs.load.level.per_s, service.mean_s)
    return _settle(found, inputs, is_burst=is_burst)


def _settle(found: Sizing, inputs: Inputs, *, is_burst: bool) -> Sizing:
    """Up at once, down after a whole stretch, else as it is."""
    policy, size = inputs.policy, found.replicas
    if size != inputs.size:
        return msgspec.structs.replace(found, reason=Reason.OUT_OF_BOUNDS)
    if found.needed > size:
        useful = max(size, min(found.needed, policy.most, _most_useful(inputs)))
        full = Reason.AT_MAX if size == policy.most else Reason.MACHINE_FULL
        more = Reason.BURST if is_burst else Reason.ABOVE
        return msgspec.structs.replace(found, replicas=useful, reason=more if useful > size else full)
    most_of_late = max(each for _, each in (*found.memory.enough, *found.memory.brief))
    is_watched = inputs.now_s - found.memory.since_s >= policy.down_after_s
    # What goes while demand rises comes back soon; where it only seems to rise, a look a little later will tell.
    is_rising = isinstance(inputs.load, Load) and inputs.load.is_rising
    if most_of_late < size and is_watched and not is_rising:
        return msgspec.structs.replace(found, replicas=max(most_of_late, policy.least), reason=Reason.BELOW)
    would_do = max(found.needed, found.enough) < size
    return msgspec.structs.replace(found, reason=Reason.STABILISING if would_do else Reason.STEADY)


def _wanted(load: Load, service: Service, policy: Policy, ready: int) -> tuple[int, int, bool]:
    """The size for the demand of now, the one for what of it lasts, and whether a burst is behind it."""
    level = load.level
    # A mean over a stretch that is not over yet would take chance for demand; one that rises is of half a stretch ago.
    is_whole = level.seconds >= STRETCHES_S[LEVEL] - TINY_S
    ahead_per_s = min(load.trend * (level.seconds / 2 + policy.start_s), level.per_s)
    per_s = level.per_s + ahead_per_s if is_whole else _between(level)[0]
    line = _line(load, service, policy, ready)
    needed = _size_for(per_s, line, service, policy)
    enough = _size_for(max(per_s, _with_margin(level)), 0, service, policy)
    for stretch in load.stretches[:LEVEL]:
        surely_per_s, perhaps_per_s = _between(stretch)
        if surely_per_s <= per_s:
            continue
        if _size_for(surely_per_s, line, service, policy) > max(ready, needed):
            # What works is too little even for the least the burst can be. It is met at the most, where it will be
            # when new replicas work, but at most at its double.
            rises_to_per_s = perhaps_per_s + min(_rise(load) * policy.start_s, stretch.per_s)
            needed = _size_for(rises_to_per_s, line, service, policy)
            return needed, max(enough, _size_for(perhaps_per_s, 0, service, policy)), True
        enough = max(enough, _size_for(stretch.per_s, 0, service, policy))
    return needed, enough, False


def _line(load: Load, service: Service, policy: Policy, ready: int) -> int:
    """Those who still wait when a new replica would work, where the last of all who wait would be late.

    A line that chance made is as soon gone, and one that what works clears before it has help needs none.
    """
    wait_s = load.waiting * service.mean_s / max(ready, 1)
    if wait_s + service.answer_s <= policy.promise.within_s:
        return 0
    spare_per_s = max(0.0, ready / service.mean_s - load.level.per_s)
    return max(0, load.waiting - math.floor(spare_per_s * policy.start_s))


def _rise(load: Load) -> float:
    """Requests per second that come on top each second, from the two shortest stretches; 0 when it falls."""
    short, longer = load.stretches[:2]
    between_s = (longer.seconds - short.seconds) / 2
    return max(0.0, short.per_s - longer.per_s) / between_s if between_s > TINY_S else 0.0


def _between(stretch: Stretch) -> tuple[float, float]:
    """What is asked at the least and at the most, whatever chance did to the count."""
    count = stretch.per_s * stretch.seconds
    chance = SIGMAS * math.sqrt(count)
    return max(0.0, count - chance) / stretch.seconds, (count + chance) / stretch.seconds


def _size_for(per_s: float, line: int, service: Service, policy: Policy) -> int:
    """Enough for the promise and, beyond that, to clear a line in time."""
    promise = policy.promise
    planned = msgspec.structs.replace(promise, late=PLANNED * promise.late, lost=PLANNED * promise.lost)
    clears = math.ceil((per_s + line / (DRAIN * promise.within_s)) * service.mean_s)
    # One beyond the bound, so that it can be said when the bound is too low.
    found = max(servers_needed(per_s, service, planned, policy.most + 1), clears)
    return min(max(found, policy.least), policy.most + 1)


def _with_margin(stretch: Stretch) -> float:
    return max(_between(stretch)[1], stretch.per_s * (1 + LEAST_MARGIN))


def _remember(inputs: Inputs, needed: int, enough: int) -> Memory:
    """A burst is kept until the level knows of it and new replicas work; what lasts, as the policy says."""
    load, memory, policy = inputs.load, inputs.memory, inputs.policy
    if isinstance(load, NotEnoughData) or load.is_partial:
        enough = max(enough, inputs.size)
    if needed <= enough + max(1, SLIGHT * enough):
        enough = max(enough, needed)
    return Memory(
        memory.since_s,
        _with_newest(memory.enough, inputs.now_s, enough, policy.down_after_s),
        _with_newest(memory.brief, inputs.now_s, needed, policy.start_s + STRETCHES_S[LEVEL]),
    )


def _with_newest(
    entries: tuple[tuple[float, int], ...], now_s: float, size: int, stretch_s: float
) -> tuple[tuple[float, int], ...]:
    """Only sizes that no later one exceeds can still be the largest of the stretch."""
    kept = [(at_s, each) for at_s, each in entries if at_s > now_s - stretch_s and each > size]
    return (*kept, (now_s, size))


def _most_useful(inputs: Inputs) -> int:
    """More replicas than the machine has processors for would only share them out."""
    policy, capacity = inputs.policy, inputs.capacity
    if not policy.cores or isinstance(capacity, NotEnoughData) or not capacity.cpu_s:
        return policy.most
    service = capacity.service(policy.promise.within_s, policy.most_batch, policy.threads)
    return max(1, math.ceil(policy.cores * service.mean_s / capacity.cpu_s))
