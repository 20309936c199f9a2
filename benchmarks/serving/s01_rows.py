"""S1 to S5 and S7: one row of 20 floats as JSON through a LogisticRegression, against each peer, in the same rounds.

Ours has its log on, checks an API key and answers in V2; S2 asks ours what it asks `mlflow models serve`, byte for
byte. S7 counts the door. Ray Serve keeps its own processes busy, so it has rounds of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import msgspec

from benchmarks.rows import Row, at_least
from benchmarks.serving.contestants import (
    BENTOML,
    FASTAPI,
    FASTAPI_ASYNC,
    LITSERVE,
    MLFLOW,
    MLSERVER,
    MLSERVER_NO_POOL,
    OWN_DATAFRAME,
    RAY,
    RAY_TUNED,
    Contestant,
    Peer,
    ours_direct,
    ours_with_door,
    wait_ready,
)
from benchmarks.serving.models import Served, make
from benchmarks.serving.rounds import Figures, interleave
from benchmarks.target import Options

BOUNDS = (
    ("S1", FASTAPI, 10.0),
    ("S1", FASTAPI_ASYNC, 7.0),
    ("S2", MLFLOW, 20.0),
    ("S3", MLSERVER, 30.0),
    ("S3", MLSERVER_NO_POOL, 18.0),
    ("S4", LITSERVE, 25.0),
    ("S4", BENTOML, 25.0),
    ("S5", RAY, 300.0),
    ("S5", RAY_TUNED, 50.0),
)
OURS, OURS_DATAFRAME, OURS_DOOR = "ours, direct", "ours, MLflow body", "ours, through the door"


def measure(options: Options) -> list[Row]:
    """The rows that were asked for."""
    served = make("lr", options.folder, options.seed)
    wanted = [(row_id, peer, bound) for row_id, peer, bound in BOUNDS if row_id in options.ids]
    quiet = [peer for _, peer, _ in wanted if peer.package != "ray"]
    rows = []
    if "S7" in options.ids and FASTAPI not in quiet:
        quiet.append(FASTAPI)
    if quiet:
        found = _side_by_side(options, served, quiet, with_door="S7" in options.ids)
        rows += [_row(one, found) for one in wanted if one[1] in quiet]
        if "S7" in options.ids:
            claim = "requests/s through the door, all on one core, against FastAPI direct"
            rows.append(_times("S7", claim, found[OURS_DOOR], found[FASTAPI.name], 5.0))
    for row_id, peer, bound in wanted:
        if peer.package == "ray":
            found = _side_by_side(options, served, [peer])
            rows.append(_row((row_id, peer, bound), found))
    return rows


def _side_by_side(
    options: Options, served: Served, against: Sequence[Peer], *, with_door: bool = False
) -> dict[str, Figures]:
    with ExitStack() as stack:
        running: list[Contestant] = [stack.enter_context(peer.start(served)) for peer in against]
        ours = stack.enter_context(ours_direct(served, options.folder / f"direct-{against[0].package}-{len(against)}"))
        running.append(ours)
        if MLFLOW in against:
            running.append(msgspec.structs.replace(ours, name=OURS_DATAFRAME, protocol=OWN_DATAFRAME))
        if with_door:
            running.append(stack.enter_context(ours_with_door(served, options.folder / "door")))
        for one in running:
            wait_ready(one, served)
        return interleave(running, served, rounds=3 if options.is_quick else 5, seconds=1 if options.is_quick else 10)


def _row(one: tuple[str, Peer, float], found: dict[str, Figures]) -> Row:
    row_id, peer, bound = one
    mine = found[OURS_DATAFRAME if peer is MLFLOW else OURS]
    return _times(row_id, "LogisticRegression, 20 floats, JSON, log on: requests/s", mine, found[peer.name], bound)


def _times(row_id: str, claim: str, mine: Figures, peer: Figures, bound: float) -> Row:
    said = f"{claim} ({mine.per_s:,.0f} / {peer.per_s:,.0f}; CPU {mine.cpu_us:,.0f} / {peer.cpu_us:,.0f} us)"
    return at_least(row_id, said, mine.per_s / peer.per_s, bound, "x", mine.rounds, peer.name)
