"""S6: one row of 20 floats as JSON through LightGBM, 100 trees of 31 leaves, against the best of the peers.

A quick run asks only FastAPI, which was the best of them in every full one.
"""

from __future__ import annotations

from benchmarks.rows import Row
from benchmarks.serving.contestants import BENTOML, FASTAPI, FASTAPI_ASYNC, LITSERVE, MLFLOW, MLSERVER_TREES
from benchmarks.serving.models import make
from benchmarks.serving.rounds import faster, side_by_side
from benchmarks.target import Options

QUICK = (FASTAPI, FASTAPI_ASYNC)
FULL = (*QUICK, MLFLOW, MLSERVER_TREES, LITSERVE, BENTOML)


def measure(options: Options) -> list[Row]:
    """One row, against whoever was fastest."""
    served = make("lgb", options.folder, options.seed)
    peers = QUICK if options.is_quick else FULL
    found = side_by_side(options, served, peers)
    best = max((found[peer.name] for peer in peers), key=lambda figures: figures.per_s)
    claim = f"LightGBM 100 x 31, JSON, log on: requests/s against the best of {len(peers)} peers"
    return [faster("S6", claim, found["ours, direct"], best, 10.0)]
