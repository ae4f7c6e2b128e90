"""Assets that are played: each holds what it was told last, and its car draws that at once or late."""

import asyncio
from pathlib import Path
from typing import Any

from tests.v2gkit.fleet.depot import written
from v2gkit.fleet import declared
from v2gkit.fleet.arms.verbs import ArmFault, Order
from v2gkit.fleet.conductor import Conductor
from v2gkit.fleet.decision import Car
from v2gkit.fleet.declared import Asset
from v2gkit.fleet.log.memory import MemoryLog
from v2gkit.fleet.log.verbs import Log
from v2gkit.fleet.store.sql import SqlStore, file_url
from v2gkit.fleet.store.verbs import Store


class Yard:
    """Carries orders to assets that are numbers: `holds` is what each may draw, `draws` what it does."""

    def __init__(self) -> None:
        self.holds: dict[str, float] = {}
        self.deaf: set[str] = set()
        self.orders: list[tuple[str, float]] = []

    async def carry(self, asset: Asset, order: Order) -> None:
        await asyncio.sleep(0)
        if asset.id in self.deaf:
            raise ArmFault(f"{asset.id} is deaf")
        self.orders.append((asset.id, order.power))
        self.holds[asset.id] = order.power


class Stage:
    """A conductor over a fleet on paper, in a time of its own."""

    def __init__(self, folder: Path, log: Log | None = None, store: Store | None = None, **how: Any) -> None:
        self.now = 1_800_000_000.0
        self.yard, self.log = Yard(), log or MemoryLog()
        self.store: Store = store or SqlStore(file_url(folder))
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        fleet = declared.read(written(folder))
        clock = (lambda: self.now, lambda *said: self.said.append(said))
        self.conductor = Conductor(fleet, self.store, self.log, {"ocpp": self.yard}, *clock, tick=lambda: self.now, **how)

    def cars(self, *assets: str, **more: Any) -> None:
        """Cars come that want all they can, and draw what they hold."""
        for name in assets or self.conductor.fleet.assets:
            asset = self.conductor.fleet.assets[name]
            known = {"asset": name, "at": asset.feeder, "wanted": 11_000.0, "most": 11_000.0, "give": 11_000.0, "missing": 30_000.0}
            known |= {"drawn": self.yard.holds.get(name, 0.0), "drawn_at": self.now}
            self.conductor.report(Car(**(known | more)))

    def follow(self) -> None:
        """Every car draws what its asset holds."""
        for car in list(self.conductor.cars.values()):
            self.cars(car.asset, wanted=car.wanted, drawn=self.yard.holds.get(car.asset, 0.0), missing=car.missing, departure=car.departure)

    async def settle(self, rounds: int = 6, seconds: float = 6.0) -> None:
        """Let so many rounds pass, each with time for cars to follow."""
        for _ in range(rounds):
            await self.conductor.round()
            while self.conductor._tasks._once:
                await asyncio.sleep(0)
                await asyncio.wait(list(self.conductor._tasks._once))
            self.follow()
            self.now += seconds

    def drawn(self, site: str) -> float:
        """W that the assets of a site may draw."""
        return sum(self.yard.holds.get(asset.id, 0.0) for asset in self.conductor.fleet.at(site))
