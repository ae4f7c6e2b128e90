"""Both engines, and both shells over a socket, run a table that is none of -20's: wrapped messages on one payload type, another pairing,
two requests open at once.
"""

import asyncio
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import pytest

from evcc.car import Car, Outcome, Wish
from evcc.client import Visit
from evcc.conduct import Conduct as CarConduct
from evcc.engine import EvccSession
from evcc.ev import Ev
from evcc.generations import CONDUCTS as CAR_CONDUCTS
from evcc.opening import negotiation, usual
from evcc.result import Result
from evcc.script import Aside, Part, Wait
from pki.verify import Anchors
from secc.backend import LocalBackend
from secc.bay import Place
from secc.claims import Claim, Trust
from secc.conduct import Conduct, Ending, Say, Surroundings
from secc.engine import SeccSession
from secc.generations import CONDUCTS
from secc.outlet import Outlet
from secc.record import SessionGiven
from secc.server import Station, surroundings, wall_clock
from secc.simulated import SimulatedEVSE
from secc.station import ContactorIs, OpenContactor, SessionStarted
from secc.trust import Verifiers
from tests.starved import attempts, heed
from v2g.exi.codec import Reading, encode, read
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.generations import GENERATIONS
from v2g.iso20.generation import ISO20
from v2g.messages import schema_set
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.messages.common_messages import AuthorizationReq
from v2g.messages.din import msg_body as din
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.messages.din.msg_def import BodyType, V2G_Message
from v2g.messages.din.msg_header import MessageHeaderType
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent
from v2g.session.errors import PeerMisbehaved
from v2g.session.generation import Generation, Incoming, Outgoing, Row, Timing
from v2g.session.link import Observer
from v2g.session.sap import Protocol
from v2g.session.v2gtp import frame

ID = b"TOY-0001"
PROTOCOL = Protocol("urn:toy:2026:MsgDef", 2, 0, "din", secure=False)
# the generations beside which the toy is played: all but the one whose messages it has borrowed
STATIONS = tuple(each for each in CONDUCTS if din.SessionSetupReq not in each.generation.responses)
CARS = tuple(each for each in CAR_CONDUCTS if din.SessionSetupReq not in each.generation.responses)
MAIN_TYPE, BESIDE_TYPE = 0x8001, 0x8102


class Toy(Enum):
    NEGOTIATION = "supportedAppProtocol"
    SETUP = "SessionSetup"
    STOP = "SessionStop"
    OVER = "nothing"


ROWS = (
    Row(Toy.NEGOTIATION, supportedAppProtocolReq, (Toy.SETUP, Toy.OVER)),
    Row(Toy.SETUP, din.SessionSetupReq, (Toy.STOP,)),
    Row(Toy.STOP, din.ServiceDiscoveryReq, (Toy.STOP,), "beside"),
    Row(Toy.STOP, din.SessionStopType, (Toy.OVER,)),
)
PAIRS: dict[type[Type], type[Type]] = {
    supportedAppProtocolReq: supportedAppProtocolRes,
    din.SessionSetupReq: din.SessionSetupRes,
    din.ServiceDiscoveryReq: din.ServiceDiscoveryRes,
    din.SessionStopType: din.SessionStopRes,
}


def write(message: Type, session_id: bytes, stream: str = "main", signature: Any = None) -> Outgoing:
    if not isinstance(message, din.BodyBaseType):
        return Outgoing(MAIN_TYPE, "app", encode(message, schema_set("app")))
    kind = BESIDE_TYPE if isinstance(message, din.ServiceDiscoveryReq | din.ServiceDiscoveryRes) else MAIN_TYPE
    whole = V2G_Message(Header=MessageHeaderType(SessionID=session_id), Body=BodyType(BodyElement=message))
    return Outgoing(kind, "din", encode(whole, schema_set("din")))


def unwrapped(exi: bytes) -> Incoming:
    reading = read(exi, schema_set("din"))
    whole: Any = reading.message
    return Incoming("din", Reading(whole.Body.BodyElement, reading.findings), whole.Header.SessionID)


def bare(exi: bytes) -> Incoming:
    return Incoming("app", read(exi, schema_set("app")), None)


