"""ChargeParameterDiscovery: the limits of both sides."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from v2g.iso20.rational import number, rational
from v2g.iso20.services import AC, DC, MCS
from v2g.messages.common_types import RationalNumberType
from v2gkit.conform import asked
from v2gkit.conform.asked import Ways
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import changed
from v2gkit.conform.judging import FOREIGN, OUT_OF_TURN, fatal, foreign, out_of_turn
from v2gkit.conform.verdict import Outcome, failed, judged

WRONG = "FAILED_WrongChargeParameter"
STEP = "ChargeParameterDiscovery"
case = partial(Case, role="station", precondition="a service is selected")


def ordered(said: Any) -> str:
    """Why the limits that a station stated are not in order, in words; empty where they are."""
    for name in said.__struct_fields__:
        if not name.startswith("EVSEMinimum"):
            continue
        most = getattr(said, name.replace("Minimum", "Maximum"), None)
        least = getattr(said, name)
        if least is not None and most is not None and abs(number(least)) > abs(number(most)):
            return f"{name} {number(least):g} is beyond {number(most):g}"
    return ""


async def stated(bench: AtStation, service: str) -> Outcome:
    """Sound limits are answered by the station's, in order."""
    visit = await bench.at(STEP, service=service)
    reply = await visit.ask(visit.due())
    if not reply.ok or not reply.name.endswith("ChargeParameterDiscoveryRes"):
        return failed(str(reply))
    field = "DC_CPDResEnergyTransferMode" if visit.ways.dc else "AC_CPDResEnergyTransferMode"
    said = getattr(visit.heard.of(reply.name), field)
    wrong = ordered(said)
    return judged(not wrong, wrong or f"{reply}, at most {number(said.EVSEMaximumChargePower) / 1000:g} kW")


async def other_kind(bench: AtStation) -> Outcome:
    """The limits of a service of one direction under one of both, and the other way round."""
    plain = bench.ways().service
    both = asked.both_ways(plain)
    chosen, given = (both, plain) if bench.part.startswith("plain") else (plain, both)
    visit = await bench.at(STEP, service=chosen)
    request = asked.charge_parameters(visit.ways, asked.limits(Ways(service=given)))
    return await fatal(bench, visit, await visit.ask(request), WRONG, of=type(request))


def _power(value: RationalNumberType) -> Callable[[Any], Any]:
    return lambda said: changed(said, "EVMaximumChargePower", value)


IMPOSSIBLE: Mapping[str, Callable[[Any], Any]] = {
    "least beyond most": lambda said: changed(said, "EVMinimumChargePower", rational(9e6)),
    "negative": _power(rational(-10_000.0)),
    "exponent 127": _power(RationalNumberType(Exponent=127, Value=32_767)),
    "exponent -128": _power(RationalNumberType(Exponent=-128, Value=1)),
    "zero": _power(rational(0)),
}


async def impossible(bench: AtStation) -> Outcome:
    """Limits that cannot be, or that are extreme."""
    visit = await bench.at(STEP)
    request = asked.charge_parameters(visit.ways, IMPOSSIBLE[bench.part](asked.limits(visit.ways)))
    reply = await visit.ask(request)
    return judged(reply.ok or reply.code in (WRONG, "FAILED"), str(reply))


INCONSISTENT = {"most below least": (rational(0), rational(5000)), "negative": (rational(-10_000), rational(-100))}


async def discharge(bench: AtStation) -> Outcome:
    """Limits of discharging that contradict each other, or have the other sign."""
    visit = await bench.at(STEP, service=asked.both_ways(bench.ways().service))
    most, least = INCONSISTENT[bench.part]
    said = changed(changed(asked.limits(visit.ways), "EVMaximumDischargePower", most), "EVMinimumDischargePower", least)
    reply = await visit.ask(asked.charge_parameters(visit.ways, said))
    return judged(reply.ok or reply.code in (WRONG, "FAILED"), str(reply))


async def megawatts(bench: AtStation) -> Outcome:
    """An envelope beyond a megawatt survives the numbers of the wire."""
    visit = await bench.at(STEP, service=MCS.name, power=3e6, voltage=1000.0)
    reply = await visit.ask(visit.due())
    if not reply.ok:
        return failed(str(reply))
    most = number(visit.heard.of(reply.name).DC_CPDResEnergyTransferMode.EVSEMaximumChargePower)
    return judged(most > 1e6, f"{reply}, at most {most / 1e6:g} MW")


async def in_turn(bench: AtStation) -> Outcome:
    """Another request, or another session's."""
    visit = await bench.at(STEP)
    if bench.part == "another session":
        return await foreign(bench, visit)
    return await out_of_turn(bench, visit, visit.usual("ScheduleExchange"))


async def ac(bench: AtStation) -> Outcome:
    """Limits of an AC outlet."""
    return await stated(bench, AC.name)


async def dc(bench: AtStation) -> Outcome:
    """Limits of a DC outlet."""
    return await stated(bench, DC.name)


CASES = (
    case(
        id="S-CPD-01", domain=AC.name, kind=Kind.POSITIVE, requirement=(), condition=("ac",), purpose="An AC outlet states its limits",
        stimulus="AC_ChargeParameterDiscoveryReq with sound limits", expected=("OK, no least value beyond its most",), script=ac,
    ),
    case(
        id="S-CPD-02", domain=DC.name, kind=Kind.POSITIVE, requirement=(), condition=("dc",), purpose="A DC outlet states its limits",
        stimulus="DC_ChargeParameterDiscoveryReq with sound limits", expected=("OK, no least value beyond its most",), script=dc,
    ),
    case(
        id="S-CPD-03", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G20-1619", "V2G20-2272"), condition=("bpt",),
        purpose="Limits are those of the selected service", stimulus="limits of one direction under a service of both, and the reverse",
        expected=(f"{WRONG}, and the connection ends",), script=other_kind, parts=("plain under BPT", "BPT under plain"),
        control="S-SEL-01",
    ),
    case(
        id="S-CPD-04", domain="CMN", kind=Kind.ROBUSTNESS, requirement=("V2G20-1619", "V2G20-2272"),
        purpose="Limits that cannot be harm nobody",
        stimulus="a least power beyond the most, a negative most, the greatest and the least exponent, zero",
        expected=(WRONG, "OK, where the station cuts them; a good car is served afterwards"), script=impossible, parts=tuple(IMPOSSIBLE),
        control="S-SEL-01",
    ),
    case(
        id="S-CPD-05", domain="CMN", kind=Kind.NEGATIVE, requirement=(), condition=("bpt",),
        purpose="Limits of discharging that contradict each other are refused or cut",
        stimulus="a most of discharging below its least; both negative", expected=("OK", WRONG), script=discharge,
        parts=tuple(INCONSISTENT), control="S-SEL-01",
    ),
    case(
        id="S-CPD-06", domain=MCS.name, kind=Kind.POSITIVE, requirement=(), condition=("mcs",), purpose="Megawatts survive the wire",
        stimulus="DC_ChargeParameterDiscoveryReq of a megawatt service", expected=("OK, a most beyond 1 MW",), script=megawatts,
    ),
    case(
        id="S-CPD-07", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G20-459", "V2G20-460"),
        purpose="Limits are exchanged in their turn",
        stimulus="ScheduleExchangeReq where ChargeParameterDiscoveryReq is due; the request with a foreign SessionID",
        expected=(OUT_OF_TURN, FOREIGN), script=in_turn, parts=("another request", "another session"), control="S-SEL-01",
    ),
)  # fmt: skip
