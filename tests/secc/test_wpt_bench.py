"""A ground device behind a whole station: its driver, its watches, its end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from secc import station as words
from secc.evse import EVSE
from secc.simulated import WPT_LIMITS, Physics, SimulatedEVSE
from secc.station import Alignment, Fact, Limits, OutputMeasured, Paired, Position
from tests.secc.test_server import Bench, bench, run, wall_clock
from v2g.session.errors import PeerFailed


class Ground(EVSE):
    """A ground device that says what happens to it, and can be told to lose its vehicle."""

    def __init__(self, paired: Paired = Paired(True), alignment: Alignment = Alignment(True)):  # noqa: B008 - values
        super().__init__()
        self.log: list[str] = []
        self.paired, self.alignment = paired, alignment
        self.reachable = True
        self.news: asyncio.Queue[Fact] = asyncio.Queue()
        self.power = 0.0

    async def limits(self) -> Limits:
        return WPT_LIMITS

    async def read_position(self) -> Position:
        return Position(reachable=self.reachable)

    async def pair(self, observed: int | None) -> Paired:
        self.log.append("pair")
        return self.paired

    async def check_alignment(self, current: float) -> Alignment:
        self.log.append("check")
        return self.alignment

    async def set_power(self, power: float) -> None:
        self.power = power

    async def close_contactor(self) -> bool:
        self.log.append("close")
        return True

    async def open_contactor(self) -> bool:
        self.log.append("open")
        self.power = 0.0
        return True

    async def read_output(self) -> OutputMeasured:
        return OutputMeasured(0.0, 0.0, self.power)

    async def notices(self) -> AsyncIterator[Fact]:
        while True:
            yield await self.news.get()


def told(it: Bench) -> str:
    """Why the session at the station ended."""
    return str([event.facts for event in it.witness.events if getattr(event, "topic", "") == "ended"][-1]["why"])


def test_a_vehicle_is_found_paired_checked_and_charged() -> None:
    async def story() -> None:
        evse = Ground()
        async with bench(evse=evse, limits=WPT_LIMITS, services=("WPT",)) as it:
            assert (await it.visit("WPT", loops=5)).ended.well
            await it.free()
        assert evse.log[:3] == ["pair", "check", "close"]
        assert set(evse.log[3:]) == {"open"}

    run(story)


@pytest.mark.parametrize(
    ("evse", "why"),
    [
        (Ground(paired=Paired(False, reason="another vehicle stands here")), "not paired with the vehicle: another vehicle stands here"),
        (Ground(alignment=Alignment(False, reason="too far")), "the coils are not aligned: too far"),
    ],
    ids=["paired", "aligned"],
)
def test_a_device_that_finds_no_vehicle_of_this_session_gives_nothing(evse: Ground, why: str) -> None:
    async def story() -> None:
        evse.news = asyncio.Queue()
        async with bench(evse=evse, limits=WPT_LIMITS, services=("WPT",)) as it:
            visit = await it.visit("WPT")
            assert isinstance(visit.ended.error, PeerFailed)
            await it.free()
            assert why in told(it)
        assert "close" not in evse.log
        assert evse.log[-1] == "open"

    run(story)


@pytest.mark.parametrize("how", ["position", "coils", "vehicle", "anomaly"])
def test_what_the_hardware_tells_of_a_loss_opens_the_contactor(how: str) -> None:
    async def story() -> None:
        evse = Ground()
        async with bench(evse=evse, limits=WPT_LIMITS, services=("WPT",)) as it:
            visit = asyncio.ensure_future(it.visit("WPT", loops=10_000))
            await it.witness.seen(words.PowerStarted)
            await asyncio.sleep(0.2)
            assert evse.power > 0
            if how == "position":
                evse.reachable = False
            else:
                facts: dict[str, Fact] = {
                    "coils": words.AlignmentIs(Alignment(False, reason="a wheel was turned")),
                    "vehicle": words.AssociationLost("it was swapped"),
                    "anomaly": words.GroundDeviceIs("AnomalyDetected"),
                }
                evse.news.put_nowait(facts[how])
            ended = (await visit).ended
            assert not ended.well
            await it.free()
            assert "under power" in told(it) or "AnomalyDetected" in told(it)
        assert evse.power == 0.0
        assert evse.log[:4] == ["pair", "check", "close", "open"]

    run(story)


def simulated(physics: Physics) -> SimulatedEVSE:
    clock, now = wall_clock(), asyncio.get_running_loop().time
    return SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep, limits=WPT_LIMITS, physics=physics)


@pytest.mark.parametrize(
    ("physics", "why"),
    [
        ({"coupling": 0.3}, "30% of the power arrive, of 50% that must"),
        ({"paired": False}, "another vehicle stands here"),
        ({"stuck": True}, ""),
    ],
)
def test_the_simulated_device_fails_as_it_is_told(physics: dict[str, float], why: str) -> None:
    async def story() -> None:
        evse = simulated(Physics(parking=0.01, pairing=0.01, alignment=0.01, contactor=0.01, **physics))  # type: ignore[arg-type]
        async with bench(evse=evse, limits=WPT_LIMITS, services=("WPT",)) as it:
            assert not (await it.visit("WPT")).ended.well
            await it.free()
            assert why in told(it)
        assert not evse.closed

    run(story)


def test_the_simulated_device_gives_what_it_is_told_and_its_meter_counts_that() -> None:
    async def story() -> None:
        evse = simulated(Physics(parking=0.01, pairing=0.01, alignment=0.01, contactor=0.01))
        assert await evse.read_position() == Position()
        assert (await evse.check_alignment(4.0)) == Alignment(True, 14.4, 4.0)
        assert not evse.closed
        await evse.service_selected(words.ServiceSelected(0.0, "WPT", "Dynamic"))
        await evse.close_contactor()
        await evse.set_power(5000.0)
        await evse.car_reported(words.EVReported(0.0, power=9000.0))  # what the vehicle says of it moves nothing
        assert (await evse.read_output()).watts == 5000.0
        await evse.open_contactor()
        assert (await evse.read_output()).watts == 0.0

    run(story)
