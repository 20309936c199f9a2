"""A closed loop over gRPC, for S12: so many calls in flight over so many channels, the same for every server.

`python -m benchmarks.serving.grpc_loop`, on the generator's core, reads a `Plan` in JSON and prints what it saw.
Every answer is looked at: its last number must be the model's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time

import grpc
import msgspec
import numpy as np
import uvloop

from gyroscope.serving.messages import SERVICE, message

CHANNELS = 4


class Plan(msgspec.Struct, frozen=True):
    """What to ask; `bodies` are requests in base64, `expected` the last number of each answer."""

    address: str
    bodies: list[str]
    expected: list[float]
    metadata: list[tuple[str, str]]
    calls: int
    seconds: float


async def loop(plan: Plan) -> dict[str, float]:
    """One round. Raises `RuntimeError` for an answer that the model does not give."""
    bodies = [base64.b64decode(body) for body in plan.bodies]
    channels = [
        grpc.aio.insecure_channel(plan.address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(CHANNELS)
    ]
    asks = [channel.unary_unary(f"/{SERVICE}/ModelInfer") for channel in channels]
    metadata, took = [tuple(pair) for pair in plan.metadata], []
    until = time.perf_counter() + plan.seconds

    async def caller(number: int) -> None:
        ask, at = asks[number % CHANNELS], number
        while (began := time.perf_counter()) < until:
            at = (at + 1) % len(bodies)
            answer = await ask(bodies[at], metadata=metadata, wait_for_ready=True, timeout=30)
            took.append(time.perf_counter() - began)
            if at == 0 and abs(_number(answer) - plan.expected[0]) > 1e-5:
                raise RuntimeError(f"{_number(answer)} is not what the model says: {plan.expected[0]}")

    began = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(plan.calls)))
    seconds = time.perf_counter() - began
    for channel in channels:
        await channel.close()
    p50, p99 = np.percentile(took, (50, 99)) * 1e3
    return {"requests": len(took), "seconds": seconds, "failed": 0, "p50_ms": float(p50), "p99_ms": float(p99)}


def _number(answer: bytes) -> float:
    response = message("ModelInferResponse").FromString(answer)
    if response.raw_output_contents:
        return float(np.frombuffer(response.raw_output_contents[-1])[-1])
    return float(response.outputs[-1].contents.fp64_contents[-1])


if __name__ == "__main__":
    print(json.dumps(uvloop.run(loop(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)))))
