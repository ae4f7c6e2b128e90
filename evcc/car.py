"""What a script knows: the car, what its driver wishes, and what this session has learnt so far."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from evcc.contract import Contract
from evcc.ev import Ev
from evcc.goal import Goal
from evcc.offered import Offered
from evcc.profile import Choice
from evcc.provisioning import Provisioning
from evcc.script import Limit
from evcc.services import Selection
from evcc.tariff import PriceJudge
from v2g.messages.common_types import MeterInfoType
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, Noted, Relaxed
from v2g.session.errors import Misuse
from v2g.session.link import Link
from v2g.session.profiles import PROFILES, Deviation, Profile
from v2g.session.sap import Protocol

Authorization = Literal["PnC", "EIM"]
Control = Literal["Scheduled", "Dynamic"]
LOOP_PACE = 0.1  # s from a charge-loop response to the next request; the standard wants at most 0.25 s [V2G20-1499] [V2G20-1501]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the driver wants of a session. Tuples are in order of preference.

    `loops` ends the session after so many charge loops, `pause_after` pauses it (`loops` counts on after the resume); None leaves it to the
    goal. `profile` names the deviations that are let pass. ValueError for a wish that no message can carry.
    """

    evccid: str = "WMIV2GKIT00000000001"
    services: tuple[str, ...] = ("DC_BPT", "DC")
    control: Control = "Scheduled"
    authorizations: tuple[Authorization, ...] = ("PnC", "EIM")
    loops: int | None = None
    pause_after: int | None = None
    meter_info: bool = True
    supporting_points: int = 1024
    pace: float = LOOP_PACE
    wear: float = 0.0  # currency per kWh discharged
    install: bool = False  # ask for contracts although there is one; without one a car asks wherever it can
    contracts: int = 3  # how many to ask for at most
    emaids: tuple[str, ...] = ()  # contracts that are wanted first
    bench_plain: bool = False  # speak -20 without TLS 1.3: never outside a bench
    profile: Profile = "conformance"

    def __post_init__(self) -> None:
        if not 1 <= len(self.evccid) <= 255:
            raise ValueError(f"evccid has {len(self.evccid)} characters; give 1 to 255")
        if not 12 <= self.supporting_points <= 1024:
            raise ValueError(f"supporting_points is {self.supporting_points}; give 12 to 1024 (MaximumSupportingPoints)")
        if not 0 <= self.pace <= 0.25:
            raise ValueError(f"pace is {self.pace} s; give 0 to 0.25 [V2G20-1499] [V2G20-1501]")
        if not 1 <= self.contracts <= 255:
            raise ValueError(f"contracts is {self.contracts}; give 1 to 255 (MaximumContractCertificateChains)")
        if len(self.emaids) > 8:
            raise ValueError(f"emaids names {len(self.emaids)}; a request holds 8 (PrioritizedEMAIDs)")
        if not self.services or not self.authorizations:
            raise ValueError("services and authorizations must each name at least one")


@dataclass(frozen=True, slots=True)
class Memory:
    """What a car keeps of a paused session, to join it again. `station` is the station's certificate (DER), None on a bench without TLS."""

    session_id: bytes
    selection: Selection
    authorization: Authorization
    station: bytes | None = None
    renegotiable: bool = False
    tuple_id: int | None = None


@dataclass(slots=True)
class Timer:
    """A limit that is running; `due` is its end on the session's clock."""

    limit: Limit
    due: float


