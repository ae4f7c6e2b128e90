"""E2-CPD, E2-DCS, E2-PWD: what a car of ISO 15118-2 makes of limits, schedules, isolation and voltage, until power flows."""

from functools import partial
from typing import Any

import msgspec

from v2g.iso2.physical import A, V, W, number, physical
from v2g.iso2.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT
from v2g.iso20.services import DC
from v2g.messages.iso2 import msg_data_types as types
from v2g.messages.iso2.msg_body import (
    ChargeParameterDiscoveryReq,
    CurrentDemandReq,
    PowerDeliveryReq,
    PreChargeReq,
)
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car2_exchanges import CLAIM2, DC2, GOOD2, TABLE2, play2
from v2gkit.conform.cases.car2_services import ONGOING, polled
from v2gkit.conform.cases.car_charge import SLIGHTLY
from v2gkit.conform.cases.car_negotiation import ENDS
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.good_iso2 import AC_LIMITS, DAY, ac_status, dc_status, good, power_schedule, schedules
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Answers, Fault
from v2gkit.conform.verdict import Outcome, failed, judged, passed

FULL = 1024  # entries of a schedule
TOUCH = 2.0  # A that may flow before the contactors are closed [IEC 61851-23]
LIMITS: dict[str, dict[str, float]] = {
    "no current": {"EVSEMaximumCurrentLimit": 0.0},
    "no power": {"EVSEMaximumPowerLimit": 0.0},
    "voltage below the battery's": {"EVSEMaximumVoltageLimit": 60.0, "EVSEMinimumVoltageLimit": 10.0},
    "least above most": {"EVSEMinimumCurrentLimit": 200.0, "EVSEMaximumCurrentLimit": 100.0},
    "half of the usual": {"EVSEMaximumPowerLimit": 20e3, "EVSEMaximumCurrentLimit": 40.0},
}
UNITS = {"CurrentLimit": A, "PowerLimit": W, "VoltageLimit": V}
STEPS = ((600, 30e3), (600, 5e3), (DAY, 20e3))
Progress, Status = types.chargeProgressType, types.DC_EVSEStatusCodeType
car = partial(Case, role="car", domain="CMN", control=GOOD2, within=60.0, condition=CLAIM2)


# --- limits ---


def beyond(seen: Encounter, limits: dict[str, float]) -> str:
    """What the car asked for in its loops that is beyond the station's limits, in words; empty where nothing is."""
    current, voltage = limits.get("EVSEMaximumCurrentLimit", 150.0), limits.get("EVSEMaximumVoltageLimit", 500.0)
    for each in seen.of(CurrentDemandReq):
        amperes, volts = number(each.EVTargetCurrent), number(each.EVTargetVoltage)
        if amperes > current * SLIGHTLY:
            return f"it asks for {amperes:g} A, the station has at most {current:g} A"
        if amperes and volts > voltage * SLIGHTLY:
            return f"it asks for {volts:g} V, the station has at most {voltage:g} V"
        if amperes * volts > limits.get("EVSEMaximumPowerLimit", 60e3) * 1.05:
            return f"it asks for {amperes:g} A at {volts:g} V, the station has at most {limits['EVSEMaximumPowerLimit']:g} W"
    return ""


async def odd_limits(bench: CarBench) -> Outcome:
    """Limits with which the car cannot charge, or not as it would."""
    limits = LIMITS[bench.part]
    stated = {name: physical(value, next(unit for end, unit in UNITS.items() if name.endswith(end))) for name, value in limits.items()}
    seen = await bench.visit(play2(services=(DC.name,), limits=stated, fault=Fault("ChargeParameterDiscoveryReq", good)), patience=12.0)
    reached(seen)
    told = beyond(seen, limits)
    return failed(told) if told else passed(seen.story)


def other_current(request: Any, desk: Desk) -> Any:
    """The parameters of AC, to a car that asked for DC."""
    said = types.AC_EVSEChargeParameterType(AC_EVSEStatus=ac_status(), **AC_LIMITS)
    return msgspec.structs.replace(good(request, desk), EVSEChargeParameter=said)


async def answered_in_ac(bench: CarBench) -> Outcome:
    """Parameters of a current that the car did not ask for."""
    return ended(await bench.visit(play2(services=(DC.name,), fault=Fault("ChargeParameterDiscoveryReq", other_current))), bench.close)


# --- schedules ---


async def no_schedule(bench: CarBench) -> Outcome:
    """Finished, and no schedule."""
    play = play2(fault=Fault("ChargeParameterDiscoveryReq", faults.with_fields(SASchedules=None)))
    return ended(await bench.visit(play), bench.close)


def planned(plan: types.SAScheduleListType) -> Answers:
    """ChargeParameterDiscoveryRes with these schedules."""
    return faults.with_fields(SASchedules=plan)


