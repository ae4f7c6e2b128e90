"""Prices of a chargingSchedule as the neutral words that a car is told, whole or not at all.

`Unsayable` names the field that no message to a car can carry, and why: it is refused when the profile comes.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from ocpp_bridge.smart.sales import WHOLE_MAXIMUM, Unsayable, demand_whole, relative_of
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch
from v2g.energy.price_schedule import PriceLevels, PriceRule, PriceSchedule, PriceStep, TaxRule
from v2g.energy.relative_prices import RelativePrices
from v2g.energy.tariff import MOST_FEE, Extra, Overstay

SIGNIFICANT: Final = 32_767  # what a rational number to a car counts up to, before its power of ten
EXPONENTS: Final = range(-128, 128)
POWER_MAXIMUM: Final = 1e9  # W; no range of power begins higher
PRICES: Final = ("absolutePriceSchedule", "priceLevelSchedule", "salesTariff")
SIGNED: Final = ("signatureId", "digestValue")  # of a schedule: the station makes its messages anew, a signature over another is void


def prices_of(schedule: Payload, begins: float = 0.0) -> PriceSchedule | PriceLevels | RelativePrices | None:
    """The prices of a chargingSchedule, None where it has none. Raises `Unsayable`, or ValueError for a time that is none.

    A salesTariff counts its times from the start of its schedule, or from `begins` (epoch s) where that names none.
    """
    if len(said := [name for name in PRICES if schedule.get(name) is not None]) > 1:
        raise Unsayable(f"{' and '.join(said)} exclude each other: a car is told one of them")
    match said:
        case ["absolutePriceSchedule"]:
            return _absolute(schedule["absolutePriceSchedule"])
        case ["priceLevelSchedule"]:
            return _levels(schedule["priceLevelSchedule"])
        case ["salesTariff"]:
            start = schedule.get("startSchedule")
            return relative_of(schedule["salesTariff"], begins if start is None else epoch(start))
    return None


def told(schedules: Iterable[Payload]) -> list[Any]:
    """The prices of schedules as they stand, to be compared."""
    return [tuple(each.get(name) for name in PRICES) for each in schedules]


# --- levels ---


def _levels(said: Payload) -> PriceLevels:
    name, count = "priceLevelSchedule", demand_whole(said["numberOfPriceLevels"], "priceLevelSchedule.numberOfPriceLevels", 1, 255)
    entries = [
        (
            demand_whole(each["duration"], f"{name}.priceLevelScheduleEntries[{place}].duration", 1),
            demand_whole(each["priceLevel"], f"{name}.priceLevelScheduleEntries[{place}].priceLevel", 0, count),
        )
        for place, each in enumerate(said["priceLevelScheduleEntries"])
    ]
    id_ = demand_whole(said["priceScheduleId"], f"{name}.priceScheduleId", 1)
    return PriceLevels(id_, _anchor(said, name), count, tuple(entries), said.get("priceScheduleDescription", ""))


# --- absolute ---


def _absolute(said: Payload) -> PriceSchedule:
    name = "absolutePriceSchedule"
    over = said.get("overstayRuleList", {})
    made = PriceSchedule(
        id=demand_whole(said["priceScheduleID"], f"{name}.priceScheduleID", 1),
        anchor=_anchor(said, name),
        steps=tuple(_steps(said["priceRuleStacks"], f"{name}.priceRuleStacks")),
        currency=said["currency"],
        language=_language(said["language"]),
        algorithm=_text(said["priceAlgorithm"], f"{name}.priceAlgorithm", 255),
        description=said.get("priceScheduleDescription", ""),
        minimum=_optional(said, "minimumCost", name),
        maximum=_optional(said, "maximumCost", name),
        taxes=tuple(_tax(each, f"{name}.taxRules[{place}]") for place, each in enumerate(said.get("taxRules", []))),
        overstay=tuple(_overstay(over)),
        overstay_after=_optional_whole(over, "overstayTimeThreshold", f"{name}.overstayRuleList", 0),
        overstay_below=_optional(over, "overstayPowerThreshold", f"{name}.overstayRuleList"),
        services=tuple(
            Extra(each["serviceName"], _money(each["serviceFee"], f"{name}.additionalSelectedServices[{place}].serviceFee"))
            for place, each in enumerate(said.get("additionalSelectedServices", []))
        ),
    )
    if len({tax.id for tax in made.taxes}) < len(made.taxes):
        raise Unsayable(f"{name}.taxRules: two have one taxRuleID")
    try:
        _ = made.tariff
    except ValueError as error:
        raise Unsayable(f"{name}: {error}") from None
    return made


def _steps(stacks: list[Payload], name: str) -> Iterator[PriceStep]:
    for place, stack in enumerate(stacks):
        where = f"{name}[{place}]"
        rules = sorted((_rule(rule, f"{where}.priceRule[{n}]") for n, rule in enumerate(stack["priceRule"])), key=lambda r: r.power_from)
        if any(one.power_from == next_.power_from for one, next_ in pairwise(rules)):
            raise Unsayable(f"{where}.priceRule: two have one powerRangeStart")
        yield PriceStep(demand_whole(stack["duration"], f"{where}.duration", 1), tuple(rules))


def _rule(said: Payload, name: str) -> PriceRule:
    parking = _optional(said, "parkingFee", name)
    period = _optional_whole(said, "parkingFeePeriod", name, 1)
    if (parking is None) != (period is None):
        raise Unsayable(f"{name}: parkingFee and parkingFeePeriod go together")
    return PriceRule(
        energy=_money(said["energyFee"], f"{name}.energyFee"),
        power_from=_rational(said["powerRangeStart"], f"{name}.powerRangeStart", POWER_MAXIMUM),
        parking=parking,
        parking_period=period,
        carbon=_optional_whole(said, "carbonDioxideEmission", name, 0, 65_535),
        renewable=said.get("renewableGenerationPercentage"),
    )


def _tax(said: Payload, name: str) -> TaxRule:
    return TaxRule(
        id=demand_whole(said["taxRuleID"], f"{name}.taxRuleID", 1),
        rate=_rational(said["taxRate"], f"{name}.taxRate", 1_000.0),
        name=_text(said.get("taxRuleName", ""), f"{name}.taxRuleName", 80),
        included=said.get("taxIncludedInPrice"),
        energy=said["appliesToEnergyFee"],
        parking=said["appliesToParkingFee"],
        overstay=said["appliesToOverstayFee"],
        bounds=said["appliesToMinimumMaximumCost"],
    )


def _overstay(over: Payload) -> Iterator[Overstay]:
    for place, said in enumerate(over.get("overstayRule", [])):
        name = f"absolutePriceSchedule.overstayRuleList.overstayRule[{place}]"
        yield Overstay(
            fee=_money(said["overstayFee"], f"{name}.overstayFee"),
            period=float(demand_whole(said["overstayFeePeriod"], f"{name}.overstayFeePeriod", 1)),
            start=float(demand_whole(said["startTime"], f"{name}.startTime", 0)),
            description=said.get("overstayRuleDescription", ""),
        )


# --- values ---


def _anchor(said: Payload, name: str) -> float:
    try:
        anchor = epoch(said["timeAnchor"])
    except ValueError as error:
        raise Unsayable(f"{name}.timeAnchor: {error}") from None
    if anchor < 0:
        raise Unsayable(f"{name}.timeAnchor lies before 1970")
    return anchor


def _language(tag: str) -> str:
    """The language of a tag such as de-CH: a car has room for its three letters."""
    language = tag.partition("-")[0]
    if not 1 <= len(language) <= 3:
        raise Unsayable(f"absolutePriceSchedule.language {tag!r}: a car takes a language of 1 to 3 letters")
    return language


def _text(text: str, name: str, most: int) -> str:
    if len(text) > most:
        raise Unsayable(f"{name} has {len(text)} characters, a car takes {most}")
    return text


def _optional_whole(said: Payload, field: str, name: str, least: int, most: int = WHOLE_MAXIMUM) -> int | None:
    return demand_whole(said[field], f"{name}.{field}", least, most) if field in said else None


def _optional(said: Payload, field: str, name: str) -> float | None:
    return _money(said[field], f"{name}.{field}") if field in said else None


def _money(said: Payload, name: str) -> float:
    return _rational(said, name, MOST_FEE)


def _rational(said: Payload, name: str, most: float) -> float:
    """An OCPP RationalNumber exactly as a car can be told it: up to 32767 times a power of ten."""
    value, exponent = said["value"], said["exponent"]
    if abs(value) > 10**30:  # before anything is reckoned with it
        raise Unsayable(f"{name} counts beyond {SIGNIFICANT}")
    while value and value % 10 == 0:
        value, exponent = value // 10, exponent + 1
    if abs(value) > SIGNIFICANT or exponent not in EXPONENTS:
        raise Unsayable(f"{name} is {value}e{str(exponent)[:9]}, a car takes {SIGNIFICANT} at most before a power of ten from -128 to 127")
    number = float(f"{value}e{exponent}")
    if abs(number) > most:
        raise Unsayable(f"{name} is {number:g}, more than {most:g}")
    return number
