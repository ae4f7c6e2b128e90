"""Memory that a station does not use any more goes back to the system, and does not stay with the allocator of the C library.

A burst of newcomers takes 60 KB for each; what they leave behind is free inside the process, and would count as its own until it ends.
Where the C library is not glibc 2.33 or newer nothing is done.
"""

import asyncio
import ctypes
import gc
from typing import Any, Final

PERIOD: Final = 2.0  # s between two looks
# Octets that have become free since the last return, from which there is another: it takes a third of a millisecond for each megabyte.
FREED: Final = 4 << 20
ARENAS: Final = 1  # heaps of the C library; with one for each thread, what one leaves free no other can use: 4 MB after a siege
_ARENA_MAX: Final = -8  # of <malloc.h>


class _Account(ctypes.Structure):
    """`struct mallinfo2` of <malloc.h>."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


class Allocator:
    """The allocator of the C library; `there` is False where it is none that can be told to give back."""

    def __init__(self) -> None:
        self._library = _glibc()
        self.there = self._library is not None
        self._most = 0  # octets in use at the most since the last return

    def save(self) -> None:
        """Share one heap among all threads. Before there are threads."""
        if self.there:
            self._library.mallopt(_ARENA_MAX, ARENAS)

    def used(self) -> int:
        """Octets of its heaps that are in use now."""
        return int(self._library.mallinfo2().uordblks) if self.there else 0

    async def thrifty(self) -> None:
        """Give back what is free whenever much has become free. Never returns."""
        while True:
            await asyncio.sleep(PERIOD)
            await self.look()

    async def look(self) -> bool:
        """Give back what is free if much has become free since the last return; whether it was given back."""
        used = self.used()
        self._most = max(self._most, used)
        if used > self._most - FREED:
            return False
        await asyncio.to_thread(self._library.malloc_trim, 0)
        self._most = self.used()
        return True


def settled() -> None:
    """Have the garbage collector leave alone what there is now, for it stays: its rounds become short, and come early."""
    gc.collect()
    gc.freeze()


def _glibc() -> Any:
    try:
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = _Account
        library.malloc_trim.argtypes = (ctypes.c_size_t,)
        return library if hasattr(library, "mallopt") else None
    except (OSError, TypeError, AttributeError):  # another library, or Windows, where none has no name
        return None
