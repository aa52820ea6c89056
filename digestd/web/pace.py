"""How long an answer takes, and how long a request may: what is told by a clock, and bodies that do not end."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY = 64 * 1024  # octets; a choice is some twenty
MAX_DISCARDED = 1024 * 1024  # octets read on past that, so that the sender hears why and not just a broken line
BODY_SECONDS = 10.0
TIMER_SECONDS = 0.001  # what the event loop's timers are rounded to


async def until(moment: float) -> None:
    """Wait for a moment of the loop's clock, more exactly than by a timer.

    A timer waits for whole milliseconds from when it is set, and so hands on the fraction that was used up before;
    the last of them is passed turn by turn.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(moment - loop.time() - TIMER_SECONDS)
    while loop.time() < moment:  # noqa: ASYNC110 - there is no event to wait for, only the clock
        await asyncio.sleep(0)


async def body_of(request: Request) -> bytes:
    """Return a request's body. Raises HTTPException for one that is larger than MAX_BODY, or does not end."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MAX_BODY:
                    body += chunk
                elif size > MAX_DISCARDED:
                    break
    except TimeoutError:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, headers={"Connection": "close"}) from None
    if size > MAX_BODY:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"Connection": "close"})
    return bytes(body)
