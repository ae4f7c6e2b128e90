"""Monitoring (N03 to N08): the CSMS sets monitors on variables of the device model, and is told by NotifyEvent what they see."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import streams
from ocpp_bridge.blocks.provisioning import bounded
from ocpp_bridge.charger import Charger
from ocpp_bridge.model import inventory
from ocpp_bridge.model.device_model import named
from ocpp_bridge.model.monitors import CUSTOM, HARD_WIRED, LEAST_SEVERE, MOST, Monitor, objection, of_criteria, of_settings
from ocpp_bridge.model.variables import BOOLEAN, FLAG, ITEMS, NUMBER, OCTETS, OPTION, Key, Row
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

LOOK: Final = 1.0  # s between two looks at values that change: of a value that changes faster, what it is then is told
PAGE: Final = 50  # events in one NotifyEvent, monitors in one report: about 25 kB
# NotifyEvents of monitors that wait for the CSMS: 400 KB of one monitor's, 10 MB where all speak. What is beyond is not told, and noted.
WAITING: Final = 400
FAULT: Final = 3  # severity of the hard-wired monitor of EVSE.Problem: hardware that serves nobody


def set_monitoring(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetVariableMonitoring (N04): set monitors, each with its own verdict."""
    bounded(charger, "SetVariableMonitoring", payload, "setMonitoringData", "MonitoringCtrlr")
    return {"setMonitoringResult": [_set(charger, asked, now) for asked in payload["setMonitoringData"]]}


def _set(charger: Charger, asked: Payload, now: float) -> Payload:
    said = {name: asked[name] for name in ("type", "severity", "component", "variable")}
    status, key = charger.variables.find(asked)
    if key is None:
        return said | {"status": status}
    if (refusal := objection(charger.variables.rows[key], asked) or _conflict(charger, key, asked)) is not None:
        status, reason, words = refusal
        return said | {"status": status, "statusInfo": {"reasonCode": reason, "additionalInfo": words}}
    monitors = charger.monitors
    number = asked["id"] if "id" in asked else monitors.number()
    held = {name: asked[name] for name in ("type", "value", "severity")}
    monitor = Monitor(number, key, **held, transaction=asked.get("transaction", False), stream=asked.get("periodicEventStream"))
    monitors.held[number] = monitor
    charger.keep(f"monitor/{number}", monitor.settings)
    streams.replaced(charger, monitor)
    monitor.begin(charger.variables.shown(key), charger.wall(now))
    monitors.seen = None  # it looks with the next tick, at what is there already
    return said | {"status": "Accepted", "id": number}


def _conflict(charger: Charger, key: Key, asked: Payload) -> tuple[str, str, str] | None:
    """Why the monitors that are there leave no room for another: status, reason code, words."""
    monitors = charger.monitors
    if "id" in asked:
        before = monitors.held.get(asked["id"])
        if before is None:
            return "Rejected", "NotFound", f"there is no monitor {asked['id']}; the station numbers new ones itself"
        if before.kind != CUSTOM or before.key != key:
            return "Rejected", "InvalidValue", f"monitor {asked['id']} is hard-wired, or of another variable"
    if monitors.twin(key, asked) is not None:
        return "Duplicate", "DuplicateParam", "there is such a monitor of that type and severity"
    if "id" not in asked and len(monitors.custom) >= MOST:
        return "Rejected", "TooManyElements", f"{MOST} monitors are set, no more are held; clear some first"
    return None


def clear_monitoring(charger: Charger, payload: Payload, now: float) -> Payload:
    """ClearVariableMonitoring (N06): remove monitors that the CSMS has set; hard-wired ones stay."""
    bounded(charger, "ClearVariableMonitoring", payload, "id", "MonitoringCtrlr")
    return {"clearMonitoringResult": [_clear(charger, number) for number in payload["id"]]}


def _clear(charger: Charger, number: int) -> Payload:
    monitor = charger.monitors.held.get(number)
    if monitor is None:
        return {"id": number, "status": "NotFound"}
    if monitor.kind != CUSTOM:
        return {"id": number} | no("UnsupportedRequest", "a hard-wired monitor cannot be cleared")
    del charger.monitors.held[number]
    charger.keep(f"monitor/{number}", None)
    streams.closed(charger, number)
    return {"id": number, "status": "Accepted"}


