"""E-LOP: the charge loop of a car: its pace, its patience, and what it makes of limits, notifications and targets in it."""

from functools import partial
from statistics import quantiles
from typing import Any

import msgspec

from pki import signature as xmldsig
from pki.certificate import facts, read
from pki.errors import SignatureError
from v2g.iso20.rational import number, rational
from v2g.iso20.services import AC_BPT, DC
from v2g.iso20.timing import EVCC_SEQUENCE_PERFORMANCE_LOOP, SECC_SEQUENCE_TIMEOUT_LOOP
from v2g.messages import ac, schema_set
from v2g.messages import common_messages as cm
from v2g.messages.common_types import EVSEStatusType, MeterInfoType, evseNotificationType
from v2g.session.v2gtp import PayloadType
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_negotiation import EARLY, ENDS
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter, Heard
from v2gkit.conform.scripted.faults import timeout_of
from v2gkit.conform.scripted.good import good, meter
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Answers, Fault, Play
from v2gkit.conform.verdict import Outcome, Verdict, failed, judged, passed

GOOD = "E-END-01"
LOOP = "DC_ChargeLoop"
NTH = 3  # loop in which something happens
DELAY = 5  # s, NotificationMaxDelay
FOLLOWING = 10  # loops in which a car comes down to a limit
Notification, Session = evseNotificationType, cm.chargingSessionType
car = partial(Case, role="car", domain="CMN", control=GOOD, within=60.0)


# --- pace ---


def gaps(seen: Encounter) -> list[float]:
    """Seconds between each loop response and the loop request that follows it."""
    times, found = [each.at for each in seen.heard if each.name == LOOP], []
    for at, name in seen.said:
        if name == f"{LOOP}Res" and (after := next((time for time in times if time > at), None)) is not None:
            found.append(after - at)
    return found


async def pace(bench: CarBench) -> Outcome:
    """Loops answered at once, until the station terminates."""
    loops = bench.site.pics.test.loops
    status = EVSEStatusType(NotificationMaxDelay=1, EVSENotification=Notification.Terminate)
    seen = await bench.visit(Play(notify=dict.fromkeys(range(loops, loops + 50), status)), trigger="long", reach=loops * 0.5 + 60.0)
    found = gaps(seen)
    if len(found) < 10:
        raise Unreached(f"the car made {len(found)} loops: {seen.story}")
    most, slow = max(found), sum(gap > EVCC_SEQUENCE_PERFORMANCE_LOOP for gap in found)
    told = f"{len(found)} loops, 99 % within {quantiles(found, n=100)[98]:.3f} s, the longest gap {most:.3f} s, {slow} beyond 0.25 s"
    return judged(most < SECC_SEQUENCE_TIMEOUT_LOOP, told)


async def loop_withheld(bench: CarBench) -> Outcome:
    """One loop response does not come."""
    limit, slack = timeout_of(LOOP), bench.site.pics.test.slack
    play = Play(fault=Fault(f"{LOOP}Req", faults.silence, nth=NTH, always=True))
    return ended(await bench.visit(play, trigger="long", patience=limit + bench.close), limit + slack, limit - EARLY)


FAULTS: dict[str, Answers] = {
    "FAILED": faults.failed,
    "wrong type": faults.wrong_type,
    "another SessionID": faults.foreign_session,
}


async def loop_fault(bench: CarBench) -> Outcome:
    """One loop response is wrong."""
    return ended(await bench.visit(Play(fault=Fault(f"{LOOP}Req", FAULTS[bench.part], nth=NTH)), trigger="long"), bench.close)


# --- limits ---


def left_early(seen: Encounter, loops: int) -> Outcome | None:
    """A failure where a car broke off before so many loops as must follow; None where it went on.

    Raises Unreached where it left in order: its charge may be over, and nothing bids it stay.
    """
    if loops >= FOLLOWING:
        return None
    if seen.names[-1:] == ["SessionStop"]:
        raise Unreached(f"the car left in order after {loops} of {FOLLOWING} loops; let the trigger long make it stay: {seen.story}")
    return failed(f"the car did not go on: {seen.story}")


async def lowered(bench: CarBench) -> Outcome:
    """The station's limits fall by four fifths in mid-charge."""
    power, current = 12e3, 30.0
    status = EVSEStatusType(NotificationMaxDelay=1, EVSENotification=Notification.Terminate)

    def answer(request: Any, desk: Desk) -> Any:
        response = good(request, desk)
        limits = {"EVSEMaximumChargePower": rational(power), "EVSEMaximumChargeCurrent": rational(current)}
        mode = msgspec.structs.replace(response.CLResControlMode, **limits)
        end = status if desk.loops > NTH + 2 * FOLLOWING else None
        return msgspec.structs.replace(response, CLResControlMode=mode, EVSEStatus=end)

    seen = await bench.visit(Play(fault=Fault(f"{LOOP}Req", answer, nth=NTH, always=True)), trigger="long", patience=20.0)
    reached(seen)
    asked = [each.request for each in seen.after if each.name == LOOP]
    if gone := left_early(seen, len(asked)):
        return gone
    last = asked[FOLLOWING - 1].CLReqControlMode
    if not hasattr(last, "EVTargetCurrent"):
        return passed("Dynamic control: the station says the current")
    amperes, volts = number(last.EVTargetCurrent), number(asked[FOLLOWING - 1].EVPresentVoltage)
    told = f"{amperes:g} A at {volts:g} V after {FOLLOWING} loops, limits {current:g} A and {power:g} W"
    return judged(amperes <= current * 1.01 and amperes * volts <= power * 1.05, told)


