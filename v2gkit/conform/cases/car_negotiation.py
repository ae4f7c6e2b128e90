"""E-SAP and E-SES: what a car offers, what it makes of answers to it, and how it begins, resumes and drops a session."""

from dataclasses import replace
from functools import partial

from v2g.iso20.services import AC, DC
from v2g.messages import app_protocol as sap
from v2g.messages import common_messages as cm
from v2g.services import SERVICES
from v2gkit.conform.case import Case, Kind, Script
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.faults import SESSION
from v2gkit.conform.scripted.good import good
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Answers, Fault, Play
from v2gkit.conform.scripted.speeches import SPEECHES
from v2gkit.conform.scripted.trust import Certificates
from v2gkit.conform.verdict import Outcome, failed, judged, passed

GOOD = "E-END-01"
ENDS = ("the session is ended and TCP closed",)
OFFERED = {"20": (DC.name,), "2": (DC.name, AC.name), "DIN": (DC.name,)}  # what a good station of a generation charges by
EARLY = 0.2  # s that a timer may seem short: its start is seen later than it was
ISO20 = tuple(sorted({row.protocol.namespace for row in SERVICES.values()}))
car = partial(Case, role="car", domain="CMN", control=GOOD, within=60.0)


def faulty(request: str, answer: Answers, generation: str = "20", **given: int) -> Script:
    """A script that plays one fault and wants the session ended."""

    async def script(bench: CarBench) -> Outcome:
        play = Play(generation=generation, services=OFFERED[generation], fault=Fault(f"{request}Req", answer, **given))  # type: ignore[arg-type]
        return ended(await bench.visit(play), bench.close)

    return script


def by_part(answers: dict[str, tuple[str, Answers]]) -> Script:
    """A script whose parts are faults: each the request that is answered, and how."""

    async def script(bench: CarBench) -> Outcome:
        request, answer = answers[bench.part]
        return ended(await bench.visit(Play(fault=Fault(f"{request}Req", answer))), bench.close)

    return script


def withheld(request: str, generation: str = "20") -> Script:
    """A script that withholds the answer to a request, and wants the session ended once the car's time is over, and not before."""

    async def script(bench: CarBench) -> Outcome:
        limit = SPEECHES[generation].timeout(request)
        play = Play(generation=generation, services=OFFERED[generation], fault=Fault(f"{request}Req", faults.silence, always=True))
        seen = await bench.visit(play, patience=limit + bench.close)
        return ended(seen, limit + bench.close, limit - EARLY)

    return script


# --- SAP ---


async def offer(bench: CarBench, play: Play = Play()) -> Outcome:  # noqa: B008 - a play is frozen
    """The offer of a car, entry by entry."""
    seen = await bench.visit(play)
    requests = seen.of(sap.supportedAppProtocolReq)
    if not requests:
        raise Unreached(f"no supportedAppProtocolReq came: {seen.story}")
    entries = requests[0].AppProtocol
    ids, priorities = [each.SchemaID for each in entries], [each.Priority for each in entries]
    told = ", ".join(f"{each.ProtocolNamespace} (id {each.SchemaID}, priority {each.Priority})" for each in entries)
    if len(set(ids)) != len(ids):
        return failed(f"a SchemaID occurs twice: {told}")
    if sorted(priorities) != list(range(1, len(entries) + 1)):
        return failed(f"priorities are not 1 to {len(entries)}, each once: {told}")
    if seen.facts is None and any(each.ProtocolNamespace in ISO20 for each in entries):
        return failed(f"-20 is offered without TLS 1.3: {told}")
    return passed(told)


def never_offered(request: sap.supportedAppProtocolReq, desk: Desk) -> sap.supportedAppProtocolRes:
    """OK with a SchemaID that is in no entry."""
    taken = {each.SchemaID for each in request.AppProtocol}
    free = next(number for number in range(200, 256) if number not in taken)
    return sap.supportedAppProtocolRes(ResponseCode=sap.responseCodeType.OK_SuccessfulNegotiation, SchemaID=free)


def none_fits(request: sap.supportedAppProtocolReq, desk: Desk) -> sap.supportedAppProtocolRes:
    """No protocol in common."""
    return sap.supportedAppProtocolRes(ResponseCode=sap.responseCodeType.Failed_NoNegotiation)


def older(request: sap.supportedAppProtocolReq, desk: Desk) -> sap.supportedAppProtocolRes | None:
    """The entry of an older generation, whatever its priority."""
    found = next((each for each in request.AppProtocol if each.ProtocolNamespace not in ISO20), None)
    if found is None:
        return None
    return sap.supportedAppProtocolRes(ResponseCode=sap.responseCodeType.OK_SuccessfulNegotiation, SchemaID=found.SchemaID)


