"""What a script is given: the car, the wishes of its driver, and what the session has learnt so far."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, get_args

import msgspec

from evcc.credentials import Contract, PriceTrust, Provisioning
from evcc.ev import EV
from evcc.goal import Goal
from evcc.parking import Parking
from evcc.script import Limit
from v2g.energy.tariff import MOST_FEE
from v2g.messages.xmldsig import SignatureType
from v2g.services import SERVICES, WANTED
from v2g.session import sap
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, Noted
from v2g.session.link import Link
from v2g.session.profiles import Deviation, Profile, let_pass
from v2g.session.service import Intended, InternetProtocol
from v2g.settings import suggestion

Authorization = Literal["PnC", "EIM"]
Control = Literal["Scheduled", "Dynamic"]
Mobility = Literal["EVCC", "SECC"]
LOOP_PACE = 0.1  # s from a charge-loop response to the next request; the standard wants at most 0.25 s [V2G20-1499] [V2G20-1501]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the driver wants of a visit. Tuples are in order of preference.

    `loops` ends the session after so many charge loops, `pause_after` pauses it (`loops` counts on after the resume); with None the goal
    decides. `profile` names the deviations that are let pass. ValueError for a wish that no message can carry.
    """

    evccid: str = "WMIV2GKIT00000000001"
    services: tuple[str, ...] = WANTED
    control: Control = "Scheduled"
    mobility: Mobility = "EVCC"  # who says departure and SOC in Dynamic control, where the station leaves the choice
    authorizations: tuple[Authorization, ...] = ("PnC", "EIM")
    loops: int | None = None
    pause_after: int | None = None
    meter_info: bool = True
    supporting_points: int = 1024
    pace: float = LOOP_PACE
    wear: float = 0.0  # currency per kWh discharged
    sell_above: float | None = None  # currency per kWh; what is given back is offered at this price (EVEnergyOffer); None: no offer is made
    currency: str = "EUR"  # ISO 4217, of what is asked
    negative_discharge: bool = False  # discharge limits are sent below zero, for stations that want them so; either sign is read
    install: bool = False  # ask for contracts although there is one; without one a car asks wherever it can
    contracts: int = 3  # how many to ask for at most
    emaids: tuple[str, ...] = ()  # contracts that are wanted first
    bench_plain: bool = False  # speak -20 without TLS 1.3: never outside a bench
    profile: Profile = "conformance"
    internet: tuple[InternetProtocol, ...] = ()  # taken where it is offered, the first that is
    parking: Parking = field(default_factory=Parking)  # of the value-added service ParkingStatus
    quirks: tuple[str, ...] = ()  # names of habits of known cars, see `quirks.py` of the generation
    beside: bool = False  # another schedule is negotiated beside the charge loop, not instead of it; few stations know the stream

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
        if len(self.currency) != 3:
            raise ValueError(f"currency is {self.currency!r}; give the three letters of ISO 4217, such as EUR")
        if self.sell_above is not None and not abs(self.sell_above) <= MOST_FEE:
            raise ValueError(f"sell_above is {self.sell_above}; give a finite price per kWh")
        if not self.services or not self.authorizations:
            raise ValueError("services and authorizations must each name at least one")
        suggestion.demand("services", self.services, SERVICES)
        suggestion.demand("internet", self.internet, get_args(InternetProtocol))


class Outcome(NamedTuple):
    """What a session came to, whatever generation was spoken; None: it did not come to that."""

    service: str | None = None
    control: Control | None = None
    internet: str | None = None  # the protocol of the value-added service Internet
    schedule: int | None = None  # the id of the schedule that was followed
    cost: float | None = None  # in `currency`
    currency: str | None = None
    parking: tuple[Intended, ...] = ()  # what was completed of the value-added service ParkingStatus


class Learnt(Protocol):
    """What a session has learnt, in a class of its generation."""

    def outcome(self) -> Outcome:
        """What the session came to, for the result of a visit."""


K = TypeVar("K", bound=Learnt)
NOTHING: Any = None  # learnt, before a session


@dataclass(slots=True)
class Timer:
    """A running time limit; `due` is its end in session time (s)."""

    limit: Limit
    due: float


