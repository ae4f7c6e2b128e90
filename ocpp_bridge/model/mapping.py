"""Translates between the station's words and the fields of OCPP's messages, by one table for each message.

Units: OCPP counts in W, Wh, V and A like we do. Signs: + is into the EV on both sides, but `*Discharge*` of NotifyEVChargingNeeds are
magnitudes and `dischargeLimit` is not above 0.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from ocpp_bridge.model.measurands import rounded
from ocpp_bridge.model.phases import der_parameters, phased
from ocpp_bridge.smart.energy_offer import energy_offer_of
from ocpp_bridge.smart.periods import Composite, Period
from ocpp_bridge.smart.prices import prices_of
from ocpp_bridge.wire.dialects import NEUTRAL
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from secc.station import (
    AuthorizationRefused,
    Authorized,
    Control,
    Limits,
    PhasePowers,
    ScheduleChosen,
    Service,
    ServiceSelected,
)
from v2g.energy.der import InverterRating
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer, Tuple
from v2g.energy.price_schedule import PriceSchedule, Way
from v2g.energy.series import Series
from v2g.reasons import Reason
from v2g.services import SERVICES, services_of

HORIZON: Final = 86_400.0  # s; how far an offer reaches for a car that names no departure
WIRE_PERIODS: Final = 1024  # of a chargingSchedule
WAYS: Final[tuple[Way, Way]] = ("in", "out")

# --- energy transfer ---

CONTROLS: Final[dict[Control, str]] = {"Scheduled": "ScheduledControl", "Dynamic": "DynamicControl"}
NEEDS_MODES: Final = {"EVCC": "EVCC", "SECC": "EVCC_SECC"}


def transfers(names: Iterable[Service], phases: int) -> list[str]:
    """The names that OCPP has for services, each once; two services may share a name."""
    return list(dict.fromkeys(SERVICES[name].transfer(phases, NEUTRAL) for name in names))


def services(names: list[str]) -> tuple[Service, ...]:
    """The services that OCPP's names may stand for; names of other generations are ignored."""
    return tuple(dict.fromkeys(row.name for name in names for row in services_of(name)))


# --- needs ---


def _least(*values: float | None) -> float | None:
    given = [value for value in values if value is not None]
    return min(given) if given else None


V2X: Final[tuple[tuple[str, Callable[[Needs, Limits], float | None]], ...]] = (  # by what car and EVSE can both do
    ("maxChargePower", lambda n, b: min(n.charge_maximum, b.charge_power)),
    ("minChargePower", lambda n, b: max(n.charge_minimum, b.charge_power_minimum)),
    ("maxDischargePower", lambda n, b: min(n.discharge_maximum, b.discharge_power) if n.bidirectional else None),
    ("minDischargePower", lambda n, b: max(n.discharge_minimum, b.discharge_power_minimum) if n.bidirectional else None),
    ("maxChargeCurrent", lambda n, b: b.charge_current),
    ("minChargeCurrent", lambda n, b: b.charge_current_minimum),
    ("maxDischargeCurrent", lambda n, b: b.discharge_current if n.bidirectional else None),
    ("minDischargeCurrent", lambda n, b: b.discharge_current_minimum if n.bidirectional else None),
    ("maxVoltage", lambda n, b: b.voltage),
    ("minVoltage", lambda n, b: b.voltage_minimum),
    ("evTargetEnergyRequest", lambda n, b: n.energy_target),
    ("evMaxEnergyRequest", lambda n, b: n.energy_maximum),
    ("evMinEnergyRequest", lambda n, b: n.energy_minimum),
    ("evMaxV2XEnergyRequest", lambda n, b: n.v2x_maximum),
    ("evMinV2XEnergyRequest", lambda n, b: n.v2x_minimum),
    ("targetSoC", lambda n, b: None if n.target_soc is None else round(min(max(n.target_soc, 0.0), 100.0))),
)


CONTROLLED: Final = "urn:iso:std:iso:15118:-20"  # protocols with modes of control and discharging, to which v2xChargingParameters belong