# --- notifications ---


def notifying(what: evseNotificationType, delay: int = DELAY) -> Answers:
    """The good loop response with a notification."""

    def answer(request: Any, desk: Desk) -> Any:
        status = EVSEStatusType(NotificationMaxDelay=delay, EVSENotification=what)
        return msgspec.structs.replace(good(request, desk), EVSEStatus=status, MeterInfo=meter(desk))

    return answer


def first_of(seen: Encounter, name: str) -> Heard | None:
    """The first request of a name after the stimulus."""
    return next((each for each in seen.after if each.name == name), None)


CLAIMED = {Notification.Pause: "pause", Notification.ServiceRenegotiation: "service_renegotiation"}
STOPS = {
    Notification.Terminate: Session.Terminate,
    Notification.Pause: Session.Pause,
    Notification.ServiceRenegotiation: Session.ServiceRenegotiation,
}


async def obeys(bench: CarBench) -> Outcome:
    """A notification in the loop."""
    what = Notification(bench.part)
    claim = CLAIMED.get(what)
    if claim is not None and (why := bench.site.pics.lacking((claim,))):
        return Outcome(Verdict.NOT_APPLICABLE, why)
    play = Play(fault=Fault(f"{LOOP}Req", notifying(what), nth=NTH), joins=True)
    seen = await bench.visit(play, trigger="long", patience=DELAY + bench.close)
    since = reached(seen)
    if what is Notification.ScheduleRenegotiation:
        step = first_of(seen, "PowerDelivery") or first_of(seen, "ScheduleExchange")
        if step is None or step.at - since > DELAY + bench.site.pics.test.slack:
            return failed(f"no schedule was negotiated within {DELAY} s: {seen.story}")
        return passed(f"{step.name} after {step.at - since:.2f} s")
    stop, end = first_of(seen, "PowerDelivery"), first_of(seen, "SessionStop")
    if stop is None or stop.at - since > DELAY + bench.site.pics.test.slack:
        return failed(f"power was not stopped within {DELAY} s: {seen.story}")
    if end is None:
        return failed(f"no SessionStopReq came: {seen.story}")
    told = f"PowerDelivery after {stop.at - since:.2f} s, then SessionStop({end.request.ChargingSession.value})"
    return judged(end.request.ChargingSession is STOPS[what], told)


async def renegotiates(bench: CarBench) -> Outcome:
    """ServiceRenegotiation: back to the services, on the connection that is there."""
    play = Play(fault=Fault(f"{LOOP}Req", notifying(Notification.ServiceRenegotiation), nth=NTH))
    seen = await bench.visit(play, trigger="long", patience=DELAY + bench.close)
    reached(seen)
    names = [each.name for each in seen.after]
    if "SessionStop" not in names:
        return failed(f"no SessionStopReq came: {seen.story}")
    after = names[names.index("SessionStop") + 1 :]
    return judged(after[:1] == ["ServiceDiscovery"], f"after SessionStop came {after[0] if after else 'nothing'} on the same connection")


async def confirms(bench: CarBench) -> Outcome:
    """MeteringConfirmation: signed, on its own stream, with the reading that was sent."""
    play = Play(ways=("PnC",), fault=Fault(f"{LOOP}Req", notifying(Notification.MeteringConfirmation), nth=1))
    seen = await bench.visit(play, trigger="pnc", patience=10.0)
    reached(seen)
    heard = first_of(seen, "MeteringConfirmation")
    contracts = [each.PnC_AReqAuthorizationMode for each in seen.of(cm.AuthorizationReq) if each.PnC_AReqAuthorizationMode]
    if not contracts:
        raise Unreached(f"the car was not authorized by Plug & Charge: {seen.story}")
    if heard is None:
        return failed(f"no MeteringConfirmationReq came: {seen.story}")
    data = heard.request.SignedMeteringData
    sent = [each.MeterInfo for each in seen.answers if getattr(each, "MeterInfo", None) is not None]
    return confirmed(heard, data, sent, contracts[0].ContractCertificateChain.Certificate, bench.certificates.suites)


def confirmed(heard: Heard, data: cm.SignedMeteringDataType, sent: list[MeterInfoType], contract: bytes, suites: Any) -> Outcome:
    """Whether a confirmation runs on its stream, repeats a reading that was sent, and is signed by the contract."""
    if heard.payload_type != PayloadType.METERING_CONFIRMATION:
        return failed(f"it came on payload type 0x{heard.payload_type:04X}")
    if data.MeterInfo not in sent:
        return failed("its MeterInfo is none that was sent")
    key: Any = facts(read(contract)).public_key
    try:
        xmldsig.verify(heard.request.Header.Signature, [data], key, schema_set("common"), suites=suites)
    except SignatureError as error:
        return failed(f"its signature is not the contract's: {error}")
    return passed("signed by the contract, with the reading that was sent")