@dataclass(slots=True)
class Car:
    """The one thing that a script is given. `now` is the time of its last step; the engine keeps it and takes `noted` away."""

    ev: Ev
    goal: Goal = field(default_factory=Goal)
    wish: Wish = field(default_factory=Wish)
    clock: Clock = field(default_factory=Clock)
    contract: Contract | None = None
    memory: Memory | None = None
    link: Link | None = None
    provisioning: Provisioning | None = None
    spare: tuple[Contract, ...] = ()  # contracts to try after `contract`
    prices: PriceJudge | None = None  # None: prices are the station's word, signed or not
    # --- what this session has learnt ---
    now: float = 0.0
    session_id: bytes = bytes(8)
    protocol: Protocol | None = None
    authorization: Authorization | None = None
    renegotiable: bool = False
    selected: Selection | None = None
    offers: tuple[Offered, ...] = ()
    choice: Choice | None = None
    loops: int = 0
    evse_id: str = ""
    meter: MeterInfoType | None = None
    installed: tuple[str, ...] = ()  # eMAIDs of the contracts that this session brought
    closed: bool = False  # the car's own contactors
    pilot: str = "B"  # what the car shows on the control pilot
    delivering: bool = False  # from PowerDelivery(Start) to PowerDelivery(Stop)
    renegotiated: float | None = None  # wall time of the last renegotiation
    postponed: Any = None  # a renegotiation that the station asked for too soon after the last
    fruitless: int = 0  # schedules in a row that brought no power
    stop_asked: str | None = None  # why the driver wants to leave
    timers: list[Timer] = field(default_factory=list)
    noted: list[Event] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """The present wall time, epoch s."""
        return self.clock.wall(self.now)

    @property
    def secure(self) -> bool:
        """True when the link may carry -20: TLS 1.3 with both sides authenticated."""
        return self.link is not None and self.link.tls is not None and self.link.tls.carries_20

    @property
    def station(self) -> bytes | None:
        """The certificate (DER) that the station showed."""
        chain = self.link.tls.peer_chain if self.link and self.link.tls else ()
        return chain[0] if chain else None

    @property
    def service(self) -> Selection:
        """The selected service. Misuse before there is one."""
        if self.selected is None:
            raise Misuse("the script speaks of its service before it has selected one")
        return self.selected

    @contextmanager
    def within(self, limit: Limit) -> Iterator[None]:
        """A timer runs while the block does; the engine throws TimedOut into it when it is due."""
        timer = Timer(limit, self.now + limit.seconds)
        self.timers.append(timer)
        try:
            yield
        finally:
            self.drop(timer)

    def drop(self, timer: Timer) -> None:
        """The timer no longer runs, if it did."""
        self.timers[:] = [other for other in self.timers if other is not timer]

    def stamped(self, request: Any, **header: Any) -> Any:
        """The request with this session's id and the present time in its header, or with what is given there instead."""
        if not hasattr(request, "Header"):
            return request
        stamp = {"SessionID": self.session_id, "TimeStamp": int(self.wall), **header}
        return msgspec.structs.replace(request, Header=msgspec.structs.replace(request.Header, **stamp))

    def agree(self, stamp: int) -> None:
        """Set the clock by the station's time stamp (epoch s), departure included; only where time runs faster than the protocol.

        Two programs that start a simulated night one after the other would else be hours apart.
        """
        if self.clock.scale == 1.0:
            return
        off = stamp - self.wall
        self.clock = replace(self.clock, epoch=self.clock.epoch + off)
        if self.goal.departure is not None:
            self.goal = replace(self.goal, departure=self.goal.departure + off)

    def note(self, topic: str, **facts: object) -> None:
        """Tell the trace."""
        self.noted.append(Noted(self.now, topic, facts))

    def close(self) -> None:
        """Close the car's contactors."""
        self.closed = True
        self.note("contactors", closed=True)

    def open(self) -> None:
        """Open the car's contactors, if they are closed."""
        if self.closed:
            self.closed = False
            self.note("contactors", closed=False)

    def show(self, state: str) -> None:
        """Set the control pilot: B does not want power, C does."""
        self.pilot = state
        self.note("control pilot", state=state)

    def make_safe(self, say: bool = False) -> None:
        """Whatever happened, first the contactors, then the pilot; `say` it even where it is so already."""
        self.open()
        if say or self.pilot != "B":
            self.show("B")

    def puts_up_with(self, deviation: Deviation) -> bool:
        """Whether the profile lists a deviation that is about to be used; the trace is told."""
        if deviation not in PROFILES[self.wish.profile]:
            return False
        self.noted.append(Relaxed(self.now, deviation.name, deviation.requirement))
        return True

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All of them, in the order in which they are tried."""
        return () if self.contract is None else (self.contract, *self.spare)

    def receive(self, new: tuple[Contract, ...]) -> None:
        """Contracts that came go before those that were there, and replace those of the same name."""
        named = {one.emaid: one for one in new}
        self.prefer(*named.values(), *(one for one in self.contracts if one.emaid not in named))
        self.installed += tuple(named)

    def prefer(self, *contracts: Contract) -> None:
        """Try the contracts in this order."""
        self.contract, self.spare = (contracts[0], contracts[1:]) if contracts else (None, ())

    def remember(self) -> Memory:
        """What to keep when the session pauses."""
        tuple_id = self.choice.tuple_id if self.choice else None
        return Memory(self.session_id, self.service, self.authorization or "EIM", self.station, self.renegotiable, tuple_id)

    def forget(self) -> None:
        """Purge what was kept of an older session, authorization included [V2G20-2613] [V2G20-2617]."""
        self.memory = self.authorization = self.selected = self.choice = None

    def anew(self, link: Link | None = None) -> "Car":
        """The same car with its memory for the next connection; what the last session learnt is gone."""
        return Car(
            self.ev,
            self.goal,
            replace(self.wish, pause_after=None),
            self.clock,
            self.contract,
            self.memory,
            link,
            self.provisioning,
            self.spare,
            self.prices,
            loops=self.loops,
            installed=self.installed,
        )
