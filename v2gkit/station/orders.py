"""Batteries of a station's site that speak by [feed]: who says how full each is is told what it shall do."""

from collections.abc import Sequence
from typing import Final

from secc.yard import Yard
from v2g.energy.fleet.pack import Pack
from v2gkit.station.feed import words
from v2gkit.station.feed.hearing import Reply

LASTS: Final = 10.0  # s that an order counts: it is told anew each second, and who hears no more of them stands still


class Orders:
    """The batteries of a yard that speak by [feed]: each is led by whoever spoke for it last."""

    def __init__(self, yard: Yard, packs: Sequence[Pack]) -> None:
        self._storages = {pack.name: yard.storages[pack.name] for pack in packs if pack.driver == "feed"}

    def heard(self, name: str, soc: float, power: float, reply: Reply | None) -> None:
        """Take what a battery says of itself (%, W), and send its orders by `reply` from now on. ValueError for one that is not there."""
        if name not in self._storages:
            raise ValueError(f"no battery is {name!r}; there are {', '.join(self._storages) or 'none'}")
        storage = self._storages[name]
        if reply is not None:
            storage.tell = lambda watts: reply(words.order(name, watts, LASTS))
        storage.reports(soc, power)
