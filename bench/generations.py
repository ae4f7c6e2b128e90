"""How long a station takes to answer a charge loop of ISO 15118-2 and of DIN SPEC 70121: to one car, and to each of 200 of one process.

The station is a process of its own, with an outlet for each car, on plain TCP. The cars go to the charge loop as cars do; there each sends
the octets of one CurrentDemandReq every quarter of a second, and what it waits for the answer is what is measured. A car of either
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
from v2g.din.generation import DIN
from v2g.din.services import PROTOCOL as PROTOCOL_DIN
from v2g.iso2.generation import ISO2
from v2g.iso2.services import PROTOCOL as PROTOCOL2
from v2g.iso2.timing import timing
from v2g.iso20.services import DC
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.din import msg_body as body_din
from v2g.messages.din import msg_data_types as types_din
from v2g.messages.iso2 import msg_body as body2
from v2g.messages.iso2 import msg_data_types as types2
from v2g.session.decimal import number
from v2g.session.endpoint import Event, FrameSent
from v2g.session.link import Observer
from v2g.session.v2gtp import FrameReader, frame

MANY: Final = 200
PACE: Final = 0.25  # s from one loop of a car to its next
LOOPS: Final = 40  # of each car
PATIENCE: Final = timing(body2.CurrentDemandReq).msg_timeout  # s of a car of either
VOLTS: Final = 400.0


class Car:
    """A car of ISO 15118-2 on one connection, which asks and waits."""

    generation: Any = ISO2
    protocol: Any = PROTOCOL2
    body: Any = body2
    types: Any = types2

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
        incoming = self.generation.read(heard.payload_type, heard.payload)
        self.id = incoming.session_id or self.id
        answer: Any = incoming.reading.message
        assert answer.ResponseCode.value.startswith("OK"), f"{type(answer).__name__} says {answer.ResponseCode.value}"
        return answer

    def written(self, request: Any) -> bytes:
        """The frame of a message of this session."""
        sent = self.generation.write(request, self.id)
        return frame(sent.payload_type, sent.exi)

    async def polls(self, request: Any) -> None:
        """Ask until the station has finished."""
        while True:
            if (await self.ask(request)).EVSEProcessing is self.types.EVSEProcessingType.Finished:
                return
            await asyncio.sleep(PACE)

    @property
    def status(self) -> Any:
        """What the car says of itself."""
        return self.types.DC_EVStatusType(EVReady=True, EVErrorCode=self.types.DC_EVErrorCodeType.NO_ERROR, EVRESSSOC=40)

    def says(self, value: float, unit: str) -> Any:
        """A whole quantity of at most five digits."""
        power = 1 if value >= 2**15 else 0
        return self.types.PhysicalValueType(Multiplier=power, Unit=self.types.unitSymbolType(unit), Value=round(value / 10**power))

    async def comes(self) -> None:
        """As far as the charge loop."""
        entry = AppProtocolType(
            ProtocolNamespace=self.protocol.namespace, VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=1, Priority=1
        )  # fmt: skip
        await self.ask(supportedAppProtocolReq(AppProtocol=(entry,)))
        await self.ask(self.body.SessionSetupReq(EVCCID=bytes(6)))
        await self.ask(self.body.ServiceDiscoveryReq())
        await self.pays()
        limits = self.types.DC_EVChargeParameterType(
            DC_EVStatus=self.status,
            EVMaximumCurrentLimit=self.says(100, "A"),
            EVMaximumPowerLimit=self.says(40e3, "W"),
            EVMaximumVoltageLimit=self.says(450, "V"),
        )
        await self.polls(self.body.ChargeParameterDiscoveryReq(EVChargeParameter=limits, **self.mode()))
        await self.polls(self.body.CableCheckReq(DC_EVStatus=self.status))
        wanted = {"EVTargetVoltage": self.says(VOLTS, "V"), "EVTargetCurrent": self.says(1, "A")}
        volts = 0.0
        while abs(volts - VOLTS) > 10.0:
            volts = number((await self.ask(self.body.PreChargeReq(DC_EVStatus=self.status, **wanted))).EVSEPresentVoltage)
            await asyncio.sleep(PACE)
        await self.ask(self.body.PowerDeliveryReq(**self.start()))

    async def pays(self) -> None:
        """Outside of the session."""
        chosen = types2.SelectedServiceListType(SelectedService=(types2.SelectedServiceType(ServiceID=1),))
        external = types2.paymentOptionType.ExternalPayment
        await self.ask(body2.PaymentServiceSelectionReq(SelectedPaymentOption=external, SelectedServiceList=chosen))
        await self.polls(body2.AuthorizationReq())

    def mode(self) -> dict[str, Any]:
        """How it charges."""
        return {"RequestedEnergyTransferMode": types2.EnergyTransferModeType.DC_extended}

    def start(self) -> dict[str, Any]:
        """That it wants power."""
        return {"ChargeProgress": types2.chargeProgressType.Start, "SAScheduleTupleID": 1}

    async def loops(self, after: float) -> list[float]:
        """What each loop waited for its answer (s)."""
        wanted = {"EVTargetVoltage": self.says(VOLTS, "V"), "EVTargetCurrent": self.says(20, "A")}
        asked = self.written(self.body.CurrentDemandReq(DC_EVStatus=self.status, ChargingComplete=False, **wanted))
        waited = []
        await asyncio.sleep(after)
        for _ in range(LOOPS):
            began = time.perf_counter()
            await self.octets(asked)
            waited.append(time.perf_counter() - began)
            await asyncio.sleep(max(PACE - waited[-1], 0.0))
        return waited


class CarDin(Car):
    """A car of DIN SPEC 70121."""

    generation, protocol, body, types = DIN, PROTOCOL_DIN, body_din, types_din

    async def pays(self) -> None:
        chosen = types_din.SelectedServiceListType(SelectedService=(types_din.SelectedServiceType(ServiceID=1),))
        external = types_din.paymentOptionType.ExternalPayment
        await self.ask(body_din.ServicePaymentSelectionReq(SelectedPaymentOption=external, SelectedServiceList=chosen))
        await self.polls(body_din.ContractAuthenticationReq())

    def mode(self) -> dict[str, Any]:
        return {"EVRequestedEnergyTransferType": types_din.EVRequestedEnergyTransferType.DC_extended}

    def start(self) -> dict[str, Any]:
        return {"ReadyToChargeState": True}


class Counted(Observer):
    """Counts the answers to charge loops, and knows the processor time (s) at the first."""

    answers, began = 0, 0.0

    def event(self, event: Event) -> None:
        """One more."""
        if isinstance(event, FrameSent) and isinstance(event.message, body2.CurrentDemandRes | body_din.CurrentDemandRes):
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


async def measured(kind: type[Car], cars: int) -> tuple[list[float], float]:
    """What each answer to so many cars was waited for, and the processor time of one answer (s)."""
    async with station(cars) as (served, ports):
        come = [kind(*await asyncio.open_connection("::1", port, limit=2**16)) for port in ports]
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
    for kind in (Car, CarDin):
        alone = 0.0
        for cars in (1, MANY):
            waited, spent = asyncio.run(measured(kind, cars))
            waited.sort()
            median, late, most = statistics.median(waited), waited[int(0.99 * (len(waited) - 1))], waited[-1]
            missed = sum(one > PATIENCE for one in waited)
            alone = alone or median
            times = ", ".join(f"{what} {value * 1e3:.2f} ms" for what, value in (("median", median), ("p99", late), ("most", most)))
            print(f"{kind.generation.name}, {cars:3} cars, {len(waited):5} loops: {times}; {missed} beyond {PATIENCE * 1e3:.0f} ms")
            print(f"    {spent * 1e3:.2f} ms of processor an answer; median / alone {median / alone:.1f}")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
