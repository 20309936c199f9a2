"""S1 to S5 and S7: one row of 20 floats as JSON through a LogisticRegression, against each peer, in the same rounds.

Ours has its log on, checks an API key and answers in V2; S2 asks ours what it asks `mlflow models serve`, byte for
byte. S7 counts the door. Ray Serve keeps its own processes busy, so it has rounds of its own.
"""

from __future__ import annotations

import msgspec

from benchmarks.rows import Row
from benchmarks.serving.contestants import (
    BENTOML,
    FASTAPI,
    FASTAPI_ASYNC,
    LITSERVE,
    MLFLOW,
    MLFLOW_INPUTS,
    MLSERVER,
    MLSERVER_NO_POOL,
    RAY,
    RAY_TUNED,
    Contestant,
)
from benchmarks.serving.models import make
from benchmarks.serving.rounds import faster, side_by_side
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
FULL_ONLY = (MLSERVER_NO_POOL, BENTOML, RAY_TUNED)
CLAIM = "LogisticRegression, 20 floats, JSON, log on: requests/s"
OURS, OURS_INPUTS, OURS_DOOR = "ours, direct", "ours, MLflow body", "ours, through the door"


def measure(options: Options) -> list[Row]:
    """The rows that were asked for."""
    served = make("lr", options.folder, options.seed)
    wanted = [one for one in BOUNDS if one[0] in options.ids and not (options.is_quick and one[1] in FULL_ONLY)]
    quiet = [peer for _, peer, _ in wanted if peer.package != "ray"]
    rows = []
    if "S7" in options.ids and FASTAPI not in quiet:
        quiet.append(FASTAPI)
    if quiet:
        found = side_by_side(options, served, quiet, with_door="S7" in options.ids, more=_with_inputs)
        for row_id, peer, bound in wanted:
            if peer in quiet:
                mine = found[OURS_INPUTS if peer is MLFLOW else OURS]
                rows.append(faster(row_id, CLAIM, mine, found[peer.name], bound))
        if "S7" in options.ids:
            claim = "requests/s through the door, all on one core, against FastAPI direct"
            rows.append(faster("S7", claim, found[OURS_DOOR], found[FASTAPI.name], 5.0))
    for row_id, peer, bound in wanted:
        if peer.package == "ray":
            found = side_by_side(options, served, [peer])
            rows.append(faster(row_id, CLAIM, found[OURS], found[peer.name], bound))
    return rows


def _with_inputs(ours: Contestant) -> list[Contestant]:
    return [msgspec.structs.replace(ours, name=OURS_INPUTS, protocol=MLFLOW_INPUTS)]