def heard(payload_type: int, exi: bytes, *, by_car: bool = False, asked: type[Type] | None = None) -> Incoming:
    return bare(exi) if asked is supportedAppProtocolReq else unwrapped(exi)


TOY = Generation(
    name="a toy",
    first=Toy.NEGOTIATION,
    over=Toy.OVER,
    rows={(row.state, row.request): row for row in ROWS},
    responses=PAIRS,
    timing=lambda request: Timing(2.0, 1.5, 7.0, 5.0),
    station_setup=9.0,
    car_setup=11.0,
    ongoing=55.0,
    close=3.0,
    state_limit=lambda state: 1024,
    answer_limit=lambda request: 1024,
    other_limit=1024,
    at_once=4,
    write=write,
    read=heard,
    stream=lambda payload_type: "beside" if payload_type == BESIDE_TYPE else "main",
    begins=din.SessionSetupReq,
    codes=Code,
    loops=(),
    stays=lambda request, response: False,
)


@dataclass(frozen=True)
class Knows:
    state: Toy = Toy.NEGOTIATION
    session_id: bytes = bytes(8)
    opened: bool = False
    now: float = 0.0
    asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Says:
    response: Type | None
    then: Toy
    known: Knows
    wants: tuple[Any, ...] = ()
    until: float | None = None


def answer(request: Type, known: Knows) -> Says:
    known = replace(known, asked=(*known.asked, type(request).__name__))
    match request:
        case din.SessionSetupReq():
            response = din.SessionSetupRes(ResponseCode=Code.OK_NewSessionEstablished, EVSEID=b"E")
            began = SessionStarted(known.now, ID, "a toy")
            return Says(response, Toy.STOP, replace(known, session_id=ID), (began,))
        case din.SessionStopType() if not known.opened:
            return Says(None, Toy.STOP, known, (OpenContactor(known.now),), until=1e9)  # waits for a fact
        case din.SessionStopType():
            return Says(din.SessionStopRes(ResponseCode=Code.OK), Toy.OVER, known)
        case _:
            return Says(least(din.ServiceDiscoveryRes, ResponseCode=Code.OK), Toy.STOP, known)


def admit(said: Incoming, payload_type: int, known: Knows, now: float) -> tuple[Knows, tuple[()]]:
    if TOY.row(known.state, type(said.reading.message)) is None:
        raise PeerMisbehaved(f"{type(said.reading.message).__name__} out of turn", "TOY-1")
    return known, ()


def beginning(around: Surroundings, say: Say, now: float) -> tuple[Knows, Event]:
    return Knows(), SessionGiven(now, around.outlet, ("din",), around.insecure)


class Trusting:
    """Believes every toy."""

    def __init__(self, trust: Trust):
        self.trust = trust

    def contract(self, request: Type, challenge: bytes, wall: float) -> Claim:
        return Claim("PnC", emaid=type(request).__name__)

    def provisioning(self, request: Type, wall: float) -> None:
        return None

    def metering(self, request: Type, contract: bytes) -> None:
        return None


def refusal(request: type[Type], refused: Exception, known: Knows) -> Type | None:
    return least(PAIRS[request], ResponseCode=Code.FAILED_SequenceError)


CONDUCT = Conduct(
    generation=TOY,
    beginning=beginning,
    protocols=lambda known: (PROTOCOL,),
    settle=lambda known, request, response, protocol: Says(response, Toy.SETUP if protocol else Toy.OVER, known),
    welcome=lambda known, insecure, now: (),
    decode=lambda kind, exi, known, now: (bare(exi) if known.state is Toy.NEGOTIATION else unwrapped(exi), ()),
    admit=admit,
    at_moment=lambda known, now, wall, received, exi: replace(known, now=now),
    resumption=lambda request, known: None,
    recall=lambda known, former, say: known,
    answer=answer,
    waits=lambda reply: reply.until,  # type: ignore[attr-defined]
    ending=lambda reply: Ending(reply.response, reply.then, "Terminate"),  # type: ignore[attr-defined]
    advance=lambda known, reply, request, now: replace(reply.known, state=reply.then),  # type: ignore[attr-defined]
    refusal=refusal,
    undecodable=lambda path, reason: None,
    learn=lambda fact, known: (replace(known, opened=True) if isinstance(fact, ContactorIs) else known, ()),
    supervise=lambda known, now: (known, ()),
    due=lambda known: None,
    over=lambda known, now: (replace(known, state=Toy.OVER), ()),
    state=lambda known: known.state,
    fault=lambda known: None,
    session_id=lambda known: known.session_id,
    same=lambda before, after: replace(before, now=after.now) == after,
    account=lambda known: {},
    stop_reason=lambda known: "",
    agreement=Knows,
    verifier=Trusting,
    contract_chain=lambda request: (),
    signatures=lambda heard: (),
    fault_answer=2.0,
    silent="TOY-2",
)


