"""The charge loop: answers in kind and in time, within limits, and what happens when the car falls silent."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from v2g.iso20 import frames
from v2g.iso20.rational import number, rational
from v2g.iso20.services import AC, DC, MCS, SERVICES
from v2g.iso20.timing import SECC_PERFORMANCE_LOOP, SECC_SEQUENCE_TIMEOUT_LOOP
from v2g.messages import common_messages as cm
from v2g.messages import dc
from v2g.messages.common_types import DisplayParametersType, RationalNumberType, ReceiptType, evseNotificationType
from v2gkit.conform import asked
from v2gkit.conform.asked import Ways
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import changed
from v2gkit.conform.judging import fatal, nothing
from v2gkit.conform.silence import silent
from v2gkit.conform.spoilt import again, bits, document, octets
from v2gkit.conform.verdict import Outcome, Verdict, failed, judged, passed
from v2gkit.conform.visit import Visit

STEP, PACE = "ChargeLoop", 0.2  # s between two requests
case = partial(Case, role="station", domain="CMN", precondition="power has begun")
TOLD, WATCHED, MOST_DELAY = 5.0, 4.0, 60  # s for a notification to come; of its time that are watched; that it may name
LEAVE = (evseNotificationType.Terminate, evseNotificationType.Pause)
DC_VARIANTS = ("DC Scheduled", "DC Dynamic", "DC_BPT Scheduled", "DC_BPT Dynamic", "MCS Scheduled", "MCS Dynamic")
AC_VARIANTS = ("AC Scheduled", "AC Dynamic", "AC_BPT Scheduled", "AC_BPT Dynamic")


def _unclaimed(bench: AtStation, service: str, control: str) -> str:
    """Which claim a variant needs and has not, in words; empty where it has all."""
    names = ["bpt"] if SERVICES[service].bidirectional else ["mcs"] if service == MCS.name else []
    return bench.pics.lacking([*names, control.lower()])


def in_kind(ways: Ways, response: Any) -> bool:
    """Whether the control mode of a response is that of the session."""
    name = f"{'BPT_' if ways.both else ''}{ways.control}_{asked.kind_of(ways)}_CLResControlModeType"
    return type(response.CLResControlMode).__name__ == name


async def variant(bench: AtStation) -> Outcome:
    """Ten requests in one service and control mode."""
    service, control = bench.part.split()
    if why := _unclaimed(bench, service, control):
        return Outcome(Verdict.NOT_APPLICABLE, why)
    visit = await bench.at(STEP, service=service, control=control)
    slowest = 0.0
    for _ in range(10):
        reply = await visit.ask(asked.loop(visit.ways), SECC_SEQUENCE_TIMEOUT_LOOP + bench.pics.test.slack)
        if not reply.ok:
            return failed(str(reply))
        if not in_kind(visit.ways, reply.message):
            return failed(f"answered by {type(getattr(reply.message, 'CLResControlMode', None)).__name__}")
        slowest = max(slowest, reply.seconds)
        await asyncio.sleep(PACE - 0.05)
    await _over(visit)
    return judged(slowest <= SECC_PERFORMANCE_LOOP + bench.pics.test.slack, f"ten answers in kind, the slowest after {slowest:.3f} s")


async def _over(visit: Visit) -> None:
    """End power and the session in order; what fails now is another case's."""
    await visit.tell(asked.delivery(cm.chargeProgressType.Stop))
    await visit.wire.reply(visit.slack)
    visit.wire.abandon()


async def other_mode(bench: AtStation) -> Outcome:
    """A control mode that is not that of the session."""
    visit = await bench.at(STEP)
    ways = visit.ways
    if bench.part == "other control":
        other = Ways(ways.service, "Dynamic" if ways.control == "Scheduled" else "Scheduled", ways.authorization, ways.voltage, ways.power)
    else:
        other = Ways(asked.both_ways(ways.service), ways.control, ways.authorization, ways.voltage, ways.power)
    request = asked.loop(other)
    return await fatal(bench, visit, await visit.ask(request), of=type(request))


async def paced(bench: AtStation) -> Outcome:
    """The slowest pace of the standard, for long."""
    visit = await bench.at(STEP)
    began, count = time.monotonic(), 0
    while time.monotonic() - began < bench.pics.test.paced:
        due = time.monotonic() + 0.24
        reply = await visit.ask(asked.loop(visit.ways))
        if not reply.ok:
            return failed(f"request {count + 1}: {reply}")
        count += 1
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await _over(visit)
    return passed(f"{count} requests in {time.monotonic() - began:.0f} s, all answered")


