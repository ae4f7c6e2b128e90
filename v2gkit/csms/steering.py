"""How the laboratory CSMS steers: from NotifyEVChargingNeeds to a charging profile, by prices or by setpoint."""

from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import pairwise
from typing import Any, Literal

from ocpp_bridge.smart.energy_offer import PRICE_ALGORITHM, energy_offer
from ocpp_bridge.wire.times import epoch, timestamp
from v2g.energy.needs import Needs
from v2g.energy.offer import Tuple, offered
from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.plan import Plan
from v2g.energy.prices import Prices
from v2g.energy.series import Series
from v2g.energy.site import Site
from v2g.services import services_of
from v2gkit.wall import LOCAL

Payload = dict[str, Any]
Kind = Literal["prices", "setpoint", "none"]
LONGEST = 48 * 3600.0  # s; no profile reaches further


@dataclass(frozen=True, slots=True)
class Strategy:
    """How the CSMS steers every car: by prices, by a setpoint, or not. Powers in W, + into the car."""

    kind: Kind = "prices"
    prices: Prices | None = None
    site: Site = field(default_factory=lambda: Site(export_limit=22_000.0))
    setpoint: float = 0.0  # W
    zone: tzinfo | None = None  # of prices by time of day; None: local

    def priced(self, wall: float) -> Site:
        """The site with the prices from `wall` (epoch s) on."""
        if self.prices is None:
            return self.site
        known = self.prices.upcoming(wall, self.zone or LOCAL) if self.prices.relative else self.prices
        return Site(
            self.site.import_limit,
            self.site.export_limit,
            known.imports,
            known.exports,
            known.currency or self.site.currency,
            self.site.efficiency_charge,
            self.site.efficiency_discharge,
            self.site.wear_cost,
        )


def needs_of(payload: Payload, currency: str = "EUR") -> Needs:
    """The car's needs from a NotifyEVChargingNeeds of 2.1 or 2.0.1. In `currency` is what a car offers without a price."""
    charging = payload["chargingNeeds"]
    v2x = charging.get("v2xChargingParameters", {})
    ac, dc = charging.get("acChargingParameters", {}), charging.get("dcChargingParameters", {})
    ac_power = 3 * 230.0 * ac.get("evMaxCurrent", 0.0)
    named = services_of(charging["requestedEnergyTransfer"])
    gives = _over_phases(v2x, "maxDischargePower") or 0.0
    takes = _over_phases(v2x, "maxChargePower")
    bidirectional = any(row.bidirectional for row in named) if named else gives > 0  # of another generation: by what it says
    return Needs(
        departure=epoch(charging["departureTime"]) if "departureTime" in charging else None,
        energy_target=v2x.get("evTargetEnergyRequest", ac.get("energyAmount", dc.get("energyAmount"))),
        energy_maximum=v2x.get("evMaxEnergyRequest"),
        energy_minimum=v2x.get("evMinEnergyRequest"),
        v2x_maximum=v2x.get("evMaxV2XEnergyRequest"),
        v2x_minimum=v2x.get("evMinV2XEnergyRequest"),
        charge_maximum=dc.get("evMaxPower", ac_power) if takes is None else takes,
        charge_minimum=_over_phases(v2x, "minChargePower") or 0.0,
        discharge_maximum=gives,
        discharge_minimum=_over_phases(v2x, "minDischargePower") or 0.0,
        max_points=min(payload.get("maxScheduleTuples", 1024) or 1024, 1024),
        bidirectional=bidirectional,
        target_soc=v2x.get("targetSoC"),
        soc=dc.get("stateOfCharge"),
        capacity=dc.get("evEnergyCapacity"),
        energy_offer=energy_offer(charging.get("evEnergyOffer", {}), currency),
    )


def _over_phases(v2x: Payload, name: str) -> float | None:
    """The sum of a power over the phases: alone it is that, beside values of L2 and L3 it is that of L1. None where it is not said."""
    said = [float(v2x[name + phase]) for phase in ("", "_L2", "_L3") if name + phase in v2x]
    return sum(said) if name in v2x else None


