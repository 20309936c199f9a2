"""A real MLflow server: models come from it by alias, aliases and tags there follow the rollout, and none waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import lightgbm
import numpy as np
import pytest
import yaml
from benchmarks.house import GYRO, free_port
from tests.peers.conftest import answers

import peers
from gyroscope.assembly import House
from gyroscope.assembly.registry import RegistryTurns, server_of
from gyroscope.assembly.rolling import move
from gyroscope.clock import wall_now
from gyroscope.models.registry.mlflow import Registered
from gyroscope.records import Version
from gyroscope.rollouts.moves import back, to_canary, to_champion

pytestmark = pytest.mark.peer
SIGNATURE = "task: binary\noutput: p\nclasses: ['0', '1']\nfeatures: [{name: Column_0}, {name: Column_1}]\n"


@contextmanager
def tracking(python: Path, folder: Path, port: int) -> Iterator[str]:
    """A tracking server over one folder; killed at the end, whatever it does."""
    argv = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    started = subprocess.Popen(
        argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 180
        while not answers(f"{uri}/health"):
            assert started.poll() is None and time.monotonic() < give_up, "the tracking server did not start"
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait(10)


def seen(uri: str, number: str) -> tuple[set[str], dict[str, str]]:
    """The aliases and tags of a version, as the server says."""
    asked = urlencode({"name": "churn", "version": number})
    with urllib.request.urlopen(f"{uri}/api/2.0/mlflow/model-versions/get?{asked}", timeout=30) as answer:
        found = json.load(answer)["model_version"]
    return set(found.get("aliases", ())), {one["key"]: one["value"] for one in found.get("tags", ())}


def told(house: House) -> None:
    turns = RegistryTurns(house)
    turns.follow_once()
    turns.tell_once()


def add(house: House, *words: str) -> Version:
    done = subprocess.run(
        [GYRO, "models", "add", "churn", *words, "--json", "-s", str(house.settings_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return house.models.get("churn", json.loads(done.stdout)["version"]["version"])


def boosters(folder: Path) -> list[Path]:
    drawn = np.random.default_rng(0)
    matrix = drawn.random((300, 2))
    paths = []
    for rounds in (2, 4, 6):
        rows = lightgbm.Dataset(matrix, (matrix[:, 0] > 0.5).astype(int))
        trained = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, rows, rounds)
        paths.append(folder / f"{rounds}.txt")
        trained.save_model(str(paths[-1]))
    return paths


def test_a_registry_is_a_source_and_follows_what_becomes_of_it(
    tmp_path: Path, peer_python: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    python, port = peer_python("mlflow"), free_port()
    (tmp_path / "signature.yaml").write_text(SIGNATURE)
    settings = {"home": "home", "runtime_dir": "run", "mlflow": {"tracking_uri": f"http://127.0.0.1:{port}"}}
    settings["models"] = {"churn": {"source": "models:/churn@next"}}
    (tmp_path / "gyroscope.yaml").write_text(yaml.safe_dump(settings))
    house = House(tmp_path / "gyroscope.yaml")
    files = boosters(tmp_path)
    with tracking(python, tmp_path, port) as uri:
        words = [f"{alias}={path}" for alias, path in zip(("champion", "challenger", "later"), files, strict=True)]
        script = str(peers.HERE / "mlflow" / "register.py")
        subprocess.run([str(python), "-W", "ignore", script, uri, "churn", *words], check=True, capture_output=True)
        first = add(house, "models:/churn@champion", "--signature", str(tmp_path / "signature.yaml"))
        second = add(house, "models:/churn@challenger")
        assert (first.runner, first.version == second.version) == ("lightgbm", False)
        assert house.models.artifact(second).content == files[1].read_bytes()

        challenger = house.challengers.propose("churn", second.version, "the test", wall_now())
        move(house, "churn", lambda routes: to_canary(routes, second.version, 0.2), "the test")
        house.challengers.turn(challenger, "rolling", "a clean step", wall_now())
        told(house)
        assert seen(uri, "1") == ({"champion"}, {"gyroscope.version": first.version, "gyroscope.verdict": "champion"})
        said = {"gyroscope.version": second.version, "gyroscope.verdict": "canary", "gyroscope.reason": "a clean step"}
        assert seen(uri, "2") == ({"challenger"}, said)

    # Nobody answers there any more: the rollout goes on, and the registry is told later.
    move(house, "churn", lambda routes: to_champion(routes, 0.1), "the test")
    house.challengers.turn(challenger, "promoted", "better", wall_now())
    told(house)
    before = house.registered.told("churn")
    with tracking(python, tmp_path, port) as uri:
        assert seen(uri, "2")[0] == {"challenger"}
        told(house)
        assert house.registered.told("churn") != before
        assert seen(uri, "1")[0] == set()
        assert seen(uri, "2") == ({"champion"}, {**said, "gyroscope.verdict": "promoted", "gyroscope.reason": "better"})

        move(house, "churn", back, "the test")
        house.challengers.turn(challenger, "rolled_back", "more errors", wall_now())
        told(house)
        assert seen(uri, "1")[0] == {"champion"}
        assert seen(uri, "2")[0] == set()
        assert seen(uri, "2")[1]["gyroscope.verdict"] == "rolled_back"

        server_of(house).set_alias(Registered("churn", "3"), "next")
        for _ in range(2):
            told(house)
        _, third = house.challengers.every("churn")
        assert (third.origin, third.state) == ("models:/churn@next", "waiting")
        assert house.models.artifact(house.models.get("churn", third.version)).content == files[2].read_bytes()
        assert seen(uri, "3")[0] == {"challenger", "next", "later"}
        assert seen(uri, "3")[1]["gyroscope.verdict"] == "waiting"

        delete(uri)
        house.challengers.turn(third, "rolled_back", "worse", wall_now())
        told(house)
        assert "challenger" not in [fact.key for fact in house.registered.told("churn")]
        assert "rolled_back" in [fact.value for fact in house.registered.told("churn") if fact.of.number == "3"]
        assert "the registry has no churn any more" in caplog.text
        assert "the registry is not followed for churn" in caplog.text


def delete(uri: str) -> None:
    """The registered model with all its versions."""
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(
        f"{uri}/api/2.0/mlflow/registered-models/delete", b'{"name": "churn"}', headers, method="DELETE"
    )
    urllib.request.urlopen(asked, timeout=30).close()