async def greedy(bench: AtStation) -> Outcome:
    """A car that wants more than the outlet has."""
    visit = await bench.at(STEP, control="Scheduled", service=DC.name)
    said = visit.heard.of("DC_ChargeParameterDiscoveryRes").DC_CPDResEnergyTransferMode
    most = number(said.EVSEMaximumChargeCurrent)
    achieved = False
    for _ in range(15):
        reply = await visit.ask(asked.loop(visit.ways, EVTargetCurrent=rational(10 * most)))
        if not reply.ok:
            return failed(str(reply))
        response: Any = reply.message
        amperes = number(response.EVSEPresentCurrent)
        if amperes > 1.05 * most:
            return failed(f"{amperes:g} A flow, the most is {most:g} A")
        achieved = achieved or response.EVSECurrentLimitAchieved or response.EVSEPowerLimitAchieved
        await asyncio.sleep(PACE)
    return judged(achieved, f"at most {most:g} A, {'a' if achieved else 'no'} limit is told as achieved")


async def within_parameters(bench: AtStation) -> Outcome:
    """Limits of the loop within those that were stated before."""
    visit = await bench.at(STEP, service=DC.name)
    stated = visit.heard.of("DC_ChargeParameterDiscoveryRes").DC_CPDResEnergyTransferMode
    reply = await visit.ask(asked.loop(visit.ways))
    if not reply.ok:
        return failed(str(reply))
    mode: Any = reply.message.CLResControlMode  # type: ignore[union-attr]
    for name in ("ChargePower", "ChargeCurrent", "Voltage"):
        now, before = getattr(mode, f"EVSEMaximum{name}", None), getattr(stated, f"EVSEMaximum{name}")
        if now is not None and number(now) > number(before) * 1.001:
            return failed(f"EVSEMaximum{name} {number(now):g}, stated was {number(before):g}")
    return passed("no limit of the loop is beyond the one that was stated")


EXTREMES: Mapping[str, dict[str, Any]] = {
    "nothing wanted": {"EVTargetCurrent": rational(0), "EVTargetVoltage": rational(0)},
    "current alone": {"EVTargetVoltage": rational(0)},
    "exponent 127": {"EVTargetCurrent": RationalNumberType(Exponent=127, Value=32_767)},
    "exponent -128": {"EVTargetCurrent": RationalNumberType(Exponent=-128, Value=1)},
}


async def extreme(bench: AtStation) -> Outcome:
    """Targets that say little, or cannot be."""
    visit = await bench.at(STEP, control="Scheduled", service=DC.name)
    reply = await visit.ask(asked.loop(visit.ways, **EXTREMES[bench.part]))
    return judged(reply.ok or reply.refused, str(reply))


async def metered(bench: AtStation, asked_for: bool) -> Outcome:
    """The reading of the meter, where the car asks for it, and in the first response."""
    visit = await bench.at(STEP)
    if asked_for:
        await visit.granted(asked.loop(visit.ways))
    reply = await visit.ask(asked.loop(visit.ways, meter=asked_for))
    info = getattr(reply.message, "MeterInfo", None)
    return judged(reply.ok and info is not None, f"{reply}, {'with' if info is not None else 'without'} MeterInfo")


DISPLAYS: Mapping[str, DisplayParametersType | None] = {
    "absent": None,
    "0 %": DisplayParametersType(PresentSOC=0),
    "100 %": DisplayParametersType(PresentSOC=100),
    "101 %": DisplayParametersType(PresentSOC=100),
    "everything": DisplayParametersType(
        PresentSOC=50, MinimumSOC=0, TargetSOC=100, MaximumSOC=100, RemainingTimeToTargetSOC=2**32 - 1, ChargingComplete=True,
        BatteryEnergyCapacity=RationalNumberType(Exponent=127, Value=32_767), InletHot=True,
    ),
}  # fmt: skip


