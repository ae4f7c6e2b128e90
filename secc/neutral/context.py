"""What a session knows when it answers, in parts by how long each stays true: a new beginning replaces its part as a whole.

    Given            what the session was made with                                      for ever
    V2GSession       who the car is, what was agreed upon, what the station asks of it   until the session ends
    StationReport    what the station told of itself, and how the contactor was told     until it tells something else
    ServiceSession   what was said about one service, to the end of its power            until another service is negotiated
      Attempt          one claim to be authorized, and what became of it                 until another claim
      Installation     one request for a contract, and what became of it                 until another request
      Exchange         one exchange of needs for schedules                               until the schedule is negotiated anew
      Aside            another one, beside the charge loop                               until it is taken over, or lapses
    Step             the state of the sequence                                           until another state
    Moment           the request or the fact that is looked at                           until the next

A context is a value. An answer reads it and returns the next one; nothing is changed in place, so any moment of a session can be looked at,
kept and played again. A new field goes where its life is: `tests/secc/test_lifetimes.py` says what it survives.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Concatenate, ParamSpec, cast

from secc.claims import Claim, PriceSigner, Verifier
from secc.foreseen import Foreseen
from secc.intent import Intent, Notice
from secc.neutral.fault import Fault
from secc.neutral.feeding import Feeding
from secc.neutral.phases import Phases
from secc.neutral.questions import Questions
from secc.neutral.replaced import replaced
from secc.neutral.report import StationReport
from secc.outlet import Outlet
from secc.pause import PausedSession
from secc.reserve import Reserve
from secc.station import (
    Added,
    Arrival,
    Authorization,
    AuthorizationRefused,
    Authorized,
    CertificateReady,
    CertificateRefused,
    CostTold,
    Departure,
    Device,
    Limits,
    Objection,
    PhasePowers,
    Service,
    SetOutput,
)
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer
from v2g.energy.series import Series
from v2g.energy.tab import Tab
from v2g.exi.schema import Type
from v2g.services import Selection
from v2g.session.endpoint import Event
from v2g.session.profiles import Deviation
from v2g.session.service import Intended
from v2g.session.tls import TlsFacts

NO_SESSION = bytes(8)
CHALLENGE_LENGTH = 16
P = ParamSpec("P")


@dataclass(frozen=True)
class Agreement:
    """What car and station agreed upon in a session; it survives a pause."""

    evccid: str = ""
    authorization: Authorization | None = None  # None: not authorized
    expires_soon: bool = False
    permitted: tuple[Service, ...] = ()  # what the backend limits the car to; empty: nothing
    contract: bytes = b""  # DER of the contract certificate, PnC
    emaid: str = ""
    selection: Selection | None = None
    parking: tuple[Intended, ...] = ()  # what it does by ParkingStatus
    tuple_id: int | None = None  # of the schedule that was chosen
    tab: Tab | None = None  # what is owed, where prices were shown
    cost: CostTold | None = None  # what the backend says that is owed

    @property
    def selected(self) -> Selection:
        """The selected service and parameter set, for states in which the sequence guarantees that there is one."""
        assert self.selection is not None
        return self.selection


class Before(Enum):
    """The state of a context that no generation has begun."""

    NEGOTIATION = "nothing yet"


@dataclass(frozen=True, kw_only=True)
class Given:
    """The constants of a session, which hold as long as it lives."""

    outlet: Outlet
    entropy: Callable[[int], bytes]
    verifier: Verifier | None = None  # None: no trust anchors, PnC is not offered
    foreseen: Foreseen | None = None  # the same, where it may be asked beforehand
    prices: PriceSigner | None = None  # None: prices are not signed
    tls: TlsFacts | None = None
    proved: str = ""  # whom the car's certificate names; empty without one
    chain: tuple[bytes, ...] = ()  # the car's certificates (`Vehicle.chain`)
    negotiable: tuple[str, ...] = ()  # EXI sets that may be selected on this connection
    let_pass: tuple[Deviation, ...] = ()  # of the car's certificates in TLS
    phases: Phases = field(default_factory=Phases)  # of the generation


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The request, fact or tick being worked on. Times are session time (s), but for `wall` (epoch s)."""

    now: float = 0.0
    wall: float = 0.0
    received: float = 0.0  # when the request came; an answer may wait
    exi: bytes = b""  # the request
    former: PausedSession | None = None  # the paused session that this car may resume


@dataclass(frozen=True, kw_only=True)
class Step:
    """The state of the message sequence, and since when the car polls in it."""

    state: Enum = Before.NEGOTIATION
    polled: float | None = None  # since when the car has asked in this state without leaving it
    told: bytes = b""  # SessionID in the envelope of the request, for a generation that has one
    signature: Any = None  # in that envelope


