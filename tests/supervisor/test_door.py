"""The door, a real HAProxy of each kind: what it routes, refuses and tells, and its servers at run time."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.supervisor.rig import Rig, binaries, needs, running, until

from gyroscope.clock import wall_now
from gyroscope.errors import ProcessError
from gyroscope.supervisor import procfs
from gyroscope.supervisor.door import DoorLink, Room, Seat, check_port, find_binary, version_of
from gyroscope.supervisor.door_config import Server, render, structure_of
from gyroscope.supervisor.pulse import Pulse
from gyroscope.supervisor.wanted import DoorSpec

DOOR = DoorSpec("127.0.0.1", 8080, "/run/admin.sock", {"a": 4, "b": 4}, control_socket="/run/control.sock")


@pytest.fixture(scope="module", params=binaries(), ids=["debian", "wheel"])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("home"), request.param) as rig:
        yield rig


def link(rig: Rig) -> DoorLink:
    assert rig.door
    return DoorLink(rig.door.admin_socket)


def test_an_id_is_made_once_and_kept(rig: Rig) -> None:
    status, headers, _ = rig.request()
    assert status == 200
    assert len(headers["x-request-id"]) == 36
    assert headers["x-seen-id"] == headers["x-request-id"]
    _, headers, _ = rig.request(X_Request_Id="mine, with a comma")
    assert headers["x-seen-id"] == headers["x-request-id"] == "mine, with a comma"
    _, headers, _ = rig.request(X_Request_Id="x" * 129)
    assert len(headers["x-request-id"]) == 36


def test_what_a_client_says_of_its_address_is_dropped(rig: Rig) -> None:
    assert rig.request(X_Forwarded_For="10.0.0.1", Forwarded="for=10.0.0.1")[1]["x-seen-from"] == "127.0.0.1"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/echo",
        "/v2/models/echo/infer?a=1",
        "/models/echo/invocations",
        "/invocations",
        "/ping",
        "/health",
        "/version",
        "/v2/health/live",
        "/v2/openapi.json",
        "/v2/models",
        "/v2/repository/index",
        "/v2/repository/models/echo/load",
    ],
)
def test_paths_of_the_model(rig: Rig, path: str) -> None:
    assert rig.request(path=path)[0] == 200


def test_unknown_models_are_404_and_the_rest_is_control(rig: Rig) -> None:
    status, headers, body = rig.request(path="/v2/models/ech/infer")
    assert (status, headers["content-type"]) == (404, "application/json")
    assert b"no such model" in body
    for path in ("/", "/v1/labels", "/metrics", "/v2x", "/models/echo"):
        status, headers, body = rig.request(path=path)
        assert (status, headers["retry-after"], body) == (503, "2", b'{"error":"control is restarting"}')
        assert headers["x-request-id"]


def test_bodies_up_to_the_cap_and_no_further(rig: Rig) -> None:
    whole = b"x" * 1_048_576
    assert rig.request(whole)[2] == whole
    status, headers, body = rig.request(whole + b"x")
    assert (status, headers["content-type"]) == (413, "application/json")
    assert b"1048576" in body


def test_a_chunked_body_over_the_cap_is_refused_too(rig: Rig) -> None:
    with socket.create_connection(("127.0.0.1", rig.port)) as raw:
        raw.sendall(b"POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.sendall(b"110000\r\n" + b"x" * 0x110000 + b"\r\n0\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")


def test_large_headers_are_refused(rig: Rig) -> None:
    assert rig.request(X_Large="x" * 15_000)[0] == 200
    assert rig.request(X_Large="x" * 17_000)[0] == 431


def test_a_full_queue_answers_with_retry_after(rig: Rig) -> None:
    seats = {f"model.echo/{spec.name}": spec for spec in rig.specs}
    admin = link(rig)
    for key in seats:
        admin.command(f"set server {key} state maint")
    status, headers, body = rig.request()
    for key in seats:
        admin.command(f"set server {key} state ready")
    assert (status, headers["retry-after"], headers["content-type"]) == (503, "1", "application/json")
    assert body == b'{"error":"no replica is free"}'


class Narrow:
    """A door with one server that takes one request at a time, and requests that wait behind it in threads."""

    def __init__(self, rig: Rig, room: Room) -> None:
        self.rig, self.admin = rig, link(rig)
        self.whole = {f"model.echo/{spec.name}": Server(spec.name, "echo", spec.socket, 4) for spec in rig.specs}
        (first, _), *rest = self.whole.items()
        seats = {first: Seat(replace(self.whole[first], maxconn=1), "ready")}
        self.admin.sync({**seats, **{key: Seat(server, "maint") for key, server in rest}}, {"echo": room})
        self.pool = ThreadPoolExecutor(16)

    def send(self, body: bytes = b"hello", **headers: str) -> Future[tuple[int, dict[str, str], bytes]]:
        """Sent and under way: in the server, waiting, or answered."""
        there = self._there()
        answer = self.pool.submit(self.rig.request, body, **headers)
        until(lambda: answer.done() or self._there() > there)
        return answer

    def close(self) -> None:
        self.pool.shutdown()
        self.admin.sync({key: Seat(server, "ready") for key, server in self.whole.items()}, {"echo": Room(256, 256)})

    def _there(self) -> int:
        row = _row(self.admin, "model.echo/BACKEND", "show stat -1 2 -1")
        return int(row["scur"]) + int(row["qcur"])


def test_what_waits_too_long_is_refused_at_once_by_importance(rig: Rig) -> None:
    narrow = Narrow(rig, Room(waiting=4, per_key=256))
    busy = narrow.send(b"sleep:0.3")
    first = [narrow.send(X_Priority="low"), narrow.send()]
    low = narrow.send(X_Priority="low")
    last = narrow.send(X_Priority="unheard of")
    refused = narrow.send()
    high = [narrow.send(X_Priority="High") for _ in range(2)]
    narrow.close()
    assert [one.result()[0] for one in (busy, *first, last, high[0])] == [200] * 5
    for one in (low, refused, high[1]):
        status, headers, body = one.result()
        assert (status, headers["retry-after"], body) == (503, "1", b'{"error":"too many requests are waiting"}')
        assert headers["x-request-id"]


def test_it_counts_what_was_asked_refused_requests_too(rig: Rig) -> None:
    before = link(rig).asked()["echo"][0]
    narrow = Narrow(rig, Room(2, 100))
    waiting = [narrow.send(b"sleep:0.5"), narrow.send(), narrow.send()]
    assert rig.request()[0] == 503, "the line is full"
    assert narrow.admin.asked()["echo"] == (before + 4, 2)
    assert [each.result()[0] for each in waiting] == [200] * 3
    narrow.close()
    assert narrow.admin.asked()["echo"] == (before + 4, 0)


def test_one_key_of_several_has_its_share(rig: Rig) -> None:
    narrow = Narrow(rig, Room(waiting=100, per_key=2))
    first = narrow.send(b"sleep:0.8", Authorization="Bearer greedy")
    greedy = [first, *(narrow.send(Authorization="Bearer greedy") for _ in range(3))]
    other = narrow.send(Authorization="Bearer other")
    refused = narrow.send(Authorization="Bearer greedy")
    narrow.close()
    assert [one.result()[0] for one in (*greedy, other)] == [200] * 5, "alone it may have everything"
    status, headers, body = refused.result()
    assert (status, headers["retry-after"]) == (429, "1")
    assert b"more than its share" in body


def test_what_the_replicas_ask_for_reaches_the_door(rig: Rig) -> None:
    pulses = [Pulse.open(spec.pulse) for spec in rig.specs]
    admin = link(rig)

    def bound(name: str) -> str:
        return admin.command(f"experimental-mode on; get var {name}").strip()

    before = bound("proc.waiting.echo")
    pulses[0].admit(3, 20)
    until(lambda: _row(admin, "model.echo/echo-v-0")["slim"] == "3")
    assert _row(admin, "model.echo/echo-v-1")["slim"] == "4"
    assert bound("proc.waiting.echo") == before, "not known before all have said"
    pulses[1].admit(1, 10)
    until(lambda: _row(admin, "model.echo/echo-v-1")["slim"] == "1")
    until(lambda: "<30>" in bound("proc.waiting.echo"))
    until(lambda: "<17>" in bound("proc.per_key.echo"))
    for pulse in pulses:
        pulse.admit(4, 1_000)
    until(lambda: "<2000>" in bound("proc.waiting.echo"))


def test_a_deadline_counts_from_the_door(rig: Rig) -> None:
    before = wall_now()
    _, headers, _ = rig.request(X_Request_Timeout_Ms="100", X_Door_Time="1")
    assert before <= int(headers["x-seen-time"]) <= wall_now()
    assert rig.request(X_Door_Time="1")[1]["x-seen-time"] == "None"


@pytest.mark.parametrize("more_bytes", [0, 1, 983_040], ids=["the door's largest", "a byte more", "the largest"])
def test_a_body_survives_its_replica(rig: Rig, more_bytes: int) -> None:
    """It fits one buffer, the door's or the repeater's, and is sent elsewhere when the frozen replica is killed."""
    assert rig.door
    body = b"x" * (rig.door.repeat_bytes + more_bytes)
    until(lambda: rig.is_ready("repeater"))
    victim = rig.pid("echo-v-0")
    os.kill(victim, signal.SIGSTOP)
    answers = [rig.request(body)[0] for _ in range(2)]
    until(lambda: rig.is_ready("echo-v-0", after=victim))
    assert answers == [200, 200]


def test_a_large_body_keeps_its_id_and_its_address(rig: Rig) -> None:
    until(lambda: rig.is_ready("repeater"))
    status, headers, body = rig.request(b"x" * 1_000_000, X_Request_Id="mine", X_Request_Timeout_Ms="900")
    assert (status, len(body)) == (200, 1_000_000)
    assert headers["x-seen-id"] == headers["x-request-id"] == "mine"
    assert headers["x-seen-from"] == "127.0.0.1"
    assert headers["x-seen-time"].isdigit()


def test_without_the_repeater_large_bodies_go_straight_on(rig: Rig) -> None:
    until(lambda: rig.is_ready("repeater"))
    before = rig.pid("repeater")
    os.kill(before, signal.SIGKILL)
    # A dying process gives up its memory before its sockets: until it is a zombie the door may still be let in, and a
    # large body that has begun is not sent twice.
    until(lambda: procfs.run_state(before) in ("", "Z", "X"))
    assert [rig.request(b"x" * 1_000_000)[0] for _ in range(3)] == [200, 200, 200]
    until(lambda: rig.is_ready("repeater", after=before))
    assert rig.request(b"x" * 1_000_000)[0] == 200


def test_only_the_owner_may_command_it(rig: Rig) -> None:
    assert rig.door
    told = Path(rig.door.admin_socket).stat()
    assert stat.S_IMODE(told.st_mode) == 0o600
    assert "CLI" not in link(rig).command("show info")


def test_servers_come_change_and_go_at_run_time(rig: Rig) -> None:
    admin = link(rig)
    mine = {f"model.echo/{spec.name}": Seat(Server(spec.name, "echo", spec.socket, 4), "ready") for spec in rig.specs}
    server = Server("extra", "echo", str(rig.runtime / "extra.sock"), 3)
    admin.sync({**mine, server.key: Seat(server, "drain")})
    assert server.key not in admin.in_flight(), "added before it was ready"
    admin.sync({**mine, server.key: Seat(server, "ready")})
    assert _row(admin, server.key)["slim"] == "3"
    admin.sync({**mine, server.key: Seat(replace(server, maxconn=2), "drain")})
    assert _row(admin, server.key)["slim"] == "2"
    assert "DRAIN" in _row(admin, server.key)["status"]
    fresh = link(rig)
    fresh.sync(mine)
    assert server.key not in fresh.in_flight()


def test_one_refused_server_does_not_keep_the_others_out(rig: Rig) -> None:
    admin = link(rig)
    mine = {f"model.echo/{spec.name}": Seat(Server(spec.name, "echo", spec.socket, 4), "ready") for spec in rig.specs}
    strange, extra = Server("x", "nowhere", "/run/x.sock", 1), Server("extra", "echo", "/run/extra.sock", 1)
    with pytest.raises(ProcessError, match=r"the door refused 'add server model.nowhere/x"):
        admin.sync({strange.key: Seat(strange, "ready"), **mine, extra.key: Seat(extra, "ready")})
    assert extra.key in admin.in_flight()
    admin.sync(mine)


def test_a_slow_client_is_cut_off(tmp_path: Path) -> None:
    binary = find_binary()
    needs(binary)
    rig = Rig(tmp_path, binary)
    assert rig.door
    config = tmp_path / "slow.cfg"
    config.write_text(render(rig.door, []).replace("http-request 10s", "http-request 200ms"))
    with subprocess.Popen([binary, "-db", "-f", str(config)], stderr=subprocess.DEVNULL) as process:
        until(lambda: link(rig).pid() == process.pid)
        with socket.create_connection(("127.0.0.1", rig.port)) as raw:
            raw.sendall(b"POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
            assert raw.recv(4096).startswith(b"HTTP/1.1 408")
        process.kill()
    rig.close()


@pytest.mark.parametrize("binary", binaries(), ids=["debian", "wheel"])
def test_haproxy_accepts_the_text_without_a_warning(tmp_path: Path, binary: str) -> None:
    needs(binary)
    config = tmp_path / "haproxy.cfg"
    door = replace(DOOR, admin_socket=str(tmp_path / "admin.sock"), default_model="a", host="::1")
    config.write_text(render(door, [Server("a-v-0", "a", "/run/a.sock", 4)]))
    told = subprocess.run([binary, "-c", "-f", str(config)], capture_output=True, text=True, check=False)
    assert told.returncode == 0
    assert "WARNING" not in told.stderr


@pytest.mark.parametrize(
    "socket_path", ["relative.sock", "/run/with space", "/run/quo'te", "/run/new\nline", "/" + "x" * 120]
)
def test_paths_that_haproxy_would_misread_are_refused(socket_path: str) -> None:
    with pytest.raises(ProcessError, match="socket's path"):
        render(DOOR, [Server("a-v-0", "a", socket_path, 4)])


def test_names_that_haproxy_would_misread_are_refused() -> None:
    with pytest.raises(ProcessError, match="cannot be a name"):
        render(replace(DOOR, backends={"a\n    server evil 1.2.3.4:80": 4}), [])


def test_structure_changes_with_models_and_not_with_limits() -> None:
    assert structure_of(DOOR) == structure_of(replace(DOOR, backends={"b": 1, "a": 9}))
    assert structure_of(DOOR) != structure_of(replace(DOOR, backends={"a": 4}))
    assert structure_of(DOOR) != structure_of(replace(DOOR, port=8081))


def test_finds_a_haproxy_or_says_what_is_wrong(tmp_path: Path) -> None:
    assert version_of(find_binary()) >= (2, 6)
    assert version_of("/nowhere") == (0, 0)
    old = tmp_path / "haproxy"
    old.write_text("#!/bin/sh\necho HAProxy version 2.4.1\n")
    old.chmod(0o700)
    for binary in (str(old), "/nowhere"):
        with pytest.raises(ProcessError, match=r"no HAProxy 2\.6 or newer"):
            find_binary(binary)


def test_ports_that_cannot_be_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ProcessError, match=f"port {port} is taken by pid {os.getpid()} "):
            check_port("127.0.0.1", port, ours=set())
        check_port("127.0.0.1", port, ours={os.getpid()})
    check_port("127.0.0.1", port, ours=set())
    with pytest.raises(ProcessError, match="cannot listen"):
        check_port("192.0.2.1", port, ours=set())
    with pytest.raises(ProcessError, match="cannot listen"):
        check_port("no such host.invalid", port, ours=set())


def test_a_door_that_is_not_there() -> None:
    admin = DoorLink("/nowhere/admin.sock")
    assert admin.pid() == 0
    assert not admin.is_idle()
    with pytest.raises(ProcessError, match="does not answer"):
        admin.sync({})


def _row(admin: DoorLink, key: str, question: str = "show stat -1 4 -1") -> dict[str, str]:
    lines = admin.command(question).lstrip("# ").splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=False)) for line in lines[1:]]
    return next(row for row in rows if f"{row['pxname']}/{row['svname']}" == key)
