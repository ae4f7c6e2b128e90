"""E-CHG: what a car makes of limits, modes, schedules and prices, and how long it waits for isolation and voltage."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import accumulate
from typing import Any

import msgspec

from v2g.exi.derive import least
from v2g.iso20.rational import number, rational
from v2g.iso20.services import DC
from v2g.iso20.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT
from v2g.messages import common_messages as cm
from v2g.messages import dc
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_authorization import stopped_polling
from v2gkit.conform.cases.car_negotiation import ENDS
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.good import good, ok, ongoing, power_schedule, prices, schedule_tuple
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Fault, Play
from v2gkit.conform.scripted.prices import signed_as
from v2gkit.conform.verdict import Outcome, failed, inconclusive, judged, passed

GOOD = "E-END-01"
SLIGHTLY = 1.01  # a rational number has four digits
FULL = 1024  # entries of a schedule
LIMITS = {
    "power below the car's least": {"EVSEMaximumChargePower": 1.0, "EVSEMaximumChargeCurrent": 0.1},
    "no current": {"EVSEMaximumChargeCurrent": 0.0},
    "no power": {"EVSEMaximumChargePower": 0.0},
    "voltage below the battery's": {"EVSEMaximumVoltage": 60.0, "EVSEMinimumVoltage": 10.0},
    "least above most": {"EVSEMinimumChargeCurrent": 200.0, "EVSEMaximumChargeCurrent": 100.0},
    "half of the usual": {"EVSEMaximumChargePower": 20e3, "EVSEMaximumChargeCurrent": 40.0},
}
car = partial(Case, role="car", domain="CMN", control=GOOD, within=60.0)


# --- limits ---


def beyond(seen: Encounter, limits: dict[str, float]) -> str:
    """What the car asked for in its loops that is beyond the station's limits, in words; empty where nothing is."""
    current, voltage = limits.get("EVSEMaximumChargeCurrent", 150.0), limits.get("EVSEMaximumVoltage", 500.0)
    power = limits.get("EVSEMaximumChargePower", 60e3)
    for each in seen.of(dc.DC_ChargeLoopReq):
        mode: Any = each.CLReqControlMode
        if not hasattr(mode, "EVTargetCurrent"):
            continue
        amperes, volts = number(mode.EVTargetCurrent), number(mode.EVTargetVoltage)
        if amperes > current * SLIGHTLY:
            return f"it asks for {amperes:g} A, the station has at most {current:g} A"
        if amperes and volts > voltage * SLIGHTLY:
            return f"it asks for {volts:g} V, the station has at most {voltage:g} V"
        present = number(each.EVPresentVoltage) or volts
        if amperes * present > power * 1.05:
            return f"it asks for {amperes:g} A at {present:g} V, the station has at most {power:g} W"
    return ""


async def odd_limits(bench: CarBench) -> Outcome:
    """Limits with which the car cannot charge, or not as it would."""
    limits = LIMITS[bench.part]
    play = Play(limits={name: rational(value) for name, value in limits.items()}, fault=Fault("DC_ChargeParameterDiscoveryReq", good))
    seen = await bench.visit(play, patience=12.0)
    reached(seen)
    if told := beyond(seen, limits):
        return failed(told)
    return passed(seen.story)


# --- modes ---


def other_control(request: Any, desk: Desk) -> Any:
    """ScheduleExchangeRes in the other control mode."""
    answer = good(request, desk)
    if answer.Dynamic_SEResControlMode is None:
        return msgspec.structs.replace(answer, Scheduled_SEResControlMode=None, Dynamic_SEResControlMode=cm.Dynamic_SEResControlModeType())
    tuples = (schedule_tuple(3, power_schedule(desk.now(), (3600, 1e4)), prices(desk.now())),)
    mode = cm.Scheduled_SEResControlModeType(ScheduleTuple=tuples)
    return msgspec.structs.replace(answer, Dynamic_SEResControlMode=None, Scheduled_SEResControlMode=mode)


def other_direction(request: Any, desk: Desk) -> Any:
    """Charge parameters of a bidirectional service to a plain one."""
    return ok(request, desk, DC_CPDResEnergyTransferMode=least(dc.BPT_DC_CPDResEnergyTransferModeType))


def other_loop(request: Any, desk: Desk) -> Any:
    """A loop response in Dynamic mode to a Scheduled one, and the other way."""
    dynamic = "Dynamic" in type(request.CLReqControlMode).__name__
    kind = dc.Scheduled_DC_CLResControlModeType if dynamic else dc.Dynamic_DC_CLResControlModeType
    return msgspec.structs.replace(good(request, desk), CLResControlMode=least(kind))


def bidirectional_loop(request: Any, desk: Desk) -> Any:
    """A loop response of a bidirectional service to a plain one."""
    return msgspec.structs.replace(good(request, desk), CLResControlMode=least(dc.BPT_Scheduled_DC_CLResControlModeType))