@dataclass(frozen=True, kw_only=True)
class V2GSession:
    """Everything that stays true until the session ends."""

    id: bytes = NO_SESSION
    schema_set: str = ""  # what SupportedAppProtocol selected
    offered: tuple[str, ...] = ()  # the protocols that the car offered there
    agreement: Agreement = Agreement()
    intent: Intent = field(default_factory=Intent)  # what the station asks of the car
    claims: Questions = field(default_factory=Questions)  # about authorization
    installations: Questions = field(default_factory=Questions)  # about contracts to install
    fault: Fault | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to be authorized. The verdict on EIM may be there before the claim: a card can be shown before the car asks."""

    claim: Claim | None = None
    asked: float | None = None  # since when the backend has been asked about the claim
    number: int | None = None  # of that question
    verdict: Authorized | AuthorizationRefused | None = None


@dataclass(frozen=True, kw_only=True)
class Installation:
    """One request of the car for a contract certificate, and the backend's answer."""

    request: bytes | None = None  # what is signed of the provisioning certificate that it is for; None: there is no request
    asked: float | None = None
    number: int | None = None  # of the question to the backend
    outcome: CertificateReady | CertificateRefused | None = None


@dataclass(frozen=True)
class Exchange:
    """One exchange of the car's needs for an offer of schedules."""

    needs: Needs | None = None
    asked: float | None = None
    offer: Offer | None = None  # as the car was shown it, once it was
    max_points: int = 1024
    limits: Limits | None = None  # of the outlet, when it was asked for


@dataclass(frozen=True, kw_only=True)
class Aside:
    """An exchange of schedules beside the charge loop; the exchange before it binds until PowerDelivery takes this one over."""

    exchange: Exchange = Exchange()
    wanted: bool = False  # the station had asked for it
    shown: float | None = None  # when the car was shown the offer


@dataclass(frozen=True, kw_only=True)
class ServiceSession:
    """Everything that stays true until another service is negotiated."""

    # authorization
    challenge: bytes = b""
    attempt: Attempt = Attempt()
    installation: Installation = Installation()

    # services
    offered: tuple[int, ...] = ()
    added: tuple[Added, ...] = ()  # what the car has taken besides charging
    sets: frozenset[tuple[int, int]] = frozenset()  # (service, parameter set) that the car has seen

    # parameters
    announced: Limits | None = None  # what ChargeParameterDiscoveryRes said, or the loop after it: never exceeded [V2G20-2654]
    car: Limits | None = None
    power_unsaid: bool = False  # it began with a power of 0 W: a car that says 0 W where it says nothing goes on with it
    phases: PhasePowers = field(default_factory=PhasePowers)  # what the car said phase by phase

    # schedule
    exchange: Exchange = Exchange()
    coming: tuple[Offer, Needs] | None = None  # an offer that came while another binds, and its needs: for the next exchange
    aside: Aside | None = None
    questioned: float | None = None  # when needs were last put to the scheduler beside the loop
    profile: Series | None = None  # W, what the car will follow
    pause_proposed: bool = False  # the next schedule says GoToPause
    may_pause: bool = False  # the last one did: PowerDelivery(Stop) may come before Start

    # the outlet before power
    isolation_asked: float | None = None
    isolation: bool | None = None
    output_wanted: SetOutput | None = None  # what SetOutput said last
    target_voltage: float = 0.0  # V, the last that the car named

    # ACDP
    device_asked: tuple[Device, float] | None = None  # where the device was told to go, and since when
    vehicle_fault: str = ""  # what the vehicle says is wrong with itself

    # WPT
    pairing_asked: tuple[int | None, float] | None = None  # the code that the ground device was told, and since when it pairs
    alignment_asked: float | None = None
    obstruction_told: float | None = None  # since when there is the obstruction that the vehicle was warned of last

    # ParkingStatus
    arrival: Arrival | None = None  # what the vehicle said of its coming, last
    place_heard: bool = False  # the station has told the place since then
    departure: Departure | None = None  # and of its leaving
    departure_told: Departure | None = None  # what the station was told of that
    released: bool = False  # the station lets it go

    # power
    delivering: bool = False
    impaired: str = ""  # what the car says is wrong with itself, of which it need not be saved at once (DC)
    looped: float | None = None  # when the last loop was answered, or power began
    violating: tuple[tuple[str, float], ...] = ()  # bounds that the power is beyond, and since when
    metered: bool = False  # the car has been shown the meter
    meters_shown: tuple[Type, ...] = ()  # that a confirmation was asked for and has not come: any of them may be signed
    receipts_shown: tuple[Type, ...] = ()  # with them
    reserve: Reserve = field(default_factory=Reserve)
    setpoint_wanted: float | None = None  # W, what SetPower said last
    feeding: Feeding = field(default_factory=Feeding)  # of a service under grid codes


