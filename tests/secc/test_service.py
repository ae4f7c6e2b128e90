"""An outlet whose contactor does not open, or whose device stays down: nobody is served until it is safe. A station closes in any case."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from secc import bay, driver, opening
from secc import station as words
from secc.evse import EVSE
from secc.lobby import Welcome
from secc.simulated import DC_LIMITS
from secc.station import Fact, Limits
from tests.secc.test_server import Bench, bench, run
from tests.starved import HANG
from v2g.session.endpoint import Ended


class Stuck(EVSE):
    """A contactor that opens only once it is `sound`; until then it is as `how` says."""

    def __init__(self, how: str):
        super().__init__()
        self.how, self.sound, self.closed = how, False, False
        self.opened = asyncio.Event()
        self.unlocked = 0

    async def limits(self) -> Limits:
        return DC_LIMITS

    async def close_contactor(self) -> bool:
        self.closed = True
        return True

    async def open_contactor(self) -> bool:
        if self.sound:
            self.closed = False
            self.opened.set()
            return True
        match self.how:
            case "welded":
                return False
            case "raises":
                raise OSError("bus error")
            case "says nothing":
                return None  # type: ignore[return-value]
            case "deaf":
                with contextlib.suppress(asyncio.CancelledError):  # hardware code that swallows its cancellation
                    await asyncio.sleep(3600)
                await asyncio.sleep(5)  # and goes on for a while: long for a station, short for a test that fails
                return False
        await asyncio.sleep(3600)
        return True

    async def unlock_connector(self) -> bool:
        self.unlocked += 1
        return True


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, shorter: virtual hardware does not need the time that copper does."""
    for module in (driver, opening):
        monkeypatch.setattr(module, "SAFE_LIMIT", 0.2)
        monkeypatch.setattr(module, "HOMING_LIMIT", 0.2)
    monkeypatch.setattr(driver, "OPENING_LIMIT", 0.1)
    monkeypatch.setattr(driver, "CLOSING_LIMIT", 0.6)
    monkeypatch.setattr(bay, "REPAIR_PERIOD", 0.2)


def heard(it: Bench) -> list[Fact]:
    """What the backend was told of the outlet."""
    facts: list[Fact] = []
    backend: Any = it.station.bays[0].place.backend
    before = backend.heard

    def hear(event: Any) -> None:
        if isinstance(event, words.OutOfService):
            facts.append(event)
        before(event)

    backend.heard = hear
    return facts


@pytest.mark.parametrize("how", ["welded", "raises", "hangs", "says nothing", "deaf"])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_an_outlet_whose_contactor_does_not_open_serves_nobody_until_it_has(service: str, how: str) -> None:
    async def story() -> None:
        evse = Stuck(how)
        async with bench(evse=evse) as it:
            facts, bay = heard(it), it.station.bays[0]
            first = await it.visit(service)
            assert not first.ended.well
            await it.free()
            assert evse.unlocked == 0
            (fact,) = facts
            assert isinstance(fact, words.OutOfService)
            assert "open_contactor()" in fact.reason
            assert bay.welcome("fe80::1") is Welcome.NOT
            second = await it.visit(service)
            assert not second.ended.well
            assert second.car.session_id == bytes(8)
            assert len(it.witness.of(words.PowerStarted)) == 1
            refused = [event.facts for event in it.witness.events if getattr(event, "topic", "") == "ended"][-1]
            assert "out of service" in refused["why"]
            evse.sound = True
            await until(lambda: len(facts) == 2)
            assert evse.opened.is_set()  # it was seen, not believed
            assert facts[1] == words.OutOfService("")
            assert bay.welcome("fe80::1") is Welcome.FREE
            assert (await it.visit(service)).ended.well
            await it.free()
            assert evse.unlocked == 1

    run(story)


class Away(EVSE):
    """A device that goes home only once it is `free`; until then it is as `how` says. Its contactor is `welded` or opens."""

    def __init__(self, how: str, welded: bool = False):
        super().__init__()
        self.how, self.free, self.welded = how, False, welded
        self.calls: list[str] = []

    async def limits(self) -> Limits:
        return DC_LIMITS

    async def connect_device(self) -> bool:
        self.calls.append("down")
        return True

    async def open_contactor(self) -> bool:
        self.calls.append("closed" if self.welded else "open")
        return not self.welded

    async def disconnect_device(self) -> bool:
        self.calls.append("home")
        if self.free:
            return True
        match self.how:
            case "jammed":
                return False
            case "raises":
                raise OSError("bus error")
            case "says nothing":
                return None  # type: ignore[return-value]
        await asyncio.sleep(3600)
        return True


async def until(condition: Callable[[], object]) -> None:
    """Wait for what takes half a second; a test that waits in vain fails, and does not hang."""
    async with asyncio.timeout(HANG):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["jammed", "raises", "hangs", "says nothing"])
