"""Many cars at once, in one process: each with its own battery and, where the folder has several vehicle certificates, its own one."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evcc.client import Visit
from evcc.config import Config
from evcc.iso20.play import Play
from evcc.scenario import Scenario
from evcc.trust import vehicle_tls
from pki.profiles import Role
from pki.store import Store
from v2g.address import host_and_port
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, FrameReceived
from v2g.session.link import Observe, Observer
from v2g.session.transport import ClientTls
from v2g.settings.strict import ConfigError
from v2gkit.insight.progress import Progress
from v2gkit.lab.visit import leave_on_signal, tls_versions, visit_of
from v2gkit.wall import wall_of

MOST = 5_000  # cars: each is a socket of a process, and more of them are more processes
LATE = 0.25  # s: half of what a car waits for an answer in its loop
FINENESS = math.log(1.02)  # of the counts of answers: a percentile is right to 2 %


class Answers(Observer):
    """The response times of stations, counted by the logarithm of the time, so that memory does not grow with their number."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.longest = 0.0  # s

    def event(self, event: Event) -> None:
        """Count the response in an event, by how long the car waited for it."""
        if isinstance(event, FrameReceived) and event.since_previous is not None:
            self.add(event.since_previous)

    def add(self, seconds: float) -> None:
        """Count one response that took so many seconds."""
        self._counts[math.ceil(math.log(max(seconds, 1e-6)) / FINENESS)] += 1
        self.longest = max(self.longest, seconds)

    def within(self, share: float) -> float | None:
        """The time (s) within which a share (0 to 1) of the responses came; None before the first."""
        left = share * self._counts.total()
        for place in sorted(self._counts):
            left -= self._counts[place]
            if left <= 1e-9:
                return min(math.exp(place * FINENESS), self.longest)
        return None

    def as_dict(self) -> dict[str, Any]:
        """Number of responses, times in milliseconds, and how many took `LATE` s or more; JSON-able."""
        shares = {name: self.within(share) for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
        times = {name: None if value is None else round(value * 1000, 2) for name, value in shares.items()}
        late = sum(count for place, count in self._counts.items() if math.exp((place - 1) * FINENESS) >= LATE)
        return {"answers": self._counts.total(), **times, "longest_ms": round(self.longest * 1000, 2), "late": late}


@dataclass(slots=True)
class Member:
    """One car of a fleet, the station it visits, and the result once there is one."""

    number: int
    visit: Visit
    address: tuple[str, int]
    progress: Progress | None = None
    said: dict[str, Any] | None = None


@dataclass
class Fleet:
    """A fleet of cars, each with its visit. `stop` and `abort` are for all of them."""

    members: list[Member]
    clock: Clock
    spread: float = 0.0  # s within which they arrive
    answers: Answers = field(default_factory=Answers)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def drive(self, observe: Sequence[Observe] = (), follow: Callable[[Progress], object] = lambda one: None) -> dict[str, Any]:
        """Run every visit to its end; the results of each car and of all. Nothing is raised for what a station does.

        `follow` is called with the progress of each connection, when it begins.
        """
        leave_on_signal(self)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(self._one(member, observe, follow) for member in self.members))
        return self.account(asyncio.get_running_loop().time() - began)

    async def _one(self, member: Member, observe: Sequence[Observe], follow: Callable[[Progress], object]) -> None:
        def begun(local: tuple[str, int], peer: tuple[str, int], number: int) -> Observer:
            member.progress = Progress(f"car {member.number}", self.clock.wall)
            follow(member.progress)
            return member.progress

        member.visit.observe = [*observe, begun, lambda *_: self.answers]
        try:
            async with asyncio.timeout(self.spread * member.number / len(self.members)):
                await self._asked.wait()
        except TimeoutError:
            pass  # it is its turn
        result = await member.visit.at(*member.address)
        said = result.as_dict()
        script = getattr(member.visit.returning, "__self__", None)
        if isinstance(script, Play):
            said |= {**script.as_dict(), "ok": script.passed}
        member.said = {"car": member.number, "address": f"{member.address[0]}:{member.address[1]}", **said}

    def stop(self, reason: str) -> None:
        """Let every car leave in order; those that have not arrived do not come."""
        self._asked.set()
        for member in self.members:
            if member.said is None:
                member.visit.stop(reason)

    def abort(self, reason: str) -> None:
        """Cut every connection at once; contactors open."""
        self._asked.set()
        for member in self.members:
            if member.said is None:
                member.visit.abort(reason)

    # --- what is told ---

    @property
    def phases(self) -> Counter[str]:
        """How many cars are to come, in each phase of a session, done, failed."""
        return Counter(phase(member) for member in self.members)

    @property
    def power(self) -> float:
        """The power (W) into all cars together now; negative out of them."""
        return sum(member.progress.power for member in self.members if member.said is None and member.progress is not None)

    @property
    def parts(self) -> list[str]:
        """The parts of a line about the fleet, the most important first."""
        counts = [f"{count} {name}" for name, count in sorted(self.phases.items(), key=lambda item: (-item[1], item[0]))]
        times = self.answers.as_dict()
        told = [f"{self.power / 1000:+.1f} kW"]
        if times["answers"]:
            told.append(f"answers p50 {times['p50_ms']:g} ms, p99 {times['p99_ms']:g} ms")
        return [*told, *counts]

    def account(self, seconds: float) -> dict[str, Any]:
        """The results of each car and their sums: energies in Wh at the plug, response times of the stations in ms."""
        cars = [member.said for member in self.members if member.said is not None]
        reasons = Counter(str(car["reason"] or car.get("verdict", "")) for car in cars if not car["ok"])
        failed = sum(not car["ok"] for car in cars)
        return {
            "ok": failed == 0,
            "fleet": len(self.members),
            "well": len(cars) - failed,
            "failed": failed,
            "refused": sum(str(car["reason"]).startswith("PeerFailed") for car in cars),
            "reasons": dict(reasons.most_common(20)),
            "loops": sum(car["loops"] for car in cars),
            "energy_charged": round(sum(car["energy_charged"] for car in cars), 1),
            "energy_discharged": round(sum(car["energy_discharged"] for car in cars), 1),
            **self.answers.as_dict(),
            "seconds": round(seconds, 3),
            "cars": cars,
        }


