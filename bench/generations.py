"""How long a station takes to answer a charge loop of ISO 15118-2: to one car, and to each of 200 cars of one process.

The station is a process of its own, with an outlet for each car, on plain TCP. The cars go to the charge loop as cars do; there each sends
the octets of one CurrentDemandReq every quarter of a second, and what it waits for the answer is what is measured. A car of ISO 15118-2
gives up after 250 ms: how often that would have happened is counted. The processor time of an answer does not depend on other work.
"""

import asyncio
import logging
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, SimulatedEVSE
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, V, W, physical
from v2g.iso2.services import PROTOCOL
from v2g.iso2.timing import timing
from v2g.iso20.services import DC
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.endpoint import Event, FrameSent
from v2g.session.link import Observer
from v2g.session.v2gtp import FrameReader, frame

MANY: Final = 200
PACE: Final = 0.25  # s from one loop of a car to its next
LOOPS: Final = 40  # of each car
PATIENCE: Final = timing(b.CurrentDemandReq).msg_timeout  # s of a car
STATUS: Final = t.DC_EVStatusType(EVReady=True, EVErrorCode=t.DC_EVErrorCodeType.NO_ERROR, EVRESSSOC=40)
VOLTS: Final = 400.0


class Car:
    """A car on one connection, which asks and waits."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer, self.frames, self.id = reader, writer, FrameReader(), bytes(8)

    async def octets(self, octets: bytes) -> Any:
        """Send a frame; the frame that comes back."""
        self.writer.write(octets)
        while (heard := self.frames.next()) is None:
            if not (more := await self.reader.read(2**16)):
                raise ConnectionError("the station closed the connection")
            self.frames.feed(more)
        return heard

    async def ask(self, request: Any) -> Any:
        """Send a message; the message that comes back."""
        heard = await self.octets(self.written(request))
        incoming = ISO2.read(heard.payload_type, heard.payload)
        self.id = incoming.session_id or self.id
        answer: Any = incoming.reading.message
        assert answer.ResponseCode.value.startswith("OK"), f"{type(answer).__name__} says {answer.ResponseCode.value}"
        return answer

    def written(self, request: Any) -> bytes:
        """The frame of a message of this session."""
        sent = ISO2.write(request, self.id)
        return frame(sent.payload_type, sent.exi)

    async def polls(self, request: Any) -> None:
        """Ask until the station has finished."""
        while True:
            if (await self.ask(request)).EVSEProcessing is t.EVSEProcessingType.Finished:
                return
            await asyncio.sleep(PACE)

    async def comes(self) -> None:
        """As far as the charge loop."""
        entry = AppProtocolType(
            ProtocolNamespace=PROTOCOL.namespace, VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=1, Priority=1
        )  # fmt: skip
        await self.ask(supportedAppProtocolReq(AppProtocol=(entry,)))
        await self.ask(b.SessionSetupReq(EVCCID=bytes(6)))
        await self.ask(b.ServiceDiscoveryReq())
        chosen = t.SelectedServiceListType(SelectedService=(t.SelectedServiceType(ServiceID=1),))
        external = t.paymentOptionType.ExternalPayment
        await self.ask(b.PaymentServiceSelectionReq(SelectedPaymentOption=external, SelectedServiceList=chosen))
        await self.polls(b.AuthorizationReq())
        limits = t.DC_EVChargeParameterType(
            DC_EVStatus=STATUS,
            EVMaximumCurrentLimit=physical(100, A),
            EVMaximumPowerLimit=physical(40e3, W),
            EVMaximumVoltageLimit=physical(450, V),
        )
        mode = t.EnergyTransferModeType.DC_extended
        await self.polls(b.ChargeParameterDiscoveryReq(RequestedEnergyTransferMode=mode, EVChargeParameter=limits))
        await self.polls(b.CableCheckReq(DC_EVStatus=STATUS))
        wanted = {"EVTargetVoltage": physical(VOLTS, V), "EVTargetCurrent": physical(1, A)}
        volts = 0.0
        while abs(volts - VOLTS) > 10.0:
            present = (await self.ask(b.PreChargeReq(DC_EVStatus=STATUS, **wanted))).EVSEPresentVoltage
            volts = present.Value * 10.0**present.Multiplier
            await asyncio.sleep(PACE)
        await self.ask(b.PowerDeliveryReq(ChargeProgress=t.chargeProgressType.Start, SAScheduleTupleID=1))

    async def loops(self, after: float) -> list[float]:
        """What each loop waited for its answer (s)."""
        wanted = {"EVTargetVoltage": physical(VOLTS, V), "EVTargetCurrent": physical(20, A)}
        asked = self.written(b.CurrentDemandReq(DC_EVStatus=STATUS, ChargingComplete=False, **wanted))
        waited = []
        await asyncio.sleep(after)
        for _ in range(LOOPS):
            began = time.perf_counter()
            await self.octets(asked)
            waited.append(time.perf_counter() - began)
            await asyncio.sleep(max(PACE - waited[-1], 0.0))
        return waited


class Counted(Observer):
    """Counts the answers to charge loops, and knows the processor time (s) at the first."""

    answers, began = 0, 0.0

    def event(self, event: Event) -> None:
        """One more."""
        if isinstance(event, FrameSent) and isinstance(event.message, b.CurrentDemandRes):
            self.began = self.began or time.process_time()
            self.answers += 1


async def serve(outlets: int) -> None:
    """A station with so many outlets: it prints their ports, and when its input ends the processor time (s) and number of its answers."""
    logging.disable(logging.WARNING)
    clock, loop = wall_clock(), asyncio.get_running_loop()
    counted = Counted()

    def place() -> Place:
        evse = SimulatedEVSE(loop.time, lambda: clock.wall(loop.time()), asyncio.sleep)
        outlet = Outlet(services=(DC.name,), limits=replace(DC_LIMITS))
        return Place(evse, outlet, LocalBackend(surroundings(clock)), observe=(lambda *_: counted,))

    async with Station([place() for _ in range(outlets)], None, clock=clock) as station:
        print(*(port for _, port in station.addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    print(time.process_time() - counted.began, counted.answers, flush=True)


@asynccontextmanager
async def station(outlets: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """A station in a process of its own, and the ports of its outlets."""
    pipe = asyncio.subprocess.PIPE
    served = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.generations", str(outlets), stdin=pipe, stdout=pipe)
    assert served.stdout is not None
    try:
        yield served, [int(port) for port in (await served.stdout.readline()).split()]
    finally:
        if served.returncode is None:
            served.kill()
        await served.wait()


async def measured(cars: int) -> tuple[list[float], float]:
    """What each answer to so many cars was waited for, and the processor time of one answer (s)."""
    async with station(cars) as (served, ports):
        come = [Car(*await asyncio.open_connection("::1", port, limit=2**16)) for port in ports]
        await asyncio.gather(*(car.comes() for car in come))
        each = await asyncio.gather(*(car.loops(number / len(come) * PACE) for number, car in enumerate(come)))
        assert served.stdin is not None
        assert served.stdout is not None
        served.stdin.close()
        spent, answers = (await served.stdout.read()).split()[-2:]
        for car in come:
            car.writer.close()
    return [one for waited in each for one in waited], float(spent) / int(answers)


def run() -> None:
    """Print the figures."""
    alone = 0.0
    for cars in (1, MANY):
        waited, spent = asyncio.run(measured(cars))
        waited.sort()
        median, late, most = statistics.median(waited), waited[int(0.99 * (len(waited) - 1))], waited[-1]
        missed = sum(one > PATIENCE for one in waited)
        alone = alone or median
        times = ", ".join(f"{what} {value * 1e3:.2f} ms" for what, value in (("median", median), ("p99", late), ("most", most)))
        print(f"ISO 15118-2, {cars:3} cars, {len(waited):5} loops: {times}; {missed} beyond {PATIENCE * 1e3:.0f} ms")
        print(f"    {spent * 1e3:.2f} ms of processor an answer; median / alone {median / alone:.1f}")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
