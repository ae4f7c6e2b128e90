"""PowerDelivery: power begins, and what may not begin it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from v2g.iso20.rational import rational
from v2g.iso20.services import AC
from v2g.messages import common_messages as cm
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import changed
from v2gkit.conform.judging import fatal, granted, refused
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit import Visit

STEP = "PowerDelivery"
Progress, Tolerance = cm.chargeProgressType, cm.powerToleranceAcceptanceType
SELECTION, PROFILE = "FAILED_ScheduleSelectionInvalid", "FAILED_EVPowerProfileInvalid"
OPEN, CONTACTOR = "FAILED_ContactorError", 3.0  # s within which it is told
STANDBY = "WARNING_StandbyNotAllowed"
ENDS = "and the connection ends"
MODE = "EVPowerProfile.Scheduled_EVPPTControlMode"
ENTRIES = "EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry"
case = partial(Case, role="station", domain="CMN", precondition="everything is ready for power")


async def started(bench: AtStation) -> Outcome:
    """Power begins, and the loop goes."""
    visit = await bench.at(STEP)
    reply = await visit.ask(visit.due(), 10.0)
    if not reply.ok:
        return failed(str(reply))
    loop = await visit.ask(asked.loop(visit.ways))
    return granted(loop)


async def contactor(bench: AtStation) -> Outcome:
    """A contactor that somebody holds open."""
    visit = await bench.at(STEP, service=AC.name)
    async with bench.driven("contactor_held", "contactor_free"):
        reply = await visit.ask(visit.due(), CONTACTOR + bench.pics.test.slack)
        return judged(reply.code == OPEN, str(reply))


async def other_tuple(bench: AtStation) -> Outcome:
    """A profile for a schedule that was not offered."""
    visit = await bench.at(STEP, control="Scheduled")
    ids = [each.ScheduleTupleID for each in visit.heard.of("ScheduleExchangeRes").Scheduled_SEResControlMode.ScheduleTuple]
    wrong = changed(visit.due(), f"{MODE}.SelectedScheduleTupleID", next(each for each in range(100, 200) if each not in ids))
    return await fatal(bench, visit, await visit.ask(wrong), SELECTION, of=cm.PowerDeliveryReq)


def _more(request: Any) -> Any:
    """A hundred times the power of each step."""
    entries = request.EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry
    return changed(request, ENTRIES, tuple(changed(each, "Power", rational(1e8)) for each in entries))


def _no_time(request: Any) -> Any:
    """Steps that take no time."""
    entries = request.EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry
    return changed(request, ENTRIES, tuple(changed(each, "Duration", 0) for each in entries))


def _longest(request: Any) -> Any:
    """As many steps as the schema allows, without power."""
    return changed(request, ENTRIES, (cm.PowerScheduleEntryType(Duration=1, Power=rational(0)),) * 2048)


PROFILES: Mapping[str, Callable[[Any], Any]] = {
    "beyond the schedule": _more,
    "steps of no time": _no_time,
    "2048 steps": _longest,
}


async def bad_profile(bench: AtStation) -> Outcome:
    """A profile that leaves its schedule, takes no time, or is as long as can be."""
    visit = await bench.at(STEP, control="Scheduled")
    reply = await visit.ask(PROFILES[bench.part](visit.due()), 10.0)
    if bench.part == "2048 steps":
        return judged(reply.kind == "answer" and (reply.ok or reply.fatal), str(reply))
    return judged(reply.fatal, str(reply))


async def standing_by(bench: AtStation) -> Outcome:
    """Standby where there is none is a warning, and the loop goes on."""
    visit = await bench.at("ChargeLoop")
    await visit.granted(asked.loop(visit.ways))
    reply = await visit.ask(asked.delivery(Progress.Standby))
    if reply.code != STANDBY:
        return failed(str(reply))
    loop = await visit.ask(asked.loop(visit.ways))
    return judged(loop.ok, f"{reply}; the loop after it: {loop}")


NOT_YET = {"ScheduleRenegotiation": Progress.ScheduleRenegotiation, "Stop": Progress.Stop}


async def not_yet(bench: AtStation) -> Outcome:
    """What ends or changes power, before there was any."""
    visit = await bench.at(STEP)
    return await refused(bench, visit, await visit.ask(asked.delivery(NOT_YET[bench.part])))


def _tolerance(visit: Visit) -> Any:
    first = visit.heard.of("ScheduleExchangeRes").Scheduled_SEResControlMode.ScheduleTuple[0]
    return first.ChargingSchedule.PowerSchedule.PowerTolerance


CONFIRMED = {"confirmed": Tolerance.PowerToleranceConfirmed, "not confirmed": Tolerance.PowerToleranceNotConfirmed}


async def tolerated(bench: AtStation) -> Outcome:
    """The answer on a tolerance fits to what was offered."""
    visit = await bench.at(STEP, control="Scheduled")
    offered = _tolerance(visit)
    reply = await visit.ask(changed(visit.due(), f"{MODE}.PowerToleranceAcceptance", CONFIRMED[bench.part]), 10.0)
    seen = f"{'a' if offered is not None else 'no'} tolerance is offered: {reply}"
    if bench.part == "confirmed":
        return judged(reply.code in (("OK_PowerToleranceConfirmed", "OK") if offered is not None else ("OK",)), seen)
    told = ("WARNING_PowerToleranceNotConfirmed", "FAILED_PowerToleranceNotConfirmed", "OK")
    return judged(reply.code in (told if offered is not None else ("OK",)), seen)


async def not_ready(bench: AtStation) -> Outcome:
    """A car that is not ready polls."""
    visit = await bench.at(STEP)
    profile = visit.due().EVPowerProfile
    for _ in range(3):
        reply = await visit.ask(asked.delivery(Progress.Start, profile, finished=False), 10.0)
        if not reply.ok:
            return failed(str(reply))
    reply = await visit.ask(visit.due(), 10.0)
    if not reply.ok:
        return failed(f"ready: {reply}")
    return passed(f"three polls, then {reply}")


CASES = (
    case(
        id="S-PWD-01", kind=Kind.POSITIVE, requirement=(), purpose="Power begins", stimulus="PowerDeliveryReq (Start) with a sound profile",
        expected=("OK, and the charge loop is answered",), script=started,
    ),
    case(
        id="S-PWD-02", kind=Kind.NEGATIVE, domain=AC.name, requirement=(), condition=("ac", "hal"),
        purpose="A contactor that stays open is told",
        stimulus="PowerDeliveryReq (Start) with the contactor held open", expected=("FAILED_ContactorError within 3 s",), script=contactor,
        control="S-PWD-01",
    ),
    case(
        id="S-PWD-03", kind=Kind.NEGATIVE, requirement=("V2G20-1058",), condition=("scheduled",),
        purpose="Only an offered schedule is followed",
        stimulus="PowerDeliveryReq (Start) with the id of a tuple that was not offered", expected=(f"{SELECTION}, {ENDS}",),
        script=other_tuple, control="S-PWD-01",
    ),
    case(
        id="S-PWD-04", kind=Kind.ROBUSTNESS, requirement=(), condition=("scheduled",), purpose="A profile stays within its schedule",
        stimulus="a profile of far more power, one whose steps take no time, one of 2048 steps without power",
        expected=(f"{PROFILE} or another FAILED; OK too for the long one; a good car is served afterwards",), script=bad_profile,
        parts=tuple(PROFILES), control="S-PWD-01",
    ),
    case(
        id="S-PWD-05", kind=Kind.NEGATIVE, requirement=(), condition=("not standby",), purpose="Standby that is not offered is no end",
        precondition="the charge loop goes", stimulus="PowerDeliveryReq (Standby)", expected=(f"{STANDBY}, and the loop goes on",),
        script=standing_by, control="S-PWD-01",
    ),
    case(
        id="S-PWD-06", kind=Kind.NEGATIVE, requirement=("V2G20-459",), purpose="Nothing ends before it began",
        stimulus="PowerDeliveryReq (ScheduleRenegotiation), (Stop), before any (Start)", expected=(f"FAILED, {ENDS}",), script=not_yet,
        parts=tuple(NOT_YET), control="S-PWD-01",
    ),
    case(
        id="S-PWD-07", kind=Kind.POSITIVE, requirement=(), condition=("scheduled",), purpose="A power tolerance is agreed upon, or not",
        stimulus="PowerDeliveryReq (Start) that confirms a tolerance, and one that does not",
        expected=("a code about tolerances only where one was offered",), script=tolerated, parts=tuple(CONFIRMED),
    ),
    case(
        id="S-PWD-08", kind=Kind.POSITIVE, requirement=(), purpose="A car that is not ready may say so",
        stimulus="PowerDeliveryReq (Start) with EVProcessing Ongoing, three times, then Finished", expected=("OK each time",),
        script=not_ready,
    ),
)  # fmt: skip
