"""ISO 15118-2, ChargeParameterDiscovery: limits that are exchanged, and the schedules that a car is offered."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from v2g.iso2.physical import MOST, A, V, W, number, physical
from v2g.iso2.timing import EVCC_ONGOING_TIMEOUT, SECC_PERFORMANCE
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2.msg_data_types import DC_EVErrorCodeType as Fault
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import PhysicalValueType, unitSymbolType
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import OF_AC, OF_DC
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.guest import PACE, busy
from v2gkit.conform.judging import polled, told
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit2 import Visit2

STEP = "ChargeParameterDiscovery"
MODE, WRONG = "FAILED_WrongEnergyTransferMode", "FAILED_WrongChargeParameter"
DAY = 86_400  # s
DC, AC = ("generation_2", "dc"), ("generation_2", "ac")
case = partial(Case, role="station", precondition="the car is authorized", within=90.0)


async def car(bench: AtStation, dc: bool) -> Visit2:
    """A car of DC or AC whose parameters are due."""
    return await bench.at2(STEP, mode=Transfer.DC_extended if dc else bench.three_or_one)


async def answered(bench: AtStation, dc: bool = True, entries: int | None = 1024, **other: Any) -> tuple[Visit2, Any, str]:
    """The parameters and schedules for a car with other needs, once the station has them; what came instead, in words."""
    visit = await car(bench, dc)
    reply = await polled(visit, asked2.parameters(visit.ways, asked2.limits(visit.ways, **other), entries=entries))
    if not reply.ok or reply.name != "ChargeParameterDiscoveryRes":
        return visit, None, str(reply)
    return visit, visit.heard.of("ChargeParameterDiscoveryRes"), ""


async def limits_of_dc(bench: AtStation) -> Outcome:
    """The limits of a DC station fit each other."""
    _, found, wrong = await answered(bench)
    if wrong:
        return failed(wrong)
    said = found.EVSEChargeParameter
    if not hasattr(said, "EVSEMaximumVoltageLimit"):
        return failed(f"EVSEChargeParameter is {type(said).__name__}")
    volts = number(said.EVSEMinimumVoltageLimit), number(said.EVSEMaximumVoltageLimit)
    amperes, watts = (number(said.EVSEMinimumCurrentLimit), number(said.EVSEMaximumCurrentLimit)), number(said.EVSEMaximumPowerLimit)
    well = 0 <= volts[0] < volts[1] and 0 <= amperes[0] < amperes[1] and watts > 0
    return judged(well, f"{volts[0]:g} to {volts[1]:g} V, {amperes[0]:g} to {amperes[1]:g} A, at most {watts:g} W")


async def limits_of_ac(bench: AtStation) -> Outcome:
    """The limits of an AC station are a voltage and a current."""
    _, found, wrong = await answered(bench, dc=False)
    if wrong:
        return failed(wrong)
    said = found.EVSEChargeParameter
    if not hasattr(said, "EVSENominalVoltage"):
        return failed(f"EVSEChargeParameter is {type(said).__name__}")
    volts, amperes = number(said.EVSENominalVoltage), number(said.EVSEMaxCurrent)
    return judged(100 <= volts <= 500 and amperes > 0, f"{volts:g} V, at most {amperes:g} A")


async def other_mode(bench: AtStation) -> Outcome:
    """A mode that the station has not."""
    visit = await bench.at2(STEP)
    ways = asked2.Ways2(Transfer.AC_single_phase_core if visit.ways.dc else Transfer.DC_extended)
    reply = await visit.ask(asked2.parameters(ways))
    return told(visit, reply, MODE, WRONG, of=mb.ChargeParameterDiscoveryReq)


async def other_kind(bench: AtStation) -> Outcome:
    """Parameters of another kind of charging than the mode."""
    visit = await bench.at2(STEP)
    ways = asked2.Ways2(Transfer.AC_single_phase_core if visit.ways.dc else Transfer.DC_extended)
    reply = await visit.ask(asked2.parameters(visit.ways, asked2.limits(ways)))
    return told(visit, reply, WRONG, MODE, of=mb.ChargeParameterDiscoveryReq)


def least(unit: unitSymbolType) -> PhysicalValueType:
    """The least value that the type has."""
    return PhysicalValueType(Multiplier=3, Unit=unit, Value=-32_768)


NOTHING: Mapping[str, tuple[bool, dict[str, Any]]] = {
    "no current": (True, {"EVMaximumCurrentLimit": physical(0, A)}),
    "negative current": (True, {"EVMaximumCurrentLimit": least(A)}),
    "negative power": (True, {"EVMaximumPowerLimit": least(W)}),
    "a volt": (True, {"EVMaximumVoltageLimit": physical(1, V)}),
    "a least current beyond the outlet": (False, {"EVMinCurrent": physical(10_000, A), "EVMaxCurrent": physical(10_000, A)}),
    "least beyond most": (False, {"EVMinCurrent": physical(20, A), "EVMaxCurrent": physical(10, A)}),
}


async def unmet(bench: AtStation) -> Outcome:
    """Limits that nobody can meet."""
    dc, other = NOTHING[bench.part]
    visit = await car(bench, dc)
    reply = await polled(visit, asked2.parameters(visit.ways, asked2.limits(visit.ways, **other)))
    return told(visit, reply, WRONG, of=mb.ChargeParameterDiscoveryReq)


HOSTILE: Mapping[str, tuple[bool, dict[str, Any]]] = {
    "everything at its most": (
        True,
        {"EVMaximumCurrentLimit": physical(MOST, A), "EVMaximumPowerLimit": physical(MOST, W), "EVMaximumVoltageLimit": physical(MOST, V)},
    ),
    "no power": (True, {"EVMaximumPowerLimit": physical(0, W)}),
    "negative energy": (True, {"EVEnergyRequest": least(unitSymbolType.Wh), "EVEnergyCapacity": least(unitSymbolType.Wh)}),
    "amperes in hours": (True, {"EVMaximumCurrentLimit": PhysicalValueType(Multiplier=0, Unit=unitSymbolType.h, Value=50)}),
    "a fault": (True, {"DC_EVStatus": asked2.ready(False, error=Fault.FAILED_EVRESSMalfunction)}),
    "departed": (True, {"DepartureTime": 0}),
    "in a hundred years": (True, {"DepartureTime": 2**32 - 1}),
    "in a second": (True, {"DepartureTime": 1}),
    "AC at its most": (
        False,
        {"EVMaxCurrent": physical(MOST, A), "EVMaxVoltage": physical(MOST, V), "EAmount": physical(MOST, unitSymbolType.Wh)},
    ),
    "AC of negative energy": (False, {"EAmount": least(unitSymbolType.Wh)}),
}


async def hostile(bench: AtStation) -> Outcome:
    """Numbers at the ends of their ranges, and such as contradict themselves."""
    dc, other = HOSTILE[bench.part]
    visit = await car(bench, dc)
    reply = await polled(visit, asked2.parameters(visit.ways, asked2.limits(visit.ways, **other)))
    return judged(reply.name == "ChargeParameterDiscoveryRes" and (reply.ok or reply.fatal), str(reply))


async def in_time(bench: AtStation) -> Outcome:
    """An offer, or a clear no, before the car gives up; each answer in its time."""
    visit = await bench.at2(STEP)
    began = time.monotonic()
    while (after := time.monotonic() - began) < EVCC_ONGOING_TIMEOUT:
        reply = await visit.ask(visit.due())
        if not reply.ok or reply.seconds > SECC_PERFORMANCE + bench.pics.test.slack:
            return judged(reply.fatal, f"{reply}, {after:.1f} s after the first request")
        if not busy(reply.message):
            return passed(f"Finished {time.monotonic() - began:.1f} s after the first request")
        await asyncio.sleep(PACE)
    return failed(f"still Ongoing after {after:.0f} s")


# --- schedules ---


def tuples(found: Any) -> tuple[Any, ...]:
    """The schedules of an offer; none where it has none."""
    return tuple(found.SASchedules.SAScheduleTuple) if found.SASchedules is not None else ()


def lasts(one: Any) -> int:
    """How long a schedule is (s): the last entry says how long it lasts."""
    entries = one.PMaxSchedule.PMaxScheduleEntry
    return int(entries[-1].TimeInterval.start + (entries[-1].TimeInterval.duration or 0) - entries[0].TimeInterval.start)


async def covered(bench: AtStation, stay: int | None, least_of: int, dc: bool = True) -> Outcome:
    """Schedules that last as long as the car stays, a day where it does not say so."""
    _, found, wrong = await answered(bench, dc, DepartureTime=stay)
    if wrong:
        return failed(wrong)
    lengths = [lasts(each) for each in tuples(found)]
    return judged(bool(lengths) and min(lengths) >= least_of, f"schedules of {lengths} s, due are {least_of} s")


async def numbered(bench: AtStation) -> Outcome:
    """Each schedule has an id of its own, and begins at once."""
    _, found, wrong = await answered(bench, dc=bench.ways2().dc)
    if wrong:
        return failed(wrong)
    ids = [each.SAScheduleTupleID for each in tuples(found)]
    first = [each.PMaxSchedule.PMaxScheduleEntry[0].TimeInterval.start for each in tuples(found)]
    well = bool(ids) and len(set(ids)) == len(ids) and 0 not in ids and set(first) == {0}
    return judged(well, f"schedules {ids}, which begin after {first} s")


async def in_order(bench: AtStation) -> Outcome:
    """The entries of a schedule follow each other, and none is below zero or beyond the station."""
    _, found, wrong = await answered(bench, dc=bench.ways2().dc)
    if wrong:
        return failed(wrong)
    limit = getattr(found.EVSEChargeParameter, "EVSEMaximumPowerLimit", None)
    most = float("inf") if limit is None else number(limit) * 1.001
    for one in tuples(found):
        entries = one.PMaxSchedule.PMaxScheduleEntry
        starts, powers = [each.TimeInterval.start for each in entries], [number(each.PMax) for each in entries]
        if starts != sorted(set(starts)) or any(not 0 <= power <= most for power in powers):
            return failed(f"schedule {one.SAScheduleTupleID} begins after {starts} s with {powers} W, at most {most:g} W")
    return judged(bool(tuples(found)), f"{len(tuples(found))} schedules, their entries in order")


async def few(bench: AtStation) -> Outcome:
    """No more entries than a car can hold."""
    most = int(bench.part)
    _, found, wrong = await answered(bench, bench.ways2().dc, most)
    if wrong:
        return failed(wrong)
    longest = max((len(each.PMaxSchedule.PMaxScheduleEntry) for each in tuples(found)), default=0)
    return judged(0 < longest <= most, f"at most {longest} entries, the car holds {most}")


OFFER = "SASchedules once EVSEProcessing is Finished"
CASES = (
    case(
        id="S2-CPD-01", domain=OF_DC, kind=Kind.POSITIVE, requirement=(), basis="8.4.5.1.3, DC_EVSEChargeParameter", condition=DC,
        purpose="The limits of a DC station fit each other", stimulus="ChargeParameterDiscoveryReq of a sound car",
        expected=("OK; least below most, power above nothing",), script=limits_of_dc,
    ),
    case(
        id="S2-CPD-02", domain=OF_AC, kind=Kind.POSITIVE, requirement=(), basis="8.4.4.1, AC_EVSEChargeParameter", condition=AC,
        purpose="An AC station has a voltage and a current", stimulus="ChargeParameterDiscoveryReq of a sound car",
        expected=("OK; a nominal voltage, a current above nothing",), script=limits_of_ac,
    ),
    case(
        id="S2-CPD-03", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-476",), condition=("generation_2", "dc", "not ac"),
        purpose="A mode must be offered", stimulus="a mode of AC, at a station of DC", expected=(f"{MODE}, {WRONG}",), script=other_mode,
        control="S2-CPD-01",
    ),
    case(
        id="S2-CPD-04", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-476",), condition=("generation_2", "ac", "not dc"),
        purpose="A mode must be offered, at AC", stimulus="a mode of DC, at a station of AC", expected=(f"{MODE}, {WRONG}",),
        script=other_mode, control="S2-CPD-02",
    ),
    case(
        id="S2-CPD-05", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-477",), condition=("generation_2",),
        purpose="Mode and parameters belong together", stimulus="the parameters of the other kind of charging", script=other_kind,
        expected=(f"{WRONG}, {MODE}",), control="S2-CPD-01",
    ),
    *(
        case(
            id=f"S2-CPD-{number_:02}", domain=domain, kind=Kind.NEGATIVE, requirement=("V2G2-477",), condition=condition, script=unmet,
            purpose=f"What cannot be met is refused: {domain}", stimulus="limits without current, voltage or a range in common",
            expected=(f"ChargeParameterDiscoveryRes with {WRONG}",), control=control,
            parts=tuple(name for name, (dc, _) in NOTHING.items() if dc is (domain == OF_DC)),
        )
        for number_, domain, condition, control in ((6, OF_DC, DC, "S2-CPD-01"), (7, OF_AC, AC, "S2-CPD-02"))
    ),
    *(
        case(
            id=f"S2-CPD-{number_:02}", domain=domain, kind=Kind.ROBUSTNESS, requirement=(), basis="8.5.2.7, PhysicalValue",
            condition=condition, purpose=f"Numbers at the ends of their ranges harm nobody: {domain}",
            stimulus="the most and the least of each type, units that do not fit, faults", script=hostile, control=control,
            expected=("OK or FAILED; a good car is served afterwards",),
            parts=tuple(name for name, (dc, _) in HOSTILE.items() if dc is (domain == OF_DC)),
        )
        for number_, domain, condition, control in ((8, OF_DC, DC, "S2-CPD-01"), (9, OF_AC, AC, "S2-CPD-02"))
    ),
    case(
        id="S2-SCH-01", domain="CMN", kind=Kind.TIMING, requirement=("V2G2-713",), condition=("generation_2",), control="",
        purpose="A car is not kept waiting for ever for a schedule", stimulus="ChargeParameterDiscoveryReq until there is an offer",
        expected=("Finished within 60 s, each answer within 1.5 s", "FAILED within 60 s"), script=in_time,
    ),
    *(
        case(
            id=f"S2-SCH-{number_:02}", domain=domain, kind=Kind.POSITIVE, requirement=(id_,), condition=condition, control="S2-SCH-01",
            purpose=f"A schedule lasts as long as the car stays: {told_}", stimulus=f"a car that {told_}",
            expected=(f"{OFFER}, {due} s long",),
            script=partial(covered, stay=stay, least_of=due, dc=domain == OF_DC),
        )
        for number_, domain, condition, id_, told_, stay, due in (
            (2, OF_DC, DC, "V2G2-303", "stays two hours", 7200, 7140),
            (3, OF_AC, AC, "V2G2-303", "stays two hours, in AC", 7200, 7140),
            (4, OF_DC, DC, "V2G2-304", "does not say how long it stays", None, DAY),
            (5, OF_AC, AC, "V2G2-304", "does not say how long it stays, in AC", None, DAY),
        )
    ),
    case(
        id="S2-SCH-06", domain="CMN", kind=Kind.POSITIVE, requirement=("V2G2-773",), condition=("generation_2",), script=numbered,
        purpose="Each schedule has an id of its own", stimulus="ChargeParameterDiscoveryReq", control="S2-SCH-01",
        expected=(f"{OFFER}, ids of 1 to 255, none twice, from now on",),
    ),
    case(
        id="S2-SCH-07", domain="CMN", kind=Kind.POSITIVE, requirement=(), basis="8.5.2.14, PMaxSchedule", condition=("generation_2",),
        purpose="A schedule can be followed", stimulus="ChargeParameterDiscoveryReq", script=in_order, control="S2-SCH-01",
        expected=("entries in the order of their times, none below zero, none beyond the station's power",),
    ),
    case(
        id="S2-SCH-08", domain="CMN", kind=Kind.POSITIVE, requirement=(), basis="8.4.3.8.2, MaxEntriesSAScheduleTuple",
        condition=("generation_2",), purpose="A schedule fits into the car", stimulus="MaxEntriesSAScheduleTuple 1, 12", script=few,
        expected=("no more entries than the car holds",), parts=("1", "12"), control="S2-SCH-01",
    ),
)  # fmt: skip
