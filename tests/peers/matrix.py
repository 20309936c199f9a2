"""The page `docs/peers.md`: which foreign peers are held against ours, in which release, with how many cases.

`python -m tests.peers.matrix` writes it; `test_matrix.py` fails when it is not what the tests run. Counted from the
files of the tests themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.peers import mlflow_corpus, mlserver_corpus

import peers

PAGE = peers.HERE.parent / "docs" / "peers.md"

HEAD = """\
# Peers

Systems that others wrote, run by `make journeys` against a real house with door and replicas. Each has an environment
of its own in `.peers/`, made once from `peers/<name>/pins.txt`; in CI a peer that cannot be had is a failure.
Only benchmarks measure against evidently, nannyml, whylogs, alibi-detect and river (`make bench-profile`,
`make bench-statistics`), as against the other servers (`make bench-serving`); they install those when they first run.

This page is written by `.venv/bin/python -m tests.peers.matrix` and a test compares it.

| peer | release | asked | cases | differ on purpose |
|---|---|---|---|---|
"""


class Peer(NamedTuple):
    """A line of the table. `client` is a file of cases below `peers/`, or "" for a corpus that both sides are asked."""

    name: str
    pins: str
    package: str
    asked: str
    client: str = ""
    cases: int = 0
    differences: Mapping[str, str] = {}


PEERS = (
    Peer("tritonclient", "clients", "tritonclient", "its HTTP client against ours", "clients.triton_http"),
    Peer("tritonclient", "clients", "tritonclient", "its gRPC client against ours", "clients.triton_grpc"),
    Peer("kserve", "clients", "kserve", "its REST client against ours", "clients.kserve_rest"),
    Peer("kserve", "clients", "kserve", "its gRPC client against ours", "clients.kserve_grpc"),
    Peer("MLServer", "mlserver", "mlserver", "its codecs and types against ours", "mlserver.codecs"),
    Peer(
        "MLServer",
        "mlserver",
        "mlserver",
        "the same requests to its server and ours",
        cases=len(mlserver_corpus.CORPUS),
        differences=mlserver_corpus.DIFFERENCES,
    ),
    Peer(
        "MLflow",
        "mlflow",
        "mlflow",
        "the same requests to `mlflow models serve` and ours",
        cases=len(mlflow_corpus.CORPUS),
        differences=mlflow_corpus.DIFFERENCES,
    ),
)


def cases_of(client: str) -> list[str]:
    """The names of a client's cases, read from its file: none of them can be left out silently."""
    text = (peers.HERE / f"{client.replace('.', '/')}.py").read_text(encoding="utf-8")
    return re.findall(r"^def (case_\w+)", text, flags=re.MULTILINE)


def page() -> str:
    """The whole page."""
    rows = "".join(_row(peer) for peer in PEERS)
    return HEAD + rows + "".join(line for peer in PEERS if peer.differences for line in _reasons(peer))


def release(pins: str, package: str) -> str:
    """The pinned release of a package."""
    text = (peers.HERE / pins / "pins.txt").read_text(encoding="utf-8")
    return re.findall(rf"^{package}==(.+)$", text, flags=re.MULTILINE)[0]


def _row(peer: Peer) -> str:
    cases = len(cases_of(peer.client)) if peer.client else peer.cases
    return f"| {peer.name} | {release(peer.pins, peer.package)} | {peer.asked} | {cases} | {len(peer.differences)} |\n"


def _reasons(peer: Peer) -> Iterator[str]:
    yield f"\n## Where ours answers otherwise than {peer.name}\n\n"
    for reason in dict.fromkeys(peer.differences.values()):
        named = ", ".join(f'"{case}"' for case, why in peer.differences.items() if why == reason)
        yield f"- {reason[0].upper()}{reason[1:]} ({named}).\n"


if __name__ == "__main__":
    Path(PAGE).write_text(page(), encoding="utf-8")
