"""What holds in every state: turn, session, silence, time, the end after a failure, and cars beside each other."""

import asyncio
from functools import partial

from v2g.exi.schema import Type
from v2g.iso20.sequence import State, requests_in
from v2g.messages import common_messages as cm
from v2g.messages import dc
from v2gkit.conform import asked, order
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import FOREIGN, OUT_OF_TURN, foreign, out_of_turn
from v2gkit.conform.order import kept_pace
from v2gkit.conform.silence import silent
from v2gkit.conform.verdict import Outcome, judged, passed
from v2gkit.conform.visit import STEPS, Visit

case = partial(Case, role="station", domain="CMN")
STATES = {  # of a session of a service whose power the station converts, or not
    "SessionSetup": (State.SESSION_SETUP,) * 2,
    "AuthorizationSetup": (State.AUTHORIZATION_SETUP,) * 2,
    "Authorization": (State.AUTHORIZATION,) * 2,
    "ServiceDiscovery": (State.SERVICE_DISCOVERY,) * 2,
    "ServiceDetail": (State.SERVICE_DETAIL,) * 2,
    "ServiceSelection": (State.SERVICE_SELECTION,) * 2,
    "ChargeParameterDiscovery": (State.DC_PARAMETERS, State.AC_PARAMETERS),
    "ScheduleExchange": (State.DC_SCHEDULE, State.AC_SCHEDULE),
    "CableCheck": (State.DC_CABLE_CHECK, None),
    "PreCharge": (State.DC_PRE_CHARGE, None),
    "PowerDelivery": (State.DC_START, State.AC_START),
    "ChargeLoop": (State.DC_LOOP, State.AC_LOOP),
    "WeldingDetection": (State.DC_WELDING, None),
    "SessionStop": (State.DC_WELDING, State.SESSION_STOP),
}
STEP_OF: dict[type[Type], str] = {
    cm.SessionSetupReq: "SessionSetup",
    cm.AuthorizationSetupReq: "AuthorizationSetup",
    cm.AuthorizationReq: "Authorization",
    cm.ServiceDiscoveryReq: "ServiceDiscovery",
    cm.ServiceDetailReq: "ServiceDetail",
    cm.ServiceSelectionReq: "ServiceSelection",
    cm.ScheduleExchangeReq: "ScheduleExchange",
    dc.DC_CableCheckReq: "CableCheck",
    dc.DC_PreChargeReq: "PreCharge",
    dc.DC_ChargeLoopReq: "ChargeLoop",
    dc.DC_WeldingDetectionReq: "WeldingDetection",
}


def illegal(visit: Visit, step: str) -> list[str]:
    """The steps whose requests must not come in a step of this session, by the table of the standard."""
    state = STATES[step][0 if visit.ways.dc else 1]
    accepted = requests_in(state) if state is not None else ()
    legal = {STEP_OF.get(each) for each in accepted} | {step}
    known = {*STEP_OF.values(), "ChargeParameterDiscovery"}
    return [each for each in STEPS[visit.ways.dc][1:] if each in known and each not in legal]


def request(visit: Visit, step: str) -> object:
    """The request of a step, as far as the car knows what belongs into it, else with what any could have."""
    match step:
        case "Authorization":
            return asked.external()
        case "ServiceSelection":
            return asked.selection(2, visit.heard.parameter_set or 1)
    return visit.usual(step)


async def sequence(bench: AtStation) -> Outcome:
    """Every request that is not due in one state, each in a session of its own."""
    probe = bench.ways()
    if bench.part not in STEPS[probe.dc]:
        return passed(f"{probe.service} has no such step")
    names: list[str] = []
    wrong: list[str] = []
    first = await bench.visit()
    for name in illegal(first, bench.part):
        visit = first if not names else await bench.visit()
        await visit.upto(bench.part)
        names.append(name)
        outcome = await out_of_turn(bench, visit, request(visit, name))
        if outcome.verdict != "pass":
            wrong.append(f"{name}: {outcome.seen}")
        visit.wire.abandon()
    return judged(not wrong, "; ".join(wrong) or f"{len(names)} requests out of turn, each refused as such")


