"""The image builds without network from a base made here, and runs the house as an ordinary user.

The container engine is a daemon of its own with its own folder, started and ended by this test. The base is what this
machine's package database lists for Python, and the wheels that the pins name: nothing comes from an image registry.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("python3-venv", "libgomp1", "libstdc++6", "dash", "coreutils", "grep", "sed", "passwd", "libc-bin")
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/")
WANTED = ".[onnx,lightgbm,haproxy]"
UID = 10001

Docker = Callable[..., str]


def _why_not() -> str:
    if os.geteuid() != 0:
        return "a container engine needs root"
    missing = [name for name in ("dockerd", "docker", "dpkg-query") if shutil.which(name) is None]
    return f"not installed here: {', '.join(missing)} (Debian's docker.io)" if missing else ""


pytestmark = [pytest.mark.journey, pytest.mark.peer, pytest.mark.skipif(bool(_why_not()), reason=_why_not())]


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """`docker("run", ...)` against a daemon of our own, without any network of its own."""
    folder = tmp_path_factory.mktemp("engine")
    places = ["--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    address = f"unix://{folder}/socket"
    environment = {**os.environ, "DOCKER_HOST": address, "DOCKER_BUILDKIT": "0"}

    def run(*words: str, stdin: Path | None = None) -> str:
        with (stdin or Path(os.devnull)).open("rb") as given:
            ended = subprocess.run(["docker", *words], stdin=given, env=environment, capture_output=True, text=True)
        if ended.returncode and words[0] == "exec":
            logs = subprocess.run(["docker", "logs", "house"], env=environment, capture_output=True, text=True)
            pytest.fail(
                f"docker {' '.join(words)}\n{ended.stderr[-2000:]}\n{logs.stdout[-2000:]}\n{logs.stderr[-4000:]}"
            )
        assert ended.returncode == 0, f"docker {' '.join(words)}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
        return ended.stdout

    with (folder / "log").open("wb") as log:
        words = ["dockerd", *map(str, places), "--host", address, "--iptables=false", "--bridge=none"]
        daemon = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        _wait(lambda: (folder / "socket").exists() or daemon.poll() is not None, 60)
        if daemon.poll() is not None:
            pytest.skip(f"dockerd does not run here: {(folder / 'log').read_text(errors='replace')[-400:]}")
        _wait(lambda: subprocess.run(["docker", "version"], env=environment, capture_output=True).returncode == 0, 60)
        yield run
    finally:
        daemon.terminate()
        daemon.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def image(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the Dockerfile, built with the network switched off."""
    folder = tmp_path_factory.mktemp("base")
    base = folder / "base.tar"
    _write_base(base, _wheels(folder / "wheels"))
    offline = ("--change", "ENV PIP_NO_INDEX=1", "--change", "ENV PIP_FIND_LINKS=/wheels")
    docker("import", *offline, "-", "base", stdin=base)
    shutil.rmtree(folder)
    docker("build", "--network", "none", "--build-arg", "BASE=base", "--tag", "gyroscope", str(ROOT))
    return "gyroscope"


def test_the_container_serves_as_an_ordinary_user_and_ends_in_order(docker: Docker, image: str, tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "signature.yaml").write_text("task: regression\noutput: minutes\nfeatures: [{name: distance}]\n")
    (data / "slow.py").write_text(
        "class Slow:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] / 8\n"
    )
    for path in (data, *data.iterdir()):
        os.chown(path, UID, UID)
    words = ("--detach", "--name", "house", "--network", "none", "--shm-size", "512m", "--volume", f"{data}:/data")
    docker("run", *words, image)

    docker("exec", "house", "gyro", "models", "add", "flights", "slow.py:Slow", "--signature", "signature.yaml")
    _wait(lambda: _is_ready(docker), 90)
    assert docker("exec", "house", "id", "-u").strip() == str(UID)
    answer = json.loads(docker("exec", "house", "gyro", "predict", "flights", "--set", "distance=800", "--json"))
    assert answer["predictions"] == [100.0]
    assert answer["logged"] == "os"
    checks = docker("exec", "house", "gyro", "doctor", "--json").splitlines()
    assert [one for one in map(json.loads, checks) if one["state"] == "fail"] == []

    docker("stop", "--time", "60", "house")
    state = json.loads(docker("inspect", "house"))[0]["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert list((data / "tables" / "flights").glob("_delta_log/*.json")), "what was answered was drained"
    docker("start", "house")
    _wait(lambda: _is_ready(docker), 90)
    docker("rm", "--force", "house")


def _is_ready(docker: Docker) -> bool:
    """Up, and the replica of the model that was added meanwhile too."""
    told = docker("exec", "house", "sh", "-c", "gyro status --json || true")
    processes = json.loads(told)["processes"] if told.startswith("{") else []
    return any(one["kind"] == "replica" for one in processes) and all(one["state"] == "ready" for one in processes)


def _wheels(folder: Path) -> Path:
    """What pip would install, as files: from its own cache where it has been fetched before."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--quiet",
        "--disable-pip-version-check",
        "--dest",
        str(folder),
    ]
    for words in (["--constraint", "constraints.txt", WANTED], ["setuptools>=77", "wheel"]):
        subprocess.run([*pip, *words], cwd=ROOT, check=True)
    return folder


def _write_base(base: Path, wheels: Path) -> None:
    """A root file system of this machine's packages, with the users that its package `base-passwd` begins with."""
    with tarfile.open(base, "w") as tar:
        for name in sorted(_files(_closure(PACKAGES))):
            tar.add(name, arcname=name.lstrip("/"), recursive=False)
        for name in ("passwd", "group"):
            tar.add(f"/usr/share/base-passwd/{name}.master", arcname=f"etc/{name}")
        tar.add(wheels, arcname="wheels")
        for name in ("tmp", "root", "proc", "sys", "dev"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)


def _closure(packages: tuple[str, ...]) -> set[str]:
    """The packages and all that they need, as far as they are installed."""
    found: set[str] = set()
    wanted = set(packages)
    while wanted:
        query = ["dpkg-query", "--show", "--showformat", "${Package} ${Pre-Depends}, ${Depends}\\n", *sorted(wanted)]
        lines = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
        found |= wanted
        names = [choice.split()[0].partition(":")[0] for line in lines for choice in _choices(line.partition(" ")[2])]
        wanted = set(names) - found
    return found


def _choices(depends: str) -> list[str]:
    return [choice for part in depends.split(",") for choice in part.split("|") if choice.strip()]


def _files(packages: set[str]) -> set[str]:
    """Paths of the packages that are installed, behind links such as /bin -> usr/bin; virtual packages list nothing."""
    listed = subprocess.run(["dpkg-query", "--listfiles", *sorted(packages)], capture_output=True, text=True).stdout
    lines = {line for line in listed.splitlines() if line.startswith("/") and line != "/."}
    names = {str(Path(line).parent.resolve() / Path(line).name) for line in lines}
    return {name for name in names if os.path.lexists(name) and not name.startswith(LEFT_OUT)}


def _wait(is_done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < until, f"not within {seconds:g} s"
        time.sleep(0.5)
