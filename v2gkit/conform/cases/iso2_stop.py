"""ISO 15118-2: how a session ends, pauses, and comes back."""

from functools import partial
from typing import Any

from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import chargingSessionType as Way
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import OF_AC, OF_DC
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import OUT_OF_TURN, out_of_turn
from v2gkit.conform.verdict import Outcome, failed, judged
from v2gkit.conform.visit2 import Visit2

NEW, OLD = "OK_NewSessionEstablished", "OK_OldSessionJoined"
KINDS = {OF_DC: ("generation_2", "dc"), OF_AC: ("generation_2", "ac")}
case = partial(Case, role="station", within=60.0, lasts=4.0)


def _mode(bench: AtStation, kind: str) -> Transfer:
    return Transfer.DC_extended if kind == OF_DC else bench.three_or_one


async def over(bench: AtStation, kind: str) -> Outcome:
    """A whole session: it ends, and so does the connection in time."""
    visit = await bench.at2("SessionStop", mode=_mode(bench, kind))
    reply = await visit.ask(asked2.stop())
    if not reply.ok or reply.name != "SessionStopRes":
        return failed(str(reply))
    wrong = await bench.ends(visit.wire, reply)
    return judged(not wrong, wrong or f"{reply}, then the end of the connection")


EARLY = ("ServiceDiscovery", "PaymentServiceSelection", "Authorization", "ChargeParameterDiscovery", "CableCheck", "PowerDelivery")


async def early(bench: AtStation) -> Outcome:
    """The end before its time: granted or out of turn, and nothing after it."""
    visit = await bench.visit2()
    if bench.part not in visit.steps:
        return judged(True, f"{visit.ways.mode.value} has no such step")
    await visit.upto(bench.part)
    reply = await visit.ask(asked2.stop())
    if not reply.ok and reply.code != "FAILED_SequenceError":
        return failed(str(reply))
    wrong = await bench.ends(visit.wire, reply)
    return judged(not wrong, wrong or f"{reply}, then the end of the connection")


async def under_power(bench: AtStation, kind: str) -> Outcome:
    """The end while power flows."""
    visit = await bench.visit2(mode=_mode(bench, kind))
    await visit.upto(visit.loop)
    await visit.granted(visit.due())
    return await out_of_turn(bench, visit, asked2.stop())


async def nothing_after(bench: AtStation) -> Outcome:
    """A request after the end."""
    visit = await bench.at2("SessionStop")
    await visit.granted(asked2.stop())
    reply = await visit.ask(mb.ServiceDiscoveryReq(), bench.pics.test.close + bench.pics.test.slack)
    return judged(not reply.ok and reply.kind != "garbage", str(reply))


# --- pause ---


async def paused(bench: AtStation, kind: str) -> Visit2:
    """A car that has paused after power. Raises Unreached where it may not."""
    visit = await bench.at2("SessionStop", mode=_mode(bench, kind))
    await visit.granted(asked2.stop(Way.Pause))
    await visit.wire.close()
    return visit


async def back(bench: AtStation, former: Visit2, session_id: bytes | None = None) -> tuple[Visit2, Any]:
    """The car again, with the id of its session or another; what SessionSetup says."""
    visit = await bench.visit2(mode=former.ways.mode)
    await visit.upto("SessionSetup")
    reply = await visit.ask(visit.due(), session_id=former.heard.session_id if session_id is None else session_id)
    visit.learn("SessionSetup", reply.message)
    visit.at += 1
    return visit, reply


async def pauses(bench: AtStation, kind: str) -> Outcome:
    """A pause is granted."""
    visit = await bench.at2("SessionStop", mode=_mode(bench, kind))
    reply = await visit.ask(asked2.stop(Way.Pause))
    return judged(reply.ok and reply.name == "SessionStopRes", str(reply))


