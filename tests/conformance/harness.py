"""Black-box cases over loopback sockets and TLS: a car that does one thing wrong, a station that does, and the control beside each.

async with station(pki) as at:
    seen = await at.attempt(forge)          # Seen(code, then): what was answered, and what came after it
    control = await at.attempt(genuine)     # the same without the fault: the station lives, and the case could have passed
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.config import Config
from evcc.credentials import Contract
from evcc.iso20.charge import charge
from evcc.iso20.contract import signed_authorization
from evcc.iso20.misbehaving import upto
from evcc.iso20.requests import UNSTAMPED
from evcc.result import Result
from evcc.script import Raw, Script, Wait
from evcc.trust import equip, vehicle_tls
from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import Anchor, Role
from pki.store import Store, create
from secc.backend import LocalBackend, Provisioning
from secc.bay import Place
from secc.claims import PriceSigner
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, Physics, SimulatedEVSE
from secc.trust import station_tls, station_verifier
from v2g.energy.series import Series
from v2g.energy.site import Site
from v2g.exi.schema import Type
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupRes,
    PnC_AReqAuthorizationModeType,
    ServiceDiscoveryReq,
    authorizationType,
)
from v2g.messages.common_types import processingType
from v2g.messages.xmldsig import SignatureType
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Event, FrameReceived, Noted
from v2g.session.link import Disconnected, Observer
from v2gkit.authorities.broken import VARIANTS, Bench

NOW = datetime.now(UTC)
QUICK = Physics(contactor=0.01, isolation=0.02, volts_per_second=40_000, amperes_per_second=20_000)
PLAN = Plan(emaids=("DEV2GC00000001G", "DEV2GC00000002D"))
CLOSED = "closed"
FATAL = ("FAILED_SignatureError", CLOSED)
WARNED = "FAILED_SequenceError"  # what a car gets that goes on without being authorized
POLLS = 10_000  # at 20 ms: more than three minutes


@dataclass(frozen=True)
class Pki:
    """One hierarchy, and a directory of it."""

    made: Hierarchy
    store: Store

    def broken(self, role: Role, name: str) -> tuple[bytes, ...]:
        """A chain of the role that is wrong on purpose, as DER, or the good one; its key is the role's own."""
        variant = next(one for one in VARIANTS if one.name == name)
        return variant.chain(Bench(self.made, role, NOW))

    def key(self, role: Role) -> Any:
        """The key of the first of a role."""
        return self.made[role].key


def pki(path: Path, curve: str = "secp521r1", plan: Plan = PLAN) -> Pki:
    """Fresh certificates on one curve."""
    made = build(plan, curve, NOW)
    return Pki(made, create(path, [made]))


def without_contract(source: Store, path: Path) -> Store:
    """What a car has before it was ever given a contract."""
    car = create(path, [])
    for family in Anchor:
        for number, root in enumerate(source.anchors.of(family)):
            car.save_root(root, family, f"{family.value}{number}")
    for role in (Role.VEHICLE, Role.PROVISIONING):
        for held in source.credentials(role):
            car.save(role, held.name, held.chain, held.key)
    return car


# --- the car that misbehaves ---


@dataclass(frozen=True)
class Moment:
    """The moment at which a car may forge: the request it would send, and what it knows."""

    car: Car
    request: Any
    setup: AuthorizationSetupRes
    pki: Pki

    @property
    def challenge(self) -> bytes:
        """That of this session."""
        assert self.setup.PnC_ASResAuthorizationMode is not None
        return self.setup.PnC_ASResAuthorizationMode.GenChallenge


Forge = Callable[[Moment], Any]


@dataclass(frozen=True)
class Case:
    """One fault: what it is, how it is made, and what it brings."""

    id: str
    about: str
    forge: Forge
    code: str
    then: str = WARNED

    def __str__(self) -> str:
        return f"{self.id} {self.about}"


def genuine(at: Moment) -> Any:
    """The control: nothing is forged."""
    return at.request


@dataclass
class Seen:
    """What a forged request brought: the last response, its code, and the code of a ServiceDiscoveryReq after it, or that it closed."""

    response: Any = None
    code: str = CLOSED
    then: str = CLOSED
    polls: int = 0
    sent: Any = None
    car: Result | None = None

    @property
    def authorized(self) -> bool:
        """Whether the services were reached."""
        return self.then.startswith("OK")


def forging(pki: Pki, forge: Forge, seen: Seen, kind: type[Type] = AuthorizationReq) -> Script:
    """A car that behaves until it would send `kind`, sends what was forged instead, polls while it is told to, and goes on."""

    def script(car: Car) -> Generator[Any, Any, str]:
        heard: list[Any] = []
        request = yield from upto(car, kind, listening(heard))
        setup = next(one for one in reversed(heard) if isinstance(one, AuthorizationSetupRes))
        forged = forge(Moment(car, request, setup, pki))
        # a SessionID that was forged stays as it is
        seen.sent = forged if any(forged.Header.SessionID) else car.stamped(forged)
        while True:
            seen.response = yield Raw(seen.sent, within=10.0)
            seen.code = seen.response.ResponseCode.value
            if getattr(seen.response, "EVSEProcessing", processingType.Finished) is processingType.Finished:
                break
            seen.polls += 1
            assert seen.polls < POLLS, f"{seen.code} and Ongoing for ever"
            yield Wait(0.02)
        after = yield Raw(car.stamped(ServiceDiscoveryReq(Header=request.Header)), within=10.0)
        seen.then = after.ResponseCode.value
        return "done"

    return script


