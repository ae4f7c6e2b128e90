"""ISO 15118-2: CableCheck, PreCharge and WeldingDetection, a DC outlet before and after power."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from v2g.iso2.physical import A, V, number, physical
from v2g.iso2.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT, SECC_PERFORMANCE
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2.msg_data_types import DC_EVErrorCodeType as Fault
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import isolationLevelType as Level
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import OF_DC
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.guest import PACE, busy
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit2 import TOLERANCE, Visit2

MODE = {"mode": Transfer.DC_extended}
SAFE = 60.0  # V that are no danger any more
case = partial(Case, role="station", domain=OF_DC, condition=("generation_2", "dc"), within=90.0, control="S2-DCS-01")


async def checked(bench: AtStation) -> Outcome:
    """The cable check ends in time, each answer of it too, with a verdict on the isolation."""
    visit = await bench.at2("CableCheck", **MODE)
    began = time.monotonic()
    while (after := time.monotonic() - began) < EVCC_CABLE_CHECK_TIMEOUT:
        reply = await visit.ask(asked2.cable_check())
        if not reply.ok or reply.seconds > SECC_PERFORMANCE + bench.pics.test.slack:
            return failed(str(reply))
        if not busy(reply.message):
            level = visit.heard.of("CableCheckRes").DC_EVSEStatus.EVSEIsolationStatus
            seen = f"Finished {time.monotonic() - began:.1f} s after the first request, isolation {level.value if level else 'not told'}"
            return judged(level in (None, Level.Valid, Level.Warning, Level.No_IMD), seen)
        await asyncio.sleep(PACE)
    return failed(f"still Ongoing after {after:.0f} s")


FAULTY = {
    "not ready": asked2.ready(False),
    "a fault of its battery": asked2.ready(True, error=Fault.FAILED_EVRESSMalfunction),
    "full": asked2.ready(True, soc=100),
}


async def faulty(bench: AtStation) -> Outcome:
    """A car with a fault asks for the check."""
    visit = await bench.at2("CableCheck", **MODE)
    reply = await visit.ask(asked2.cable_check(FAULTY[bench.part]))
    return judged(reply.name == "CableCheckRes" and (reply.ok or reply.fatal), str(reply))


async def converged(bench: AtStation) -> Outcome:
    """The outlet comes to the battery's voltage in time."""
    visit = await bench.at2("PreCharge", **MODE)
    began, present = time.monotonic(), 0.0
    while (after := time.monotonic() - began) < EVCC_PRE_CHARGE_TIMEOUT:
        reply = await visit.ask(asked2.pre_charge(visit.ways.voltage))
        if not reply.ok or reply.seconds > SECC_PERFORMANCE + bench.pics.test.slack:
            return failed(str(reply))
        present = number(visit.heard.of("PreChargeRes").EVSEPresentVoltage)
        if abs(present - visit.ways.voltage) <= TOLERANCE:
            return passed(f"{present:g} V {time.monotonic() - began:.1f} s after the first request")
        await asyncio.sleep(PACE)
    return failed(f"{present:g} V after {after:.1f} s, asked was {visit.ways.voltage:g} V")


def most_voltage(visit: Visit2) -> float:
    """What the outlet gives at most, as it said (V)."""
    return number(visit.heard.of("ChargeParameterDiscoveryRes").EVSEChargeParameter.EVSEMaximumVoltageLimit)


TARGETS: Mapping[str, tuple[float, float]] = {
    "beyond the outlet": (10_000.0, 2.0), "negative": (-400.0, 2.0), "zero": (0.0, 2.0), "all the current": (400.0, 30_000.0),
}  # fmt: skip


async def out_of_range(bench: AtStation) -> Outcome:
    """A voltage that the outlet must not give."""
    visit = await bench.at2("PreCharge", **MODE)
    most, seen = most_voltage(visit), 0.0
    for _ in range(8):
        reply = await visit.ask(asked2.pre_charge(*TARGETS[bench.part]))
        if not reply.ok:
            return judged(reply.refused, str(reply))
        seen = max(seen, number(visit.heard.of("PreChargeRes").EVSEPresentVoltage))
        await asyncio.sleep(PACE)
    beyond = min(most, max(TARGETS[bench.part][0], 0.0)) * 1.05 + TOLERANCE
    return judged(seen <= beyond, f"at most {seen:g} V at the outlet, asked were {TARGETS[bench.part][0]:g} V")


async def raised(bench: AtStation) -> Outcome:
    """Pre-charge to another voltage than before."""
    visit = await bench.at2("PowerDelivery", **MODE)
    other, present = 0.9 * visit.ways.voltage, 0.0
    until = time.monotonic() + EVCC_PRE_CHARGE_TIMEOUT
    while time.monotonic() < until:
        reply = await visit.ask(asked2.pre_charge(other))
        if not reply.ok:
            return failed(str(reply))
        present = number(visit.heard.of("PreChargeRes").EVSEPresentVoltage)
        if abs(present - other) <= TOLERANCE / 2:
            return passed(f"{present:g} V, asked were {other:g} V")
        await asyncio.sleep(PACE)
    return failed(f"{present:g} V, asked were {other:g} V")