async def displayed(bench: AtStation) -> Outcome:
    """What a car lets the station show."""
    visit = await bench.at(STEP)
    request = visit.octets(asked.loop(visit.ways, display=DISPLAYS[bench.part]))
    if bench.part == "101 %":
        at = time.time()
        session = visit.heard.session_id
        other = frames.framed(asked.stamped(asked.loop(visit.ways, display=DisplayParametersType(PresentSOC=0)), session, at))
        request = frames.framed(asked.stamped(asked.loop(visit.ways, display=DISPLAYS[bench.part]), session, at))
        one, two = bits(document(request)), bits(document(other))
        first = next(place for place, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
        request = again(request, octets(one[:first] + "1100101" + one[first + 7 :]))
    await visit.wire.send(request)
    reply = await visit.reply(dc.DC_ChargeLoopReq)
    return nothing(reply) if bench.part == "101 %" else judged(reply.ok or reply.fatal, str(reply))


async def backwards(bench: AtStation) -> Outcome:
    """A car that would discharge where charging alone was agreed upon."""
    visit = await bench.at(STEP, control="Scheduled", service=DC.name)
    least = 0.0
    for _ in range(8):
        reply = await visit.ask(asked.loop(visit.ways, EVTargetCurrent=rational(-50)))
        if reply.fatal:
            return passed(str(reply))
        if not reply.ok:
            return failed(str(reply))
        least = min(least, number(reply.message.EVSEPresentCurrent))  # type: ignore[union-attr]
        await asyncio.sleep(PACE)
    return judged(least > -1.0, f"asked for -50 A, {least:g} A flow")


async def as_station(bench: AtStation) -> Outcome:
    """A message that only stations send, with a receipt in it."""
    visit = await bench.at(STEP, service=DC.name)
    reply = await visit.ask(asked.loop(visit.ways))
    response = changed(reply.message, "Receipt", ReceiptType(TimeAnchor=1))
    await visit.wire.send(frames.framed(asked.stamped(response, visit.heard.session_id, time.time())))
    return nothing(await visit.reply(dc.DC_ChargeLoopReq))


async def ended_by_station(bench: AtStation) -> Outcome:
    """A station whose button is pressed tells the car, and gives it the time that it names."""
    visit = await bench.at(STEP)
    pressed = asyncio.create_task(bench.pull("stop"))  # the loop goes on: its station waits for half a second
    told, until = None, time.monotonic() + TOLD
    try:
        while time.monotonic() < until and not (pressed.done() and pressed.exception()):
            reply = await visit.ask(asked.loop(visit.ways))
            if not reply.ok:
                return failed(f"{reply}, {'before anything was told' if told is None else f'{told.NotificationMaxDelay} s were named'}")
            status = getattr(reply.message, "EVSEStatus", None)
            if told is None and status is not None and status.EVSENotification in LEAVE:
                told, until = status, time.monotonic() + min(status.NotificationMaxDelay, WATCHED)
            await asyncio.sleep(PACE)
    finally:
        await pressed
    if told is None:
        return failed(f"nothing was told in {TOLD:g} s")
    seen = f"{told.EVSENotification.value} within {told.NotificationMaxDelay} s, and the loop goes on"
    return judged(told.NotificationMaxDelay <= MOST_DELAY, seen)


CASES = (
    case(
        id="S-LOP-01", domain=AC.name, kind=Kind.TIMING, requirement=("V2G20-1600",), condition=("ac",),
        purpose="An AC loop is answered in kind",
        stimulus="ten AC_ChargeLoopReq in each service and control mode that is claimed",
        expected=("OK in the control mode of the session, each within 0.25 s and the slack",), script=variant, parts=AC_VARIANTS,
        within=60.0,
    ),
    case(
        id="S-LOP-02", domain=DC.name, kind=Kind.TIMING, requirement=("V2G20-1600",), condition=("dc",),
        purpose="A DC loop is answered in kind",
        stimulus="ten DC_ChargeLoopReq in each service and control mode that is claimed",
        expected=("OK in the control mode of the session, each within 0.25 s and the slack",), script=variant, parts=DC_VARIANTS,
        within=60.0,
    ),
    case(
        id="S-LOP-03", kind=Kind.NEGATIVE, requirement=(), condition=("scheduled", "dynamic"), purpose="The loop stays in its control mode",
        stimulus="a ChargeLoopReq of the other control mode, and one of a service of both directions",
        expected=("FAILED, and the connection ends",), script=other_mode, parts=("other control", "both directions"), control="S-PWD-01",
    ),
    case(
        id="S-LOP-04", kind=Kind.TIMING, requirement=("V2G20-1500", "V2G20-1502", "V2G20-443"),
        purpose="A car that falls silent under power is left within half a second", stimulus="nothing, after a ChargeLoopRes",
        expected=("the connection ends 0.5 s after the last response, and the slack",),
        script=partial(silent, step="ChargeLoop", least=0.3, most=SECC_SEQUENCE_TIMEOUT_LOOP, first=True), control="S-PWD-01",
    ),
    case(
        id="S-LOP-05", kind=Kind.TIMING, requirement=("V2G20-1500", "V2G20-1502"),
        purpose="The slowest pace of the standard is fast enough",
        stimulus="a ChargeLoopReq every 0.24 s, for as long as the PIXIT say", expected=("OK each time",), script=paced, within=4000.0,
        lasts=65.0, control="S-PWD-01",
    ),
    case(
        id="S-LOP-06", domain=DC.name, kind=Kind.NEGATIVE, requirement=("V2G20-2188",), condition=("dc", "scheduled"),
        purpose="More than the outlet has is not given, and that is told", stimulus="EVTargetCurrent of ten times the outlet's most",
        expected=("OK, no more than the most flows, a limit is told as achieved",), script=greedy, control="S-LOP-02", within=60.0,
    ),
    case(
        id="S-LOP-07", domain=DC.name, kind=Kind.POSITIVE, requirement=("V2G20-2654", "V2G20-2655"), condition=("dc",),
        purpose="Limits of the loop stay within those stated before", stimulus="DC_ChargeLoopReq",
        expected=("no most of the loop beyond that of ChargeParameterDiscovery",), script=within_parameters,
    ),
    case(
        id="S-LOP-08", domain=DC.name, kind=Kind.ROBUSTNESS, requirement=("V2G20-2183",), condition=("dc", "scheduled"),
        purpose="Targets that say little or cannot be harm nobody", stimulus="targets of zero, one of two, the greatest and least exponent",
        expected=("OK", "FAILED and the end; a good car is served afterwards"), script=extreme, parts=tuple(EXTREMES), control="S-LOP-02",
    ),
    case(
        id="S-LOP-09", kind=Kind.POSITIVE, requirement=("V2G20-1081", "V2G20-1082"), condition=("meter",),
        purpose="A car that asks for the reading gets it", stimulus="ChargeLoopReq with MeterInfoRequested",
        expected=("OK with MeterInfo",),
        script=partial(metered, asked_for=True),
    ),
    case(
        id="S-LOP-10", kind=Kind.POSITIVE, requirement=("V2G20-1833",), condition=("meter",), purpose="The first response has the reading",
        stimulus="the first ChargeLoopReq", expected=("OK with MeterInfo",), script=partial(metered, asked_for=False),
    ),
    case(
        id="S-LOP-11", kind=Kind.ROBUSTNESS, requirement=(), purpose="What a car lets the station show harms nobody",
        stimulus="DisplayParameters absent, with 0, 100 and 101 %, and with everything at its greatest",
        expected=("OK or FAILED; nothing granted for 101 %; a good car is served afterwards",), script=displayed, parts=tuple(DISPLAYS),
        control="S-PWD-01",
    ),
    case(
        id="S-LOP-12", kind=Kind.NEGATIVE, requirement=(), condition=("dc", "scheduled"),
        purpose="Nothing flows back that was not agreed upon",
        stimulus="EVTargetCurrent below zero in a service of one direction", expected=("OK, and no current flows back", "FAILED"),
        script=backwards, control="S-LOP-02",
    ),
    case(
        id="S-LOP-13", kind=Kind.ROBUSTNESS, requirement=(), condition=("dc",), purpose="What only stations say is not believed of a car",
        stimulus="DC_ChargeLoopRes with a receipt, sent to the station",
        expected=("nothing is granted; a good car is served afterwards",), script=as_station, control="S-LOP-02",
    ),
    case(
        id="S-LOP-14", kind=Kind.TIMING, requirement=("V2G20-3308",), condition=("hal",),
        purpose="A car that shall leave has time to do so",
        stimulus="the station is told to end or pause the session",
        expected=("a notification with a delay of at most 60 s, and that time",),
        script=ended_by_station, control="S-PWD-01",
    ),
)  # fmt: skip
