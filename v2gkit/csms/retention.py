"""Throws away what a CSMS need not keep any longer, in steps between which its stations are heard."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

from v2g.legible import logger
from v2gkit.csms.store.ages import STEP, Work, thrown
from v2gkit.sql.words import StoreFault

LOG = logger("v2g.csms")
PERIOD: Final = 3_600.0  # s between two rounds
PAUSE: Final = 0.05  # s between two steps


class Worked(Protocol):
    """What a store has for it."""

    async def work(self, work: Work) -> int:
        """Do work in a commit of its own, in the turn of what is written."""


async def thrown_away(store: Worked, ages: Mapping[str, float], wall: Callable[[], float]) -> int:
    """One round: throw away what is older (s) than its table allows; how many rows that were."""
    count = 0
    for table, age in ages.items():
        step = STEP
        while step >= STEP:
            step = await store.work(partial(thrown, name=table, before=wall() - age))
            count += step
            await asyncio.sleep(PAUSE if step else 0)
    return count


async def keep_for(store: Worked, ages: Mapping[str, float], wall: Callable[[], float]) -> None:
    """Round after round, for ever; one that fails is logged, and the next may do."""
    while True:
        try:
            count = await thrown_away(store, ages, wall)
        except StoreFault as fault:
            LOG.error("what is old cannot be thrown away: %s", fault)
        else:
            LOG.info("%d rows were old and are thrown away", count)
        await asyncio.sleep(PERIOD)
