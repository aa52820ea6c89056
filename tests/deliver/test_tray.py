"""The tray between press and workers: order, room, its end, and what is spare."""

from __future__ import annotations

import asyncio

from digestd.deliver.tray import Tray


async def settle() -> None:
    """Let every other coroutine go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_tray_gives_out_in_order_and_waits_for_room() -> None:
    tray = Tray[int](2)

    async def fill() -> None:
        for number in range(5):
            await tray.put(number)
        tray.close()

    filling = asyncio.create_task(fill())
    await settle()
    assert not filling.done()
    assert [await tray.take() for _ in range(6)] == [0, 1, 2, 3, 4, None]
    await filling
    assert tray.is_finished


async def test_tray_wakes_all_who_wait_at_its_end() -> None:
    tray = Tray[int](2)
    takers = [asyncio.create_task(tray.take()) for _ in range(3)]
    await settle()
    tray.close()
    assert await asyncio.gather(*takers) == [None] * 3


async def test_tray_spares_nothing_that_another_waits_for() -> None:
    tray = Tray[int](4)
    taker = asyncio.create_task(tray.take())
    await settle()
    await tray.put(1)
    assert tray.spare() is None  # it is for the one who waits
    await tray.put(2)
    assert tray.spare() == 1
    assert await taker == 2
    assert tray.spare() is None


async def test_tray_hands_on_what_woke_one_who_was_cancelled() -> None:
    tray = Tray[int](4)
    first, second = asyncio.create_task(tray.take()), asyncio.create_task(tray.take())
    await settle()
    await tray.put(1)
    first.cancel()
    assert await asyncio.wait_for(second, 5) == 1


async def test_tray_gives_back_as_the_next_one() -> None:
    tray = Tray[int](2)
    await tray.put(1)
    await tray.put(2)
    taken = await tray.take()
    assert taken == 1
    tray.give_back(taken)
    assert [await tray.take(), await tray.take()] == [1, 2]