def test_an_outlet_whose_device_does_not_go_home_serves_nobody_until_it_has(how: str) -> None:
    async def story() -> None:
        evse = Away(how)
        async with bench(evse=evse) as it:
            facts, bay = heard(it), it.station.bays[0]
            visiting = asyncio.create_task(it.visit("DC_ACDP", loops=1000))
            await it.witness.seen(words.EVReported, 2)
            it.station.bays[0].abort("the test has seen enough")
            await visiting
            await it.free()
            (fact,) = facts
            assert isinstance(fact, words.OutOfService)
            assert "disconnect_device()" in fact.reason
            assert bay.welcome("fe80::1") is Welcome.NOT
            assert not (await it.visit("DC_ACDP")).ended.well
            assert evse.calls.count("down") == 1
            await until(lambda: evse.calls.count("home") >= 3)  # the session's call, and those of the repair
            assert len(facts) == 1
            evse.free = True
            await until(lambda: len(facts) == 2)
            assert facts[1] == words.OutOfService("")
            assert bay.welcome("fe80::1") is Welcome.FREE
            assert (await it.visit("DC_ACDP")).ended.well
            await it.free()
            assert len(facts) == 2

    run(story)


def test_a_device_is_held_under_a_contactor_that_does_not_open_and_then_sent_home() -> None:
    """Who opens the contactor in the end also brings the device home: without it the next vehicle would meet a device that is down."""

    async def story() -> None:
        evse = Away("jammed", welded=True)
        async with bench(evse=evse) as it:
            facts = heard(it)
            visiting = asyncio.create_task(it.visit("DC_ACDP", loops=1000))
            await it.witness.seen(words.EVReported, 2)
            it.station.bays[0].abort("the test has seen enough")
            await visiting
            await it.free()
            await until(lambda: evse.calls.count("closed") >= 3)
            assert "home" not in evse.calls
            evse.welded = False
            await until(lambda: evse.calls.count("home") >= 2)
            assert len([fact for fact in facts if fact == words.OutOfService("")]) == 0
            evse.free = True
            await until(lambda: facts[-1] == words.OutOfService(""))

    run(story)


@pytest.mark.parametrize("how", ["welded", "hangs", "deaf"])
def test_a_station_closes_although_a_contactor_does_not_open(how: str) -> None:
    async def story() -> None:
        evse = Stuck(how)
        async with bench(evse=evse) as it:
            visiting = asyncio.create_task(it.visit("DC", loops=1000))
            await it.witness.seen(words.EVReported, 2)
        assert not (await visiting).ended.well
        evse.sound = True

    run(story)