# --- targets, hardware ---


async def beyond_its_limits(bench: CarBench) -> Outcome:
    """A target far beyond what the car said it can do."""
    target = 1e6 if bench.part == "charging" else -1e6
    seen = await bench.visit(Play(services=(AC_BPT.name,), controls=(2,), setpoint=target), trigger="bpt", reach=30.0)
    said, loops = seen.of(ac.AC_ChargeParameterDiscoveryReq), seen.of(ac.AC_ChargeLoopReq)
    if not said or not loops:
        raise Unreached(f"the car did not come to the charge loop: {seen.story}")
    mode: Any = said[0].AC_CPDReqEnergyTransferMode
    most, back = number(mode.EVMaximumChargePower), abs(number(mode.EVMaximumDischargePower))
    powers = [number(each.CLReqControlMode.EVPresentActivePower) for each in loops]  # type: ignore[attr-defined]
    told = f"{min(powers):g} to {max(powers):g} W in {len(powers)} loops, its limits {-back:g} to {most:g} W"
    return judged(-back * 1.02 <= min(powers) and max(powers) <= most * 1.02, told)


async def pilot_fault(bench: CarBench) -> Outcome:
    """State E or F on the control pilot, while power flows."""
    return ended(await bench.visit(Play(), trigger="long", stop_after=NTH, lever="pilot_fault"), bench.close)


CASES = (
    car(
        id="E-LOP-01",
        kind=Kind.TIMING,
        requirement=("V2G20-1499", "V2G20-1501"),
        purpose="A car keeps the pace of the charge loop",
        stimulus="loop responses at once",
        expected=("a request 0.5 s after each response at the latest; 0.25 s is the performance time, told and not judged",),
        script=pace,
        condition=("dc",),
        lasts=40.0,
        within=600.0,
    ),
    car(
        id="E-LOP-02",
        kind=Kind.TIMING,
        requirement=("V2G20-440",),
        purpose="A station that falls silent under power is left at once",
        stimulus="one loop response withheld",
        expected=("TCP is closed after 0.5 s",),
        script=loop_withheld,
        condition=("dc",),
    ),
    car(
        id="E-LOP-03",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-460",),
        purpose="A wrong answer under power ends the session",
        stimulus="a loop response FAILED, of the wrong type, of another session",
        expected=ENDS,
        script=loop_fault,
        condition=("dc",),
        parts=tuple(FAULTS),
    ),
    car(
        id="E-LOP-04",
        kind=Kind.POSITIVE,
        domain=DC.name,
        requirement=("V2G20-2188", "V2G20-2654"),
        purpose="A car follows limits that fall",
        stimulus="limits in the loop, lower by four fifths",
        expected=("its target is within them after ten loops, and the session goes on",),
        script=lowered,
        condition=("dc",),
        lasts=4.0,
    ),
    car(
        id="E-LOP-05",
        kind=Kind.TIMING,
        requirement=("V2G20-3308",),
        purpose="A car obeys a notification in the time that it has",
        stimulus="EVSENotification with NotificationMaxDelay 5",
        expected=("PowerDelivery within the delay, and what was asked for",),
        script=obeys,
        condition=("dc",),
        parts=("Terminate", "Pause", "ScheduleRenegotiation", "ServiceRenegotiation"),
        lasts=8.0,
    ),
    car(
        id="E-LOP-06",
        kind=Kind.POSITIVE,
        requirement=("V2G20-1477",),
        purpose="Services are negotiated anew on the connection that is there",
        stimulus="EVSENotification ServiceRenegotiation",
        expected=("SessionStopReq(ServiceRenegotiation), then ServiceDiscoveryReq",),
        script=renegotiates,
        condition=("dc", "service_renegotiation"),
        lasts=12.0,
    ),
    car(
        id="E-LOP-07",
        kind=Kind.POSITIVE,
        requirement=("V2G20-1083",),
        purpose="A car confirms the reading that it was shown",
        stimulus="EVSENotification MeteringConfirmation",
        expected=("MeteringConfirmationReq on its own stream, signed by the contract, with the MeterInfo that was sent",),
        script=confirms,
        condition=("dc", "metering_confirmation", "pnc", "tls"),
    ),
    car(
        id="E-LOP-08",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="A pilot that says fault ends everything",
        stimulus="control pilot state E or F in the loop",
        expected=("an emergency stop, the session is ended",),
        script=pilot_fault,
        condition=("dc", "hal"),
        lasts=6.0,
    ),
    car(
        id="E-LOP-09",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="A car stays within its own limits, whatever it is told",
        stimulus="a Dynamic target far beyond the car's limits, in either direction",
        expected=("its power is within what it said it can do",),
        script=beyond_its_limits,
        condition=("ac", "bpt", "dynamic"),
        parts=("charging", "discharging"),
        lasts=4.0,
    ),
)