async def dead(bench: AtStation) -> Outcome:
    """After power the outlet is without voltage soon."""
    visit = await bench.at2("WeldingDetection", **MODE)
    began, present = time.monotonic(), 0.0
    while (after := time.monotonic() - began) < 20.0:
        reply = await visit.ask(asked2.welding())
        if not reply.ok:
            return failed(str(reply))
        present = number(visit.heard.of("WeldingDetectionRes").EVSEPresentVoltage)
        if present < SAFE:
            return passed(f"{present:g} V after {after:.1f} s")
        await asyncio.sleep(PACE)
    return failed(f"{present:g} V after {after:.1f} s of welding detection")


async def left_out(bench: AtStation) -> Outcome:
    """A car may leave without welding detection."""
    visit = await bench.at2("WeldingDetection", **MODE)
    reply = await visit.ask(asked2.stop())
    return judged(reply.ok and reply.name == "SessionStopRes", str(reply))


async def told_as_ready(bench: AtStation) -> Outcome:
    """What the outlet says of itself through a whole start: nothing that a car must stop for."""
    visit = await bench.at2("CableCheck", **MODE)
    codes = list[str]()
    while visit.steps[visit.at] != "PowerDeliveryStop":
        response: Any = await visit.step()
        status: Any = getattr(response, "DC_EVSEStatus", None) or getattr(response, "EVSEStatus", None)
        codes.append(status.EVSEStatusCode.value if status is not None else "none")
    bad = [each for each in codes if each in ("EVSE_EmergencyShutdown", "EVSE_Malfunction", "EVSE_Shutdown", "EVSE_UtilityInterruptEvent")]
    return judged(not bad and codes[-1] == "EVSE_Ready", ", ".join(dict.fromkeys(codes)))


async def no_volts(bench: AtStation) -> Outcome:
    """A voltage in a unit that is none."""
    visit = await bench.at2("PreCharge", **MODE)
    request = mb.PreChargeReq(DC_EVStatus=asked2.ready(), EVTargetVoltage=physical(400.0, A), EVTargetCurrent=physical(2.0, V))
    reply = await visit.ask(request)
    return judged(reply.name == "PreChargeRes" and (reply.ok or reply.fatal), str(reply))


CASES = (
    case(
        id="S2-DCS-01", kind=Kind.TIMING, requirement=("V2G2-700",), purpose="The cable is checked in time", control="",
        precondition="parameters are agreed upon", stimulus="CableCheckReq while the station is busy", script=checked,
        expected=("Finished within 40 s, the isolation not invalid and no fault; each answer within 1.5 s",),
    ),
    case(
        id="S2-DCS-02", kind=Kind.ROBUSTNESS, requirement=(), basis="8.5.4.2, DC_EVStatus", purpose="A car with a fault harms nobody",
        precondition="parameters are agreed upon", stimulus="CableCheckReq of a car that is not ready, has a fault, is full",
        expected=("OK or FAILED; a good car is served afterwards",), script=faulty, parts=tuple(FAULTY),
    ),
    case(
        id="S2-DCS-03", kind=Kind.TIMING, requirement=("V2G2-704",), purpose="The outlet comes to the battery's voltage in time",
        precondition="the cable is checked", stimulus="PreChargeReq while the voltage differs", script=converged,
        expected=("within 20 V of the target within 7 s; each answer within 1.5 s",),
    ),
    case(
        id="S2-DCS-04", kind=Kind.ROBUSTNESS, requirement=(), basis="8.4.5.3, PreChargeReq", purpose="No outlet gives what it cannot",
        precondition="the cable is checked",
        stimulus="PreChargeReq with a voltage beyond the outlet, below zero, zero; with all the current",
        expected=("FAILED, the end of the connection", "a voltage within the outlet's limits and the target"), script=out_of_range,
        parts=tuple(TARGETS), control="S2-DCS-03",
    ),
    case(
        id="S2-DCS-05", kind=Kind.POSITIVE, requirement=(), basis="8.4.5.3, PreChargeReq", purpose="Pre-charge follows the battery",
        precondition="the outlet has the battery's voltage", stimulus="PreChargeReq with a tenth less", script=raised,
        expected=("the new voltage within 7 s",), control="S2-DCS-03",
    ),
    case(
        id="S2-DCS-06", kind=Kind.ROBUSTNESS, requirement=(), basis="8.5.2.7, PhysicalValue",
        purpose="A unit that does not fit harms nobody",
        precondition="the cable is checked", stimulus="PreChargeReq with a voltage in amperes", script=no_volts,
        expected=("OK or FAILED; a good car is served afterwards",), control="S2-DCS-03",
    ),
    case(
        id="S2-DCS-07", kind=Kind.POSITIVE, requirement=("V2G2-366",), purpose="A sound outlet says that it is",
        precondition="parameters are agreed upon", stimulus="everything from the cable check to the charge loop", script=told_as_ready,
        expected=("EVSE_Ready under power; no shutdown, malfunction or emergency before",),
    ),
    case(
        id="S2-DCS-08", kind=Kind.TIMING, requirement=(), basis="8.4.5.5, WeldingDetectionRes", purpose="After power the outlet is dead",
        precondition="power has ended", stimulus="WeldingDetectionReq until there is no voltage", script=dead,
        expected=(f"less than {SAFE:g} V within 20 s",), control="S2-DCS-03",
    ),
    case(
        id="S2-DCS-09", kind=Kind.POSITIVE, requirement=("V2G2-601",), purpose="Welding detection may be left out",
        precondition="power has ended", stimulus="SessionStopReq", expected=("OK",), script=left_out, control="S2-DCS-08",
    ),
)  # fmt: skip
