"""Lets a CSMS unlock connectors: from the thread in which it is asked for to the loop in which the hardware lives."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from secc.evse import EVSE

UNLOCKING_LIMIT: Final = 5.0  # s; a motor needs one or two, and the CSMS waits for the answer as long as for any other


def unlocking(hardware: Sequence[EVSE]) -> Callable[[int], None]:
    """A function that unlocks the connector of an outlet, by its number from 1, and waits for it: to be called from another thread than
    this. It raises OSError with what the hardware says where the connector does not open, or says nothing for `UNLOCKING_LIMIT` s."""
    loop = asyncio.get_running_loop()

    def unlock(number: int) -> None:
        asked = asyncio.run_coroutine_threadsafe(hardware[number - 1].unlock_connector(), loop)
        try:
            opened = asked.result(UNLOCKING_LIMIT)
        except TimeoutError:
            asked.cancel()
            raise OSError(f"unlock_connector() has not answered within {UNLOCKING_LIMIT:g} s") from None
        except Exception as error:  # whatever a driver of hardware raises
            raise OSError(f"unlock_connector() failed: {error!r}") from None
        if not opened:
            raise OSError("the hardware says that the connector is still locked")

    return unlock
