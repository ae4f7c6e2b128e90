"""The energy prices of an OCPP 2.1 tariff (TariffType) as bands of time of use, to plan with.

Conditions of time, weekday and date are told; those of energy, current, power or elapsed time depend on what is being planned, so a tariff
that has them is refused by name: a plan that knows half of a price is wrong about money.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from v2g.energy.market.tariff import DAY, Band

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
KNOWN: Final = ("startTimeOfDay", "endTimeOfDay", "dayOfWeek", "validFromDate", "validToDate")
MOST_PRICES: Final = 200  # of a tariff: a year of months with a handful of bands each
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class Told(NamedTuple):
    """The bands of a tariff, prices with the taxes on energy, and its currency."""

    bands: tuple[Band, ...]
    currency: str


def bands(tariff: Mapping[str, Any], evse_kind: str | None = None) -> Told:
    """The bands of a TariffType; prices for the other kind of EVSE (AC, DC) are left out. ValueError names what cannot be told."""
    try:
        energy, currency = tariff["energy"], str(tariff["currency"])
        rows: Sequence[Mapping[str, Any]] = energy["prices"]
        if len(rows) > MOST_PRICES:
            raise ValueError(f"the tariff has {len(rows)} energy prices; at most {MOST_PRICES} are read")
        factor = _taxed(energy.get("taxRates") or ())
        made = [_band(row, factor) for row in rows if _applies(row.get("conditions") or {}, evse_kind)]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the tariff is no TariffType of OCPP 2.1: {error} is missing or wrong") from None
    if not made:
        raise ValueError("the tariff has no energy price for this kind of EVSE")
    return Told(tuple(made), currency)


def _applies(conditions: Mapping[str, Any], evse_kind: str | None) -> bool:
    kind = conditions.get("evseKind")
    return kind is None or evse_kind is None or kind == evse_kind


def _taxed(rates: Sequence[Mapping[str, Any]]) -> float:
    """The factor of all taxes; those of a higher stack are on top of what the lower ones make."""
    stacks: dict[int, float] = {}
    for rate in rates:
        tax = _number(rate["tax"], "tax")
        stacks[int(rate.get("stack") or 0)] = stacks.get(int(rate.get("stack") or 0), 0.0) + tax
    factor = 1.0
    for _, tax in sorted(stacks.items()):
        factor *= 1.0 + tax / 100.0
    return factor


def _band(row: Mapping[str, Any], factor: float) -> Band:
    conditions = row.get("conditions") or {}
    if beyond := sorted(set(conditions) - {*KNOWN, "evseKind", "customData"}):
        raise ValueError(f"an energy price depends on {', '.join(beyond)}, which no plan knows beforehand")
    named = conditions.get("dayOfWeek") or WEEKDAYS
    if unknown := [day for day in named if day not in WEEKDAYS]:
        raise ValueError(f"an energy price holds on {unknown[0]!r}; give {', '.join(WEEKDAYS)}")
    until = _seconds(conditions.get("endTimeOfDay") or "00:00", "endTimeOfDay") or DAY
    return Band(
        _number(row["priceKwh"], "priceKwh") * factor,
        _seconds(conditions.get("startTimeOfDay") or "00:00", "startTimeOfDay"),
        until,
        frozenset(WEEKDAYS.index(day) for day in named),
        _date(conditions.get("validFromDate")),
        None if (last := _date(conditions.get("validToDate"))) is None else last - timedelta(days=1),  # not valid from then on
    )


def _seconds(text: object, name: str) -> int:
    found = _CLOCK.fullmatch(str(text))
    if found is None:
        raise ValueError(f"an energy price has the {name} {str(text)[:20]!r}; give HH:MM")
    return int(found[1]) * 3_600 + int(found[2]) * 60


def _date(text: object) -> date | None:
    try:
        return None if text is None else date.fromisoformat(str(text)[:10])
    except ValueError:
        raise ValueError(f"an energy price is valid from or to {str(text)[:20]!r}; give a date") from None


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise ValueError(f"an energy price has the {name} {str(value)[:20]!r}; give a finite number")
    return float(value)