async def follows_the_choice(bench: CarBench) -> Outcome:
    """After an older generation was chosen nothing of -20 may come."""
    seen = await bench.visit(Play(fault=Fault("supportedAppProtocolReq", older)))
    reached(seen)
    offered = seen.of(sap.supportedAppProtocolReq)[0].AppProtocol
    if all(each.ProtocolNamespace in ISO20 for each in offered):
        raise Unreached("the car offers no older generation over TLS 1.3, which it is claimed to speak")
    return judged(not seen.after, f"after {offered[0].ProtocolNamespace} was chosen: {seen.story}")


# --- SES ---


async def first_setup(bench: CarBench) -> Outcome:
    """The first SessionSetupReq of a car that comes anew."""
    seen = await bench.visit(Play())
    requests = seen.of(cm.SessionSetupReq)
    if not requests:
        raise Unreached(f"no SessionSetupReq came: {seen.story}")
    first = requests[0]
    told = f"SessionID {first.Header.SessionID.hex()}, EVCCID {first.EVCCID!r}"
    return judged(first.Header.SessionID == bytes(8) and 1 <= len(first.EVCCID) <= 255 and first.EVCCID.isprintable(), told)


def zero_session(request: cm.SessionSetupReq, desk: Desk) -> object:
    """A new session without a SessionID."""
    desk.session_id = bytes(8)
    return good(request, desk)


async def other_id(bench: CarBench) -> Outcome:
    """A response of one state carries another SessionID."""
    nth = 2 if bench.part == "PowerDelivery (Stop)" else 1
    name = bench.part.partition(" ")[0]
    seen = await bench.visit(Play(fault=Fault(f"{name}Req", faults.foreign_session, nth=nth)))
    return ended(seen, bench.close)


# --- resumption ---


async def paused_and_back(bench: CarBench, play: Play, certificates: Certificates | None = None) -> tuple[Encounter, Encounter]:
    """A car that pauses, and comes back to `play`. Raises Unreached where it does not pause."""
    tls = (bench.good_tls(), certificates.tls(certificates.another())) if certificates is not None else ()
    first, second, *_ = await bench.visits((replace(play, fault=None, joins=True), play), trigger="pause", tls=tls)
    if not first.paused:
        raise Unreached(f"the car did not pause: {first.story}")
    return first, second


def came_back(first: Encounter, second: Encounter) -> None:
    """Raises Unreached where the car did not ask for its old session."""
    setups = [each for each in second.heard if each.name == "SessionSetup"]
    if not setups or setups[0].session_id != first.session_id:
        raise Unreached(f"the car did not ask for the session that it paused: {second.story}")


async def resumes(bench: CarBench) -> Outcome:
    """OK_OldSessionJoined: ChargeParameterDiscovery is next."""
    first, second = await paused_and_back(bench, Play())
    came_back(first, second)
    after = second.names[second.names.index("SessionSetup") + 1 :]
    if not after:
        return failed(f"nothing came after OK_OldSessionJoined: {second.story}")
    return judged(after[0].endswith("_ChargeParameterDiscovery"), f"after OK_OldSessionJoined came {after[0]}")


async def begins_anew(bench: CarBench) -> Outcome:
    """OK_NewSessionEstablished instead: everything from the beginning, under the new id."""
    first, second = await paused_and_back(bench, Play(joins=False))
    came_back(first, second)
    after = second.heard[second.names.index("SessionSetup") + 1 :]
    if not after or after[0].name != "AuthorizationSetup":
        return failed(f"after OK_NewSessionEstablished came {after[0].name if after else 'nothing'}")
    ids = {each.request.Header.SessionID for each in after}
    return judged(ids == {second.session_id}, f"it began with AuthorizationSetup, under {', '.join(sorted(each.hex() for each in ids))}")


async def another_station(bench: CarBench) -> Outcome:
    """Another certificate when the car comes back: the old session may not be joined there."""
    first, second = await paused_and_back(bench, Play(), bench.certificates)
    if second.hello is None:
        raise Unreached("the car did not come back")
    setups = second.of(cm.SessionSetupReq)
    if setups and setups[0].Header.SessionID == first.session_id:
        on = second.names[second.names.index("SessionSetup") + 1 :]
        going = [name for name in on if name != "SessionStop"]
        return judged(not going, f"it named the old session to the other station, and then {', '.join(going) or 'left'}")
    if setups:
        return passed("it began a new session with SessionID 0" if setups[0].Header.SessionID == bytes(8) else second.story)
    return passed(f"it did not take up the session: {second.story}")


