"""Waiting for the disk's word on an entry while the loop goes on with other requests and with its beat.

`http.py` awaits it between the plane's work and the reply. It decides nothing about an entry that is late.
"""

from __future__ import annotations

import asyncio
import contextlib

from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.predictions.segments.full import Outcome, Waiting


async def until_known(waiting: Waiting, deadline: MachineTime) -> None:
    """Return when the outcome is known, at the deadline at the latest."""
    loop = asyncio.get_running_loop()
    known = loop.create_future()

    def wake() -> None:
        if not known.done():
            known.set_result(None)

    def tell(_: Outcome) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(wake)

    waiting.then(tell)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(known, max(deadline - machine_now(), 0) / SECOND_NS)
