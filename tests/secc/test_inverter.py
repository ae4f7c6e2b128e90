"""An inverter in the charger itself is told what the grid asks: of what it follows, in its own units, always the latest."""

import asyncio
import secrets
from typing import Any

from secc.driver import Driver
from secc.engine import SeccSession
from secc.evse import EVSE
from secc.outlet import Outlet
from secc.station import GridControlChanged, Limits
from tests.starved import HANG
from v2g.energy.der import Curve, GridControl, Shares
from v2g.session.clock import Clock

CURVE = Curve(((207.0, -0.4), (253.0, 0.4)))


class Inverting(EVSE):
    grid_functions = ("volt_var", "cos_phi", "var")

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.asked: list[GridControl] = []
        self.broken = broken

    async def limits(self) -> Limits:
        return Limits(discharge_power=10_000.0)

    async def follow_grid(self, control: GridControl) -> None:
        if self.broken:
            raise OSError("the bus is dead")
        self.asked.append(control)


def told(evse: EVSE, *facts: GridControlChanged) -> Driver:
    """A session whose backend says this, each after the one before has been heard."""

    async def scene() -> Driver:
        loop = asyncio.get_running_loop()
        session = SeccSession(Outlet(), Clock(), loop.time(), entropy=secrets.token_bytes)
        around: Any = None
        driver = Driver(session, evse, around, around, loop.time, lambda: None)
        for fact in facts:
            driver.tell(fact)
            if (task := driver._tasks.get("grid")) is not None:
                await task
        return driver

    return asyncio.run(asyncio.wait_for(scene(), HANG))


def test_it_hears_what_it_follows_and_shares_are_of_what_the_outlet_takes_back() -> None:
    evse = Inverting()
    told(evse, GridControlChanged(GridControl(watt=500.0, discharge_maximum=1_000.0), Shares(volt_var=CURVE)))
    (control,) = evse.asked
    assert control == GridControl(volt_var=Curve(((207.0, -4_000.0), (253.0, 4_000.0))))  # the rest is upheld by limits, or not followed


def test_what_is_asked_no_more_is_told_as_nothing() -> None:
    evse = Inverting()
    told(evse, GridControlChanged(GridControl(var=500.0)), GridControlChanged(GridControl()))
    assert evse.asked == [GridControl(var=500.0), GridControl()]


def test_a_charger_without_such_an_inverter_hears_nothing() -> None:
    driver = told(EVSE(), GridControlChanged(GridControl(var=500.0)))
    assert "grid" not in driver._tasks


def test_an_inverter_that_cannot_be_told_ends_the_session() -> None:
    driver = told(Inverting(broken=True), GridControlChanged(GridControl(var=500.0)))
    assert driver.ended is not None
    assert "the bus is dead" in (driver.ended.reason or "")