MODES = {
    "schedule in the other control": ("ScheduleExchangeReq", other_control),
    "parameters of the other direction": ("DC_ChargeParameterDiscoveryReq", other_direction),
    "loop in the other control": ("DC_ChargeLoopReq", other_loop),
    "loop of the other direction": ("DC_ChargeLoopReq", bidirectional_loop),
}


async def other_mode(bench: CarBench) -> Outcome:
    """An answer in a mode that was not asked in."""
    request, answer = MODES[bench.part]
    return ended(await bench.visit(Play(fault=Fault(request, answer))), bench.close)


# --- times ---


def polled(request: str, limit: float) -> Callable[[CarBench], Any]:
    """A script in which one phase is Ongoing for ever."""

    async def script(bench: CarBench) -> Outcome:
        seen = await bench.visit(Play(fault=Fault(f"{request}Req", ongoing, always=True)), patience=limit + bench.close)
        return stopped_polling(seen, request, limit, bench.close)

    return script


def no_voltage(request: Any, desk: Desk) -> Any:
    """A voltage that does not rise."""
    return msgspec.structs.replace(good(request, desk), EVSEPresentVoltage=rational(3))


async def before_power(bench: CarBench) -> Outcome:
    """Isolation that failed, or a voltage that does not come."""
    if bench.part == "CableCheckRes FAILED":
        return ended(await bench.visit(Play(fault=Fault("DC_CableCheckReq", faults.failed))), bench.close)
    limit = EVCC_PRE_CHARGE_TIMEOUT
    seen = await bench.visit(Play(fault=Fault("DC_PreChargeReq", no_voltage, always=True)), patience=limit + bench.close)
    return stopped_polling(seen, "DC_PreCharge", limit, bench.close)


# --- schedules ---


def fullest(request: Any, desk: Desk) -> Any:
    """Three tuples, each with as many entries and price stacks as a message holds."""
    tuples = tuple(
        schedule_tuple(each, power_schedule(desk.now(), *((60, 1e4 + step) for step in range(FULL))), prices(desk.now(), FULL, 8))
        for each in (1, 2, 3)
    )
    mode = cm.Scheduled_SEResControlModeType(ScheduleTuple=tuples)
    return msgspec.structs.replace(good(request, desk), Scheduled_SEResControlMode=mode)


async def fullest_schedule(bench: CarBench) -> Outcome:
    """The largest ScheduleExchangeRes: the car goes on or stops, and lives."""
    seen = await bench.visit(Play(fault=Fault("ScheduleExchangeReq", fullest)), patience=20.0)
    reached(seen)
    if crash := bench.crashed(seen):
        return failed(crash)
    return passed(seen.story) if seen.after or seen.closed else failed(f"it hangs: {seen.story}")


async def profile(bench: CarBench) -> Outcome:
    """The EVPowerProfile of PowerDelivery(Start)."""
    anchor: list[int] = []
    entries = ((600, 30e3), (600, 5e3), (28_000, 20e3))

    def answer(request: Any, desk: Desk) -> Any:
        anchor[:] = [desk.now()]
        tuples = (schedule_tuple(7, power_schedule(desk.now(), *entries), prices(desk.now())),)
        return msgspec.structs.replace(
            good(request, desk), Scheduled_SEResControlMode=cm.Scheduled_SEResControlModeType(ScheduleTuple=tuples)
        )

    seen = await bench.visit(Play(answers={"ScheduleExchangeReq": answer}))
    starts = [each for each in seen.of(cm.PowerDeliveryReq) if each.ChargeProgress is cm.chargeProgressType.Start]
    if not starts or not seen.of(cm.ScheduleExchangeReq):
        raise Unreached(f"the car did not come to PowerDelivery: {seen.story}")
    found = starts[0].EVPowerProfile
    if found is None:
        return failed("PowerDelivery(Start) in Scheduled control has no EVPowerProfile")
    return profiled(found, entries, anchor[0], seen.of(cm.ScheduleExchangeReq)[0].MaximumSupportingPoints)


def profiled(found: cm.EVPowerProfileType, entries: Iterable[tuple[int, float]], anchor: int, most: int) -> Outcome:
    """Whether a profile keeps within a schedule of (s, W) from `anchor`, and has `most` entries at the most."""
    steps = [(each.Duration, number(each.Power)) for each in found.EVPowerProfileEntries.EVPowerProfileEntry]
    told = f"{len(steps)} entries, up to {max(power for _, power in steps):g} W"
    chosen = found.Scheduled_EVPPTControlMode
    if chosen is None or chosen.SelectedScheduleTupleID != 7:
        return failed("the profile names no schedule tuple that was offered")
    if len(steps) > most:
        return failed(f"{told}; MaximumSupportingPoints is {most}")
    ends = list(accumulate(seconds for seconds, _ in entries))
    powers, at = [watts for _, watts in entries], found.TimeAnchor - anchor
    for seconds, power in steps:
        inside = [watts for end, watts, begin in zip(ends, powers, [0, *ends], strict=False) if begin < at + seconds and end > at]
        if power > 0 and (not inside or power > min(inside) * SLIGHTLY or at + seconds > ends[-1]):
            return failed(f"{told}; {power:g} W for {seconds} s from second {at} are beyond the schedule")
        at += seconds
    return passed(told)


