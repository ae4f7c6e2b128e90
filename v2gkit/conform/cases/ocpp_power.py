"""What a CSMS asks of a session: less power, its end; and what it is told of needs and energy."""

import asyncio
import contextlib
import time
from functools import partial
from typing import Any

from v2g.messages.common_messages import chargeProgressType
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2g.services import services_of
from v2gkit.conform import asked, asked2
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Kind
from v2gkit.conform.cases.ocpp_account import ANY, both
from v2gkit.conform.reported import (
    ANEW,
    TOLD,
    Reported,
    allowed,
    epoch,
    flowing,
    notified,
    offered,
    profile,
    registers,
    session,
    stops,
)
from v2gkit.conform.verdict import Outcome, failed, inconclusive, judged

LESS = 4_000.0  # W: less than the good car takes
NEAR = 1.02  # by which a limit that went through rationals, volts and amperes may be passed
DC = {name: (*each, "dc") for name, each in ANY.items()}
MINUTE = 60.0  # s by which a time of departure may differ
SCHEDULES = {"20": "ScheduleExchange", "2": "ChargeParameterDiscovery"}  # the step that brings them
RESPONSES = ("ScheduleExchangeRes", "ChargeParameterDiscoveryRes")  # that bear schedules


# --- needs ---


async def needs(bench: AtStation) -> Outcome:
    """What a car needs is told as it said it."""
    async with session(bench) as one:
        call = await one.csms.hear(one.began, lambda call: one.mine(call) and call.action == "NotifyEVChargingNeeds", TOLD)
        if call is None:
            return failed(f"no NotifyEVChargingNeeds for EVSE {bench.evse}, though power flows")
        told = call.payload["chargingNeeds"]
        wrong = [each for each in (_transfer(one, told), _departure(told), _power(one, told)) if each]
        return judged(
            not wrong, "; ".join(wrong) or f"{told['requestedEnergyTransfer']}, {_watts(told)} W at most, {told.get('departureTime')}"
        )


def _transfer(one: Reported, told: Any) -> str:
    said, converted = str(told["requestedEnergyTransfer"]), one.visit.ways.dc  # type: ignore[attr-defined]
    kinds = {row.dc for row in services_of(said)}
    return "" if kinds == {converted} else f"requestedEnergyTransfer {said} of a car that is charged by {KINDS[converted]}"


KINDS = {True: "direct current", False: "alternating current"}


def _departure(told: Any) -> str:
    if "departureTime" not in told:
        return ""
    away = epoch(told["departureTime"]) - time.time()
    return "" if abs(away - asked.STAYS) <= MINUTE else f"departureTime in {away:.0f} s, the car said {asked.STAYS} s"


def _power(one: Reported, told: Any) -> str:
    watts, most = _watts(told), 2 * one.visit.ways.power  # type: ignore[attr-defined]
    if watts is None:
        return ""
    return "" if 0.0 < watts <= NEAR * most else f"{watts:g} W at most, the car said {most:g} W"


def _watts(told: Any) -> float | None:
    """The most power in charging needs (W); None where they state none."""
    both_ways, dc = told.get("v2xChargingParameters", {}), told.get("dcChargingParameters", {})
    found = both_ways.get("maxChargePower", dc.get("evMaxPower"))
    return None if found is None else float(found)


# --- profiles ---


async def _steered(one: Reported, watts: float) -> str:
    """Set a profile for this session's transaction; empty where it is taken, else what was said."""
    said = await one.csms.call("SetChargingProfile", {"evseId": one.bench.evse, "chargingProfile": profile(await one.transaction(), watts)})
    return (
        "" if said["status"] == "Accepted" else f"SetChargingProfile is {said['status']} {said.get('statusInfo', {}).get('reasonCode', '')}"
    )


async def limited(bench: AtStation) -> Outcome:
    """A limit reaches a car that charges."""
    ways: dict[str, Any] = {}
    if bench.generation == "20":
        ways["control"] = "Dynamic"
    async with session(bench, **ways) as one:
        if wrong := await _steered(one, LESS):
            return inconclusive(f"{wrong}: the station takes no profile")
        began = time.monotonic()
        told = await one.charging(_limit_of(LESS), TOLD)
        if told in ANEW:
            return await _anew(one)
        return judged(told is not None, f"{told or 'no limit'} after {time.monotonic() - began:.1f} s")