@dataclass(frozen=True, slots=True)
class Wish:
    """What NotifyEVChargingNeeds is made from: the car's needs, its selected service and limits, the outlet's limits and services."""

    needs: Needs
    selected: ServiceSelected
    limits: Limits
    available: tuple[Service, ...]  # what this EVSE offers
    car: Limits | None = None  # by its own word
    phases: PhasePowers = field(default_factory=PhasePowers)  # likewise
    inverter: InverterRating | None = None  # likewise
    protocol: str = ""  # that was agreed, by its namespace; empty: nobody has said it

    @property
    def alone(self) -> bool:
        """Whether the car's protocol knows charging by a schedule alone: OCPP has other parameters for that [K15]."""
        return bool(self.protocol) and not self.protocol.startswith(CONTROLLED)

    @property
    def both(self) -> Limits:
        """What car and outlet can both do; the outlet's limits where the car has stated none."""
        return self.limits if self.car is None else self.car.within(self.limits)


def needs_of(evse: int, wish: Wish) -> Payload:
    """The payload of NotifyEVChargingNeeds, with the parameters of V2X and those of charging alone: each dialect tells its own.

    Of a car whose protocol knows no control modes (K15) there are the latter alone.
    """
    needs, limits, row = wish.needs, wish.limits, SERVICES[wish.selected.service]
    charging: Payload = {
        "requestedEnergyTransfer": row.transfer(limits.phases, NEUTRAL),
        "availableEnergyTransfer": transfers(wish.available, limits.phases),
    }
    if not wish.alone:
        charging |= _controlled(wish)
    if needs.departure is not None:
        charging["departureTime"] = timestamp(needs.departure)
    charging |= _charging_alone(wish)
    return {"evseId": evse, "maxScheduleTuples": needs.max_points, "chargingNeeds": charging}


def _controlled(wish: Wish) -> Payload:
    """What a car says whose protocol has modes of control [K18, K19]."""
    needs, limits, row = wish.needs, wish.limits, SERVICES[wish.selected.service]
    powers = row.wireless or row.mains  # currents and voltages are those of direct current: neither a field's, nor of the mains
    said = {name: value(needs, wish.both) for name, value in V2X if not (powers and name.endswith(("Current", "Voltage")))}
    charging: Payload = {
        "controlMode": CONTROLS[wish.selected.control],
        "mobilityNeedsMode": NEEDS_MODES[wish.selected.mobility_needs],
        "v2xChargingParameters": {
            name: rounded(value) for name, value in (said | phased(wish.phases, limits)).items() if value is not None
        },
    }
    if wish.inverter is not None and (der := der_parameters(wish.inverter, limits)):
        charging["derChargingParameters"] = der
    if needs.energy_offer is not None:
        charging["evEnergyOffer"] = energy_offer_of(needs.energy_offer)
    return charging


def _charging_alone(wish: Wish) -> Payload:
    """acChargingParameters or dcChargingParameters, which know no discharging."""
    needs, limits = wish.needs, wish.limits
    power = min(needs.charge_maximum, limits.charge_power)
    energy = max(round(_least(needs.target, needs.energy_maximum, 1e6) or 0.0), 0)
    if SERVICES[wish.selected.service].mains:
        volts = limits.nominal_voltage
        current = {
            "evMaxCurrent": power / volts / limits.phases,
            "evMinCurrent": needs.charge_minimum / volts / limits.phases,
        }
        return {
            "acChargingParameters": current | {"energyAmount": energy, "evMaxVoltage": volts},
        }
    battery = {"stateOfCharge": needs.soc, "evEnergyCapacity": needs.capacity}
    coil = SERVICES[wish.selected.service].wireless  # whose current says nothing here
    return {
        "dcChargingParameters": {
            "evMaxCurrent": int(power / limits.voltage if coil else wish.both.charge_current),
            "evMaxVoltage": int(limits.voltage if coil else wish.both.voltage),
            "evMaxPower": int(power),
            "energyAmount": energy,
        }
        | {name: round(value) for name, value in battery.items() if value is not None},
    }