def listening(heard: list[Any]) -> Script:
    """The usual script; what it is answered is kept."""

    def script(car: Car) -> Generator[Any, Any, str]:
        well = charge(car)
        step = next(well)
        while True:
            response = yield step
            heard.append(response)
            try:
                step = well.send(response)
            except StopIteration as end:
                return str(end.value)

    return script


# --- the station ---


class Ends(Observer):
    """How the station's sessions ended, every request that it heard, every event."""

    def __init__(self) -> None:
        self.ended: list[Ended] = []
        self.requests: list[Any] = []
        self.events: list[Event] = []

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Disconnected) and event.ended is not None:
            self.ended.append(event.ended)
        if isinstance(event, FrameReceived) and event.message is not None:
            self.requests.append(event.message)


class Notes(Observer):
    """What the car notes for its trace."""

    def __init__(self) -> None:
        self.noted: list[Noted] = []

    def event(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.noted.append(event)

    def of(self, topic: str) -> list[dict[str, Any]]:
        """The facts of every note on a topic."""
        return [note.facts for note in self.noted if note.topic == topic]


@dataclass
class At:
    """A station that runs, and the cars that come to it."""

    station: Station
    pki: Pki
    clock: Clock
    ends: Ends
    notes: Notes = field(default_factory=Notes)  # of the last car
    wish: Wish = field(default_factory=lambda: Wish(services=("DC",), authorizations=("PnC",), loops=1, pace=0.02))

    def car(self, store: Store | None = None, **wish: Any) -> Car:
        """A car with a store of its own, or with the one of all."""
        own = store or self.pki.store
        wished = replace(self.wish, evccid=own.vehicle.common_name, **wish)
        car = Config(soc=30.0, wish=wished).car(self.clock, asyncio.get_running_loop().time())
        equip(car, own)
        return car

    async def visit(self, script: Script = charge, store: Store | None = None, **wish: Any) -> Result:
        """One car from beginning to end."""
        tls, self.notes = vehicle_tls(store or self.pki.store), Notes()
        visit = Visit(self.car(store, **wish), script, tls, observe=[lambda *_: self.notes])
        return await visit.at(*self.station.addresses[0])

    async def attempt(self, forge: Forge = genuine, kind: type[Type] = AuthorizationReq, **wish: Any) -> Seen:
        """One car that forges one request."""
        seen = Seen()
        seen.car = await self.visit(forging(self.pki, forge, seen, kind), **wish)
        return seen


@contextlib.asynccontextmanager
async def station(
    own: Pki,
    *,
    provisioning: Provisioning | None = None,
    trust: Store | None = None,
    prices: PriceSigner | None = None,
    confirm_every: float = 0.0,
    **offer: Any,
) -> AsyncIterator[At]:
    """Our station for Plug & Charge on an ephemeral port of the loopback interface."""
    clock, now, ends = wall_clock(), asyncio.get_running_loop().time, Ends()
    evse = SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep, limits=DC_LIMITS, physics=QUICK)
    given = {"services": ("DC",), "limits": DC_LIMITS, "authorizations": ("PnC", "EIM"), "certificate_installation": bool(provisioning)}
    site = Site(import_prices=Series.constant(clock.epoch, 86_400.0, 0.30), export_prices=Series.constant(clock.epoch, 86_400.0, 0.10))
    backend = LocalBackend(surroundings(clock), site, provisioning=provisioning, confirm_every=confirm_every)
    store = trust or own.store
    place = Place(evse, Outlet(**{**given, **offer}), backend)
    tls, verifier = station_tls(own.store), station_verifier(store)
    observe: Any = [lambda *_: ends]
    async with Station([place], tls, clock=clock, verifier=verifier, prices=prices, observe=observe) as running:
        yield At(running, own, clock, ends)


def run(work: Callable[[], Awaitable[Any]], limit: float = 300.0) -> Any:
    """A test's coroutine, never longer than that."""

    async def bounded() -> Any:
        async with asyncio.timeout(limit):
            return await work()

    return asyncio.run(bounded())


# --- forging ---


def signed(chain: tuple[bytes, ...], key: Any, challenge: bytes) -> AuthorizationReq:
    """A PnC request by any chain (DER) and key."""
    mode, signature = signed_authorization(Contract(chain, key), challenge)
    return authorization(mode, signature)


def authorization(mode: PnC_AReqAuthorizationModeType, signature: SignatureType | None) -> AuthorizationReq:
    """A PnC request of its parts."""
    header = msgspec.structs.replace(UNSTAMPED, Signature=signature)
    return AuthorizationReq(Header=header, SelectedAuthorizationService=authorizationType.PnC, PnC_AReqAuthorizationMode=mode)


def changed(value: Any, path: str, new: Any) -> Any:
    """A message with one field replaced, at a dotted path; a number is a place in a tuple."""
    head, _, rest = path.partition(".")
    if head.isdigit():
        items = list(value)
        items[int(head)] = changed(items[int(head)], rest, new) if rest else new
        return tuple(items)
    return msgspec.structs.replace(value, **{head: changed(getattr(value, head), rest, new) if rest else new})