CASES = (
    car(
        id="E-SAP-01",
        kind=Kind.POSITIVE,
        requirement=("V2G20-167",),
        purpose="The offer of protocols is in order",
        stimulus="none: the offer is read",
        expected=("1 to 20 entries, each SchemaID once, priorities 1 to n each once, -20 only over TLS 1.3",),
        script=offer,
    ),
    car(
        id="E-SAP-02",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-169",),
        purpose="A SchemaID that was never offered is no agreement",
        stimulus="OK_SuccessfulNegotiation with a SchemaID of no entry",
        expected=ENDS,
        script=faulty("supportedAppProtocol", never_offered),
    ),
    car(
        id="E-SAP-03",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="Without a protocol in common there is no session",
        stimulus="Failed_NoNegotiation",
        expected=("TCP is closed",),
        script=faulty("supportedAppProtocol", none_fits),
    ),
    car(
        id="E-SAP-04",
        kind=Kind.TIMING,
        requirement=("V2G20-436",),
        purpose="A station that does not answer the offer is left",
        stimulus="no supportedAppProtocolRes",
        expected=("TCP is closed after 2 s",),
        script=withheld("supportedAppProtocol"),
        lasts=5.0,
    ),
    car(
        id="E-SAP-05",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-169",),
        purpose="The negotiated protocol is spoken and no other",
        stimulus="the SchemaID of an older generation, over TLS 1.3",
        expected=("messages of that generation", "the session is ended"),
        script=follows_the_choice,
        condition=("generation_2",),
    ),
    car(
        id="E-SES-01",
        kind=Kind.POSITIVE,
        requirement=("V2G20-2106",),
        purpose="A car that comes anew begins a new session",
        stimulus="none: SessionSetupReq is read",
        expected=("SessionID 0, an EVCCID of 1 to 255 characters",),
        script=first_setup,
    ),
    car(
        id="E-SES-02",
        kind=Kind.TIMING,
        requirement=("V2G20-436",),
        purpose="A station that does not set up the session is left",
        stimulus="no SessionSetupRes",
        expected=("TCP is closed, not before 2 s",),
        script=withheld("SessionSetup"),
        lasts=5.0,
    ),
    car(
        id="E-SES-03",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2621",),
        purpose="A session that was not set up does not go on",
        stimulus="SessionSetupRes FAILED, another response, or a session without id",
        expected=ENDS,
        script=by_part(
            {
                "FAILED": ("SessionSetup", faults.failed),
                "another response": ("SessionSetup", faults.wrong_type),
                "SessionID 0": ("SessionSetup", zero_session),
            }
        ),
        parts=("FAILED", "another response", "SessionID 0"),
    ),
    car(
        id="E-SES-04",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-460",),
        purpose="A response of another session is none of this one",
        stimulus="a response with another SessionID, in every state",
        expected=ENDS,
        script=other_id,
        parts=(*SESSION[1:], "PowerDelivery (Stop)"),
    ),
    car(
        id="E-SES-05",
        kind=Kind.POSITIVE,
        requirement=("V2G20-1032", "V2G20-2097", "V2G20-2098"),
        purpose="A session that was joined again goes on with its parameters",
        precondition="a paused session",
        stimulus="OK_OldSessionJoined",
        expected=("ChargeParameterDiscoveryReq is next, without authorization",),
        script=resumes,
        condition=("pause",),
        lasts=6.0,
    ),
    car(
        id="E-SES-06",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2615", "V2G20-2616", "V2G20-2617"),
        purpose="A session that the station forgot is begun anew",
        precondition="a paused session",
        stimulus="OK_NewSessionEstablished to a car that names its old session",
        expected=("AuthorizationSetupReq is next, under the new SessionID",),
        script=begins_anew,
        condition=("pause",),
        control="E-SES-05",
        lasts=6.0,
    ),
    car(
        id="E-SES-07",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2539", "V2G20-2613", "V2G20-2614"),
        purpose="A paused session is resumed at the station that paused it, and nowhere else",
        precondition="a paused session",
        stimulus="another station certificate, in order, when the car comes back",
        expected=("the session is ended", "a new session is begun"),
        script=another_station,
        condition=("pause", "tls"),
        control="E-SES-05",
        lasts=6.0,
    ),
)
