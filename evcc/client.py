"""The car's shell: finds a station, connects, and drives a session to its end, and another after each pause."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evcc.car import Car
from evcc.contract import Contract
from evcc.result import Result, Start
from evcc.script import Script
from evcc.scripts.charge import charge
from evcc.session import EvccSession
from pki.profiles import INTEROP, ISO20, Role, Rules
from pki.store import Credential, Store
from pki.verify import Anchors, VerifiedChain, verify
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Endpoint, Event, Relaxed
from v2g.session.errors import SessionError
from v2g.session.link import Link, Observe, Observer
from v2g.session.sdp import Security
from v2g.session.tls import PROFILES
from v2g.session.tls import Credential as TlsCredential
from v2g.session.transport import ClientTls, run
from v2g.session.transport.discovery import discover

RULES = {"conformance": ISO20, "interop": INTEROP}


def wall_clock(scale: float = 1.0, epoch: float | None = None) -> Clock:
    """The clock of this machine, `scale` times as fast, and set to `epoch` where given."""
    return Clock(time.time() if epoch is None else epoch, time.monotonic(), scale)


def vehicle_tls(store: Store, profile: str = "conformance") -> ClientTls:
    """TLS with the vehicle certificate of a store, trusting its V2G roots, its private ones too [V2G20-2339] [V2G20-1006]."""
    anchors, rules = store.anchors, RULES[profile]
    return ClientTls(tls_credential(store.vehicle), StationJudge(anchors, rules), profile=PROFILES[profile])


@dataclass(frozen=True, slots=True)
class StationJudge:
    """Verifies the chain that a station shows."""

    anchors: Anchors
    rules: Rules = ISO20

    def __call__(self, chain: tuple[bytes, ...], at: float) -> VerifiedChain:
        return verify(chain, Role.SECC, self.anchors, datetime.fromtimestamp(at, UTC), rules=self.rules)


def tls_credential(credential: Credential) -> TlsCredential:
    """A credential of the store as the transport takes it."""
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsCredential(tuple(certificate.public_bytes(Encoding.DER) for certificate in credential.chain), key)


def contract_of(store: Store) -> Contract:
    """The contract of a store, the preferred curve first."""
    held = store.contract
    return Contract(tuple(certificate.public_bytes(Encoding.DER) for certificate in held.chain), held.key, held.common_name)


@dataclass
class Visit:
    """One stay of a car at a station: one session, and one more for every pause, `rest` real seconds later."""

    car: Car
    script: Script = charge
    tls: ClientTls | None = None
    observe: Sequence[Observe] = ()
    rest: float = 1.0
    session: EvccSession | None = None
    link: Link | None = None
    sessions: int = 0
    relaxed: list[str] = field(default_factory=list)

    async def at(self, host: str, port: int) -> Result:
        """Drive to the end at a known address. Nothing is raised for what a station or a network does."""

        async def known() -> tuple[str, int]:
            return host, port

        return await self._drive(known)

    async def on(self, interface: str) -> Result:
        """Find the station by SDP on an interface, every time anew, and drive to the end. What is found without TLS is not believed."""
        security = Security.NONE if self.tls is None else Security.TLS

        async def found() -> tuple[str, int]:
            station = await discover(interface, security=security)
            return station.host, station.port

        return await self._drive(found)

    async def _drive(self, find: Callable[[], Awaitable[tuple[str, int]]]) -> Result:
        loop = asyncio.get_running_loop()
        start = Start.of(self.car, loop.time())
        while True:
            try:
                ended = await run(self._attend, *await find(), self.tls, observe=[*self.observe, self._witness])
            except SessionError as error:  # nobody answered
                ended = Ended("no connection", error)
            self.sessions += 1
            if not (ended.well and ended.how == "Pause"):
                break
            await asyncio.sleep(self.rest)
            self.car = self.car.anew()
        return Result(self.car, start, ended, loop.time(), self.sessions, tuple(self.relaxed))

    def stop(self, reason: str) -> None:
        """Leave in order: the loop that is under way is the last."""
        self.car.stop_asked = reason
        if self.session is not None:
            self.session.stop(reason)
        if self.link is not None:
            self.link.nudge()

    def _attend(self, link: Link) -> Endpoint:
        self.link = self.car.link = link
        self.session = EvccSession(self.script, self.car, link.opened)
        return self.session

    def _witness(self, local: tuple[str, int], peer: tuple[str, int], number: int) -> Observer:
        return _Relaxations(self.relaxed)


class _Relaxations(Observer):
    """Gathers what a profile let pass."""

    def __init__(self, found: list[str]):
        self._found = found

    def event(self, event: Event) -> None:
        if isinstance(event, Relaxed) and (said := f"{event.relaxation} [{event.requirement}]") not in self._found:
            self._found.append(said)
