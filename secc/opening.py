"""What makes an outlet safe: its contactor opens and, of ACDP, its device goes home, each within a bound, whatever the hardware does."""

import asyncio
from collections.abc import Awaitable, Callable

from secc.evse import EVSE

SAFE_LIMIT = 5.0  # s for the hardware to become safe before it is called broken
HOMING_LIMIT = 20.0  # s for a device to go home: nobody is charged at an outlet meanwhile, and nothing of it is live


async def open_outlet(evse: EVSE) -> str:
    """Open the contactor. Empty once the hardware reports it open, else why that is not known; within `SAFE_LIMIT` (s), whatever hangs."""
    return await _reported("open_contactor()", evse.open_contactor, SAFE_LIMIT, "the contactor is not open")


async def send_home(evse: EVSE) -> str:
    """Send the device of an ACDP home, of an outlet whose contactor is open. Empty once the hardware reports it there, else why that is
    not known; within `HOMING_LIMIT` (s), whatever hangs."""
    return await _reported("disconnect_device()", evse.disconnect_device, HOMING_LIMIT, "the device is not home")


async def _reported(name: str, work: Callable[[], Awaitable[bool]], limit: float, otherwise: str) -> str:
    task = asyncio.ensure_future(work())
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # one that comes too late is no news
    done, _ = await asyncio.wait([task], timeout=limit)
    if not done:
        task.cancel()
        return f"{name} did not return within {limit:g} s"
    if task.cancelled():
        return f"{name} was cancelled"
    if (error := task.exception()) is not None:
        return f"{name} failed: {error!r}"
    return "" if task.result() else f"{name} returned {task.result()!r}: {otherwise}"