async def fullest(bench: CarBench) -> Outcome:
    """The largest ChargeParameterDiscoveryRes: the car goes on or stops, and lives."""
    full = power_schedule(*((60, 1e4 + step) for step in range(FULL)))
    play = play2(fault=Fault("ChargeParameterDiscoveryReq", planned(schedules(full, full, full))))
    seen = await bench.visit(play, patience=20.0)
    reached(seen)
    if crash := bench.crashed(seen):
        return failed(crash)
    return passed(seen.story) if seen.after or seen.closed else failed(f"it hangs: {seen.story}")


def started(seen: Encounter) -> PowerDeliveryReq:
    """The first PowerDelivery(Start). Raises Unreached where there is none."""
    found = next((each for each in seen.of(PowerDeliveryReq) if each.ChargeProgress is Progress.Start), None)
    if found is None:
        raise Unreached(f"the car did not come to PowerDelivery(Start): {seen.story}")
    return found


async def profile(bench: CarBench) -> Outcome:
    """The ChargingProfile of PowerDelivery(Start), beside a schedule of three steps."""
    seen = await bench.visit(play2(answers={"ChargeParameterDiscoveryReq": planned(schedules(power_schedule(*STEPS)))}))
    found, asked = started(seen).ChargingProfile, seen.of(ChargeParameterDiscoveryReq)
    if found is None:
        return passed("no ChargingProfile: the car follows the schedule as it is")
    return profiled(found, asked[0].MaxEntriesSAScheduleTuple or FULL)


def profiled(found: types.ChargingProfileType, most: int) -> Outcome:
    """Whether a profile keeps within `STEPS`, in order of time, with `most` entries at the most."""
    entries = [(each.ChargingProfileEntryStart, number(each.ChargingProfileEntryMaxPower)) for each in found.ProfileEntry]
    told = f"{len(entries)} entries, up to {max(power for _, power in entries):g} W"
    if sorted({begin for begin, _ in entries}) != [begin for begin, _ in entries]:
        return failed(f"{told}; their times are {', '.join(str(begin) for begin, _ in entries)} s")
    if len(entries) > most:
        return failed(f"{told}; MaxEntriesSAScheduleTuple is {most}")
    ends = [begin for begin, _ in entries[1:]] + [entries[-1][0] + 1]
    at = 0
    for seconds, watts in STEPS:
        inside = [power for (begin, power), end in zip(entries, ends, strict=True) if begin < at + seconds and end > at]
        if inside and max(inside) > watts * SLIGHTLY:
            return failed(f"{told}; {max(inside):g} W from second {at}, where the schedule has {watts:g} W")
        at += seconds
    return passed(told)


async def names_its_tuple(bench: CarBench) -> Outcome:
    """The schedule that the car names, of three."""
    three = schedules(*(power_schedule((DAY, watt)) for watt in (10e3, 40e3, 20e3)))
    seen = await bench.visit(play2(answers={"ChargeParameterDiscoveryReq": planned(three)}))
    named = {each.SAScheduleTupleID for each in seen.of(PowerDeliveryReq)}
    started(seen)
    return judged(len(named) == 1 and named <= {1, 2, 3}, f"tuples {sorted(named)} of 1, 2, 3")


# --- isolation and voltage ---


def no_voltage(request: Any, desk: Desk) -> Any:
    """A voltage that does not rise."""
    return msgspec.structs.replace(good(request, desk), EVSEPresentVoltage=physical(3, V))


UNSOUND: dict[str, types.DC_EVSEStatusType] = {
    "isolation Fault": dc_status(isolation=types.isolationLevelType.Fault),
    "EVSE_EmergencyShutdown": dc_status(Status.EVSE_EmergencyShutdown),
}


async def unsound(bench: CarBench) -> Outcome:
    """The cable check finished with a fault of the isolation, or an emergency."""
    answer = faults.with_fields(DC_EVSEStatus=UNSOUND[bench.part])
    return ended(await bench.visit(play2(services=(DC.name,), fault=Fault("CableCheckReq", answer))), bench.close)


async def careful(bench: CarBench) -> Outcome:
    """What the car asks for before its contactors close."""
    seen = await bench.visit(play2(services=(DC.name,)))
    asked = seen.of(PreChargeReq)
    if not asked:
        raise Unreached(f"the car did not come to PreCharge: {seen.story}")
    volts, amperes = (max(number(getattr(each, name)) for each in asked) for name in ("EVTargetVoltage", "EVTargetCurrent"))
    return judged(volts <= 500.0 and amperes <= TOUCH, f"{volts:g} V, {amperes:g} A")


async def stopped_at_start(bench: CarBench) -> Outcome:
    """PowerDeliveryRes(Start) that asks the car to stop."""
    told = {True: dc_status(notification=types.EVSENotificationType.StopCharging)}
    told[False] = ac_status(types.EVSENotificationType.StopCharging)  # type: ignore[assignment]
    answer = lambda request, desk: msgspec.structs.replace(good(request, desk), EVSEStatus=told[desk.dc])  # noqa: E731
    return ended(await bench.visit(play2(fault=Fault("PowerDeliveryReq", answer)), trigger="long"), bench.close)