def set_base(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetMonitoringBase (N05): All leaves what is set; FactoryDefault and HardWiredOnly clear what the CSMS has set, for nothing else is
    configured beforehand."""
    if payload["monitoringBase"] != "All":
        for monitor in charger.monitors.custom:
            _clear(charger, monitor.id)
    charger.variables["MonitoringCtrlr.ActiveMonitoringBase"] = payload["monitoringBase"]
    charger.keep("monitor/base", payload["monitoringBase"])
    return {"status": "Accepted"}


def set_level(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetMonitoringLevel (N05): tell events of this severity and of more serious ones (lower numbers) only."""
    if payload["severity"] > LEAST_SEVERE:
        return no("ValueOutOfRange", f"the severity is {payload['severity']}: give 0 to {LEAST_SEVERE}")
    _level(charger, payload["severity"])
    charger.keep("monitor/level", payload["severity"])
    return {"status": "Accepted"}


def _level(charger: Charger, severity: int) -> None:
    charger.monitors.level = severity
    charger.variables["MonitoringCtrlr.ActiveMonitoringLevel"] = str(severity)


def get_report(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetMonitoringReport (N02): send the monitors that fit criteria and names, as reports of a page each."""
    bounded(charger, "GetMonitoringReport", payload, "componentVariable", "MonitoringCtrlr")
    wanted, rows = payload.get("componentVariable", ()), charger.variables.rows
    found = of_criteria(charger.monitors.held.values(), payload.get("monitoringCriteria", ()))
    found = [each for each in found if not wanted or any(inventory.is_meant(each.key, rows[each.key], one) for one in wanted)]
    if not found:
        return {"status": "EmptyResultSet"}
    if sum(call.action == "NotifyMonitoringReport" for call in charger.outbox.waiting) > PAGE:
        return no("TooManyElements", f"more than {PAGE} reports still wait to be sent; take those first")
    data = [_reported(charger, each) for each in found]
    pages = [data[place : place + PAGE] for place in range(0, len(data), PAGE)]
    for number, page in enumerate(pages):
        report = {"requestId": payload["requestId"], "seqNo": number, "tbc": number < len(pages) - 1, "monitor": page}
        charger.call("NotifyMonitoringReport", report | {"generatedAt": timestamp(charger.wall(now))}, solicited=True)
    return {"status": "Accepted"}


def _reported(charger: Charger, monitor: Monitor) -> Payload:
    said = {name: getattr(monitor, name) for name in ("id", "transaction", "value", "type", "severity")}
    said["eventNotificationType"] = monitor.kind
    return named(monitor.key, charger.variables.rows[monitor.key]) | {"variableMonitoring": [said]}


# --- what they see ---


def due(charger: Charger) -> float | None:
    """When a monitor must look: a moment after a value has changed, or by its clock."""
    monitors, moments = charger.monitors, []
    if monitors.held and _visible(charger) != monitors.seen:
        moments.append(monitors.looked + LOOK)
    if (next_due := monitors.next_due()) is not None:
        moments.append(charger.moment(next_due))
    return min(moments, default=None)


def _visible(charger: Charger) -> object:
    running = tuple(evse.transaction.id for evse in charger.evses.values() if evse.transaction is not None)
    return charger.variables.changes, running


def tick(charger: Charger, now: float) -> None:
    """Let the monitors look at what has changed, and tell what they see."""
    moment = due(charger)
    if moment is None or now < moment:
        return
    charger.monitors.seen, charger.monitors.looked = _visible(charger), now
    events = [event for monitor in list(charger.monitors.held.values()) for event in _look(charger, monitor, now)]
    if events:
        _tell(charger, events, now)


def _look(charger: Charger, monitor: Monitor, now: float) -> list[Payload]:
    """The events of one monitor, as eventData; what goes by a stream is put there."""
    places = [evse for evse in charger.evses.values() if monitor.key[3] in (0, evse.id)]
    transaction = next((evse.transaction for evse in places if evse.transaction is not None), None)
    if monitor.transaction and transaction is None:
        monitor.rest()
        return []
    model, wall = charger.variables, charger.wall(now)
    found = monitor.look(model.shown(monitor.key), model.shown(monitor.key, "Target"), wall)
    if not model.yes("MonitoringCtrlr.Enabled") or monitor.severity > charger.monitors.level:
        return []
    if monitor.stream is not None and streams.taken(charger, monitor, [event["actualValue"] for event in found], wall):
        return []
    about = {"variableMonitoringId": monitor.id, "eventNotificationType": monitor.kind, "severity": monitor.severity}
    about |= {"timestamp": timestamp(wall)} | named(monitor.key, model.rows[monitor.key])
    about |= {"transactionId": transaction.id} if transaction is not None and (monitor.key[3] or monitor.transaction) else {}
    return [event | about | {"eventId": charger.number()} for event in found]


def _tell(charger: Charger, events: list[Payload], now: float) -> None:
    """Send events; while the CSMS is away those alone wait for it that are severe enough."""
    worst = int(charger.variables.number("MonitoringCtrlr.OfflineQueuingSeverity"))
    waiting = sum(call.about == "monitors" for call in charger.outbox.waiting)
    for kept in (True, False):
        chosen = [event for event in events if (event["severity"] <= worst) == kept]
        if chosen and waiting >= WAITING:
            charger.note(f"{len(chosen)} events of monitors are not told: {WAITING} messages with such still wait for the CSMS")
            continue
        pages = [chosen[place : place + PAGE] for place in range(0, len(chosen), PAGE)]
        for number, page in enumerate(pages):
            notice = {"generatedAt": timestamp(charger.wall(now)), "seqNo": number, "tbc": number < len(pages) - 1, "eventData": page}
            charger.call("NotifyEvent", notice, kept=kept, about="monitors")


def begin(charger: Charger) -> None:
    """Set the monitors that nobody can clear: of the fault of each EVSE."""
    for evse in charger.evses:
        key = "EVSE", "Problem", "", evse
        number = charger.monitors.number()
        charger.monitors.held[number] = Monitor(number, key, "Delta", 1.0, FAULT, kind=HARD_WIRED, reference=charger.variables[key])


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Set again what the CSMS had set before a restart; what no variable takes any more is noted."""
    for name, said in kept.items():
        if name == "monitor/level":
            _level(charger, said)
        elif name == "monitor/base":
            charger.variables["MonitoringCtrlr.ActiveMonitoringBase"] = said
        elif (monitor := of_settings(said)).key in charger.variables.rows and monitor.id not in charger.monitors.held:
            charger.monitors.held[monitor.id] = monitor
        else:
            charger.note(f"monitor {monitor.id} is not set any more: {'.'.join(monitor.key[:2])} is gone, or its id is taken")


LIMITED: Final = ("SetVariableMonitoring", "ClearVariableMonitoring", "GetMonitoringReport")
BLOCK: Final = Block(
    requests={
        "SetVariableMonitoring": set_monitoring,
        "ClearVariableMonitoring": clear_monitoring,
        "SetMonitoringBase": set_base,
        "SetMonitoringLevel": set_level,
        "GetMonitoringReport": get_report,
    },
    due=due,
    tick=tick,
    keeps="monitor",
    restore=restore,
    begin=begin,
    variables=(
        Row("MonitoringCtrlr", "Available", "true", FLAG),
        Row("MonitoringCtrlr", "Enabled", "true", FLAG, BOOLEAN, required="N03"),
        Row("MonitoringCtrlr", "OfflineQueuingSeverity", "4", NUMBER, "[0-9]", low=0, high=9, required="N07"),
        Row("MonitoringCtrlr", "ActiveMonitoringBase", "All", OPTION, values=("All", "FactoryDefault", "HardWiredOnly"), required="N05"),
        Row("MonitoringCtrlr", "ActiveMonitoringLevel", str(LEAST_SEVERE), NUMBER, required="N05"),
        *(
            Row("MonitoringCtrlr", limit, most, NUMBER, instance=action, required="N02, N04, N06")
            for action in LIMITED
            for limit, most in (("ItemsPerMessage", ITEMS), ("BytesPerMessage", OCTETS))
        ),
    ),
)
