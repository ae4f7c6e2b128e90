"""Tariffs of OCPP 2.1: whether one can be used here, which of its prices holds at a moment, and its taxes (pure, exact).

Amounts are fractions, read from the decimals as they are written; time is in ms, energy in mWh, both whole. Of the prices of an element the
first one counts whose conditions all hold. A price whose conditions name negative values is one for what the car gives back.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any, Final

from ocpp_bridge.wire.schemas import Payload

PRICES: Final = {  # element of a tariff -> its price, and its name in TotalCostType
    "energy": ("priceKwh", "energy"),
    "chargingTime": ("priceMinute", "chargingTime"),
    "idleTime": ("priceMinute", "idleTime"),
    "fixedFee": ("priceFixed", "fixed"),
    "reservationTime": ("priceMinute", "reservationTime"),
    "reservationFixed": ("priceFixed", "reservationFixed"),
}
ELEMENTS_MAXIMUM: Final = 50  # prices of a tariff: one for each hour, twice. Each piece of an account is held against all; more are refused
AMOUNT_MAXIMUM: Final = 1_000_000_000  # of currency, W, Wh, s: beyond it no tariff is meant
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
DAY: Final = 86_400_000  # ms
EDGES_MAXIMUM: Final = 100  # times of day in one piece of an account, whose pieces are of seconds: what comes after is billed as the last
FORMS: Final = {"startTimeOfDay": TIME_OF_DAY, "endTimeOfDay": TIME_OF_DAY, "validFromDate": None, "validToDate": None}
PAYMENT: Final = {"paymentBrand": "PaymentBrand", "paymentRecognition": "PaymentRecognition"}  # condition -> type of additionalInfo
BOUNDS: Final = ("Energy", "Current", "Power", "Time", "ChargingTime", "IdleTime")


def exact(value: float) -> Fraction:
    """A number of JSON as the decimal that was written. ValueError for one that is none, or beyond all measure."""
    number = Fraction(str(value))
    if abs(number) > AMOUNT_MAXIMUM:
        raise ValueError(f"{value} in a tariff is beyond {AMOUNT_MAXIMUM}")
    return number


def with_tax(rates: Sequence[Payload]) -> Fraction:
    """The factor from a net price to the one with these taxes: of one stack they are added up, each stack is put upon the one below."""
    factor = Fraction(1)
    for level in sorted({rate.get("stack", 0) for rate in rates}):
        factor *= 1 + sum((exact(rate["tax"]) for rate in rates if rate.get("stack", 0) == level), Fraction(0)) / 100
    return factor


def objection(tariff: Payload) -> tuple[str, str, str] | None:
    """Why a tariff cannot be used: status, reasonCode, words. None: it can."""
    prices = [(element, price) for element in PRICES if element in tariff for price in tariff[element]["prices"]]
    if len(prices) > ELEMENTS_MAXIMUM:
        return "TooManyElements", "TooManyElements", f"the tariff has {len(prices)} prices; {ELEMENTS_MAXIMUM} are taken"
    try:
        for element, price in prices:
            exact(price[PRICES[element][0]])
            _read(price.get("conditions", {}))
        for element in PRICES:
            with_tax(tariff.get(element, {}).get("taxRates", ()))
        for bound in ("minCost", "maxCost"):
            with_tax(tariff.get(bound, {}).get("taxRates", ()))
            [exact(tariff[bound][name]) for name in ("exclTax", "inclTax") if name in tariff.get(bound, {})]
    except ValueError as error:
        return "Rejected", "InvalidValue", str(error)
    return None


def _read(conditions: Payload) -> None:
    """ValueError where a condition cannot be read."""
    for name, form in FORMS.items():
        if name in conditions and form is not None and not form.fullmatch(conditions[name]):
            raise ValueError(f"{name} {conditions[name][:20]} is no time of day; write hh:mm")
        if name in conditions and form is None:
            date.fromisoformat(conditions[name])
    for bound in BOUNDS:
        [exact(conditions[end + bound]) for end in ("min", "max") if end + bound in conditions]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a transaction, as far as conditions of prices ask for it. Energy, current and power are of the direction that flows."""

    wall: int  # ms since the epoch
    offset: int = 0  # ms that local time is ahead of UTC
    direct: bool = False  # the EVSE gives no current of the mains
    gives: bool = False  # the car gives
    energy: Fraction = Fraction(0)  # mWh so far
    power: Fraction = Fraction(0)  # W
    current: Fraction = Fraction(0)  # A, sum of the phases
    time: int = 0  # ms since the transaction began
    charging_time: int = 0  # ms with energy, in all
    idle_time: int = 0  # ms without, since it flowed last
    payment: tuple[tuple[str, str], ...] = ()  # PaymentBrand and PaymentRecognition, as the token says


