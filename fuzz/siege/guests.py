"""The cars that a siege must not cost anything: the one that charges meanwhile, and the one that comes next."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from evcc.car import Control, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.iso20.charge import charge
from evcc.iso20.known import Car
from evcc.script import Script
from evcc.trust import equip, vehicle_tls
from pki.store import Store
from v2g.iso20.services import DC_BPT
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, FrameReceived
from v2g.session.link import Observer


@dataclass
class _Answers(Observer):
    """The time from each request of the charge loop to its response, and when the first response of any session came."""

    times: list[float] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    served: float | None = None  # monotonic s

    def event(self, event: Event) -> None:
        if isinstance(event, FrameReceived) and event.message is not None:
            name = type(event.message).__name__
            self.names.add(name)
            if name == "SessionSetupRes" and self.served is None:
                self.served = time.monotonic()
            if name == "DC_ChargeLoopRes" and event.since_previous is not None:
                self.times.append(event.since_previous)


def visit_of(store: Store, loops: int | None, script: Script = charge, control: Control = "Dynamic") -> Visit:
    """A car with the certificates of the store, a loop every 0.1 s."""
    now = asyncio.get_running_loop().time()
    wish = Wish(evccid=store.vehicle.common_name, services=(DC_BPT.name,), control=control, loops=loops, pace=0.1)
    battery = Battery()
    car = Car(Ev(battery, Inlet(), AC_INLET, energy=0.2 * battery.capacity), wish=wish, clock=Clock(time.time(), now), now=now)
    equip(car, store)
    return Visit(car, script, vehicle_tls(store))


def _seen(store: Store, answers: _Answers, loops: int | None) -> Visit:
    visit = visit_of(store, loops)
    visit.observe = [lambda *_: answers]
    return visit


async def charging(host: str, port: int, store: Store, seconds: float) -> dict[str, Any]:
    """Charge for so long, a loop every 0.1 s, with Plug & Charge; what the car saw."""
    answers = _Answers()
    visit = _seen(store, answers, None)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    leave = loop.call_later(seconds, visit.stop, "the siege is over")
    result = await visit.at(host, port)
    leave.cancel()
    times = sorted(answers.times)
    well = result.ended.well and loop.time() - begun >= seconds * 0.9
    return {
        "ok": well,
        "reason": "" if well else str(result.ended),
        "loops": len(times),
        "p50": _at(times, 0.5),
        "p99": _at(times, 0.99),
        "max": times[-1] if times else None,
    }


async def served(host: str, port: int, store: Store) -> float | None:
    """Seconds until a good car has its session set up, None: it does not get that far."""
    answers, begun = _Answers(), time.monotonic()
    await _seen(store, answers, 1).at(host, port)
    return None if answers.served is None else answers.served - begun


def _at(times: list[float], share: float) -> float | None:
    return times[min(len(times) - 1, int(len(times) * share))] if times else None