@dataclass
class Pair:
    """Both engines in virtual time."""

    script: Any
    conducts: tuple[Conduct, ...] = (CONDUCT,)
    first: CarConduct | None = None
    now: float = 1.0
    sent: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = Clock(1.7e9, 0.0)
        self.station = SeccSession(Outlet(), clock, self.now, entropy=bytes, insecure=True, conducts=self.conducts)
        self.car = Car(Ev(), wish=Wish(bench_plain=True), clock=clock)
        self.evcc = EvccSession(self.script, self.car, self.now, self.first or RIDE)

    def run(self) -> None:
        for _ in range(200):
            out, back = self.evcc.octets_to_send(), self.station.octets_to_send()
            for event in self.evcc.events():
                if isinstance(event, FrameSent):
                    self.sent.append(type(event.message).__name__)
                elif isinstance(event, FrameReceived):
                    self.heard.append(type(event.message).__name__)
            if out:
                self.station.receive(out, self.now)
            if back:
                self.evcc.receive(back, self.now)
            if not out and not back:
                due = self.evcc.deadline()
                if self.evcc.ended or self.evcc._resume_at is None or due is None:
                    return
                self.now = due
                self.evcc.tick(self.now)


def setup(car: Car) -> Part[None]:
    yield from negotiation(car, (PROTOCOL,))
    response: Any = yield din.SessionSetupReq(EVCCID=b"\x01\x02")
    assert isinstance(response, din.SessionSetupRes)
    car.session_id, car.known.station = ID, response.EVSEID


def visit(car: Car) -> Part[str]:
    yield from setup(car)
    yield din.SessionStopType()
    return "Terminate"


@dataclass
class Learnt:
    """What the toy's car learns of its station."""

    station: bytes = b""

    def outcome(self) -> Outcome:
        return Outcome(service="toy" if self.station else None)


@dataclass
class Kept:
    """What the toy's car keeps of a pause."""


RIDE = CarConduct(TOY, Learnt, lambda car: (PROTOCOL,), Kept, visit)


def two_at_once(car: Car) -> Part[str]:
    """The stop waits at the station for a fact; what is asked beside it is answered meanwhile."""
    yield from setup(car)
    assert (yield Aside(din.ServiceDiscoveryReq()))
    assert not (yield Aside(din.ServiceDiscoveryReq()))  # one at a time on a stream
    yield Wait(0.01)
    yield din.SessionStopType()
    return "Terminate"


def test_a_session_of_another_generation_runs_in_both_engines() -> None:
    pair = Pair(visit)
    pair.run()
    assert not pair.evcc.ended
    pair.station.tell(ContactorIs(False), pair.now)
    pair.run()
    assert pair.evcc.ended is not None
    assert (pair.evcc.ended.how, pair.evcc.ended.error) == ("Terminate", None)
    assert (pair.car.known, pair.car.outcome()) == (Learnt(b"E"), Outcome("toy"))
    assert pair.sent == ["supportedAppProtocolReq", "SessionSetupReq", "SessionStopType"]
    pair.station.receive(b"", pair.now)
    assert pair.station.ended is not None
    assert pair.station.ended.how == "Terminate"


class Messages(Observer):
    """The classes of the messages that a connection carried."""

    def __init__(self) -> None:
        self.seen: set[type] = set()

    def event(self, event: Event) -> None:
        if isinstance(event, FrameSent | FrameReceived):
            self.seen.add(type(event.message))