# --- schedules ---


def chosen_of(evse: int, chosen: ScheduleChosen, schedule_id: int | None, lead: Composite | None = None) -> Payload:
    """The payload of NotifyEVChargingSchedule: the car's profile; `schedule_id` is that of the CSMS's schedule it follows, if any.

    `lead` is what the CSMS says meanwhile: a power by a setpoint of it is told as one.
    """
    start = chosen.profile.start
    periods: list[Payload] = []
    for begin, _, value in in_fewer_steps(chosen.profile, WIRE_PERIODS).spans():
        led = Period() if lead is None else lead.at(max(begin, lead.start))
        periods.append({"startPeriod": round(begin - start)} | _power(value, led))
    schedule: Payload = {
        "id": schedule_id or 0,
        "startSchedule": timestamp(start),
        "duration": round(chosen.profile.duration),
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": periods,
    }
    said: Payload = {"timeBase": timestamp(start), "evseId": evse, "chargingSchedule": schedule}
    if schedule_id is not None and schedule_id >= 0:
        said["selectedChargingScheduleId"] = schedule_id
    if chosen.tolerance_confirmed is not None:
        said["powerToleranceAcceptance"] = chosen.tolerance_confirmed
    return said


def _power(value: float, said: Period) -> Payload:
    """One power of the car's profile, by a period of the CSMS."""
    follows = said.setpoint is not None
    if value >= 0 and not follows:
        return {"limit": rounded(value)}
    power = {"setpoint": rounded(value), "operationMode": said.mode if follows else "CentralSetpoint"}
    return power | ({"limit": rounded(value)} if value >= 0 else {"limit": 0.0, "dischargeLimit": rounded(value)})


def in_fewer_steps(series: Series, points: int) -> Series:
    """A series of powers in at most `points` steps: neighbours are joined at the lower magnitude, first those that lose least energy."""
    series = series.merged()
    if len(series.steps) <= points:
        return series
    steps = [[end - start, value] for start, end, value in series.spans()]
    after, before = list(range(1, len(steps) + 1)), list(range(-1, len(steps) - 1))  # the neighbours that are left of each step
    versions = [0] * len(steps)  # of each pair (step, the one after it): an older loss in the queue counts no more
    queue = [(_loss(*pair), place, 0) for place, pair in enumerate(pairwise(steps))]
    heapq.heapify(queue)
    left = len(steps)
    while left > points:
        _, place, version = heapq.heappop(queue)
        if version != versions[place]:
            continue
        gone = after[place]
        a, b = steps[place], steps[gone]
        steps[place] = [a[0] + b[0], min(a[1], b[1], key=abs) if a[1] * b[1] > 0 else 0.0]
        after[place], versions[gone], left = after[gone], -1, left - 1
        if after[place] < len(steps):
            before[after[place]] = place
        for pair in (before[place], place):
            if pair >= 0 and after[pair] < len(steps):
                versions[pair] += 1
                heapq.heappush(queue, (_loss(steps[pair], steps[after[pair]]), pair, versions[pair]))
            elif pair >= 0:
                versions[pair] = -1
    pairs, place, edge = [], 0, series.start
    while place < len(steps):
        pairs.append((edge, steps[place][1]))
        edge, place = edge + steps[place][0], after[place]
    return Series.from_pairs(pairs, edge)


def _loss(a: list[float], b: list[float]) -> float:
    """The energy (J) that is lost where two steps are joined at the lower magnitude."""
    return abs(a[1] - b[1]) * (a[0] if abs(a[1]) > abs(b[1]) else b[0])