# --- prices ---


async def priced(bench: CarBench) -> Outcome:
    """Two tuples that differ in price alone, the cheap one first and then last: a car that goes by price takes it both times."""
    picks = []
    for cheap in (1, 2):
        answer = signed_as(bench.part, bench.certificates, cheap)
        seen = await bench.visit(Play(answers={"ScheduleExchangeReq": answer}, ways=("PnC",)), trigger="pnc")
        starts = [each for each in seen.of(cm.PowerDeliveryReq) if each.EVPowerProfile is not None]
        chosen = starts[0].EVPowerProfile.Scheduled_EVPPTControlMode if starts and starts[0].EVPowerProfile else None
        if chosen is None:
            if bench.part == "genuine":
                raise Unreached(f"the car chose no tuple: {seen.story}")
            return passed(f"it did not charge by them: {seen.story}")
        picks.append(chosen.SelectedScheduleTupleID == cheap)
    by_price = all(picks)
    if bench.part in ("tampered", "by another key"):
        return judged(not by_price, "it decided by prices that are not genuine" if by_price else "they were not used for its choice")
    if bench.part == "genuine" and not by_price:
        return inconclusive("the car does not choose by price, even where prices are genuine: nothing follows for the others")
    return passed(f"recorded: {'used' if by_price else 'not used'} for its choice")


CASES = (
    car(
        id="E-CHG-01",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-2272",),
        purpose="A car asks for nothing beyond the station's limits",
        stimulus="limits below the car's least, least above most, zero",
        expected=("it stops", "it keeps within the limits"),
        script=odd_limits,
        condition=("dc",),
        parts=tuple(LIMITS),
        lasts=4.0,
    ),
    car(
        id="E-CHG-02",
        kind=Kind.NEGATIVE,
        requirement=("V2G20-1600",),
        purpose="An answer in another mode than was asked in is none",
        stimulus="the other control mode, the other direction",
        expected=ENDS,
        script=other_mode,
        condition=("dc", "scheduled"),
        parts=tuple(MODES),
    ),
    car(
        id="E-CHG-03",
        kind=Kind.TIMING,
        requirement=(),
        purpose="A car does not wait for ever for a schedule",
        stimulus="ScheduleExchangeRes Ongoing for ever",
        expected=("it stops after 60 s",),
        script=polled("ScheduleExchange", EVCC_ONGOING_TIMEOUT),
        lasts=63.0,
        within=140.0,
    ),
    car(
        id="E-CHG-04",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        purpose="A car takes the largest schedule that the schema allows",
        stimulus="three tuples of 1024 entries and 1024 price stacks of 8 rules",
        expected=("it goes on", "it stops in order"),
        script=fullest_schedule,
        condition=("scheduled",),
        lasts=10.0,
        within=90.0,
    ),
    car(
        id="E-CHG-05",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="A car decides by no price that is not genuine",
        stimulus="signed prices: genuine, changed, by another key; unsigned ones",
        expected=("changed, by another key: not used for its choice", "genuine, unsigned: recorded"),
        script=priced,
        condition=("signed_prices", "scheduled", "pnc", "tls"),
        parts=("genuine", "tampered", "by another key", "unsigned"),
        lasts=6.0,
        within=60.0,
    ),
    car(
        id="E-CHG-06",
        kind=Kind.POSITIVE,
        requirement=(),
        purpose="A car's profile keeps within the schedule that it chose",
        stimulus="a schedule of three steps",
        expected=("powers within the tuple, as many entries as it said it supports",),
        script=profile,
        condition=("scheduled",),
    ),
    car(
        id="E-CHG-07",
        kind=Kind.TIMING,
        domain=DC.name,
        requirement=(),
        purpose="A car does not wait for ever for the isolation test",
        stimulus="CableCheckRes Ongoing for ever",
        expected=("it stops after 40 s",),
        script=polled("DC_CableCheck", EVCC_CABLE_CHECK_TIMEOUT),
        condition=("dc",),
        lasts=43.0,
        within=120.0,
    ),
    car(
        id="E-CHG-08",
        kind=Kind.TIMING,
        domain=DC.name,
        requirement=(),
        purpose="A car does not close its contactor without isolation and voltage",
        stimulus="CableCheckRes FAILED; PreCharge whose voltage never comes",
        expected=("it stops, after at most 10 s of PreCharge",),
        script=before_power,
        condition=("dc",),
        parts=("CableCheckRes FAILED", "no voltage"),
        lasts=12.0,
        within=60.0,
    ),
)