@pytest.mark.parametrize("conducts", [(CONDUCT,), (*STATIONS, CONDUCT)], ids=["alone", "beside -20"])
def test_a_session_of_another_generation_runs_in_both_shells_over_a_socket(conducts: tuple[Conduct, ...]) -> None:
    messages = Messages()

    async def story() -> tuple[Result, Ended]:
        now, clock = asyncio.get_running_loop().time, wall_clock()
        evse = SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep)
        place = Place(evse, Outlet(), LocalBackend(surroundings(clock)))
        async with asyncio.timeout(300), Station([place], None, clock=clock, conducts=conducts) as station:
            end = asyncio.create_task(station.once())
            visit = Visit(Car(Ev(), clock=clock), conducts=(RIDE,), observe=[lambda *_: messages])
            return await visit.at(*station.addresses[0]), await end

    result, ended = asyncio.run(story())
    assert (ended.how, ended.error) == ("Terminate", None)
    said = result.as_dict()
    assert (said["ok"], said["ended"], said["service"], said["session_id"]) == (True, "Terminate", "toy", ID.hex())
    assert messages.seen == {*PAIRS, *PAIRS.values()} - {din.ServiceDiscoveryReq, din.ServiceDiscoveryRes}


@pytest.mark.parametrize(
    ("speaks", "offers", "spoken"),
    [
        ((CONDUCT,), (*CARS, RIDE), "toy"),
        (STATIONS, (RIDE, *CARS), "DC"),
        ((*STATIONS, CONDUCT), (*CARS, RIDE), "DC"),
        ((*STATIONS, CONDUCT), (RIDE, *CARS), "toy"),
    ],
    ids=["a station of the other alone", "a station of -20 alone", "-20 preferred", "the other preferred"],
)
def test_a_car_speaks_the_generation_that_the_station_selects(
    speaks: tuple[Conduct, ...], offers: tuple[CarConduct, ...], spoken: str
) -> None:
    """Each offers both, in one negotiation; what a pause left in another generation than the one that is spoken is forgotten."""

    def scene(number: int) -> None:
        async def story() -> tuple[Result, Ended, Car]:
            now, clock = asyncio.get_running_loop().time, wall_clock()
            evse = SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep)
            place = Place(evse, Outlet(), LocalBackend(surroundings(clock)))
            async with asyncio.timeout(300), Station([place], None, clock=clock, conducts=speaks) as station:
                end = asyncio.create_task(station.once())
                wish = Wish(services=("DC",), authorizations=("EIM",), loops=2, bench_plain=True)
                car: Car = Car(Ev(), wish=wish, clock=clock, memory=Kept() if spoken == "DC" else None)
                visit = Visit(car, conducts=offers)
                return await visit.at(*station.addresses[0]), await end, car

        result, ended, car = asyncio.run(story())
        heed(result.as_dict(), ended)
        assert (ended.how, ended.error) == ("Terminate", None)
        said = result.as_dict()
        assert (said["ok"], said["ended"], said["service"]) == (True, "Terminate", spoken)
        assert car.memory is None

    attempts(scene)


def test_a_car_negotiates_anew_in_each_session() -> None:
    pair = Pair(usual((RIDE,)))
    for _ in range(2):
        pair.station.tell(ContactorIs(False), pair.now)
        pair.run()
        assert (pair.evcc.ended, pair.sent) == (Ended("Terminate"), ["supportedAppProtocolReq", "SessionSetupReq", "SessionStopType"])
        car, pair = pair.car, Pair(usual((RIDE,)))
        pair.car, pair.evcc = car, EvccSession(pair.script, car, pair.now, RIDE)


def test_the_time_for_the_setup_is_that_of_the_generation_that_was_chosen() -> None:
    pair = Pair(usual((*CARS, RIDE)), first=CARS[0])
    assert pair.evcc.deadline() == pair.now + ISO20.timing(supportedAppProtocolReq).msg_timeout
    (began,) = [timer.due for timer in pair.car.timers]
    assert began == pair.now + ISO20.car_setup
    pair.station.receive(pair.evcc.octets_to_send(), pair.now)
    pair.evcc.receive(pair.station.octets_to_send(), pair.now)
    (now,) = [timer.due for timer in pair.car.timers]
    assert now == pair.now + TOY.car_setup


