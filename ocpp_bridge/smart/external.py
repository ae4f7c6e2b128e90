"""What the CSMS does not decide: limits from elsewhere (K11 to K14, K29), and priority that somebody asks for at the station (K22).

A limit is a profile of the purpose ChargingStationExternalConstraints, or LocalGeneration, that the CSMS may read and not remove. It holds
until whoever told it takes it back: an energy management that falls silent lets nobody have more.
"""

from typing import Any, Final

from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.mapping import present
from ocpp_bridge.model.measurands import rounded
from ocpp_bridge.smart import charging, steering
from ocpp_bridge.smart.acceptance import OWN_IDS
from ocpp_bridge.smart.feeds import BALANCING, FREQUENCY_LASTS, LIVE, UPSTREAM_LASTS, Limit, Told
from ocpp_bridge.smart.profiles import EXTERNAL, GENERATION, PRIORITY
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

AGAIN: Final = 1.0  # s between two NotifyChargingLimit about one limit: what moves faster is told as it stands then
SOURCES: Final = ("EMS", "SO", "Other")  # chargingLimitSource; CSO is the CSMS
ORIGINS_MAXIMUM: Final = 32  # limits at one time: one of each source for a dozen EVSEs


def take_limit(charger: Charger, limit: Limit, now: float) -> None:
    """Let a limit from elsewhere hold, and tell the CSMS. ValueError for one that cannot be meant."""
    for name, power in (("charge", limit.charge), ("discharge", limit.discharge)):
        if power is not None and not 0 <= power <= 1e9:
            raise ValueError(f"a limit to {name} of {power} W: give a magnitude, 0 to 1e9 W")
    if limit.charge is None and (limit.discharge is None or limit.generation):
        raise ValueError("a limit without any power: give one, or take the limit back")
    if limit.source not in SOURCES or (limit.evse and limit.evse not in charger.evses):
        raise ValueError(
            f"a limit of {limit.source!r} for EVSE {limit.evse}: sources are {', '.join(SOURCES)}, EVSEs 0 (all) and those there are"
        )
    key = _key(limit)
    if key not in charger.external and len(charger.external) >= ORIGINS_MAXIMUM:
        raise ValueError(f"{ORIGINS_MAXIMUM} limits from elsewhere hold already: take one back")
    before = charger.external.get(key)
    if before is not None:
        limit.told, limit.told_at = before.told, before.told_at
    charger.external[key] = limit
    charger.profiles.install(limit.evse, _profile(charger, limit, now), charger.wall(now), source=limit.source)
    charging.profiles_changed(charger, limit.evse, now)
    _tell(charger, limit, now)


def drop_limit(charger: Charger, source: str, evse: int, now: float, *, generation: bool = False) -> None:
    """Take a limit from elsewhere back, and tell the CSMS; nothing where there is none."""
    limit = charger.external.pop((source, evse, generation), None)
    if limit is None:
        return
    for held in [held for held in charger.profiles.select(evse=evse, purpose=_purpose(limit)) if held.source == source]:
        del charger.profiles.held[held.profile["id"]]
    charging.profiles_changed(charger, evse, now)
    charger.call("ClearedChargingLimit", {"chargingLimitSource": source} | ({"evseId": evse} if evse else {}))


def due(charger: Charger) -> float | None:
    """When (monotonic s) a limit that has changed is to be told the CSMS; None: none is."""
    moments = [limit.told_at + AGAIN for limit in charger.external.values() if charger.accepted and limit.told != _said(limit)]
    return min(moments, default=None)


def tell_due(charger: Charger, now: float) -> None:
    """Tell the CSMS of limits that changed faster than it is told, or while it was away."""
    for limit in charger.external.values():
        if charger.accepted and limit.told != _said(limit):
            _tell(charger, limit, now)


def take_frequency(charger: Charger, hertz: float, now: float) -> None:
    """Take the frequency of the grid. One that is none is not taken: it falls silent."""
    if 0 < hertz < 1_000:
        charger.feeds.frequency = Told(hertz, now + FREQUENCY_LASTS)
        _offer(charger, "LocalFrequency")
        steering.heed(charger, ("LocalFrequency",), now)


def take_upstream(charger: Charger, power: float, now: float) -> None:
    """Take the power (W, + from the grid) at the upstream meter."""
    if abs(power) <= 1e9:
        charger.feeds.upstream = Told(power, now + UPSTREAM_LASTS)
        charger.feeds.drawn = {evse.id: evse.sample.power or 0.0 for evse in charger.evses.values()}
        charger.feeds.bands = {evse: charger.band(evse) for evse in charger.evses}
        _offer(charger, BALANCING)
        steering.heed(charger, (BALANCING,), now)


def take_setpoint(charger: Charger, evse: int, power: float | None, now: float, lasts: float) -> None:
    """Take the setpoint (W) of an energy management for an EVSE (0: each), for `lasts` s; None: it has none any more."""
    if power is None:
        charger.feeds.setpoints.pop(evse, None)
    elif abs(power) <= 1e9 and evse in (0, *charger.evses):
        charger.feeds.setpoints[evse] = Told(power, now + lasts)
        _offer(charger, "ExternalSetpoint")
    steering.heed(charger, ("ExternalSetpoint",), now)