def test_a_car_that_takes_over_an_outlet_that_does_not_open_gets_no_power(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.secc.test_server import stranded

    async def story() -> None:
        evse = Stuck("welded")
        async with bench(evse=evse) as it:
            lost = await stranded(it)
            monkeypatch.setattr(bay, "SILENCE", 0.0)
            result = await it.visit("DC")
            assert not result.ended.well
            assert it.witness.of(words.PowerStarted) == []
            lost.close()

    run(story)


class Hanging(EVSE):
    """One method of the hardware never comes back; opening works."""

    def __init__(self, name: str):
        super().__init__()
        self.log: list[str] = []
        self.hanging = asyncio.Event()
        setattr(self, name, self._hang)

    async def limits(self) -> Limits:
        return DC_LIMITS

    async def _hang(self, *_: Any) -> Any:
        self.log.append("hangs")
        self.hanging.set()
        await asyncio.sleep(3600)

    async def open_contactor(self) -> bool:
        self.log.append("open")
        return True


@pytest.mark.parametrize("name", ["set_output", "check_isolation", "close_contactor"])
def test_opening_overtakes_a_command_that_hangs(name: str) -> None:
    """The session's own OpenContactor does, not only what follows its end."""

    async def story() -> None:
        evse = Hanging(name)
        async with bench(evse=evse) as it:
            visiting = asyncio.create_task(it.visit("DC"))
            await evse.hanging.wait()
            (holder,) = it.station.bays[0]._drivers
            holder._command(words.SetOutput(0.0, 400.0, 1.0, 400.0))  # one that waits
            holder.tell(words.EmergencyStop("button"))
            holder.events()
            for _ in range(3):
                await asyncio.sleep(0)
            assert evse.log[-1] == "open"
            assert not (await visiting).ended.well
            await it.free()

    run(story)


@pytest.mark.parametrize("name", ["session_ended", "read_meter", "unlock_connector"])
def test_what_hangs_after_a_session_keeps_neither_the_backend_nor_the_next_car(name: str) -> None:
    async def story() -> None:
        evse = Hanging("session_ended" if name == "read_meter" else name)
        async with bench(evse=evse) as it:
            ended: list[Ended] = []
            backend: Any = it.station.bays[0].place.backend
            before = backend.ended
            backend.ended = lambda end: (ended.append(end), before(end))
            assert (await it.visit("DC")).ended.well
            await it.free()
            assert len(ended) == 1
            assert (await it.visit("DC")).ended.well

    run(story)


class Locking(EVSE):
    def __init__(self, locks: bool):
        super().__init__()
        self.locks, self.log = locks, list[str]()

    async def limits(self) -> Limits:
        return DC_LIMITS

    async def lock_connector(self) -> bool:
        self.log.append("lock")
        return self.locks

    async def unlock_connector(self) -> bool:
        self.log.append("unlock")
        return True

    async def check_isolation(self, voltage: float) -> bool:
        self.log.append("isolation")
        return True

    async def close_contactor(self) -> bool:
        self.log.append("close")
        return True

    async def open_contactor(self) -> bool:
        self.log.append("open")
        return True


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_the_connector_is_locked_before_and_unlocked_after(service: str) -> None:
    async def story() -> None:
        evse = Locking(True)
        async with bench(evse=evse) as it:
            assert (await it.visit(service)).ended.well
            await it.free()
            assert evse.log[0] == "lock"
            assert evse.log[-2:] == ["open", "unlock"]

    run(story)


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_nothing_becomes_live_on_a_connector_that_does_not_lock(service: str) -> None:
    async def story() -> None:
        evse = Locking(False)
        async with bench(evse=evse) as it:
            result = await it.visit(service)
            assert not result.ended.well
            await it.free()
            assert {"isolation", "close"}.isdisjoint(evse.log)
            assert it.witness.of(words.PowerStarted) == []

    run(story)


class Emergency(EVSE):
    """The red button, in the middle of a session."""

    def __init__(self) -> None:
        super().__init__()
        self._looping = asyncio.Event()

    async def limits(self) -> Limits:
        return DC_LIMITS

    async def car_reported(self, report: words.EVReported) -> None:
        self._looping.set()

    async def notices(self) -> AsyncIterator[Fact]:
        await self._looping.wait()
        yield words.EmergencyStop("red button")


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_an_emergency_stop_of_the_hardware_ends_the_session_and_is_told_to_the_car(service: str) -> None:
    async def story() -> None:
        async with bench(evse=Emergency()) as it:
            result = await it.visit(service, loops=100)
            assert not result.ended.well
            assert "FAILED" in str(result.ended.error)
            assert len(it.witness.of(words.OpenContactor)) == 1
            ended = [event.facts for event in it.witness.events if getattr(event, "topic", "") == "ended"][-1]
            assert "red button" in ended["why"]

    run(story)


class Pantograph(Locking):
    """An outlet whose device is `down` or not; a `jammed` one does not come down, a `welded` contactor does not open."""

    def __init__(self, jammed: bool = False, welded: bool = False):
        super().__init__(True)
        self.jammed, self.welded = jammed, welded

    async def connect_device(self) -> bool:
        self.log.append("down")
        return not self.jammed

    async def disconnect_device(self) -> bool:
        self.log.append("home")
        return True

    async def open_contactor(self) -> bool:
        self.log.append("open")
        return not self.welded


def test_a_device_goes_home_when_the_vehicle_asks_and_once_more_at_the_end() -> None:
    async def story() -> None:
        evse = Pantograph()
        async with bench(evse=evse) as it:
            assert (await it.visit("DC_ACDP")).ended.well
            await it.free()
        log = evse.log
        assert log.index("down") < log.index("isolation") < log.index("close") < log.index("open") < log.index("home")
        assert log[-3:] == ["open", "home", "unlock"]

    run(story)


def test_a_device_that_jams_ends_the_session_dead_and_is_sent_home() -> None:
    async def story() -> None:
        evse = Pantograph(jammed=True)
        async with bench(evse=evse) as it:
            visit = asyncio.ensure_future(it.visit("DC_ACDP"))
            await it.witness.seen(words.ConnectDevice)
            (driver,) = it.station.bays[0]._drivers
            driver.tell(words.EmergencyStop("nobody waits for a jammed device in a test"))
            assert not (await visit).ended.well
            await it.free()
        assert {"isolation", "close"}.isdisjoint(evse.log)
        assert evse.log[-2:] == ["home", "unlock"]

    run(story)


def test_a_device_stays_where_it_is_while_the_contactor_may_be_closed() -> None:
    async def story() -> None:
        evse = Pantograph(welded=True)
        async with bench(evse=evse) as it:
            assert not (await it.visit("DC_ACDP")).ended.well
            await it.free()
            assert "close" in evse.log
            assert "home" not in evse.log
            assert "unlock" not in evse.log

    run(story)