def _changing(kind: Callable[P, object], name: str, outer: str = "") -> Callable[Concatenate["Context", P], "Context"]:
    """The method of a context that changes fields of its part `name`, or of that of its part `outer`; it takes what the part is made of."""

    def changed(known: "Context", /, *args: P.args, **fields: P.kwargs) -> "Context":
        holder: Any = known.__dict__[outer] if outer else known
        if (made := replaced(part := holder.__dict__[name], fields)) is part:  # a loop says most things again
            return known
        made = replaced(holder, {name: made})
        return cast("Context", replaced(known, {outer: made}) if outer else made)

    return changed


@dataclass(frozen=True)
class Context:
    """All that an answer may read: the parts of what a session knows. It is immutable; methods return another. Parts have no slots."""

    given: Given
    station: StationReport = field(default_factory=StationReport)
    session: V2GSession = V2GSession()
    service: ServiceSession = ServiceSession()
    step: Step = Step()
    moment: Moment = Moment()

    with_station = _changing(StationReport, "station")
    with_session = _changing(V2GSession, "session")
    with_agreement = _changing(Agreement, "agreement", "session")
    with_service = _changing(ServiceSession, "service")
    with_attempt = _changing(Attempt, "attempt", "service")
    with_exchange = _changing(Exchange, "exchange", "service")
    with_installation = _changing(Installation, "installation", "service")
    with_step = _changing(Step, "step")

    @property
    def outlet(self) -> Outlet:
        """The outlet's offer, the same for every car."""
        return self.given.outlet

    @property
    def now(self) -> float:
        """The session time (s) of this moment."""
        return self.moment.now

    @property
    def wall(self) -> float:
        """The wall time (epoch s) of this moment."""
        return self.moment.wall

    @property
    def state(self) -> Enum:
        """The state of the sequence: what the station waits for."""
        return self.step.state

    @property
    def agreement(self) -> Agreement:
        """What car and station have agreed upon so far."""
        return self.session.agreement

    @property
    def delivering(self) -> bool:
        """Whether PowerDelivery(Start) was answered OK, and nothing has ended the power since."""
        return self.service.delivering

    @property
    def standing(self) -> bool:
        """Whether the car stands by."""
        return self.step.state in self.given.phases.standby

    @property
    def present_limits(self) -> Limits:
        """The outlet's present limits within those announced: maxima never rise, minima never fall [V2G20-2654] [V2G20-2655]."""
        announced = self.service.announced
        return self.station.limits if announced is None else self.station.limits.within(announced)

    @property
    def net(self) -> float | None:
        """Wh into the car less Wh out of it, by the registers of the meter; only differences count. None: there is no reading."""
        meter = self.station.meter
        return None if meter is None else meter.imported - meter.exported

    @property
    def notice(self) -> Notice | None:
        """The wish that the car is shown by EVSEStatus now; None where there is none."""
        return self.session.intent.notice

    @property
    def stopping(self) -> str:
        """Why the session is to end; empty while it may go on."""
        return self.session.intent.stopping

    @property
    def energised(self) -> bool:
        """Whether the outlet is or may be live, as far as the session knows."""
        told, seen = self.station.contactor_wanted is True, self.station.contactor
        return seen is True or told or (self.tested and seen is not False)

    @property
    def tested(self) -> bool:
        """Whether a test was asked for that makes the outlet live by itself: of the isolation (DC), of the alignment (WPT)."""
        return self.service.isolation_asked is not None or self.service.alignment_asked is not None

    @property
    def undocked(self) -> str:
        """Why an ACDP can give no energy; empty where it can, and for every other service."""
        selection = self.agreement.selection
        if selection is None or not selection.row.docked or self.station.device == "EndPosition":
            return ""
        return f"the device is {self.station.device}, not in its end position"

    @property
    def unparked(self) -> str:
        """Why a vehicle that checks in gets no power; empty where it may, and for one that does not check in."""
        if "VehicleCheckIn" not in self.agreement.parking:
            return ""
        said, place = self.service.arrival, self.station.place
        if said is None or said.status != "Completed":
            return "the vehicle has not completed its check-in"
        return "" if place is not None and place.occupied else "the station does not see the vehicle in its place"

    @property
    def live(self) -> bool:
        """Whether the outlet is energised and was not told to open: then it must be told before the session is over."""
        return self.energised and self.station.contactor_wanted is not False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: the response, the next state, the context after it, and what the station must do."""

    response: Type
    then: Enum
    known: Context
    wants: tuple[Event, ...] = ()  # and other events for the trace
    how: str = ""  # how the session ends, where the answer leads to its end
    objection: Objection | None = None  # why the response is a WARNING
    paused: PausedSession | None = None  # this session, to be kept
    joined: PausedSession | None = None  # the session that the car has resumed, to be forgotten
    signature: Any = None  # for the envelope of the response, in a generation that has one


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer that waits for a fact, at the longest until `until` (session time, s): PowerDeliveryRes, which cannot say Ongoing."""

    known: Context
    until: float
    wants: tuple[Event, ...] = ()  # and other events for the trace