def for_giving(conditions: Payload) -> bool:
    """Whether conditions are about what the car gives back: they name values below 0."""
    return any(conditions.get(end + bound, 0) < 0 for end in ("min", "max") for bound in ("Energy", "Current", "Power"))


def _directed(conditions: Payload) -> bool:
    """Whether conditions are about energy, current or power, and so of one direction."""
    return any(end + bound in conditions for end in ("min", "max") for bound in ("Energy", "Current", "Power"))


def holds(conditions: Payload, moment: Moment) -> bool:
    """Whether every condition holds at a moment."""
    return (
        (not _directed(conditions) or for_giving(conditions) == moment.gives)
        and ("evseKind" not in conditions or conditions["evseKind"].startswith("D") == moment.direct)
        and _in_calendar(conditions, moment)
        and all(_within(conditions, name, value) for name, value in _values(moment))
        and all(conditions[name] == dict(moment.payment).get(kind) for name, kind in PAYMENT.items() if name in conditions)
    )


def _values(moment: Moment) -> Iterator[tuple[str, Fraction]]:
    """The values that have a minimum and a maximum among the conditions, in the units of these: Wh, A, W, s."""
    yield "Energy", moment.energy / 1000
    yield "Current", moment.current
    yield "Power", moment.power
    yield "Time", Fraction(moment.time, 1000)
    yield "ChargingTime", Fraction(moment.charging_time, 1000)
    yield "IdleTime", Fraction(moment.idle_time, 1000)


def _within(conditions: Payload, name: str, value: Fraction) -> bool:
    least, most = conditions.get(f"min{name}"), conditions.get(f"max{name}")
    return (least is None or value >= abs(exact(least))) and (most is None or value < abs(exact(most)))


def _local(wall: int, offset: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=wall + offset)


def _in_calendar(conditions: Payload, moment: Moment) -> bool:
    local = _local(moment.wall, moment.offset)
    day, time = local.date().isoformat(), local.strftime("%H:%M")
    start, end = conditions.get("startTimeOfDay", "00:00"), conditions.get("endTimeOfDay", "00:00")
    in_time = start == end or (start <= time < end if start < end else time >= start or time < end)
    return (
        in_time
        and DAYS[local.weekday()] in conditions.get("dayOfWeek", DAYS)
        and conditions.get("validFromDate", day) <= day < conditions.get("validToDate", "9999-99-99")
    )


def price_at(tariff: Payload, element: str, moment: Moment) -> tuple[int, Fraction] | None:
    """The number of the price of an element that holds at a moment, and its amount (per kWh, min, or at once); None: none does."""
    for number, price in enumerate(tariff.get(element, {}).get("prices", ())):
        conditions = price.get("conditions", {})
        bought = element == "energy" and moment.gives and not for_giving(conditions)  # nobody has said what it is worth
        if not bought and holds(conditions, moment):
            return number, exact(price[PRICES[element][0]])
    return None


def edges(tariff: Payload, since: Moment, until: Moment) -> list[Fraction]:
    """Where between two moments (0 to 1) some price may begin or cease to hold, in order, with 0 and 1."""
    found = {Fraction(0), Fraction(1)}
    every = [price.get("conditions", {}) for element in PRICES for price in tariff.get(element, {}).get("prices", ())]
    for conditions in every:
        for (name, first), (_, last) in zip(_values(since), _values(until), strict=True):
            for end in ("min", "max"):
                if end + name in conditions and first < (edge := abs(exact(conditions[end + name]))) < last:
                    found.add((edge - first) / (last - first))
    length = until.wall - since.wall
    if length > 0 and any(set(conditions) & CALENDAR for conditions in every):
        found |= {Fraction(edge - since.wall, length) for edge in islice(_clock_edges(every, since, until), EDGES_MAXIMUM)}
    return sorted(found)


CALENDAR: Final = frozenset({*FORMS, "dayOfWeek"})


def _clock_edges(every: Sequence[Mapping[str, Any]], since: Moment, until: Moment) -> Iterator[int]:
    """The moments (ms) strictly between two at which a day or a time of day of the conditions begins."""
    texts = {conditions[name] for conditions in every for name in ("startTimeOfDay", "endTimeOfDay") if name in conditions}
    minutes = {0} | {60 * int(text[:2]) + int(text[3:]) for text in texts}
    first = (since.wall + since.offset) // DAY
    last = min((until.wall + until.offset) // DAY, first + EDGES_MAXIMUM)
    for day in range(first, last + 1):
        for minute in sorted(minutes):
            edge = day * DAY + minute * 60_000 - since.offset
            if since.wall < edge < until.wall:
                yield edge
