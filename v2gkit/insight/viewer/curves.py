"""The curves of a session: power, state of charge, prices, limits, every offer, the profile, what the CSMS asked, who limits whom.

A curve is a step: each point holds until the next. Points come in the order of their time; where a plan replaces the future of another, the
line says `from` when.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from v2g.exi.schema import Type
from v2g.iso20.rational import number
from v2gkit.insight.readings.reading import Now, Profile
from v2gkit.insight.readings.table import REQUESTS, RESPONSES, reading_of, request_of
from v2gkit.insight.report.story import Steps, Tuple
from v2gkit.insight.viewer.limits import Limits

Line = dict[str, Any]
Facts = Mapping[str, Any]
EXCHANGES: Final = 60  # whose offers keep curves of their own; those of a session that exchanges more often replace the last ones
POINTS: Final = 2048  # of one plan: twice as many as a schedule may have entries
LABELS: Final = {"charging": "charging", "discharging": "discharging"}


class Curves:
    """Makes the lines of curves from messages, facts and frames of OCPP as they come. `metered`: power is what a meter told a CSMS."""

    def __init__(self, *, metered: bool = False) -> None:
        self._metered = metered
        self.limits = Limits()
        self._request: Any = None  # of the charge loop, that is open
        self._requested = self._answered = 0.0  # epoch s of the latest request of a loop, and of the latest response that counts
        self._looping = self._started = self._stated = False
        self._sample: tuple[float, float] | None = None  # since when (epoch s) which power (W) flows
        self._energy = [0.0, 0.0]  # Wh in, out
        self._last: dict[str, Any] = {}  # name of a curve -> its latest value
        self._exchanges = 0
        self._offers: list[tuple[str, Tuple]] = []
        self._currency = ""
        self._prices: Tuple | None = None  # the offer whose prices are shown

    def energies(self) -> list[tuple[str, str]]:
        """Energy in and out as facts for people."""
        if self._sample is None and not any(self._energy):
            return []
        into, out = (f"{energy / 1000:.2f} kWh" for energy in self._energy)
        return [("Energy into the EV", into), ("Energy out of the EV", out)]

    # --- messages ---

    def message(self, message: Type, now: float) -> Iterator[Line]:
        """The lines of a message at `now` (epoch s)."""
        name = type(message).__name__
        said: Any = message
        if isinstance(message, REQUESTS):
            self._request, self._requested = said, now
            self.limits.car(_mode(said, "CLReqControlMode"))
            yield from self._soc(said, now)
            yield from self._limited(now)
        elif isinstance(message, RESPONSES):
            yield from self._loop(said, now)
        else:
            yield from self._negotiated(said, name, now)

    def _negotiated(self, said: Any, name: str, now: float) -> Iterator[Line]:
        """Limits, offers and the profile, and what ends a loop."""
        reading = reading_of(said)
        if name.endswith("_ChargeParameterDiscoveryReq"):
            self.limits.car(_mode(said, "CPDReqEnergyTransferMode"))
            yield from self._limited(now)
        elif name.endswith("_ChargeParameterDiscoveryRes"):
            self.limits.station(_mode(said, "CPDResEnergyTransferMode"))
            yield from self._limited(now)
        elif offers := reading.offers(Now(said, now)):
            yield from self._offered(offers, reading.currency(said), now)
        elif name == "PowerDeliveryReq":
            self._started = reading.begins(said)
            if (profile := reading.profile(Now(said, now))) is not None:
                yield from self._profile(profile, now)
        yield from self._other(said, name, now)

    def _loop(self, response: Any, now: float) -> Iterator[Line]:
        """A sample as both ends count: what DC measured has flowed since the answer before, what an AC car states holds from then on."""
        power, kind = reading_of(response).flow(self._request, response)
        if power is None:
            return
        measured, given = kind == "measured", kind == "given"
        since = now if given or (measured and not self._answered) else self._answered if measured else self._requested
        self._flows(since, power)
        self._answered, self._looping, self._stated = now, True, not (measured or given)
        yield from self._point("power", "Power", "W", "power", since, power)
        self.limits.station(_mode(response, "CLResControlMode"))
        yield from self._limited(now)
        target = _phases(getattr(response, "CLResControlMode", None), "EVSETargetActivePower")
        if target is not None:
            yield from self._point("asked target", "Asked of the car", "W", "asked", now, target)
        if (word := self.limits.word(power, now, self._request, response)) != self._last.get("limited-by"):
            yield from self._point("limited-by", "Limited by", "", "limited-by", since, word)

    def _other(self, said: Any, name: str, now: float) -> Iterator[Line]:
        """A message outside the loop. Where it ends the loop power has flowed until now: what a car states of AC until its request."""
        asked = request_of(type(said))  # None: it is a request itself
        ends = (asked is None) == self._stated
        base = name if asked is None else asked.__name__
        beside = base in reading_of(said).beside or (base == "PowerDeliveryReq" and self._started)
        if self._looping and ends and not beside:
            self._looping = False
            self._flows(now, 0.0)
            yield from self._point("power", "Power", "W", "power", now, 0.0)
        if not self._looping and asked is not None:
            self._answered = now

    def _flows(self, since: float, power: float) -> None:
        if self._sample is not None:
            energy = self._sample[1] * (since - self._sample[0]) / 3600
            self._energy[energy < 0] += abs(energy)
        self._sample = (since, power)

    def _soc(self, request: Any, now: float) -> Iterator[Line]:
        held = reading_of(request).soc(request)
        if held is not None:
            yield from self._point("soc", "State of charge", "%", "soc", now, held)

    def _limited(self, now: float) -> Iterator[Line]:
        for name, label, value in self.limits.stated():
            yield from self._point(name, label, "W", "limit", now, value)

    def _point(self, name: str, label: str, unit: str, role: str, at: float, value: Any) -> Iterator[Line]:
        """One point of a curve, where it is another value than before."""
        if name not in self._last or self._last[name] != value:
            self._last[name] = value
            point = [round(at, 3), _plain(value)]
            yield {"name": name, "label": label, "unit": unit, "points": [point], "step": True, "role": role}

    # --- plans ---

    def _offered(self, offers: tuple[Tuple, ...], currency: str, now: float) -> Iterator[Line]:
        yield from self._superseded(now)
        self._exchanges += 1
        self._offers, self._currency = [], currency or self._currency
        exchange = "" if self._exchanges == 1 else f"{min(self._exchanges, EXCHANGES)}."
        for offer in offers:
            if offer.number is None:
                continue
            base = f"offer {exchange}{offer.number}"
            self._offers.append((base, offer))
            for way in LABELS:
                if steps := getattr(offer, way):
                    yield self._offer(base, offer.number, way, _signed(steps, way))
        yield from self._priced(offers[0], now)

    def _offer(self, base: str, number: int, way: str, steps: Steps) -> Line:
        label = f"Offer {self._exchanges}, schedule {number}, {way}" if self._exchanges > 1 else f"Schedule {number} offered, {way}"
        again = {"replace": True} if self._exchanges >= EXCHANGES else {}
        return {**_plan(f"{base} {way}", label, "W", "offer", steps), **again}

    def _superseded(self, now: float) -> Iterator[Line]:
        for base, offer in self._offers:
            for way in LABELS:
                if getattr(offer, way):
                    yield {"name": f"{base} {way}", "points": [], "role": "offer", "until": round(now, 3)}

    def _priced(self, offer: Tuple, now: float) -> Iterator[Line]:
        if offer is self._prices:
            return
        self._prices = offer
        unit = f"{self._currency or 'currency'}/kWh"
        for role, label, steps in (
            ("import-price", "Import price", offer.import_price),
            ("export-price", "Export price", offer.export_price),
        ):
            if steps:
                yield _from(_plan(role, label, unit, role, steps), now)

    def _profile(self, given: Profile, now: float) -> Iterator[Line]:
        self.limits.plan = given.steps
        yield _from(_plan("profile", "Profile of the car", "W", "profile", given.steps), now)
        for base, offer in self._offers:
            if given.chosen is not None and offer.number == given.chosen:
                for way in LABELS:
                    if getattr(offer, way):
                        yield {"name": f"{base} {way}", "points": [], "role": "offer", "chosen": True}
                yield from self._priced(offer, now)

    # --- the station and its CSMS ---

    def fact(self, name: str, facts: Any, now: float) -> Iterator[Line]:
        """The lines of what a station told its session."""
        if name == "LimitsChanged":
            self.limits.outlet(facts.get("limits") or {})
            yield from self._limited(now)
        elif name == "SetpointChanged":
            power = facts.get("power")  # None: it is left to the car
            value = None if power is None else float(power)
            yield from self._point("asked setpoint", "Setpoint asked of the station", "W", "asked", now, value)
        elif name == "ScheduleReady":
            tuples: Any = facts.get("offer", {}).get("tuples") or ({},)
            for way in LABELS:
                if (series := tuples[0].get(way)) and (steps := _series(series)):
                    yield _from(_plan(f"asked {way}", f"Asked of the station, {way}", "W", "asked", _signed(steps, way)), now)

    def ocpp(self, record: Mapping[str, Any], now: float) -> Iterator[Line]:
        """The lines of a frame of OCPP: what a charging profile asks for."""
        payload = record.get("payload")
        if self._metered and isinstance(payload, Mapping):
            yield from self._sampled(payload)
        if record.get("action") == "SetChargingProfile" and isinstance(payload, Mapping) and "chargingProfile" in payload:
            yield from self._asked(payload["chargingProfile"], now)

    def happening(self, event: Mapping[str, Any], now: float) -> Iterator[Line]:
        """The lines of what a CSMS logged."""
        facts = event.get("facts")
        if not isinstance(facts, Mapping):
            return
        if event.get("topic") == "profile":
            yield from self._asked(facts, now)
        elif self._metered:
            yield from self._sampled(facts)

    def _sampled(self, payload: Mapping[str, Any]) -> Iterator[Line]:
        """Power and state of charge as a meter sampled them."""
        for sample in payload.get("meterValue") or ():
            at = _epoch(sample.get("timestamp"))
            values = {each.get("measurand"): _watts(each) for each in sample.get("sampledValue") or ()}
            if at is None or at < self._requested:
                continue  # what was kept while the connection was lost comes late
            self._requested = at
            into, out = values.get("Power.Active.Import"), values.get("Power.Active.Export")
            if into is not None or out is not None:
                yield from self._point("power", "Power by the meter", "W", "power", at, (into or 0.0) - abs(out or 0.0))
            if "SoC" in values:
                yield from self._point("soc", "State of charge", "%", "soc", at, values["SoC"])

    def _asked(self, profile: Mapping[str, Any], now: float) -> Iterator[Line]:
        """A charging profile: as a limit of the CSMS where it is one of the station, else as what it asks of this session."""
        of_station = str(profile.get("chargingProfilePurpose", "")).startswith("ChargingStation")
        for schedule in list(profile.get("chargingSchedule") or ())[:1]:
            start = _epoch(schedule.get("startSchedule")) or now
            for key, name, label, role in _OCPP_STATION if of_station else _OCPP:
                points = _periods(schedule, start, key)
                if points:
                    yield _from(_plan(name, label, "W", role, points), now)


_OCPP: Final = (("setpoint", "asked by CSMS", "Asked by the CSMS", "asked"),)
_OCPP_STATION: Final = (
    ("limit", "limit CSMS charging", "Limit of the CSMS, charging", "limit"),
    ("dischargeLimit", "limit CSMS discharging", "Limit of the CSMS, discharging", "limit"),
)


# --- values ---


def _mode(message: Any, ending: str) -> Any:
    """The mode of a message, whose name begins with that of the service."""
    for field in message.__struct_fields__:
        if field.endswith(ending):
            return getattr(message, field)
    return None


def _phases(mode: Any, name: str) -> float | None:
    """A power (W) stated for one phase or for each."""
    present = [getattr(mode, f"{name}{phase}", None) for phase in ("", "_L2", "_L3")]
    said = [number(each) for each in present if each is not None]
    return sum(said) if said else None


def _signed(steps: Steps, way: str) -> Steps:
    """Steps of discharging are below zero, however they were stated."""
    return tuple((a, b, -abs(value)) for a, b, value in steps) if way == "discharging" else steps


def _plan(name: str, label: str, unit: str, role: str, steps: Steps) -> Line:
    steps = tuple(step for step in steps[:POINTS] if math.isfinite(step[0]) and math.isfinite(step[1])) or ((0.0, 0.0, 0.0),)
    points = [[round(a, 3), _plain(value)] for a, _, value in steps]
    until = steps[-1][1]
    points.append([round(until, 3), points[-1][1]])
    return {"name": name, "label": label, "unit": unit, "points": points, "step": True, "role": role, "until": round(until, 3)}


def _plain(value: Any) -> Any:
    """A value without the noise of floats, and without a negative zero; None for what is no number."""
    if isinstance(value, float):
        return round(value, 6) + 0.0 if math.isfinite(value) else None
    return value


def _from(plan: Line, now: float) -> Line:
    """A plan that holds from now on: what was before stays, what it says of the past is left out."""
    points, since = plan["points"], round(now, 3)
    past = [point for point in points if point[0] <= since]
    future = [point for point in points if point[0] > since]
    return {**plan, "from": since, "points": [[since, past[-1][1]], *future] if past and future else points}


def _series(series: Mapping[str, Any]) -> Steps:
    at, found = float(series["start"]), []
    for step in series["steps"]:
        found.append((at, at + step["duration"], float(step["value"])))
        at += step["duration"]
    return tuple(found)


def _periods(schedule: Mapping[str, Any], start: float, key: str) -> Steps:
    """The values of a key in the periods of an OCPP schedule (W); a period without setpoint asks for its limit."""
    periods = list(schedule.get("chargingSchedulePeriod") or ())
    if schedule.get("chargingRateUnit") == "A":
        return ()
    found = []
    for place, period in enumerate(periods):
        value = period.get(key, period.get("limit") if key == "setpoint" else None)
        following = periods[place + 1]["startPeriod"] if place + 1 < len(periods) else schedule.get("duration") or period["startPeriod"]
        if value is not None:
            found.append((start + period["startPeriod"], start + following, float(value)))
    return tuple(found)


def _watts(sampled: Mapping[str, Any]) -> float:
    unit = sampled.get("unitOfMeasure") or {}
    thousand = str(unit.get("unit", "")).startswith("k")
    return float(sampled["value"]) * (1000.0 if thousand else 1.0) * 10.0 ** int(unit.get("multiplier") or 0)


def _epoch(text: Any) -> float | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if isinstance(text, str) else None
