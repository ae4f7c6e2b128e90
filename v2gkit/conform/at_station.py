"""The bench that judges a station: it plays cars, good ones and bad ones, at one outlet for one run. A shell."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pki.certificate import facts
from pki.profiles import Role
from v2g.din.generation import DIN
from v2g.iso2.generation import ISO2
from v2g.iso20.generation import ISO20
from v2g.iso20.services import AC, DC
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.session.generation import Generation
from v2g.session.link import address_text
from v2g.session.tls import CONFORMANCE, Credential, Profile, TlsError
from v2g.session.tls import ISO2 as TLS12
from v2gkit.conform import asked, asked2, asked_din
from v2gkit.conform.asked import Control, Ways
from v2gkit.conform.asked2 import Ways2
from v2gkit.conform.asked_din import WaysDin
from v2gkit.conform.guest import Guest
from v2gkit.conform.levers import pull
from v2gkit.conform.pics import Pics
from v2gkit.conform.runner import Place, Run
from v2gkit.conform.running import Bench, Benches, Blocked, Broken, Unreached
from v2gkit.conform.verdict import Evidence
from v2gkit.conform.visit import Visit
from v2gkit.conform.visit2 import Visit2
from v2gkit.conform.visit_din import VisitDin
from v2gkit.conform.wallet import Wallet
from v2gkit.conform.wire import Log, Offer, Reply, Wire

if TYPE_CHECKING:  # what it stands on is not always installed
    from v2g.session.trace import OcppFrame
    from v2gkit.conform.backend import Backend

Address = tuple[str, int]
G = TypeVar("G", bound=Guest)
SPOKEN: Mapping[str, Generation] = {"20": ISO20, "2": ISO2, "DIN": DIN}
CURVE2 = "secp256r1"  # of every certificate of -2
EVCCID2 = bytes.fromhex("0201020304A5")  # of the good car of -2: an address that nobody has registered
OCPP = "OCP"  # the family of the cases about what a CSMS sees
SILENCE = 2.0  # s without an answer that count as none
_LOCKS: dict[str, asyncio.Lock] = {}  # of outlets that are there for single cases


@dataclass
class AtStation:
    """A bench at one outlet of a station. Connections that a script leaves open are closed when its run is over.

    `backend` is the CSMS that the suite plays, None: it plays none; `evse` is the number by which the station calls the outlet there.
    """

    part: str
    pics: Pics
    wallet: Wallet
    outlet: Address
    iface: str = ""
    generation: str = "20"
    backend: "Backend | None" = None
    evse: int = 1
    alone: bool = True  # the station has no other outlet
    profile: Profile = CONFORMANCE  # what the good cars of -20 offer in TLS
    log: Log = field(default_factory=Log)
    wires: list[Wire] = field(default_factory=list)
    serving: set[Address] = field(default_factory=set)  # outlets at which the last good car got a session: of all benches of a campaign

    @property
    def evidence(self) -> Evidence:
        """What was seen so far."""
        return self.log.evidence

    # --- connections ---

    @property
    def speaks(self) -> Generation:
        """The tables of the generation of this run."""
        return SPOKEN[self.generation]

    @property
    def sound(self) -> Offer | None:
        """What a good car brings to TLS; None for a station without TLS on a bench."""
        if self.generation != "20":
            return Offer(None, TLS12) if self.pics.claims.tls12 else None
        return self.offer(self.wallet.tls(Role.VEHICLE)) if self.pics.claims.tls else None

    def offer(self, credential: Credential | None) -> Offer:
        """What a car of -20 with this credential offers in TLS."""
        return Offer(credential, self.profile)

    async def wire(self, offer: Offer | Literal["sound"] | None = "sound") -> Wire:
        """A connection with TLS as offered. Raises Unreached where there is none."""
        try:
            wire = await Wire.opened(self.log, *self.outlet, self.sound if offer == "sound" else offer, self.speaks)
        except (OSError, TlsError) as error:
            raise Unreached(f"no connection to {address_text(self.outlet)}: {error or type(error).__name__}") from None
        self.wires.append(wire)
        return wire

    async def tcp(self) -> Wire:
        """A connection by TCP alone. Raises Unreached where there is none."""
        try:
            wire = await Wire.connected(self.log, *self.outlet, self.speaks)
        except OSError as error:
            raise Unreached(f"no connection to {address_text(self.outlet)}: {error or type(error).__name__}") from None
        self.wires.append(wire)
        return wire

    async def handshake(self, offer: Offer) -> Wire | TlsError:
        """The connection with its handshake complete on both sides, or the error that ended it.

        In TLS 1.3 a car is done before the station has judged it, so the answer to a first message is waited for.
        """
        wire = await self.tcp()
        try:
            await wire.secure(offer)
        except TlsError as error:
            return error
        except TimeoutError:
            return TlsError("the handshake was not complete after 10 s", "peer")
        await wire.tell(asked.negotiation(self.ways()))
        reply = await wire.reply(SILENCE + self.pics.test.slack)
        if reply.kind != "closed":
            return wire
        alert = reply.how.removeprefix("TLS alert ")
        return TlsError(f"the station {reply}", "peer", alert if alert != reply.how else None)

    @contextlib.asynccontextmanager
    async def elsewhere(self, outlet: str) -> AsyncIterator[None]:
        """Within the block, be at another outlet of the station (host:port), alone. Raises Blocked where the PIXIT name none."""
        if not outlet:
            raise Blocked("the PIXIT name no outlet for this ([test] waiting, refusing)")
        host, _, port = outlet.rpartition(":")
        async with _LOCKS.setdefault(outlet, asyncio.Lock()):
            before, self.outlet = self.outlet, (host.strip("[]"), int(port))
            try:
                yield
            finally:
                for wire in self.wires:
                    wire.abandon()
                self.outlet = before

    async def pull(self, name: str) -> None:
        """Have what the tester drives at this outlet do what a trigger of the PIXIT says. Raises Blocked where it cannot."""
        host, port = self.outlet
        await pull(self.pics.test.triggers, name, {"address": address_text(self.outlet), "host": host, "port": str(port)})

    @contextlib.asynccontextmanager
    async def driven(self, name: str, afterwards: str) -> AsyncIterator[None]:
        """Within the block the tester's hardware does the one, after it the other. Raises Blocked as `pull` does."""
        await self.pull(name)
        try:
            yield
        finally:
            await self.pull(afterwards)

    async def csms(self) -> "Backend":
        """The CSMS of the suite, with the station connected. Raises Blocked where there is none, Unreached where no station comes."""
        if self.backend is None:
            raise Blocked("no CSMS is at hand; give --csms HOST:PORT, and the station that address")
        await self.backend.station(max(self.pics.test.arrival, self.pics.test.returns))
        return self.backend

    def overhear(self, frame: "OcppFrame") -> None:
        """Keep a frame between the station and its CSMS beside the messages of the car."""
        self.log.events.append((max(1, self.log.connections), frame))

    # --- sessions ---

    def ways(self, **given: object) -> Ways:
        """How the good car of this peer wants its session to be: the first service and control mode that the peer claims."""
        claims, test = self.pics.claims, self.pics.test
        control: Control = "Scheduled" if claims.scheduled else "Dynamic"
        usual = {"service": DC.name if claims.dc else AC.name, "control": control, "authorization": "EIM" if claims.eim else "PnC"}
        return Ways(**{**usual, "voltage": test.voltage, "power": test.power, "tolerance": test.tolerance, **given})  # type: ignore[arg-type]

    async def visit(self, offer: Offer | Literal["sound"] | None = "sound", **ways: object) -> Visit:
        """A car that is connected and has sent nothing. Raises Unreached where it gets no connection."""
        return Visit(await self.wire(offer), self.ways(**ways), self.wallet, self.pics.test.slack, self.evccid)

    async def at(self, step: str, **ways: object) -> Visit:
        """A car at a station that waits for that step. Raises Unreached where it does not get so far."""
        return await (await self.visit("sound", **ways)).upto(step)

    def ways2(self, **given: object) -> Ways2:
        """How the good car of -2 wants its session to be: DC where the peer claims it, by a card where it claims that."""
        claims, test = self.pics.claims, self.pics.test
        usual = {"mode": Transfer.DC_extended if claims.dc else self.three_or_one, "authorization": "EIM" if claims.eim else "PnC"}
        return Ways2(**{**usual, "voltage": test.voltage, "power": test.power, **given})  # type: ignore[arg-type]

    @property
    def three_or_one(self) -> Transfer:
        """The mode in which a car charges at an AC outlet."""
        return Transfer.AC_three_phase_core if self.pics.claims.three_phases else Transfer.AC_single_phase_core

    async def visit2(self, offer: Offer | Literal["usual"] | None = "usual", **ways: object) -> Visit2:
        """A car of -2 that is connected and has sent nothing: without TLS where the station serves it so, and with it for a contract.

        Raises Unreached where it gets no connection.
        """
        wanted = self.ways2(**ways)
        if offer == "usual":
            plain = self.pics.claims.plain_tcp and wanted.authorization == "EIM"
            offer = None if plain else self.sound
        return Visit2(await self.wire(offer), wanted, Wallet(self.wallet.store, CURVE2), self.pics.test.slack, EVCCID2)

    async def at2(self, step: str, **ways: object) -> Visit2:
        """A car of -2 at a station that waits for that step. Raises Unreached where it does not get so far."""
        return await (await self.visit2("usual", **ways)).upto(step)

    async def visit_din(self, offer: Offer | None = None) -> VisitDin:
        """A car of DIN SPEC 70121 that is connected, without TLS as all of them, and has sent nothing. Raises Unreached where it is not."""
        test = self.pics.test
        return VisitDin(await self.wire(offer), WaysDin(test.voltage, test.power), self.wallet, test.slack, EVCCID2)

    async def at_din(self, step: str) -> VisitDin:
        """A car of DIN SPEC 70121 at a station that waits for that step. Raises Unreached where it does not get so far."""
        return await (await self.visit_din()).upto(step)

    async def guest(self, step: str) -> Guest:
        """A car of the run's generation at a station that waits for that step. Raises Unreached where it does not get so far."""
        at: Mapping[str, Callable[[str], Awaitable[Guest]]] = {"20": self.at, "2": self.at2, "DIN": self.at_din}
        return await at[self.generation](step)

    @property
    def evccid(self) -> str:
        """What the good car calls itself: the name in its certificate."""
        held = self.wallet.credentials(Role.VEHICLE)
        return facts(held[0].leaf).common_name if held else "WMIV2GKIT0000000001"

    # --- what follows ---

    async def ends(self, wire: Wire, after: Reply) -> str:
        """Empty where the connection ends in time after a fatal answer; else what is wrong, in words."""
        if after.kind == "closed":
            return ""
        ended = await wire.closed(self.pics.test.close + self.pics.test.slack)
        return "" if ended.kind == "closed" else f"the connection still stands {ended.seconds:.1f} s after {after}"

    async def recovered(self) -> str:
        """Empty where a good car gets a session within the time of recovery; else what is wrong, in words."""
        began, wrong = time.monotonic(), ""
        for wire in self.wires:
            wire.abandon()
        while time.monotonic() - began < self.pics.test.recovery:
            try:
                await self._good_car()
                self.serving.add(self.outlet)
                return ""
            except Unreached as error:
                wrong = str(error)
                await asyncio.sleep(0.2)
        self.serving.discard(self.outlet)
        return f"no good car is served within {self.pics.test.recovery:g} s: {wrong}"

    async def serves(self) -> None:
        """Raises Unreached where no good car is served before anything was done: what follows proves nothing then."""
        if self.outlet not in self.serving and (wrong := await self.recovered()):
            raise Unreached(f"before anything was done {wrong}")

    async def _good_car(self) -> None:
        """A car that comes, gets a session and leaves. Raises Unreached where it gets none."""
        guest, leaving = await self._guest()
        with contextlib.suppress(Unreached):
            await guest.granted(leaving)
        await guest.wire.close()

    async def _guest(self) -> tuple[Guest, Any]:
        """A car of the run's generation with a session, and the request by which it leaves. Raises Unreached where it gets none."""
        step = "AuthorizationSetup" if self.generation == "20" else "ServiceDiscovery"
        return await self.guest(step), {"20": asked, "2": asked2, "DIN": asked_din}[self.generation].stop()

    async def still(self, reaching: Awaitable[G], done: str) -> G:
        """The car of the next try of several. Raises Broken where what was `done` before left nobody served, else Unreached as always."""
        try:
            return await reaching
        except Unreached:
            if done and (wrong := await self.recovered()):
                raise Broken(f"after {done}: {wrong}") from None
            raise

    async def alive(self) -> None:
        """Raises Broken where no good car gets a session within the time of recovery."""
        if wrong := await self.recovered():
            raise Broken(wrong)


def benches(
    pics: Pics,
    wallet: Wallet,
    outlets: Sequence[Address],
    iface: str = "",
    backend: "Backend | None" = None,
    profile: Profile = CONFORMANCE,
) -> Benches:
    """Makes the benches of runs at the outlets of a station, whose CSMS is `backend`; their cars offer `profile` in TLS."""
    numbers = pics.test.evses or tuple(range(1, len(outlets) + 1))
    serving = set[Address]()
    if len(numbers) < len(outlets):
        raise ValueError(f"evses names {len(numbers)} numbers for {len(outlets)} outlets; give one for each, in the order of the outlets")

    @contextlib.asynccontextmanager
    async def made(run: Run, place: Place) -> AsyncIterator[Bench]:
        outlet, evse, alone = outlets[place.outlet], numbers[place.outlet], len(outlets) == 1
        bench = AtStation(run.part, pics, wallet, outlet, iface, run.case.generation, backend, evse, alone, profile, serving=serving)
        if backend is not None and run.case.family == OCPP:
            backend.listeners.append(bench.overhear)
        try:
            yield bench
        finally:
            if backend is not None and bench.overhear in backend.listeners:
                backend.listeners.remove(bench.overhear)
            for wire in bench.wires:
                wire.abandon()

    return made
