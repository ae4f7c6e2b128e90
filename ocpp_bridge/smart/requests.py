"""Smart charging (block K of OCPP): what a CSMS may ask about charging profiles."""

from typing import Final

from ocpp_bridge.block import Block, answer_at, failure_at, no
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.mapping import present, rounded
from ocpp_bridge.smart import charging, planning, pulls
from ocpp_bridge.smart.periods import Period
from ocpp_bridge.smart.profiles import Held, Rejected
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

COMPOSITE_MAXIMUM: Final = 7 * 86_400  # s that GetCompositeSchedule looks ahead: a week of one-second periods would be the CSMS's own doing
PROFILE_ITEMS: Final = 4  # chargingProfile in one ReportChargingProfiles: a profile may have 3 x 1024 periods


def set_charging_profile(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetChargingProfile: install a profile and let it reach the car, or say by OCPP's reason why not."""
    profile, evse = payload["chargingProfile"], payload["evseId"]
    try:
        charging.install(charger, evse, profile, now)
    except Rejected as rejected:
        return no(rejected.reason, str(rejected))
    return {"status": "Accepted"}


def update_dynamic_schedule(charger: Charger, payload: Payload, now: float) -> Payload:
    """UpdateDynamicSchedule: give a dynamic profile new values, which hold at once."""
    try:
        charging.update(charger, payload, now)
    except Rejected as rejected:
        return no(rejected.reason, str(rejected))
    return {"status": "Accepted"}


def clear_charging_profile(charger: Charger, payload: Payload, now: float) -> Payload:
    """ClearChargingProfile: remove the profiles that fit the criteria; Unknown where none does."""
    wanted = payload.get("chargingProfileCriteria", {})
    gone = charger.profiles.clear(
        payload.get("chargingProfileId"),
        evse=wanted.get("evseId"),
        purpose=wanted.get("chargingProfilePurpose"),
        stack=wanted.get("stackLevel"),
    )
    for evse in {held.evse for held in gone}:
        charging.profiles_changed(charger, evse, now)
    return {"status": "Accepted"} if gone else no("NoProfile", status="Unknown")


def get_charging_profiles(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetChargingProfiles: answer whether any fits, and report those that do."""
    wanted = payload["chargingProfile"]
    found = [
        held
        for held in charger.profiles.select(
            wanted.get("chargingProfileId"),
            evse=payload.get("evseId"),
            purpose=wanted.get("chargingProfilePurpose"),
            stack=wanted.get("stackLevel"),
        )
        if held.source in wanted.get("chargingLimitSource", [held.source])
    ]
    by_place: dict[tuple[int, str], list[Held]] = {}
    for held in found:
        by_place.setdefault((held.evse, held.source), []).append(held)
    pages = [
        (evse, source, part[at : at + PROFILE_ITEMS])
        for (evse, source), part in by_place.items()
        for at in range(0, len(part), PROFILE_ITEMS)
    ]
    for number, (evse, source, part) in enumerate(pages, 1):
        report = {
            "requestId": payload["requestId"],
            "chargingLimitSource": source,
            "evseId": evse,
            "chargingProfile": [held.profile for held in part],
            "tbc": number < len(pages),
        }
        charger.call("ReportChargingProfiles", report, solicited=True)
    return {"status": "Accepted" if found else "NoProfiles"}


def get_composite_schedule(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetCompositeSchedule: what all profiles together allow an EVSE, or the station, for the time asked."""
    unit, duration = payload.get("chargingRateUnit", "W"), min(payload["duration"], COMPOSITE_MAXIMUM)
    evse = charger.evses.get(payload["evseId"]) if payload["evseId"] else charger.whole
    if evse is None or duration <= 0:
        return no("InvalidValue", "no such EVSE" if evse is None else "a duration is above 0")
    if unit == "A" and evse.in_watts:
        return no("UnsupportedRateUnit", "this EVSE is limited in W")
    wall = charger.wall(now)
    alternative, by_csms = (evse.session.alternative, evse.session.by_csms) if evse.session else (0, False)
    said = planning.composite(charger, evse, now, wall + duration, alternative, by_csms=by_csms)
    divisor = 1.0 if unit == "W" else evse.limits.nominal_voltage * evse.limits.phases
    schedule = {
        "evseId": payload["evseId"],
        "duration": duration,
        "scheduleStart": timestamp(wall),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": round(begin - wall)} | _said(period, evse, divisor) for begin, period in said.periods],
    }
    return {"status": "Accepted", "schedule": schedule}


def _said(period: Period, evse: Evse, divisor: float) -> Payload:
    """A composite period on the wire, within what the EVSE can do. Where a car may only charge there is no limit of discharging."""
    limits = evse.limits
    limit = rounded(min(period.limit, limits.charge_power) / divisor)
    gives = evse.gives_back and period.mode != "ChargingOnly"
    discharge = min(period.discharge, limits.discharge_power) if gives else 0.0
    setpoint = period.clamped()
    return present(
        {
            "limit": limit,
            "dischargeLimit": rounded(-discharge / divisor) if discharge else None,
            "setpoint": None if setpoint is None or period.mode == "Idle" else rounded(setpoint / divisor),
            "operationMode": period.mode,
        }
    )


BLOCK: Final = Block(
    requests={
        "SetChargingProfile": set_charging_profile,
        "UpdateDynamicSchedule": update_dynamic_schedule,
        "ClearChargingProfile": clear_charging_profile,
        "GetChargingProfiles": get_charging_profiles,
        "GetCompositeSchedule": get_composite_schedule,
    },
    answers={"NotifyEVChargingNeeds": answer_at(charging.needs_answered), "PullDynamicScheduleUpdate": pulls.take_pulled},
    failures={"NotifyEVChargingNeeds": failure_at(charging.needs_failed)},
    due=pulls.moment,
    tick=pulls.pull,
)