def test_what_a_car_signs_is_verified_by_its_own_generation() -> None:
    verifier = Verifiers(Trust(Anchors()), (*STATIONS, CONDUCT))
    assert verifier.contract(din.SessionSetupReq(EVCCID=b"E"), b"", 0.0) == Claim("PnC", emaid="SessionSetupReq")
    with pytest.raises(KeyError):  # of a generation that is not spoken
        Verifiers(Trust(Anchors()), (CONDUCT,)).contract(least(AuthorizationReq), b"", 0.0)


def test_its_times_are_its_own() -> None:
    pair = Pair(visit)
    assert pair.station.deadline() == 1.0 + TOY.station_setup
    pair.run()
    assert pair.evcc.deadline() == pair.now + 2.0
    pair.evcc.tick(pair.now + 2.0)
    assert pair.evcc.ended is not None
    assert "no answer to SessionStopType" in str(pair.evcc.ended.error)


def test_two_streams_do_not_wait_for_each_other() -> None:
    pair = Pair(two_at_once)
    pair.run()
    assert pair.station.context.asked == ("SessionSetupReq", "ServiceDiscoveryReq", "SessionStopType")
    assert "ServiceDiscoveryRes" in pair.heard
    assert "main" in pair.station._parked
    beside = TOY.write(din.ServiceDiscoveryReq(), ID, "beside")

    pair.station.receive(frame(beside.payload_type, beside.exi), pair.now)  # the main stream is parked
    assert pair.station.octets_to_send()
    stop = TOY.write(din.SessionStopType(), ID)
    for _ in range(3):  # what belongs to the stream that waits is held, and no more than the generation lets a car send at once
        pair.station.receive(frame(stop.payload_type, stop.exi), pair.now)
    assert not pair.station.octets_to_send()
    pair.station.tell(ContactorIs(False), pair.now)
    assert pair.station.octets_to_send()


def test_out_of_turn_is_told_in_its_own_words() -> None:
    def hasty(car: Car) -> Part[str]:
        yield from negotiation(car, (PROTOCOL,))
        return "left"

    pair = Pair(hasty)
    pair.run()
    stop = TOY.write(din.SessionStopType(), ID)

    pair.station.receive(frame(stop.payload_type, stop.exi), pair.now)
    assert pair.station.ended is not None
    assert pair.station.ended.requirement == "TOY-1"
    (sent,) = [event for event in pair.station.events() if isinstance(event, FrameSent) and type(event.message) is din.SessionStopRes]
    assert sent.schema_set == "din"


def test_the_reception_sends_each_car_to_its_own_generation() -> None:
    pair = Pair(visit, conducts=(*STATIONS, CONDUCT))
    pair.run()
    assert pair.station.generation is TOY
    assert isinstance(pair.station.context, Knows)


def test_what_was_told_before_a_choice_is_known_after_it() -> None:
    pair = Pair(visit, conducts=(*STATIONS, CONDUCT))
    pair.station.tell(ContactorIs(False), pair.now)
    pair.run()
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.how == "Terminate"


def test_every_generation_has_a_conduct() -> None:
    assert [conduct.generation for conduct in CONDUCTS] == list(GENERATIONS)
    assert [conduct.generation for conduct in CAR_CONDUCTS] == list(GENERATIONS)
    for generation in GENERATIONS:
        assert {row.stream for row in generation.rows.values()} >= {"main"}
        for row in generation.rows.values():
            assert row.stream == generation.stream(generation.write(sample(row.request), bytes(8), row.stream).payload_type)


def sample(request: type[Type]) -> Type:
    return least(request)


def test_what_begins_a_session_is_given_to_every_generation() -> None:
    known, record = CONDUCT.beginning(Surroundings(Outlet(), bytes, insecure=True), lambda event: None, 0.0)
    assert known == Knows()
    assert type(record).__name__ == "SessionGiven"
