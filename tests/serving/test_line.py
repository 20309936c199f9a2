"""One at a time, in order, and never more than there is room for."""

from __future__ import annotations

import asyncio

import pytest

from gyroscope.errors import OverloadError
from gyroscope.serving.line import Line


def test_turns_come_in_order_and_one_at_a_time():
    async def scene():
        line, order, inside = Line(5), [], []

        async def customer(name):
            await line.enter()
            inside.append(name)
            assert inside == [name]
            await asyncio.sleep(0)
            order.append(name)
            inside.remove(name)
            line.leave()

        await asyncio.gather(*(customer(name) for name in range(6)))
        return order

    assert asyncio.run(scene()) == [0, 1, 2, 3, 4, 5]


def test_a_full_line_refuses_at_once_and_takes_more_later():
    async def scene():
        line = Line(1)
        await line.enter()
        waiting = asyncio.create_task(line.enter())
        await asyncio.sleep(0)
        with pytest.raises(OverloadError, match="waiting") as refusal:
            await line.enter()
        assert refusal.value.status == 503
        line.leave()
        await waiting
        line.leave()
        await asyncio.sleep(0)
        await asyncio.wait_for(line.enter(), 1)

    asyncio.run(scene())


@pytest.mark.parametrize("has_turn", [False, True])
def test_whoever_gives_up_does_not_hold_up_the_rest(has_turn):
    async def scene():
        line = Line(5)
        await line.enter()
        impatient, patient = asyncio.create_task(line.enter()), asyncio.create_task(line.enter())
        await asyncio.sleep(0)
        if has_turn:
            line._next()  # the turn is given and the cancellation arrives before it is taken
            impatient.cancel()
        else:
            impatient.cancel()
            await asyncio.sleep(0)
            line.leave()
        await asyncio.wait_for(patient, 1)
        assert impatient.cancelled()

    asyncio.run(scene())