def tuple_of(id_: int, composite: Composite, schedule: Payload | None, needs: Needs, limits: Limits) -> Tuple:
    """The tuple to offer a car for a schedule of the CSMS: within the composite, the EVSE's limits and the steps that the car can hold.

    A setpoint becomes the most that the car may draw (or give), with nothing in the other direction.
    """
    bound = Period(limit=limits.charge_power, discharge=limits.discharge_power if needs.bidirectional else 0.0)
    periods = [(start, period.bounded(bound)) for start, period in composite.periods]
    charge = [(start, period.limit if (p := period.clamped()) is None else max(p, 0.0)) for start, period in periods]
    discharge = [(start, -period.discharge if (p := period.clamped()) is None else min(p, 0.0)) for start, period in periods]
    stated = prices_of(schedule or {}, composite.start)
    absolute = stated if isinstance(stated, PriceSchedule) else None
    imports, exports = (None if absolute is None else absolute.series(way, composite.start, composite.until) for way in WAYS)
    giving = in_fewer_steps(Series.from_pairs(discharge, composite.until), needs.max_points)
    gives = any(giving.values)
    return Tuple(
        id=id_,
        name=f"CSMS schedule {schedule['id']}" if schedule else "limits of the CSMS",
        charging=in_fewer_steps(Series.from_pairs(charge, composite.until), needs.max_points),
        discharging=giving if gives else None,
        import_prices=imports,
        export_prices=exports if gives else None,
        tolerance=(schedule or {}).get("powerTolerance"),
        stated=stated,
        tariff=None if absolute is None else absolute.tariff,
    )


def offer_of(tuples: list[Tuple], schedules: list[Payload], needs: Needs, until: float) -> Offer:
    """The offer of tuples, in the currency of the prices in `schedules`; the stay ends at `until` (epoch s)."""
    currencies = [schedule["absolutePriceSchedule"]["currency"] for schedule in schedules if "absolutePriceSchedule" in schedule]
    return Offer(tuple(tuples), currency=currencies[0] if currencies else "EUR", departure=needs.departure, priced_until=until)


# --- authorization ---

VERDICTS: Final[dict[str, Reason]] = {  # certificateStatus other than Accepted
    "CertificateExpired": Reason.CERTIFICATE_EXPIRED,
    "CertificateRevoked": Reason.CERTIFICATE_REVOKED,
    "CertChainError": Reason.WRONG_CERTIFICATE,
    "SignatureError": Reason.WRONG_CERTIFICATE,  # deprecated, and still sent
    "NoCertificateAvailable": Reason.NO_CERTIFICATE,  # likewise
    "ContractCancelled": Reason.CONTRACT_REFUSED,
}


def objection(info: Payload, evse: int) -> str:
    """The reason why an idTokenInfo does not let its token charge at an EVSE; empty where it does."""
    if info["status"] != "Accepted":
        return str(info["status"])
    elsewhere = info.get("evseId") and evse not in info["evseId"]
    return f"Accepted for EVSE {', '.join(map(str, info['evseId']))} only" if elsewhere else ""


def verdict(response: Payload, contract: bool, evse: int) -> Authorized | AuthorizationRefused:
    """The fact to tell a session at an EVSE after an AuthorizeResponse; `contract`: it was about a contract."""
    status, certificate = response["idTokenInfo"]["status"], response.get("certificateStatus", "Accepted")
    if certificate == "Accepted" and not objection(response["idTokenInfo"], evse):
        return Authorized(energy_transfer=services(response.get("allowedEnergyTransfer", [])))
    said = objection(response["idTokenInfo"], evse) or status
    why = f"the CSMS answers {said}" + (f", certificate {certificate}" if "certificateStatus" in response else "")
    if not contract:
        return AuthorizationRefused(Reason.CARD_REFUSED, why)
    if status == "Unknown" and certificate in ("Accepted", "ContractCancelled"):
        return AuthorizationRefused(Reason.UNKNOWN_PROVIDER, why)
    return AuthorizationRefused(VERDICTS.get(certificate, Reason.CONTRACT_REFUSED), why)


def present(values: dict[str, Any]) -> Payload:
    """The entries whose value is not None: OCPP leaves out what is absent."""
    return {name: value for name, value in values.items() if value is not None}
