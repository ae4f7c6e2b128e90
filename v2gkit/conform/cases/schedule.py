"""ScheduleExchange: what a car needs, and when it may take it."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pki.profiles import Role
from pki.tariff import Standing, judge_prices, price_schedules, signers
from v2g.iso20.rational import rational
from v2g.iso20.timing import EVCC_ONGOING_TIMEOUT
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import fatal, nothing, polled
from v2gkit.conform.spoilt import again, bits, document, octets
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit import Visit

STEP = "ScheduleExchange"
ENDS = "and the connection ends"
case = partial(Case, role="station", domain="CMN", precondition="the limits are exchanged")


async def offered(bench: AtStation, points: int = 1024, **ways: object) -> tuple[Visit, Any, str]:
    """The offer for the needs of a good car, once the station has one; what came instead, in words."""
    visit = await bench.at(STEP, **ways)
    reply = await polled(visit, asked.schedule(visit.ways, points))
    if not reply.ok or reply.name != "ScheduleExchangeRes":
        return visit, None, str(reply)
    return visit, visit.heard.of("ScheduleExchangeRes"), ""


def length(schedule: Any) -> int:
    """How long a power schedule lasts (s)."""
    return sum(each.Duration for each in schedule.PowerScheduleEntries.PowerScheduleEntry)


async def scheduled(bench: AtStation) -> Outcome:
    """Tuples that cover the stay."""
    _, offer, wrong = await offered(bench, control="Scheduled")
    if wrong:
        return failed(wrong)
    mode = offer.Scheduled_SEResControlMode
    if mode is None:
        return failed("ScheduleExchangeRes has no Scheduled_SEResControlMode")
    ids = [each.ScheduleTupleID for each in mode.ScheduleTuple]
    lengths = [length(each.ChargingSchedule.PowerSchedule) for each in mode.ScheduleTuple]
    covered = min(lengths) >= asked.STAYS - 60
    return judged(len(set(ids)) == len(ids) and covered, f"tuples {ids} of {lengths} s, the car stays {asked.STAYS} s")


async def dynamic(bench: AtStation) -> Outcome:
    """An answer in kind."""
    _, offer, wrong = await offered(bench, control="Dynamic")
    if wrong:
        return failed(wrong)
    kind = offer.Dynamic_SEResControlMode is not None and offer.Scheduled_SEResControlMode is None
    return judged(kind, "Dynamic_SEResControlMode" if kind else "ScheduleExchangeRes is of another control mode")


async def other_mode(bench: AtStation) -> Outcome:
    """Needs in another control mode than was selected."""
    visit = await bench.at(STEP)
    other = replace(visit.ways, control="Dynamic" if visit.ways.control == "Scheduled" else "Scheduled")
    return await fatal(bench, visit, await visit.ask(asked.schedule(other)), of=cm.ScheduleExchangeReq)


async def points(bench: AtStation) -> Outcome:
    """No more steps than a car can hold."""
    _, offer, wrong = await offered(bench, 12, control="Scheduled")
    if wrong:
        return failed(wrong)
    tuples = offer.Scheduled_SEResControlMode.ScheduleTuple
    schedules = [one for each in tuples for one in (each.ChargingSchedule, each.DischargingSchedule) if one is not None]
    most = max(len(each.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry) for each in schedules)
    return judged(most <= 12, f"at most {most} steps in {len(schedules)} schedules")


async def out_of_schema(bench: AtStation) -> Outcome:
    """A number of points that the schema does not know, in the bits that its range leaves free."""
    visit = await bench.at(STEP)
    at = time.time()
    low, high = (visit.octets(asked.stamped(asked.schedule(visit.ways, each), visit.heard.session_id, at)) for each in (12, 1024))
    one, two = bits(document(low)), bits(document(high))
    first = next(place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    raw = format(int(bench.part) - 12, "010b")
    await visit.wire.send(again(low, octets(one[:first] + raw + one[first + 10 :])))
    return nothing(await visit.reply(cm.ScheduleExchangeReq))


def longest(at: float) -> cm.EVEnergyOfferType:
    """The longest energy offer that the schema allows."""
    entry = cm.EVPowerScheduleEntryType(Duration=60, Power=rational(-1000))
    rule = cm.EVPriceRuleType(EnergyFee=rational(0.3), PowerRangeStart=rational(0))
    stack = cm.EVPriceRuleStackType(Duration=60, EVPriceRule=(rule,) * 8)
    return cm.EVEnergyOfferType(
        EVPowerSchedule=cm.EVPowerScheduleType(
            TimeAnchor=int(at), EVPowerScheduleEntries=cm.EVPowerScheduleEntryListType(EVPowerScheduleEntry=(entry,) * 1024)
        ),
        EVAbsolutePriceSchedule=cm.EVAbsolutePriceScheduleType(
            TimeAnchor=int(at),
            Currency="EUR",
            PriceAlgorithm="urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
            EVPriceRuleStacks=cm.EVPriceRuleStackListType(EVPriceRuleStack=(stack,) * 1024),
        ),
    )


async def huge(bench: AtStation) -> Outcome:
    """The longest energy offer."""
    visit = await bench.at(STEP, control="Scheduled")
    reply = await visit.ask(asked.schedule(visit.ways, EVEnergyOffer=longest(time.time())))
    return judged(reply.kind == "answer" and (reply.ok or reply.fatal) and reply.name == "ScheduleExchangeRes", str(reply))


NEEDS: Mapping[str, dict[str, Any]] = {
    "MinimumSOC above TargetSOC": {"MinimumSOC": 90, "TargetSOC": 20},
    "one of two V2X energies": {"EVMaximumV2XEnergyRequest": rational(5000)},
}


async def contradictory(bench: AtStation) -> Outcome:
    """Needs that contradict themselves."""
    visit = await bench.at(STEP, control="Dynamic")
    reply = await polled(visit, asked.schedule(visit.ways, **NEEDS[bench.part]))
    return judged(reply.name == "ScheduleExchangeRes" and (reply.ok or reply.fatal), str(reply))


async def in_time(bench: AtStation) -> Outcome:
    """An offer, or a clear no, before the car gives up."""
    visit = await bench.at(STEP)
    began = time.monotonic()
    while time.monotonic() - began < EVCC_ONGOING_TIMEOUT:
        reply = await visit.ask(asked.schedule(visit.ways))
        after = time.monotonic() - began
        if reply.fatal:
            wrong = await bench.ends(visit.wire, reply)
            return judged(not wrong, wrong or f"{reply}, {after:.1f} s after the first request")
        if not reply.ok:
            return failed(str(reply))
        if visit.heard.of("ScheduleExchangeRes").EVSEProcessing is processingType.Finished:
            return passed(f"{reply}, Finished {after:.1f} s after the first request")
    return failed(f"still Ongoing after {EVCC_ONGOING_TIMEOUT:g} s")


async def priced(bench: AtStation) -> Outcome:
    """Prices, with a signature that verifies where there is one."""
    _, offer, wrong = await offered(bench, authorization="PnC", control="Scheduled")
    if wrong:
        return failed(wrong)
    if not tuple(price_schedules(offer)):
        return passed("for information: no absolute prices")
    contract = bench.wallet.credential(Role.CONTRACT)
    held = [each.leaf for each in bench.wallet.credentials(Role.TARIFF)]
    verdict = judge_prices(offer, signers(contract.chain, held))
    return judged(verdict.standing is Standing.GENUINE, f"prices are {verdict.standing.value} {verdict.reason}")


CASES = (
    case(
        id="S-SCH-01", kind=Kind.POSITIVE, requirement=("V2G20-1600",), condition=("scheduled",), purpose="A schedule covers the stay",
        stimulus="ScheduleExchangeReq (Scheduled)", expected=("OK in kind, at most three tuples, no id twice, until departure",),
        script=scheduled, within=90.0,
    ),
    case(
        id="S-SCH-02", kind=Kind.POSITIVE, requirement=("V2G20-1600",), condition=("dynamic",), purpose="Dynamic is answered in kind",
        stimulus="ScheduleExchangeReq (Dynamic)", expected=("OK with Dynamic_SEResControlMode",), script=dynamic, within=90.0,
    ),
    case(
        id="S-SCH-03", kind=Kind.NEGATIVE, requirement=("V2G20-1600",), condition=("scheduled", "dynamic"),
        purpose="Needs are told in the selected control mode", stimulus="ScheduleExchangeReq in the other control mode",
        expected=(f"FAILED, {ENDS}",), script=other_mode, control="S-SCH-01",
    ),
    case(
        id="S-SCH-04", kind=Kind.POSITIVE, requirement=(), condition=("scheduled",), purpose="A schedule fits into the car",
        stimulus="ScheduleExchangeReq with MaximumSupportingPoints 12", expected=("at most 12 steps in each schedule",), script=points,
        within=90.0,
    ),
    case(
        id="S-SCH-05", kind=Kind.ROBUSTNESS, requirement=(), purpose="A number out of the schema's range harms nobody",
        stimulus="ScheduleExchangeReq whose MaximumSupportingPoints is beyond 1024, in the bits that its range leaves free",
        expected=("nothing is granted; a good car is served afterwards",), script=out_of_schema, parts=("1025", "1035"), control="S-SCH-01",
    ),
    case(
        id="S-SCH-06", kind=Kind.ROBUSTNESS, requirement=(), condition=("scheduled",), purpose="The longest offer of a car harms nobody",
        stimulus="ScheduleExchangeReq with 1024 powers and 1024 stacks of 8 price rules",
        expected=("an answer in time, OK or FAILED; a good car is served afterwards",), script=huge, control="S-SCH-01",
    ),
    case(
        id="S-SCH-07", kind=Kind.NEGATIVE, requirement=("V2G20-1640", "V2G20-2681"), condition=("dynamic",),
        purpose="Needs that contradict themselves are refused or cut", stimulus="a minimum above the target; one of two V2X energies",
        expected=("FAILED", "OK, where the station cuts them"), script=contradictory, parts=tuple(NEEDS), control="S-SCH-02", within=90.0,
    ),
    case(
        id="S-SCH-08", kind=Kind.NEGATIVE, requirement=(), purpose="A car is not kept waiting for ever for an offer",
        stimulus="ScheduleExchangeReq until the station has an offer, or gives up",
        expected=("Finished within 60 s", f"FAILED within 60 s, {ENDS}"), script=in_time, within=90.0, control="S-SCH-01",
    ),
    case(
        id="S-SCH-09", kind=Kind.POSITIVE, requirement=("V2G20-2176",), condition=("pnc", "scheduled", "signed_prices"),
        purpose="Prices for a contract are signed by whom its holder knows", stimulus="ScheduleExchangeReq (Scheduled) under a contract",
        expected=("prices whose signature verifies", "no absolute prices, for information"), script=priced, within=90.0,
    ),
)  # fmt: skip