@dataclass(slots=True)
class Car(Generic[K]):
    """The state of a car in a session: the one argument of a script. What a generation alone knows is in `known`, in a class of its own.

    The engine sets `now`, the session time (s) of the script's last step, and takes the events in `noted` into the trace.
    """

    ev: EV
    goal: Goal = field(default_factory=Goal)
    wish: Wish = field(default_factory=Wish)
    clock: Clock = field(default_factory=Clock)
    contract: Contract | None = None
    memory: Any = None  # what is kept of a paused session, in a class of its generation
    link: Link | None = None
    provisioning: Provisioning | None = None
    spare: tuple[Contract, ...] = ()  # contracts to try after `contract`
    prices: PriceTrust | None = None  # None: prices are the station's word, signed or not
    also: tuple[Provisioning, ...] = ()  # ways to contracts of other generations than that of `provisioning`
    # --- what this session has learnt ---
    now: float = 0.0
    session_id: bytes = bytes(8)
    envelope: SignatureType | None = None  # the signature of the last response, where a generation has it outside of the message
    known: K = NOTHING  # made by the engine when the session begins
    protocol: sap.Protocol | None = None
    authorization: Authorization | None = None
    loops: int = 0
    evse_id: str = ""
    installed: tuple[str, ...] = ()  # eMAIDs of the contracts that this session brought
    closed: bool = False  # the car's own contactors
    pilot: str = "B"  # what the car shows on the control pilot
    delivering: bool = False  # from PowerDelivery(Start) to PowerDelivery(Stop)
    stop_asked: str | None = None  # why the driver wants to leave
    timers: list[Timer] = field(default_factory=list)
    noted: list[Event] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """The wall time (epoch s) of the script's last step."""
        return self.clock.wall(self.now)

    @property
    def secure(self) -> bool:
        """Whether the link may carry ISO 15118-20: TLS 1.3 with both sides authenticated."""
        return self.link is not None and self.link.tls is not None and self.link.tls.carries_20

    @property
    def station(self) -> bytes | None:
        """The certificate (DER) that the station showed in TLS; None without TLS."""
        chain = self.link.tls.peer_chain if self.link and self.link.tls else ()
        return chain[0] if chain else None

    @contextmanager
    def within(self, limit: Limit) -> Iterator[None]:
        """A context in which the time limit runs; once it is over, the engine throws TimedOut into the script."""
        timer = Timer(limit, self.now + limit.seconds)
        self.timers.append(timer)
        try:
            yield
        finally:
            self.drop(timer)

    def drop(self, timer: Timer) -> None:
        """Stop a timer, if it runs."""
        self.timers[:] = [other for other in self.timers if other is not timer]

    def stamped(self, request: Any, **header: Any) -> Any:
        """The request with a header of this session's id and the present time; `header` overrides its fields."""
        if not hasattr(request, "Header"):
            return request
        stamp = {"SessionID": self.session_id, "TimeStamp": int(self.wall), **header}
        return msgspec.structs.replace(request, Header=msgspec.structs.replace(request.Header, **stamp))

    def agree(self, stamp: int) -> None:
        """Set the clock, and the departure with it, by the station's time stamp (epoch s), where time runs faster than the protocol.

        Two programs that start a simulated night one after the other would otherwise be hours apart.
        """
        if self.clock.scale == 1.0:
            return
        off = stamp - self.wall
        self.clock = replace(self.clock, epoch=self.clock.epoch + off)
        if self.goal.departure is not None:
            self.goal = replace(self.goal, departure=self.goal.departure + off)

    def note(self, topic: str, **facts: object) -> None:
        """Add a `Noted` event with a stable topic to the trace."""
        self.noted.append(Noted(self.now, topic, facts))

    def close(self) -> None:
        """Close the car's contactors."""
        self.closed = True  # before they are told: if they fail half way, they are opened again
        self.ev.contactors(True)
        self.note("contactors", closed=True)

    def open(self) -> None:
        """Open the car's contactors, if they are closed."""
        if self.closed:
            self.closed = False
            self._drive("contactors", lambda: self.ev.contactors(False))
            self.note("contactors", closed=False)

    def show(self, state: str) -> None:
        """Set the control pilot: B does not want power, C does."""
        self.pilot = state
        self._drive("control pilot", lambda: self.ev.pilot(state))
        self.note("control pilot", state=state)

    def _drive(self, what: str, do: Callable[[], None]) -> None:
        """Have the car do something safe; that its hardware raises keeps nothing else from being made safe."""
        try:
            do()
        except Exception as error:
            self.note("hardware failed", what=what, error=repr(error))

    def make_safe(self, say: bool = False) -> None:
        """Open the contactors, then set the pilot to B. With `say` the hardware is told even where the state is so already."""
        self.open()
        if say or self.pilot != "B":
            self.show("B")

    def puts_up_with(self, deviation: Deviation) -> bool:
        """Whether the profile allows a deviation that is about to be used; if so, its use is added to the trace."""
        told = let_pass(deviation, self.wish.profile, self.now)
        self.noted += told
        return bool(told)

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All contracts of the car, in the order in which they are tried."""
        return () if self.contract is None else (self.contract, *self.spare)

    @property
    def provisionings(self) -> tuple[Provisioning, ...]:
        """Every way of the car to new contracts."""
        return (*(() if self.provisioning is None else (self.provisioning,)), *self.also)

    def receive(self, new: tuple[Contract, ...]) -> None:
        """Put new contracts before those of the car, in place of any with the same eMAID."""
        named = {one.emaid: one for one in new}
        self.prefer(*named.values(), *(one for one in self.contracts if one.emaid not in named))
        self.installed += tuple(named)

    def prefer(self, *contracts: Contract) -> None:
        """Set the order in which contracts are tried."""
        self.contract, self.spare = (contracts[0], contracts[1:]) if contracts else (None, ())

    def outcome(self) -> Outcome:
        """What the session came to; nothing, before one has begun."""
        return Outcome() if self.known is None else self.known.outcome()

    def anew(self, link: Link | None = None) -> "Car[K]":
        """This car for the next connection: with its memory of a pause, without anything else that the last session learnt."""
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
            self.also,
            loops=self.loops,
            installed=self.installed,
        )