async def resumed(bench: AtStation, kind: str) -> Outcome:
    """The car comes back under its id, and charges."""
    former = await paused(bench, kind)
    visit, reply = await back(bench, former)
    if reply.code != OLD or reply.session_id != former.heard.session_id:
        return failed(f"{reply}, SessionID {(reply.session_id or b'').hex()}")
    await visit.upto(visit.loop)
    loop = await visit.ask(visit.due())
    return judged(loop.ok, f"{reply}; the loop: {loop}")


async def same_schedule(bench: AtStation) -> Outcome:
    """The schedule that was agreed upon keeps its number."""
    former = await paused(bench, OF_DC if bench.pics.claims.dc else OF_AC)
    before = former.tuple.SAScheduleTupleID
    visit, reply = await back(bench, former)
    if reply.code != OLD:
        return failed(str(reply))
    await visit.through("ChargeParameterDiscovery")
    ids = [each.SAScheduleTupleID for each in visit.heard.of("ChargeParameterDiscoveryRes").SASchedules.SAScheduleTuple]
    return judged(before in ids, f"schedules {ids}, agreed upon was {before}")


async def same_payment(bench: AtStation) -> Outcome:
    """The way to pay that was chosen is still offered."""
    former = await paused(bench, OF_DC if bench.pics.claims.dc else OF_AC)
    visit, reply = await back(bench, former)
    if reply.code != OLD:
        return failed(str(reply))
    response = await visit.granted(mb.ServiceDiscoveryReq())
    offered = response.PaymentOptionList.PaymentOption
    return judged(asked2.OPTIONS[former.ways.authorization] in offered, f"{reply}; {', '.join(each.value for each in offered)}")


async def stranger(bench: AtStation) -> Outcome:
    """Another id than that of the paused session."""
    former = await paused(bench, OF_DC if bench.pics.claims.dc else OF_AC)
    other = former.heard.session_id[:-1] + bytes((former.heard.session_id[-1] ^ 1,))
    _, reply = await back(bench, former, other)
    well = reply.code == NEW and reply.session_id not in (other, former.heard.session_id)
    return judged(well, f"{reply}, SessionID {(reply.session_id or b'').hex()}")


async def after_the_end(bench: AtStation) -> Outcome:
    """The id of a session that has ended."""
    visit = await bench.at2("SessionStop")
    await visit.granted(asked2.stop())
    await visit.wire.close()
    _, reply = await back(bench, visit)
    return judged(reply.code == NEW and reply.session_id != visit.heard.session_id, f"{reply}")


async def too_early(bench: AtStation) -> Outcome:
    """A pause before there is anything to come back to."""
    visit = await bench.at2("ServiceDiscovery")
    reply = await visit.ask(asked2.stop(Way.Pause))
    return judged(reply.name == "SessionStopRes" and (reply.ok or reply.fatal), str(reply))


async def not_offered(bench: AtStation) -> Outcome:
    """A pause at a station that has none: refused, and the next car is served."""
    visit = await bench.at2("SessionStop")
    reply = await visit.ask(asked2.stop(Way.Pause))
    wrong = await bench.ends(visit.wire, reply)
    return judged(reply.name == "SessionStopRes" and not wrong, wrong or str(reply))


def _kinds(first: int, script: Any, control: tuple[str, str], also: tuple[str, ...] = (), **given: Any) -> tuple[Case, ...]:
    """A case for each kind of charging."""
    return tuple(
        case(
            id=f"S2-STP-{first + each:02}", domain=kind, condition=(*KINDS[kind], *also), control=control[each],
            **{**given, "purpose": f"{given['purpose']}: {kind}"}, script=partial(script, kind=kind),
        )
        for each, kind in enumerate(KINDS)
    )  # fmt: skip


