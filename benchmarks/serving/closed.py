"""Closed loop: `wrk` on the generator's core, so many connections, each asking again as soon as it was answered.

Every request of a round is one of a hundred bodies, in turn. Replies other than 200 make a round void.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.serving.cores import GENERATOR, pinned

SCRIPT = """\
local bodies = {%s}
local requests, at = {}, 0
wrk.method = "POST"
%s
function init(args)
  for n, body in ipairs(bodies) do requests[n] = wrk.format(nil, nil, nil, body) end
end
function request()
  at = at %% #requests + 1
  return requests[at]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    "<<{\\"requests\\": %%d, \\"seconds\\": %%.6f, \\"failed\\": %%d, \\"p50_ms\\": %%.4f, \\"p99_ms\\": %%.4f}>>\\n",
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


class Measured(msgspec.Struct, frozen=True):
    """What one round saw."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def closed_loop(
    url: str, bodies: Sequence[bytes], headers: Mapping[str, str], *, connections: int, seconds: float
) -> Measured:
    """One round. Raises `RuntimeError` when wrk cannot run or a reply was no 200."""
    quoted = ", ".join(json.dumps(body.decode()) for body in bodies)
    named = "\n".join(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % (quoted, named))
        script.flush()
        # wrk counts whole seconds.
        length = f"{max(1, round(seconds))}s"
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{length}", "--timeout", "30s", "-s", script.name, url]
        done = subprocess.run(pinned(GENERATOR, argv), capture_output=True, text=True, check=False)
    if "<<{" not in done.stdout:
        raise RuntimeError(f"wrk: {done.stdout} {done.stderr}")
    found = msgspec.json.decode(done.stdout.partition("<<")[2].partition(">>")[0], type=Measured)
    if found.failed or not found.requests:
        raise RuntimeError(f"{found.failed} of {found.requests} requests to {url} failed")
    return found
