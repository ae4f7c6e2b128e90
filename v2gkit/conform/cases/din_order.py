"""DIN SPEC 70121, what holds in every state of a station: turn, session id, silence."""

from collections.abc import Callable
from functools import partial
from typing import Any

from v2g.din.generation import DIN
from v2g.din.sequence import POWERED, State, requests_in
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.messages.din import msg_body as mb
from v2g.session.v2gtp import HEADER_LENGTH
from v2gkit.conform import asked_din as asked
from v2gkit.conform import order
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import FOREIGN, OUT_OF_TURN
from v2gkit.conform.order import STRANGERS, Reaching, estranged, untimely
from v2gkit.conform.silence import deserted
from v2gkit.conform.verdict import Outcome, failed, passed
from v2gkit.conform.visit_din import VisitDin

CLAIM = ("din",)
GOOD = "SD-STP-01"
SEQUENCE, LEAST = 60.0, 55.0  # s of silence after which a station leaves, and before which it may not
TURNS = {  # state -> the step of a car that leads there
    State.SERVICE_DISCOVERY: "ServiceDiscovery",
    State.SERVICE_SELECTION: "ServicePaymentSelection",
    State.AUTHORIZATION: "ContractAuthentication",
    State.PARAMETERS: "ChargeParameterDiscovery",
    State.DC_CABLE_CHECK: "CableCheck",
    State.DC_PRE_CHARGE: "PreCharge",
    State.DC_START: "PowerDelivery",
    State.DC_LOOP: "CurrentDemand",
    State.DC_WELDING: "WeldingDetection",
}
SILENT = (State.SERVICE_DISCOVERY, State.PARAMETERS, State.DC_LOOP, State.DC_WELDING)
case = partial(Case, role="station", domain="CMN", condition=CLAIM, control=GOOD)


def illegal(state: State) -> tuple[type[Type], ...]:
    """The requests that must not come in a state, by the table of the standard; an early end of the session is no such request."""
    early = () if state in POWERED else (mb.SessionStopType,)
    spare = {*requests_in(state), *early}
    return tuple(each for each in DIN.responses if each.__module__ == mb.__name__ and each not in spare)


def request(visit: VisitDin, kind: type[Type]) -> Any:
    """A request of a class, as the car would send it; what no session has, with the least that the schema allows."""
    step = "SessionStop" if kind is mb.SessionStopType else kind.__name__.removesuffix("Req")
    return visit.usual(step) if step in visit.steps else least(kind)


def reaching(state: State) -> Reaching[VisitDin]:
    """What brings a car to a station in a state."""
    return lambda bench: bench.at_din(TURNS[state])


async def silence(bench: AtStation) -> Outcome:
    """Silence in one state, under power too."""
    return await deserted(bench, await bench.at_din(TURNS[State(bench.part)]), LEAST, SEQUENCE)


async def after_failure(bench: AtStation) -> Outcome:
    """A sound request on a connection whose session has failed."""
    return await order.after_failure(bench, await bench.at_din("ServiceDiscovery"), asked.cable_check())


# --- octets ---


def cut(frame: bytes) -> bytes:
    """The frame with half of its document, said truly in its header."""
    payload = frame[HEADER_LENGTH : HEADER_LENGTH + (len(frame) - HEADER_LENGTH) // 2]
    return frame[:4] + len(payload).to_bytes(4, "big") + payload


OCTETS: dict[str, Callable[[bytes], bytes]] = {
    "cut short": cut,
    "no document": lambda frame: frame[:4] + bytes(4),
    "4 GiB": lambda frame: frame[:4] + b"\xff\xff\xff\xff" + frame[8:],
    "another version": lambda frame: b"\x02\xfd" + frame[2:],
    "another payload type": lambda frame: frame[:2] + b"\x12\x34" + frame[4:],
    "garbage": lambda frame: frame[:8] + bytes((0x80, *(0xFF for _ in frame[9:]))),
}


async def odd_octets(bench: AtStation) -> Outcome:
    """Octets that are no message, in the middle of a session."""
    visit = await bench.at_din("ChargeParameterDiscovery")
    await visit.wire.send(OCTETS[bench.part](visit.octets(visit.due())))
    reply = await visit.wire.reply(bench.pics.test.close)
    if reply.ok:
        return failed(f"granted: {reply}")
    visit.wire.abandon()
    return passed(str(reply))


CASES = (
    *(
        case(
            id=f"SD-GEN-{number:02}",
            kind=Kind.NEGATIVE,
            requirement=("V2G-DC-666",),
            purpose=f"No request counts out of its turn: {state.value}",
            precondition=f"{state.value} is due",
            stimulus="each request that is not due there, in a session of its own",
            expected=(OUT_OF_TURN,),
            script=untimely(reaching(state), illegal(state), request),
            parts=tuple(each.__name__ for each in illegal(state)),
            within=60.0,
        )
        for number, state in enumerate(TURNS, 1)
    ),
    *(
        case(
            id=f"SD-GEN-{number:02}",
            kind=Kind.NEGATIVE,
            requirement=("V2G-DC-391",),
            purpose=f"No request counts under the id of another session: {state.value}",
            precondition=f"{state.value} is due",
            stimulus="what is due, with SessionID 0, one bit of it turned, four octets of it, none",
            expected=(FOREIGN,),
            script=estranged(reaching(state)),
            parts=tuple(STRANGERS),
            within=60.0,
        )
        for number, state in enumerate(TURNS, 1 + len(TURNS))
    ),
    case(
        id="SD-GEN-19",
        kind=Kind.TIMING,
        requirement=("V2G-DC-432",),
        purpose="A station leaves a car that fell silent",
        precondition="the session is where the part says",
        stimulus="nothing",
        expected=("the connection ends after the sequence timeout of 60 s",),
        script=silence,
        parts=tuple(each.value for each in SILENT),
        within=90.0,
        lasts=63.0,
    ),
    case(
        id="SD-GEN-20",
        kind=Kind.NEGATIVE,
        requirement=("V2G-DC-665", "V2G-DC-940"),
        purpose="A session that failed is over",
        precondition="a request out of turn was refused",
        stimulus="a sound request on the same connection",
        expected=("nothing is granted, and the connection ends",),
        script=after_failure,
    ),
    case(
        id="SD-EXI-01",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        basis="none: octets that no car writes",
        purpose="Octets that are no message cost a station one session and nothing else",
        precondition="ChargeParameterDiscovery is due",
        stimulus="a document cut short, a V2GTP header that is none, garbage",
        expected=("nothing is granted, and the next car is served",),
        script=odd_octets,
        parts=tuple(OCTETS),
        within=60.0,
    ),
)
