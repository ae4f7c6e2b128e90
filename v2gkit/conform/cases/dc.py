"""CableCheck and PreCharge: a DC outlet before power."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial

from v2g.iso20.rational import number
from v2g.iso20.services import DC
from v2g.iso20.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT, SECC_PERFORMANCE
from v2g.messages.common_types import processingType
from v2g.messages.dc import DC_CableCheckReq
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.guest import PACE
from v2gkit.conform.judging import FOREIGN, OUT_OF_TURN, fatal, foreign, out_of_turn
from v2gkit.conform.silence import silent
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit import TOLERANCE

case = partial(Case, role="station", domain=DC.name, condition=("dc",))


async def checked(bench: AtStation) -> Outcome:
    """The cable check ends in time, each answer of it too."""
    visit = await bench.at("CableCheck")
    began = time.monotonic()
    while (after := time.monotonic() - began) < EVCC_CABLE_CHECK_TIMEOUT:
        reply = await visit.ask(asked.cable_check())
        if not reply.ok or reply.seconds > SECC_PERFORMANCE + bench.pics.test.slack:
            return failed(str(reply))
        if visit.heard.of("DC_CableCheckRes").EVSEProcessing is processingType.Finished:
            return passed(f"Finished {time.monotonic() - began:.1f} s after the first request")
        await asyncio.sleep(PACE)
    return failed(f"still Ongoing after {after:.0f} s")


async def not_plugged(bench: AtStation) -> Outcome:
    """A car whose pilot says that it wants no energy."""
    visit = await bench.at("CableCheck")
    async with bench.driven("pilot_b", "pilot_c"):
        return await fatal(bench, visit, await visit.ask(asked.cable_check()), of=DC_CableCheckReq)


async def in_turn(bench: AtStation) -> Outcome:
    """Pre-charge before the cable check, or another session."""
    visit = await bench.at("CableCheck")
    if bench.part == "another session":
        return await foreign(bench, visit)
    return await out_of_turn(bench, visit, visit.usual("PreCharge"))


async def converged(bench: AtStation) -> Outcome:
    """The outlet comes to the battery's voltage in time."""
    visit = await bench.at("PreCharge")
    began, present = time.monotonic(), 0.0
    while (after := time.monotonic() - began) < EVCC_PRE_CHARGE_TIMEOUT:
        reply = await visit.ask(asked.pre_charge(visit.ways.voltage, present, False))
        if not reply.ok or reply.seconds > SECC_PERFORMANCE + bench.pics.test.slack:
            return failed(str(reply))
        present = number(visit.heard.of("DC_PreChargeRes").EVSEPresentVoltage)
        if abs(present - visit.ways.voltage) <= TOLERANCE:
            return passed(f"{present:g} V {time.monotonic() - began:.1f} s after the first request")
        await asyncio.sleep(PACE)
    return failed(f"{present:g} V after {after:.1f} s, asked was {visit.ways.voltage:g} V")


TARGETS: Mapping[str, float] = {"beyond the outlet": 10_000.0, "negative": -400.0, "zero": 0.0}


async def out_of_range(bench: AtStation) -> Outcome:
    """A voltage that the outlet must not give."""
    visit = await bench.at("PreCharge")
    most = number(visit.heard.of("DC_ChargeParameterDiscoveryRes").DC_CPDResEnergyTransferMode.EVSEMaximumVoltage)
    seen = 0.0
    for _ in range(10):
        reply = await visit.ask(asked.pre_charge(TARGETS[bench.part], seen, False))
        if reply.fatal:
            wrong = await bench.ends(visit.wire, reply)
            return judged(not wrong, wrong or str(reply))
        if not reply.ok:
            return failed(str(reply))
        seen = number(visit.heard.of("DC_PreChargeRes").EVSEPresentVoltage)
        if not -1.0 <= seen <= 1.02 * most:
            return failed(f"{seen:g} V at the outlet, its most is {most:g} V")
        await asyncio.sleep(PACE)
    return passed(f"{seen:g} V at the outlet after ten requests, its most is {most:g} V")


CASES = (
    case(
        id="S-DCS-01", kind=Kind.TIMING, requirement=(), purpose="The cable is checked in time", precondition="a schedule is offered",
        stimulus="DC_CableCheckReq until Finished", expected=("Finished within 40 s, each answer within 1.5 s",), script=checked,
        within=60.0,
    ),
    case(
        id="S-DCS-02", kind=Kind.NEGATIVE, requirement=(), condition=("dc", "hal"),
        purpose="No cable is checked for a car that wants nothing",
        precondition="a schedule is offered, the pilot is in state B", stimulus="DC_CableCheckReq",
        expected=("FAILED, and the connection ends",), script=not_plugged, control="S-DCS-01",
    ),
    case(
        id="S-DCS-03", kind=Kind.NEGATIVE, requirement=("V2G20-459", "V2G20-460"), purpose="The cable is checked before pre-charge",
        precondition="a schedule is offered", stimulus="DC_PreChargeReq where DC_CableCheckReq is due; that with a foreign SessionID",
        expected=(OUT_OF_TURN, FOREIGN), script=in_turn, parts=("another request", "another session"), control="S-DCS-01",
    ),
    case(
        id="S-DCS-04", kind=Kind.TIMING, requirement=(), purpose="Pre-charge reaches the battery's voltage in time",
        precondition="the cable is checked", stimulus="DC_PreChargeReq until the voltages match",
        expected=("the asked voltage within 10 s, each answer within 1.5 s",), script=converged, within=60.0,
    ),
    case(
        id="S-DCS-05", kind=Kind.NEGATIVE, requirement=(), purpose="A voltage that the outlet must not give is not given",
        precondition="the cable is checked", stimulus="DC_PreChargeReq for 10 kV, for a negative voltage, for zero",
        expected=("FAILED", "OK, and a voltage within the outlet's limits"), script=out_of_range, parts=tuple(TARGETS), control="S-DCS-04",
        within=60.0,
    ),
    case(
        id="S-DCS-06", kind=Kind.TIMING, requirement=(), purpose="A car that falls silent before power is left after a minute, not sooner",
        precondition="the cable is checked, or pre-charge is over", stimulus="nothing",
        expected=("the connection ends after the sequence timeout of 60 s",),
        script=lambda bench: silent(bench, bench.part, 55.0, 60.0), parts=("PreCharge", "PowerDelivery"), within=90.0, lasts=62.0,
        control="S-DCS-04",
    ),
)  # fmt: skip
