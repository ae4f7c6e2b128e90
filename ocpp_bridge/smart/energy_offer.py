"""The energy that a car offers to give back, as evEnergyOffer of NotifyEVChargingNeeds (OCPP 2.1), and back."""

from collections.abc import Iterable
from typing import Final

from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch, timestamp
from v2g.energy.needs import EnergyOffer
from v2g.energy.series import Series, Step

PRICE_ALGORITHM: Final = "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power"  # a kWh at the price of the range in which the power is
FAR: Final = 32_503_680_000  # epoch s, the year 3000: a car may begin its offer at any number of 64 bits, and no calendar has them all
LONGEST: Final = 366 * 86_400  # s; a step that lasts longer outlasts every stay, and its number may be beyond any clock


def energy_offer_of(offer: EnergyOffer) -> Payload:
    """What a car offers to discharge and what it asks for a kWh, as evEnergyOffer: powers below 0, one price rule for each step.

    An offer that lasts no time, or has no price, is one of 0 W: without an evEnergyOffer a car would be taken to give back at any price.
    """
    powers = [{"duration": round(step.duration), "power": -round(step.value, 3) or 0.0} for step in offer.power.steps]
    if not powers or not offer.price.steps:
        powers = [{"duration": round(offer.power.duration), "power": 0.0}]
    said: Payload = {"evPowerSchedule": {"timeAnchor": _anchor(offer.power), "evPowerScheduleEntries": powers}}
    if offer.price.steps:
        lowest = min(entry["power"] for entry in powers)  # the rule holds for every power that is offered
        prices = [
            {"duration": round(step.duration), "evPriceRule": [{"energyFee": round(step.value, 6), "powerRangeStart": lowest}]}
            for step in offer.price.steps
        ]
        said["evAbsolutePriceSchedule"] = {
            "timeAnchor": _anchor(offer.price),
            "currency": offer.currency,
            "priceAlgorithm": PRICE_ALGORITHM,
            "evAbsolutePriceScheduleEntries": prices,
        }
    return said


def energy_offer(said: Payload, currency: str) -> EnergyOffer | None:
    """The offer in an evEnergyOffer, whatever the sign of its powers; None for an empty one. Without prices it is for 0 of that `currency`.

    ValueError for times that no calendar has.
    """
    if "evPowerSchedule" not in said:
        return None
    powers, prices = said["evPowerSchedule"], said.get("evAbsolutePriceSchedule")
    steps = [(entry["duration"], abs(entry["power"])) for entry in powers["evPowerScheduleEntries"]]
    power = _lasting(powers["timeAnchor"], steps)
    if prices is None:
        return EnergyOffer(power, Series.constant(power.start, power.duration, 0.0), currency).joined()
    entries = prices["evAbsolutePriceScheduleEntries"]
    asked = [(entry["duration"], max(rule["energyFee"] for rule in entry["evPriceRule"])) for entry in entries]
    return EnergyOffer(power, _lasting(prices["timeAnchor"], asked), prices["currency"]).joined()


def _anchor(series: Series) -> str:
    return timestamp(min(max(series.start, 0.0), FAR))


def _lasting(anchor: str, steps: Iterable[tuple[float, float]]) -> Series:
    return Series(epoch(anchor), tuple(Step(float(min(duration, LONGEST)), value) for duration, value in steps if duration > 0))