async def session(bench: AtStation) -> Outcome:
    """What is due, under the id of another session."""
    visit = await bench.visit()
    if bench.part not in visit.steps:
        return passed(f"{visit.ways.service} has no such step")
    await visit.upto(bench.part)
    return await foreign(bench, visit)


async def silence(bench: AtStation) -> Outcome:
    """Silence in one state."""
    if bench.part not in STEPS[bench.ways().dc]:
        return passed(f"{bench.ways().service} has no such step")
    return await silent(bench, bench.part, 55.0, 60.0)


async def latency(bench: AtStation) -> Outcome:
    """How long answers take in whole sessions."""
    for _ in range(5):
        visit = await bench.at("ChargeLoop")
        for _ in range(5):
            await visit.granted(asked.loop(visit.ways))
            await asyncio.sleep(0.1)
        visit.at += 1
        await visit.through("SessionStop")
        visit.wire.abandon()
    return kept_pace(bench)


async def after_failure(bench: AtStation) -> Outcome:
    """A sound request on a connection whose session has failed."""
    visit = await bench.at("ServiceDiscovery")
    return await order.after_failure(bench, visit, asked.charge_parameters(visit.ways))


async def beside(bench: AtStation) -> Outcome:
    """Another car at the outlet of a car."""
    return await order.beside(bench, asked.setup("WMIV2GKIT9999999999"), asked.discovery())


CASES = (
    case(
        id="S-GEN-01", kind=Kind.NEGATIVE, requirement=("V2G20-459",), purpose="No request counts out of its turn",
        precondition="the session is at the step that the part names",
        stimulus="every request that is not due there, each in its own session",
        expected=(f"each time {OUT_OF_TURN}",), script=sequence, parts=tuple(STATES), within=300.0, lasts=20.0,
        control="S-PWD-01",
    ),
    case(
        id="S-GEN-02", kind=Kind.NEGATIVE, requirement=("V2G20-460",), purpose="No request counts under the id of another session",
        precondition="the session is at the step that the part names", stimulus="what is due, with a foreign SessionID",
        expected=(FOREIGN,), script=session, parts=tuple(each for each in STATES if each != "SessionSetup"),
        control="S-PWD-01",
    ),
    case(
        id="S-GEN-03", kind=Kind.TIMING, requirement=("V2G20-443", "V2G20-445"), purpose="A station leaves a car that fell silent",
        precondition="the session is at the step that the part names", stimulus="nothing",
        expected=("the connection ends after the sequence timeout of 60 s",), script=silence,
        parts=tuple(each for each in STATES if each not in ("SessionSetup", "ChargeLoop", "PreCharge", "PowerDelivery")), within=90.0,
        lasts=62.0,
    ),
    case(
        id="S-GEN-04", kind=Kind.TIMING, requirement=("V2G20-1499", "V2G20-1500", "V2G20-1501", "V2G20-1502"),
        purpose="Answers come within their performance time", precondition="", stimulus="five whole sessions",
        expected=("every answer within its performance time and the slack",), script=latency, within=200.0, lasts=20.0,
    ),
    case(
        id="S-GEN-05", kind=Kind.NEGATIVE, requirement=(), purpose="After a failure nothing is granted any more",
        precondition="the car is authorized", stimulus="a request out of turn, then a sound one on the same connection",
        expected=("FAILED to the first; no OK to the second; the connection ends within 5 s",), script=after_failure, control="S-SVD-01",
    ),
    case(
        id="S-GEN-06", kind=Kind.NEGATIVE, requirement=(), purpose="Two cars do not get in each other's way",
        precondition="the car is authorized", stimulus="another car at the same outlet, which also uses the first one's SessionID",
        expected=("the second is refused", "it has a session of its own; the first goes on"), script=beside, control="S-SVD-01",
    ),
)  # fmt: skip
