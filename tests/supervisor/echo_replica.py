"""A tiny replica for tests: stdlib HTTP over a unix socket, one item at a time, a real Pulse.

    python echo_replica.py SOCKET PULSE

A body is answered with itself and the id. Bodies it obeys: `spin` holds the GIL for ever, `sleep:S` works S seconds,
`fork` starts a process of its own, `fail` answers 500. The deadline of an item is 0.5 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

from gyroscope.supervisor.pulse import Pulse

DEADLINE_NS = 500_000_000


def work(body: bytes) -> tuple[int, bytes]:
    if body == b"spin":
        while True:
            pass
    if body == b"fork":
        subprocess.Popen(["sleep", "60"])
    if body.startswith(b"sleep:"):
        time.sleep(float(body[6:]))
    return (500, b"broken") if body == b"fail" else (200, body)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pulse: Pulse) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            pulse.begin(time.monotonic_ns(), time.monotonic_ns() + DEADLINE_NS)
            status, answer = work(body)
            pulse.add("requests_2xx")
            pulse.end(time.monotonic_ns())
            told = f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\nX-Pid: {os.getpid()}\r\n"
            told += f"X-Seen-Id: {headers.get('x-request-id')}\r\nX-Seen-From: {headers.get('x-forwarded-for')}\r\n"
            told += f"X-Seen-Time: {headers.get('x-door-time')}\r\nX-Seen-Canary: {headers.get('x-canary')}\r\n\r\n"
            writer.write(told.encode() + answer)
            await writer.drain()
    writer.close()


async def main(socket: str, pulse_path: str) -> None:
    pulse = Pulse.create(pulse_path)
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    server = await asyncio.start_unix_server(lambda r, w: serve(r, w, pulse), socket, limit=4_000_000)
    pulse.beat(time.monotonic_ns())
    pulse.ready()
    while not leave.is_set():
        pulse.beat(time.monotonic_ns())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leave.wait(), 0.1)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