def _limit_of(watts: float) -> Any:
    def found(response: Any) -> str | None:
        said, most = notified(response), allowed(response)
        if most is not None and most <= NEAR * watts:
            return f"{most:.0f} W"
        return said if said in ANEW else None

    return found


async def _anew(one: Reported) -> Outcome:
    """Ask for another schedule, as the car is told to: pass where it keeps to the limit."""
    visit: Any = one.visit
    if one.bench.generation == "20":
        await visit.granted(asked.delivery(chargeProgressType.ScheduleRenegotiation))
    else:
        await visit.granted(asked2.delivery(Progress.Renegotiate, visit.tuple.SAScheduleTupleID))
    visit.at = visit.steps.index(SCHEDULES[one.bench.generation])
    most = offered(await visit.step())
    return judged(most is not None and most <= NEAR * LESS, f"told to ask for a schedule, which then has {most} W")


async def renegotiated(bench: AtStation) -> Outcome:
    """A limit reaches a car that follows a schedule."""
    async with session(bench, control="Scheduled") as one:
        if wrong := await _steered(one, LESS):
            return inconclusive(f"{wrong}: the station takes no profile")
        told = await one.charging(_limit_of(LESS), TOLD)
        return await _anew(one) if told in ANEW else judged(told is not None, told or f"no limit in {TOLD:g} s")


async def planned(bench: AtStation) -> Outcome:
    """A profile that comes for the car's needs is in the schedules that it is offered."""
    csms = await bench.csms()
    ways = {"control": "Scheduled"} if bench.generation == "20" else {}
    taken: list[str] = []
    with csms.answering("NotifyEVChargingNeeds", lambda payload, usual: {"status": "Accepted"}):
        async with session(bench, "ChargeParameterDiscovery", **ways) as one:

            async def steer() -> None:
                needs = await one.csms.hear(one.began, lambda call: one.mine(call) and call.action == "NotifyEVChargingNeeds", 60.0)
                if needs is not None:
                    taken.append(await _steered(one, LESS))

            steering = asyncio.create_task(steer())
            try:
                await one.visit.upto("PowerDelivery")
            finally:
                steering.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await steering
    if not taken or taken[0]:
        return inconclusive(taken[0] if taken else "the station told no needs before it offered schedules")
    known = one.visit.heard.responses
    most = next((found for name in RESPONSES if name in known and (found := offered(known[name])) is not None), None)
    return judged(most is not None and most <= NEAR * LESS, f"the schedules begin with {most} W, the CSMS allows {LESS:g} W")


async def unbounded(bench: AtStation) -> Outcome:
    """A profile beyond the outlet does not lift its limits."""
    async with session(bench) as one:
        before = await one.charging(allowed, 2.0)
        if before is None:
            return inconclusive("the loop states no limit")
        said = await _steered(one, 10_000_000.0)
        seen = list[float]()
        await one.charging(lambda response: seen.append(most) if (most := allowed(response)) is not None else None, 3.0)
        return judged(
            max(seen, default=0.0) <= NEAR * before, f"{before:.0f} W before, {max(seen, default=0.0):.0f} W after; {said or 'taken'}"
        )


# --- the end ---


async def stopped(bench: AtStation) -> Outcome:
    """The CSMS ends a charge: the car is told, and the CSMS why it ended."""
    async with session(bench) as one:
        said = await one.csms.call("RequestStopTransaction", {"transactionId": await one.transaction()})
        if said["status"] != "Accepted":
            return failed(f"RequestStopTransaction of a transaction that runs is {said['status']}")
        told = await one.charging(stops, TOLD)
        if told is None:
            return failed(f"the car is not told to end within {TOLD:g} s")
        await one.leaves()
        end = await one.ended()
        if end is None:
            return failed(f"the car is told {told}, but no TransactionEvent Ended follows")
        why = end.payload["transactionInfo"].get("stoppedReason", "Local")
        return judged(why == "Remote", f"the car is told {told}, stoppedReason {why}")


async def stopped_nobody(bench: AtStation) -> Outcome:
    """The end of a transaction that there is not ends no other."""
    async with session(bench) as one:
        await one.transaction()
        said = await one.csms.call("RequestStopTransaction", {"transactionId": "there-is-no-such-transaction"})
        told = await one.charging(stops, 3.0)
        return judged(said["status"] == "Rejected" and told is None, f"{said['status']}, the car is told {told or 'nothing'}")