def selling(charging: Payload) -> str:
    """What a car offers to give back, by its chargingNeeds, in words; empty where it makes no offer."""
    try:
        own = energy_offer(charging.get("evEnergyOffer", {}), "")
    except ValueError as error:
        return f"makes an offer that cannot be read: {error}"
    if own is None:
        return ""
    power = max(own.power.values, default=0.0)
    if not power:
        return "sells nothing"
    prices = sorted({round(price, 4) for price in own.price.values}) or [0.0]
    asked = f"{prices[0]:g}" if len(prices) == 1 else f"{prices[0]:g} to {prices[-1]:g}"
    return f"sells up to {power / 1000:.1f} kW for {asked} {own.currency} per kWh, for {own.power.duration / 3600:.1f} h"


@dataclass(frozen=True, slots=True)
class Steering:
    """A charging profile for one transaction, with the plan it was made from."""

    profile: Payload
    plan: Plan | None = None
    currency: str = ""


def steering(
    payload: Payload, strategy: Strategy, wall: float, transaction: str, profile_id: int, version: str, patience: Patience = ENDLESS
) -> Steering | None:
    """The profile to send after a NotifyEVChargingNeeds; None: the station shall decide. It computes for tenths of a second, for odd needs
    until `patience` is over.
    """
    if strategy.kind == "none":
        return None
    needs = needs_of(payload, strategy.priced(wall).currency)
    head = {"id": profile_id, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "transactionId": transaction}
    if strategy.kind == "setpoint" and version == "ocpp2.1":
        period = {"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": within(strategy.setpoint, needs)}
        schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [period]}
        return Steering(head | {"chargingProfileKind": "Dynamic", "chargingSchedule": [schedule]})
    site = strategy.priced(wall)
    best, made = offered(needs, site, wall, patience=patience)
    bare = version != "ocpp2.1"  # 2.0.1 knows neither setpoints nor alternatives of a schedule that a -20 car could use
    schedules = [schedule_of(each, needs, site, bare=bare) for each in (made.tuples[:1] if bare else made.tuples)]
    return Steering(head | {"chargingProfileKind": "Absolute", "chargingSchedule": schedules}, best, site.currency)


def within(power: float, needs: Needs) -> float:
    """A setpoint (W), cut to what the car can follow."""
    return min(max(power, -needs.discharge_maximum if needs.bidirectional else 0.0), needs.charge_maximum)


def schedule_of(shown: Tuple, needs: Needs, site: Site, *, bare: bool) -> Payload:
    """A tuple as a chargingSchedule: setpoints for a car that may discharge, limits for one that only charges."""
    power, both = shown.power, needs.bidirectional and not bare
    periods = [{"startPeriod": round(start - power.start)} | _period(value, both) for start, _, value in power.spans()]
    schedule: Payload = {
        "id": shown.id,
        "startSchedule": timestamp(power.start),
        "duration": round(min(power.duration, LONGEST)),
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": periods,
    }
    return schedule if bare else schedule | _prices(shown, needs, site)


def _period(power: float, bidirectional: bool) -> Payload:
    if not bidirectional:
        return {"limit": max(power, 0.0)}
    return {"operationMode": "CentralSetpoint", "setpoint": power, "limit": max(power, 0.0), "dischargeLimit": min(power, 0.0)}


def _prices(shown: Tuple, needs: Needs, site: Site) -> Payload:
    """absolutePriceSchedule: one stack for each step in which both prices stand still; below 0 W is the price of what the car gives."""
    imports, exports = shown.import_prices, shown.export_prices
    if imports is None:
        return {}
    edges = {*imports.edges(), *(edge for edge in (exports.edges() if exports else ()) if imports.start < edge < imports.until)}
    stacks = []
    for start, end in pairwise(sorted(edges)):
        giving = [] if exports is None else [_rule(exports, start, -max(round(needs.discharge_maximum), 1))]
        stacks.append({"duration": round(end - start), "priceRule": [*giving, _rule(imports, start, 0)]})
    said = {"timeAnchor": timestamp(imports.start), "priceScheduleID": shown.id, "currency": site.currency, "language": "en"}
    return {"absolutePriceSchedule": said | {"priceAlgorithm": PRICE_ALGORITHM, "priceRuleStacks": stacks[:1024]}}


def _rule(prices: Series, at: float, power: int) -> Payload:
    fee = round((prices.at(at) or 0.0) * 10_000)
    return {"energyFee": {"exponent": -4, "value": fee}, "powerRangeStart": {"exponent": 0, "value": power}}
