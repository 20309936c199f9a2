"""Clients that others wrote, each in its own environment, against a real house with door and replicas."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.house import Running, free_port, running
from tests.peers.matrix import cases_of

import peers

pytestmark = pytest.mark.peer

CLIENTS = (
    "clients.triton_http",
    "clients.triton_grpc",
    "clients.kserve_rest",
    "clients.kserve_grpc",
    "mlserver.codecs",
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    door = {"port": free_port(), "grpc_port": free_port()}
    with running(tmp_path_factory.mktemp("house"), door=door) as made:
        yield made


@pytest.mark.parametrize("client", CLIENTS)
def test_every_case_of_a_client_holds(client: str, house: Running, peer_python: Callable[[str], Path]) -> None:
    python = peer_python(client.partition(".")[0])
    argv = [python, "-W", "ignore", "-m", f"peers.{client}", str(house.port), house.key]
    argv.append(str(house.house.settings.door.grpc_port))
    done = subprocess.run(argv, cwd=peers.HERE.parent, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    went = dict(json.loads(done.stdout.splitlines()[-1]))
    failed = [f"{case}: {said}" for case, said in went.items() if said]
    assert not failed, "\n".join(failed)
    assert len(went) == len(cases_of(client))
