"""Smart charging (block K of OCPP): what a CSMS may ask about charging profiles."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, answer_at, failure_at, no
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.mapping import present
from ocpp_bridge.model.measurands import rounded
from ocpp_bridge.model.variables import BOOLEAN, DECIMAL, FLAG, LIST, NUMBER, REAL, Key, Row
from ocpp_bridge.smart import charging, external, planning, pulls, steering
from ocpp_bridge.smart.acceptance import OWN_IDS
from ocpp_bridge.smart.feeds import BAND
from ocpp_bridge.smart.periods import Period
from ocpp_bridge.smart.profiles import Held, Rejected
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch, offset_of, timestamp

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
    for held in gone:
        charger.keep_profile(held.profile["id"])
    for evse in {held.evse for held in gone}:
        charging.profiles_changed(charger, evse, now)
    return {"status": "Accepted"} if gone else no("NoProfile", status="Unknown")


def use_priority_charging(charger: Charger, payload: Payload, now: float) -> Payload:
    """UsePriorityCharging (K21): let a PriorityCharging profile lead a transaction, or no more."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is None:
        return no("TxNotFound")
    if not external.has_priority(charger, evse):
        return no("NoProfile", "no PriorityCharging profile is installed for this EVSE", status="NoProfile")
    external.set_priority(charger, evse, payload["activate"], now)
    return {"status": "Accepted"}


def take_signal(charger: Charger, payload: Payload, now: float) -> Payload:
    """AFRRSignal: move the cars whose LocalFrequency has a curve for such signals, from its time on."""
    leads = [evse.session.leads for evse in charger.evses.values() if evse.session is not None and evse.session.leads is not None]
    if not any(period.curve is not None and period.curve.signal for period in leads):
        return no("NoSignalWattCurve", "no car follows a v2xSignalWattCurve")
    if not charger.feeds.take_signal(epoch(payload["timestamp"]), payload["signal"], charger.wall(now)):
        return no("InvalidValue", "the signal is over, or too many wait for their time")
    steering.heed(charger, ("LocalFrequency",), now)
    return {"status": "Accepted"}


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Hold the profiles again that were kept; a TxProfile goes with its transaction."""
    for name, value in kept.items():
        try:
            held = Held(
                value["profile"], value["evse"], value["updated"], delay=value["delay"], dead=value["dead"], offset=charger.profiles.offset
            )
        except (KeyError, TypeError, ValueError) as error:
            charger.note(f"{name} cannot be read and is forgotten: {error}")
            charger.keep(name, None)
            continue
        transaction = held.profile.get("transactionId")
        if transaction is not None and not charger.runs(transaction):
            charger.keep(name, None)
        else:
            charger.profiles.held[held.profile["id"]] = held
            held.offset = charger.profiles.offset


def due(charger: Charger) -> float | None:
    """When (monotonic s) a dynamic profile is to be asked for, or a limit to be told; None: nothing is due."""
    moments = [moment for moment in (pulls.moment(charger), external.due(charger)) if moment is not None]
    return min(moments, default=None)


def tick(charger: Charger, now: float) -> None:
    """Ask for dynamic profiles and tell limits, as far as they are due at `now` (monotonic s); keep which profiles are over for good."""
    if charger.offline_since is not None:
        away = charger.offline(now)
        for id_, held in charger.profiles.held.items():
            if held.offline(away) and held.dead and not charger.kept.get(f"profile/{id_}", held.kept)["dead"]:
                charger.keep_profile(id_)
    pulls.pull(charger, now)
    external.tell_due(charger, now)


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
    said = planning.composite(charger, evse, now, wall + duration, alternative, by_csms=by_csms, raw=True)
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
            "v2xBaseline": None if period.curve is None else period.curve.baseline,
            "v2xFreqWattCurve": _points(period, "frequency"),
            "v2xSignalWattCurve": _points(period, "signal"),
            "setpointReactive": None if period.reactive is None else rounded(period.reactive / divisor),
        }
    )


def _points(period: Period, name: str) -> list[Payload] | None:
    """A curve of a period on the wire; None where it has none."""
    points = () if period.curve is None else period.curve.frequency if name == "frequency" else period.curve.signal
    return [{name: int(at) if name == "signal" else at, "power": power} for at, power in points] or None


VARIABLES: Final = (
    Row("SmartChargingCtrlr", "SupportedAdditionalPurposes", "PriorityCharging,LocalGeneration", LIST),
    Row("SmartChargingCtrlr", "MaxExternalConstraintsId", str(OWN_IDS), NUMBER),
    Row("SmartChargingCtrlr", "ExternalConstraintsProfileDisallowed", "false", FLAG, BOOLEAN),
    Row("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules", "true", FLAG, BOOLEAN),
    Row("SmartChargingCtrlr", "UpdateRateLimit", "0", NUMBER, r"[0-9]{1,5}", unit="s"),
    *(Row("V2XChargingCtrlr", "LocalLoadBalancing", "0", REAL, DECIMAL, unit="W", instance=name, each=True) for name in BAND),
)


def changed(charger: Charger, key: Key, now: float) -> None:
    """Let schedules in local time begin by the offset that was set."""
    if key[:2] == ("ClockCtrlr", "TimeOffset"):
        charger.profiles.local(offset_of(charger.variables[key]))
        charging.profiles_changed(charger, 0, now)


BLOCK: Final = Block(
    variables=VARIABLES,
    changed=changed,
    requests={
        "SetChargingProfile": set_charging_profile,
        "UpdateDynamicSchedule": update_dynamic_schedule,
        "ClearChargingProfile": clear_charging_profile,
        "UsePriorityCharging": use_priority_charging,
        "AFRRSignal": take_signal,
        "GetChargingProfiles": get_charging_profiles,
        "GetCompositeSchedule": get_composite_schedule,
    },
    answers={"NotifyEVChargingNeeds": answer_at(charging.needs_answered), "PullDynamicScheduleUpdate": pulls.take_pulled},
    failures={"NotifyEVChargingNeeds": failure_at(charging.needs_failed)},
    due=due,
    tick=tick,
    keeps="profile",
    restore=restore,
)