# --- readings ---


async def metered(bench: AtStation) -> Outcome:
    """What the meter says to the CSMS is what flowed into the car."""
    async with session(bench) as one:
        drawn, last = 0.0, (time.monotonic(), 0.0)

        def count(response: Any) -> None:
            nonlocal drawn, last
            now, watts = time.monotonic(), flowing(response) or 0.0
            drawn += (now - last[0]) * (watts + last[1]) / 2 / 3600.0
            last = (now, watts)

        await one.charging(count, 8.0)
        await one.leaves()
        end = await one.ended()
        if end is None:
            return inconclusive(f"no TransactionEvent Ended in {TOLD:g} s")
        found = registers(one.events(end.transaction))
    if len(found) < 2:
        return failed(f"{len(found)} readings of the register in the events of the transaction, two are needed for a bill")
    metered_ = max(each for _, each in found) - min(each for _, each in found)
    seen = f"{metered_:.1f} Wh by the meter, {drawn:.1f} Wh by what the loop showed"
    return judged(abs(metered_ - drawn) <= max(5.0, 0.25 * drawn), seen)


both_ = partial(both, conditions=ANY, within=90.0)
CASES = (
    *both_(
        20, purpose="The CSMS is told what a car needs", basis="OCPP 2.x, K15", control=1, lasts=5.0,
        stimulus="a session of a good car up to the loop",
        expected=("NotifyEVChargingNeeds for the outlet: kind of energy transfer, departure and power as the car said them, at most",),
        script=needs,
    ),
    *both_(
        21, purpose="A limit of the CSMS reaches a car that charges", basis="OCPP 2.x, K16", control=20, lasts=6.0,
        stimulus=f"SetChargingProfile (TxProfile, {LESS:g} W) in the loop, in Dynamic control where the generation has it",
        expected=("a limit of the loop within it", "the car is told to ask for another schedule, which keeps to it"), script=limited,
    ),
    *(
        case for case in both_(
            22, purpose="A limit of the CSMS reaches a car that follows a schedule", basis="OCPP 2.x, K16", control=20, lasts=6.0,
            stimulus=f"SetChargingProfile (TxProfile, {LESS:g} W) in the loop, in Scheduled control",
            script=renegotiated,
            expected=("a limit of the loop within it", "the car is told to ask for another schedule, which keeps to it"),
        ) if case.generation == "20"
    ),
    *both_(
        23, purpose="A profile for the car's needs is in the schedules that it is offered", basis="OCPP 2.x, K15", control=20, lasts=5.0,
        stimulus=f"NotifyEVChargingNeeds answered by Accepted and SetChargingProfile (TxProfile, {LESS:g} W)",
        expected=("schedules that begin with that power at most",), script=planned,
    ),
    *both_(
        24, kind=Kind.NEGATIVE, purpose="No profile lifts the limits of the outlet", basis="OCPP 2.x, K01", control=21, lasts=8.0,
        stimulus="SetChargingProfile (TxProfile, 10 MW) in the loop", script=unbounded,
        expected=("the limits of the loop stay where they were",),
    ),
    *both_(
        25, purpose="The CSMS ends a charge", basis="OCPP 2.x, F03", control=1, lasts=6.0,
        stimulus="RequestStopTransaction in the loop", script=stopped,
        expected=("Accepted, the car is told to end, then TransactionEvent Ended with the stoppedReason Remote",),
    ),
    *both_(
        26, kind=Kind.NEGATIVE, purpose="The end of a transaction that there is not ends no other", basis="OCPP 2.x, F03", control=25,
        lasts=7.0, stimulus="RequestStopTransaction with an unknown transactionId, in the loop",
        expected=("Rejected, and the car charges on",), script=stopped_nobody,
    ),
    *both(
        27, DC, purpose="The meter tells the CSMS what flowed into the car", basis="OCPP 2.x, J02", control=1, within=90.0, lasts=12.0,
        stimulus="8 s of charge, then the end of the session",
        expected=("the register differs between the events by what the loop showed, within a quarter or 5 Wh",), script=metered,
    ),
)  # fmt: skip
