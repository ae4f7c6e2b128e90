"""The actions that a CSMS may call at the station: one function for each, and the table of them."""

import math
from collections.abc import Callable
from typing import Final

from ocpp_bridge import authorization, charging, planning, transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.mapping import present, rounded
from ocpp_bridge.periods import Period
from ocpp_bridge.profiles import TX, Held, Rejected
from ocpp_bridge.rpc import Refusal
from ocpp_bridge.schemas import Payload
from ocpp_bridge.times import timestamp
from ocpp_bridge.wants import tell_status

COMPOSITE_MAXIMUM: Final = 7 * 86_400  # s that GetCompositeSchedule looks ahead: a week of one-second periods would be the CSMS's own doing
REPORT_ITEMS: Final = 100  # reportData in one NotifyReport: about 25 kB
PROFILE_ITEMS: Final = 4  # chargingProfile in one ReportChargingProfiles: a profile may have 3 x 1024 periods


def _no(reason: str, text: str = "", status: str = "Rejected") -> Payload:
    info = {"reasonCode": reason} | ({"additionalInfo": text[:1024]} if text else {})
    return {"status": status, "statusInfo": info}


# --- charging profiles ---


def set_charging_profile(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetChargingProfile: install a profile and let it reach the car, or say by OCPP's reason why not."""
    profile, evse = payload["chargingProfile"], payload["evseId"]
    try:
        charging.install(charger, evse, profile, now)
    except Rejected as rejected:
        return _no(rejected.reason, str(rejected))
    return {"status": "Accepted"}


def update_dynamic_schedule(charger: Charger, payload: Payload, now: float) -> Payload:
    """UpdateDynamicSchedule: give a dynamic profile new values, which hold at once."""
    try:
        held = charger.profiles.update(payload["chargingProfileId"], payload["scheduleUpdate"], charger.wall(now))
    except Rejected as rejected:
        return _no(rejected.reason, str(rejected))
    charging.profiles_changed(charger, held.evse, now)
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
    return {"status": "Accepted"} if gone else _no("NoProfile", status="Unknown")


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
        return _no("InvalidValue", "no such EVSE" if evse is None else "a duration is above 0")
    if unit == "A" and evse.in_watts:
        return _no("UnsupportedRateUnit", "this EVSE is limited in W")
    wall = charger.wall(now)
    alternative, by_csms = (evse.session.alternative, evse.session.by_csms) if evse.session else (0, False)
    said = planning.composite(charger, evse, now, wall + duration, alternative, by_csms=by_csms)
    divisor = 1.0 if unit == "W" else evse.limits.nominal_voltage * evse.limits.phases
    schedule = {
        "evseId": payload["evseId"],
        "duration": duration,
        "scheduleStart": timestamp(wall),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [
            {"startPeriod": round(begin - wall)} | _said(period, evse, divisor, charger.version) for begin, period in said.periods
        ],
    }
    return {"status": "Accepted", "schedule": schedule}


def _said(period: Period, evse: Evse, divisor: float, version: str) -> Payload:
    """A composite period on the wire, within what the EVSE can do. Where a car may only charge there is no limit of discharging."""
    limits = evse.limits
    limit = rounded(min(period.limit, limits.charge_power) / divisor)
    if version != "ocpp2.1":
        return {"limit": limit}
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


# --- transactions ---


def request_start(charger: Charger, payload: Payload, now: float) -> Payload:
    """RequestStartTransaction: let a waiting car charge, or the next one that comes to a free EVSE."""
    free = [evse for evse in charger.evses.values() if evse.operative and evse.remote is None and not (evse.session and evse.session.token)]
    waiting = sorted(free, key=lambda evse: evse.session is None or evse.session.authorization is None)
    asked = [evse for evse in waiting if payload.get("evseId") in (None, evse.id)]
    if not asked:
        return _no("TxInProgress" if payload.get("evseId") in (None, *charger.evses) else "InvalidValue")
    evse, profile = asked[0], payload.get("chargingProfile")
    if profile is not None and (profile["chargingProfilePurpose"] != TX or "transactionId" in profile):
        return _no("InvalidProfile", "a profile that starts a transaction is a TxProfile without transactionId")
    evse.remote, evse.remote_due = payload, now + charger.variables.number("TxCtrlr.EVConnectionTimeOut")
    evse.brought = profile
    charging.bring(charger, evse, now)
    authorization.proceed(charger, evse, now)
    return {"status": "Accepted"} | present({"transactionId": evse.transaction.id if evse.transaction else None})


def request_stop(charger: Charger, payload: Payload, now: float) -> Payload:
    """RequestStopTransaction: end the session of a transaction, then the transaction."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is None:
        return _no("TxNotFound")
    transactions.stop(charger, evse, "Remote", "RemoteStop", "RequestStopTransaction")
    return {"status": "Accepted"}


def transaction_status(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetTransactionStatus: whether a transaction goes on, and whether messages about it still wait to be sent."""
    id_ = payload.get("transactionId")
    queued = [call for call in charger.outbox.kept if id_ in (None, call.about)]
    ongoing = {} if id_ is None else {"ongoingIndicator": charger.of_transaction(id_) is not None}
    return ongoing | {"messagesInQueue": bool(queued)}


def cost_updated(charger: Charger, payload: Payload, now: float) -> Payload:
    """CostUpdated: keep what a transaction has cost so far, and tell people."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is not None and evse.transaction is not None:
        evse.transaction.cost = payload["totalCost"]
        charger.note(f"EVSE {evse.id}: {payload['totalCost']:.2f} so far")
    return {}


def allowed_energy_transfer(charger: Charger, payload: Payload, now: float) -> Payload:
    """NotifyAllowedEnergyTransfer (Q02): the allowed services changed, so the car is asked to choose again."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is None or evse.session is None:
        return _no("InvalidValue", "no such transaction runs")
    if not charger.variables.yes("ISO15118Ctrlr.ServiceRenegotiationSupport"):
        return _no("UnsupportedRequest", "services are not renegotiated here")
    if not authorization.allow(charger, evse, payload["allowedEnergyTransfer"], now):
        return _no("InvalidValue", "this EVSE has none of these services")
    return {"status": "Accepted"}


# --- the device model ---


def get_variables(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetVariables: the values of variables of the device model."""
    return {"getVariableResult": [charger.variables.read(asked) for asked in payload["getVariableData"]]}


def set_variables(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetVariables: write variables of the device model, and take what they change into use."""
    results = [charger.variables.write(asked) for asked in payload["setVariableData"]]
    charger.configure()
    return {"setVariableResult": results}


def get_base_report(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetBaseReport: send the device model as reports of a page each."""
    if payload["reportBase"] == "SummaryInventory":
        return {"status": "NotSupported"}
    data = list(charger.variables.report(settable_only=payload["reportBase"] == "ConfigurationInventory"))
    pages = math.ceil(len(data) / REPORT_ITEMS)
    for page in range(pages):
        report = {
            "requestId": payload["requestId"],
            "generatedAt": timestamp(charger.wall(now)),
            "seqNo": page,
            "tbc": page < pages - 1,
            "reportData": data[page * REPORT_ITEMS : (page + 1) * REPORT_ITEMS],
        }
        charger.call("NotifyReport", report, solicited=True)
    return {"status": "Accepted"}


# --- the station ---


def trigger_message(charger: Charger, payload: Payload, now: float) -> Payload:
    """TriggerMessage: send the message that is asked for, for one EVSE or all."""
    wanted = payload["requestedMessage"]
    chosen = [evse for evse in charger.evses.values() if payload.get("evse", {}).get("id", 0) in (0, evse.id)]
    if not chosen:
        return _no("InvalidValue", "no such EVSE")
    if wanted == "BootNotification":
        if charger.boot.status == "Accepted":
            return _no("InvalidValue", "the station is accepted already")
        charger.boot.due, charger.boot.reason = now, "Triggered"
    elif wanted == "Heartbeat":
        charger.call("Heartbeat", {}, solicited=True)
    elif wanted == "StatusNotification":
        for evse in chosen:
            tell_status(charger, evse, evse.status, now, solicited=True)
    elif wanted == "TransactionEvent":
        for evse in chosen:
            if evse.transaction is not None:
                transactions.event(charger, evse, "Updated", "Trigger", now, context="Trigger")
    else:
        return {"status": "NotImplemented"}
    return {"status": "Accepted"}


def reset(charger: Charger, payload: Payload, now: float) -> Payload:
    """Reset of the whole station: every session is asked to end; the shell starts anew once all transactions are over."""
    if payload.get("evseId"):
        return _no("UnsupportedParam", "only the station as a whole can be reset")
    if payload["type"] == "ImmediateAndResume":
        return _no("UnsupportedParam", "transactions are not resumed after a reset")
    busy = [evse for evse in charger.evses.values() if evse.transaction is not None]
    charger.reset = payload["type"]
    if payload["type"] == "Immediate":
        for evse in busy:
            transactions.stop(charger, evse, "ImmediateReset", "ResetCommand", "the CSMS resets the station")
    return {"status": "Scheduled" if busy and charger.reset == "OnIdle" else "Accepted"}


def change_availability(charger: Charger, payload: Payload, now: float) -> Payload:
    """ChangeAvailability: take EVSEs out of service or back; one with a transaction follows when that ends."""
    id_ = payload.get("evse", {}).get("id", 0)
    chosen = [evse for evse in charger.evses.values() if id_ in (0, evse.id)]
    if not chosen:
        return _no("InvalidValue", "no such EVSE")
    for evse in chosen:
        evse.operative = payload["operationalStatus"] == "Operative"
        if evse.session is None and evse.transaction is None:
            tell_status(charger, evse, evse.resting, now)
    return {"status": "Scheduled" if any(evse.transaction for evse in chosen) else "Accepted"}


def clear_cache(charger: Charger, payload: Payload, now: float) -> Payload:
    """ClearCache: forget every verdict about a token that was kept."""
    charger.cache.clear()
    return {"status": "Accepted"}


def data_transfer(charger: Charger, payload: Payload, now: float) -> Payload:
    """DataTransfer: no vendor's extension is known here."""
    return {"status": "UnknownVendorId"}


Request = Callable[[Charger, Payload, float], Payload]
REQUESTS: Final[dict[str, Request]] = {
    "SetChargingProfile": set_charging_profile,
    "UpdateDynamicSchedule": update_dynamic_schedule,
    "ClearChargingProfile": clear_charging_profile,
    "GetChargingProfiles": get_charging_profiles,
    "GetCompositeSchedule": get_composite_schedule,
    "RequestStartTransaction": request_start,
    "RequestStopTransaction": request_stop,
    "GetTransactionStatus": transaction_status,
    "CostUpdated": cost_updated,
    "NotifyAllowedEnergyTransfer": allowed_energy_transfer,
    "GetVariables": get_variables,
    "SetVariables": set_variables,
    "GetBaseReport": get_base_report,
    "TriggerMessage": trigger_message,
    "Reset": reset,
    "ChangeAvailability": change_availability,
    "ClearCache": clear_cache,
    "DataTransfer": data_transfer,
}


def answer(charger: Charger, action: str, payload: Payload, now: float) -> Payload:
    """The result of a CALL of the CSMS, by the function of its action. Raises `Refusal`, also for unusable numbers and times."""
    if charger.boot.status == "Rejected":
        raise Refusal("SecurityError", "the station is not accepted")
    try:
        return REQUESTS[action](charger, payload, now)
    except (ValueError, OverflowError) as error:
        raise Refusal("PropertyConstraintViolation", str(error)) from None