def phase(member: Member) -> str:
    """Where a car is, in a word or two: to come, the phase of its session, done or failed."""
    if member.said is not None:
        return "done" if member.said["ok"] else "failed"
    return member.progress.phase if member.progress is not None and member.progress.phase else "to come"


def members_of(
    cars: Sequence[Config], count: int, addresses: Sequence[tuple[str, int]], clock: Clock, seed: int, visit: str | Scenario
) -> list[Member]:
    """The cars of a fleet: configurations and addresses in turn, each with a battery of its own that `seed` decides.

    Capacity is within 10 % of what the configuration says, the state of charge on arrival up to 20 % below. Raises ConfigError,
    StoreError and CertificateError.
    """
    if not 1 <= count <= MOST:
        raise ConfigError(f"a fleet has {count} cars; give 1 to {MOST}, and more by more processes")
    store = Store(cars[0].pki) if cars[0].pki else None
    garage = identities(cars[0], clock, store) if store and cars[0].tls else ()
    dice, members = random.Random(seed), list[Member]()  # noqa: S311 the same batteries again, no secret
    for number in range(count):
        config = own(cars[number % len(cars)], dice)
        script = Play(visit) if isinstance(visit, Scenario) else visit
        driving = visit_of(config, clock, script, store, garage[number % len(garage)] if garage else None)
        members.append(Member(number, driving, addresses[number % len(addresses)]))
    return members


def own(config: Config, dice: random.Random) -> Config:
    """A configuration with capacity and state of charge varied at random."""
    battery = replace(config.battery, capacity=config.battery.capacity * dice.uniform(0.9, 1.1))
    return replace(config, battery=battery, soc=config.soc * dice.uniform(0.8, 1.0))


def identities(config: Config, clock: Clock, store: Store) -> tuple[tuple[str, ClientTls], ...]:
    """EVCCID and TLS for every vehicle certificate in a store. Raises StoreError where there is none."""
    versions = tls_versions(config, store)
    given: dict[str, Any] = {"revocation": config.revocation, "name_roots": config.name_roots, "wall": wall_of(clock), "versions": versions}
    if "1.3" not in versions:  # no vehicle certificate is shown
        return ((config.wish.evccid, vehicle_tls(store, config.wish.profile, **given)),)
    vehicles = store.credentials(Role.VEHICLE) or (store.vehicle,)
    return tuple((one.common_name, vehicle_tls(store, config.wish.profile, vehicle=one, **given)) for one in vehicles)


def addresses(texts: Sequence[str]) -> list[tuple[str, int]]:
    """The addresses in texts of the form `host:port` or, for a range of ports, `host:first-last`. Raises ConfigError."""
    found = list[tuple[str, int]]()
    for text in texts:
        host, _, ports = text.rpartition(":")
        first, dash, last = ports.partition("-")
        try:
            low = host_and_port(f"{host}:{first}")
            high = host_and_port(f"{host}:{last}") if dash else low
        except ValueError as error:
            raise ConfigError(f"{error}, or HOST:FIRST-LAST") from None
        if high[1] < low[1]:
            raise ConfigError(f"{text!r}: the last port is below the first")
        found += [(low[0], port) for port in range(low[1], high[1] + 1)]
    return found


Tell = Callable[[str], None]


async def telling(fleet: Fleet, tell: Tell, every: float = 2.0) -> None:
    """Call `tell` with a line about the fleet every so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(every)
        tell(", ".join(fleet.parts))