def has_priority(charger: Charger, evse: Evse) -> bool:
    """Whether a PriorityCharging profile is there for an EVSE."""
    return any(held.evse in (0, evse.id) for held in charger.profiles.select(purpose=PRIORITY))


def set_priority(charger: Charger, evse: Evse, activated: bool, now: float) -> None:
    """Let a PriorityCharging profile lead the transaction of an EVSE, or no more."""
    if evse.transaction is not None and evse.transaction.priority != activated:
        evse.transaction.priority = activated
        charging.profiles_changed(charger, evse.id, now)


def ask_priority(charger: Charger, evse: Evse, activated: bool, now: float) -> bool:
    """Set priority as somebody at the station asks, and tell the CSMS; False where no transaction or no such profile is there."""
    if evse.transaction is None or not has_priority(charger, evse):
        return False
    set_priority(charger, evse, activated, now)
    return charger.call("NotifyPriorityCharging", {"transactionId": evse.transaction.id, "activated": activated}) or True


def standing(charger: Charger, evse: Evse) -> dict[str, Any]:
    """How an EVSE is: whether a transaction runs, its power (W, + into the car), the least of the limits from elsewhere (W)."""
    limits = [limit for limit in charger.external.values() if limit.evse in (0, evse.id) and not limit.generation]
    found: dict[str, Any] = {"here": evse.transaction is not None}
    power = evse.sample.power if evse.transaction is not None else 0.0
    for name, values in (
        ("power", [power]),
        ("charge", [each.charge for each in limits]),
        ("discharge", [each.discharge for each in limits]),
    ):
        if known := [value for value in values if value is not None]:
            found[name] = min(known)
    return found


def _offer(charger: Charger, mode: str) -> None:
    """A mode is supported once somebody has told what it follows."""
    for evse in charger.evses:
        key = charger.variables.key("V2XChargingCtrlr.SupportedOperationModes", evse)
        modes = charger.variables[key].split(",")
        if mode not in modes and mode in LIVE:
            charger.variables[key] = ",".join([*modes, mode])


def _key(limit: Limit) -> tuple[str, int, bool]:
    return limit.source, limit.evse, limit.generation


def _purpose(limit: Limit) -> str:
    return GENERATION if limit.generation else EXTERNAL


def _said(limit: Limit) -> tuple[float | None, ...]:
    return limit.charge, limit.discharge, float(limit.critical)


def _schedule(charger: Charger, limit: Limit, now: float) -> Payload:
    period = {
        "startPeriod": 0,
        "limit": limit.charge,
        "dischargeLimit": None if limit.discharge is None else 0.0 - rounded(limit.discharge),
    }
    mode = "ChargingOnly" if limit.discharge is None else "ExternalLimits"
    return {
        "id": 1,
        "startSchedule": timestamp(charger.wall(now) - 1.0),  # written in whole milliseconds, and to hold at once
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [present(period) | {"operationMode": mode}],
    }


def _profile(charger: Charger, limit: Limit, now: float) -> Payload:
    place = list(charger.external).index(_key(limit))
    held = {h.source: h.profile["id"] for h in charger.profiles.select(evse=limit.evse, purpose=_purpose(limit))}
    taken = set(charger.profiles.held)
    free = next(OWN_IDS - n for n in range(place, place + len(taken) + 1) if OWN_IDS - n not in taken)
    return {
        "id": held.get(limit.source, free),
        "stackLevel": 0,
        "chargingProfilePurpose": _purpose(limit),
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [_schedule(charger, limit, now)],
    }


def _tell(charger: Charger, limit: Limit, now: float) -> None:
    """NotifyChargingLimit, unless it was told a moment ago, or differs by less than is significant."""
    if now < limit.told_at + AGAIN or not charger.accepted or limit.told == _said(limit):
        return
    share = charger.variables.number("SmartChargingCtrlr.LimitChangeSignificance") / 100.0
    if limit.told is not None and all(_alike(a, b, share) for a, b in zip(limit.told, _said(limit), strict=True)):
        limit.told = _said(limit)
        return
    limit.told, limit.told_at = _said(limit), now
    payload: Payload = {
        "chargingLimit": {
            "chargingLimitSource": limit.source,
            "isGridCritical": limit.critical,
            "isLocalGeneration": limit.generation,
        }
    }
    payload |= {"evseId": limit.evse} if limit.evse else {}
    if charger.variables.yes("SmartChargingCtrlr.NotifyChargingLimitWithSchedules"):
        payload["chargingSchedule"] = [_schedule(charger, limit, now)]
    charger.call("NotifyChargingLimit", payload)


def _alike(a: float | None, b: float | None, share: float) -> bool:
    return a == b or (a is not None and b is not None and abs(a - b) <= share * max(abs(a), abs(b)))