CASES = (
    car(
        id="E2-CPD-04",
        kind=Kind.TIMING,
        requirement=(),
        basis=f"V2G_EVCC_Ongoing_Timeout, {TABLE2}",
        purpose="A car does not wait for ever for a schedule",
        stimulus="ChargeParameterDiscoveryRes Ongoing for ever",
        expected=("it stops after 60 s",),
        script=polled("ChargeParameterDiscovery", ONGOING),
        lasts=63.0,
        within=140.0,
    ),
    car(
        id="E2-CPD-05",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-477",),
        purpose="A car asks for nothing beyond the station's limits",
        stimulus="limits below the car's least, least above most, zero",
        expected=("it stops", "it keeps within the limits"),
        script=odd_limits,
        condition=(*CLAIM2, *DC2),
        parts=tuple(LIMITS),
        lasts=4.0,
    ),
    car(
        id="E2-CPD-06",
        kind=Kind.NEGATIVE,
        requirement=(),
        basis="ChargeParameterDiscoveryRes: EVSEChargeParameter of the requested mode",
        purpose="Parameters of another current are no answer",
        stimulus="AC_EVSEChargeParameter to a car that asked for DC",
        expected=ENDS,
        script=answered_in_ac,
        condition=(*CLAIM2, *DC2),
    ),
    car(
        id="E2-CPD-07",
        kind=Kind.NEGATIVE,
        requirement=("V2G2-905",),
        purpose="Without a schedule there is no charging",
        stimulus="Finished, and no SASchedules",
        expected=ENDS,
        script=no_schedule,
    ),
    car(
        id="E2-CPD-08",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        basis="SAScheduleListType: 1 to 3 tuples of 1 to 1024 entries",
        purpose="A car takes the largest schedule that the schema allows",
        stimulus="three tuples of 1024 entries",
        expected=("it goes on", "it stops in order"),
        script=fullest,
        lasts=8.0,
        within=90.0,
    ),
    car(
        id="E2-CPD-09",
        kind=Kind.POSITIVE,
        requirement=("V2G2-478",),
        purpose="A car's profile keeps within the schedule that it chose",
        stimulus="a schedule of three steps",
        expected=("powers within it, in order of time, as many entries as it said it supports", "no profile"),
        script=profile,
    ),
    car(
        id="E2-CPD-10",
        kind=Kind.POSITIVE,
        requirement=("V2G2-479",),
        purpose="A car follows a schedule that it was offered, and names it throughout",
        stimulus="three schedules",
        expected=("one SAScheduleTupleID of the three, in every PowerDeliveryReq",),
        script=names_its_tuple,
    ),
    car(
        id="E2-DCS-07",
        kind=Kind.TIMING,
        domain=DC.name,
        requirement=(),
        basis=f"V2G_EVCC_CableCheck_Timeout, {TABLE2}",
        purpose="A car does not wait for ever for the isolation test",
        stimulus="CableCheckRes Ongoing for ever",
        expected=("it stops after 40 s",),
        script=polled("CableCheck", EVCC_CABLE_CHECK_TIMEOUT),
        condition=(*CLAIM2, *DC2),
        lasts=43.0,
        within=120.0,
    ),
    car(
        id="E2-DCS-08",
        kind=Kind.TIMING,
        domain=DC.name,
        requirement=(),
        basis=f"V2G_EVCC_PreCharge_Timeout, {TABLE2}",
        purpose="A car does not close its contactor on another voltage",
        stimulus="PreChargeRes whose voltage never rises",
        expected=("it stops after 7 s, without power",),
        script=polled("PreCharge", EVCC_PRE_CHARGE_TIMEOUT, no_voltage),
        condition=(*CLAIM2, *DC2),
        lasts=10.0,
        within=60.0,
    ),
    car(
        id="E2-DCS-09",
        kind=Kind.NEGATIVE,
        domain=DC.name,
        requirement=(),
        basis="DC_EVSEStatus: EVSEIsolationStatus, EVSEStatusCode",
        purpose="A car closes its contactor on no fault",
        stimulus="CableCheckRes Finished with a fault of the isolation, with an emergency shutdown",
        expected=ENDS,
        script=unsound,
        condition=(*CLAIM2, *DC2),
        parts=tuple(UNSOUND),
    ),
    car(
        id="E2-DCS-10",
        kind=Kind.POSITIVE,
        domain=DC.name,
        requirement=(),
        basis="PreChargeReq; IEC 61851-23, current before the contactors close",
        purpose="A car asks for little before its contactors close",
        stimulus="none: PreChargeReq is read",
        expected=("a voltage within the station's limits, at most 2 A",),
        script=careful,
        condition=(*CLAIM2, *DC2),
    ),
    car(
        id="E2-PWD-07",
        kind=Kind.NEGATIVE,
        requirement=(),
        basis="EVSEStatus: EVSENotification, NotificationMaxDelay",
        purpose="A car that is to stop does not charge",
        stimulus="StopCharging at once, in PowerDeliveryRes(Start)",
        expected=("it leaves in order, without a charge loop",),
        script=stopped_at_start,
    ),
)
