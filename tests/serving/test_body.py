"""Bodies are read whole, or refused for their size or their slowness."""

from __future__ import annotations

import asyncio

import pytest

from gyroscope.clock import MachineTime
from gyroscope.errors import InputError
from gyroscope.serving.body import BodyReader


def messages(*chunks, gone=False):
    """What a server hands over: the chunks, then the end or the news that the client left."""
    queue = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    queue.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return queue.pop(0)

    return receive


def read(reader, receive):
    return asyncio.run(reader.read(receive, MachineTime(10)))


def test_chunks_are_put_together():
    assert read(BodyReader(6), messages(b"abc", b"def")) == b"abcdef"


def test_a_client_that_leaves_has_no_body():
    assert read(BodyReader(6), messages(b"abc", gone=True)) is None


def test_one_byte_over_the_cap_is_refused():
    with pytest.raises(InputError, match="larger than 5 bytes") as refusal:
        read(BodyReader(5), messages(b"abc", b"def"))
    assert refusal.value.status == 413


def test_a_sweep_after_the_deadline_ends_a_slow_body():
    async def scene():
        reader, never = BodyReader(5), asyncio.Event()

        async def receive():
            await never.wait()

        task = asyncio.create_task(reader.read(receive, MachineTime(10)))
        await asyncio.sleep(0)
        reader.sweep(MachineTime(9))
        await asyncio.sleep(0)
        assert not task.done()
        reader.sweep(MachineTime(10))
        reader.sweep(MachineTime(11))
        with pytest.raises(InputError, match="in time") as refusal:
            await task
        assert refusal.value.status == 408
        assert task.cancelling() == 0
        reader.sweep(MachineTime(12))

    asyncio.run(scene())


def test_a_cancellation_from_elsewhere_stays_one():
    async def scene():
        reader = BodyReader(5)
        task = asyncio.create_task(reader.read(asyncio.Event().wait, MachineTime(10)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