PAUSE = ("generation_2", "pause")
CASES = (
    *_kinds(
        1, over, ("S2-LOP-01", "S2-LOP-02"), kind=Kind.POSITIVE, requirement=("V2G2-025",), purpose="A session ends in order",
        precondition="power has ended", stimulus="SessionStopReq (Terminate)", expected=("OK, and the connection ends within 5 s",),
    ),
    case(
        id="S2-STP-03", domain="CMN", kind=Kind.POSITIVE, requirement=(), basis="8.8.4.3", condition=("generation_2",), parts=EARLY,
        purpose="A session that ends early is over", precondition="the session is where the part says", script=early, control="S2-SSU-01",
        stimulus="SessionStopReq", expected=("OK, FAILED_SequenceError; the connection ends",),
    ),
    *_kinds(
        4, under_power, ("S2-STP-01", "S2-STP-02"), kind=Kind.NEGATIVE, requirement=("V2G2-538", "V2G2-459"),
        purpose="No session ends while power flows", precondition="the charge loop goes", stimulus="SessionStopReq",
        expected=(OUT_OF_TURN,),
    ),
    case(
        id="S2-STP-06", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-539",), condition=("generation_2",), script=nothing_after,
        purpose="After the end nothing is granted", precondition="the session has ended", stimulus="ServiceDiscoveryReq",
        expected=("FAILED", "silence", "the end of the connection"), control="S2-SVD-01",
    ),
    *_kinds(
        7, pauses, ("S2-STP-01", "S2-STP-02"), ("pause",), kind=Kind.POSITIVE, requirement=(), basis="8.4.3.10.1, ChargingSession",
        purpose="A session pauses", precondition="power has ended", stimulus="SessionStopReq (Pause)", expected=("OK",),
    ),
    *_kinds(
        9, resumed, ("S2-STP-07", "S2-STP-08"), ("pause",), kind=Kind.POSITIVE, requirement=("V2G2-463", "V2G2-740"), lasts=8.0,
        purpose="A car comes back to its session", precondition="a session has paused", stimulus="SessionSetupReq with its SessionID",
        expected=(f"{OLD} under the same SessionID, and charging begins",),
    ),
    case(
        id="S2-STP-11", domain="CMN", kind=Kind.POSITIVE, requirement=("V2G2-741",), condition=PAUSE, script=same_schedule, lasts=7.0,
        purpose="What was agreed upon outlives a pause", precondition="a session has paused", stimulus="the session up to its schedules",
        expected=("a schedule with the id that was agreed upon",), control="S2-STP-07",
    ),
    case(
        id="S2-STP-12", domain="CMN", kind=Kind.POSITIVE, requirement=("V2G2-741",), condition=PAUSE, script=same_payment, lasts=6.0,
        purpose="Who paid before can pay again", precondition="a session has paused", stimulus="the session up to its services",
        expected=("the way to pay that was chosen is offered",), control="S2-STP-07",
    ),
    case(
        id="S2-STP-13", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-462", "V2G2-750"), condition=PAUSE, script=stranger, lasts=6.0,
        purpose="Nobody joins by another id", precondition="a session has paused",
        stimulus="SessionSetupReq with one bit of its SessionID turned",
        expected=(f"{NEW} under a third SessionID",), control="S2-STP-07",
    ),
    case(
        id="S2-STP-14", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-462", "V2G2-750"), condition=("generation_2",),
        purpose="A session that has ended is not joined", precondition="a session has ended", stimulus="SessionSetupReq with its SessionID",
        expected=(f"{NEW} under another SessionID",), script=after_the_end, control="S2-STP-01", lasts=6.0,
    ),
    case(
        id="S2-STP-15", domain="CMN", kind=Kind.ROBUSTNESS, requirement=(), basis="8.4.3.10.1, ChargingSession",
        condition=("generation_2",),
        purpose="A pause before anything is agreed upon harms nobody", precondition="the session is set up",
        stimulus="SessionStopReq (Pause)",
        expected=("OK or FAILED; a good car is served afterwards",), script=too_early, control="S2-STP-01",
    ),
    case(
        id="S2-STP-16", domain="CMN", kind=Kind.NEGATIVE, requirement=(), basis="8.4.3.10.1, ChargingSession", script=not_offered,
        condition=("generation_2", "not pause"), purpose="A pause that is not offered ends the session", precondition="power has ended",
        stimulus="SessionStopReq (Pause)", expected=("SessionStopRes, OK or FAILED; the connection ends",), control="S2-STP-01",
    ),
)  # fmt: skip
