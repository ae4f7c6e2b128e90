"""DER control (block R): what a CSMS asks of the inverters of cars, told to their sessions; when it starts and ends; their alarms."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.der import BODIES, DEFAULT_ONLY, MOST, CarInverter, Control, Refused, Turn, judged, of_kept, read
from ocpp_bridge.model.der_grid import ALARMED, MODES, asked, modes_of, ratings_of, tried
from ocpp_bridge.model.variables import FLAG, LIST, REAL, Row
from ocpp_bridge.smart import steering
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from secc.station import GridControlChanged, GridReported
from v2g.energy.der import Alarm
from v2g.services import SERVICES

ITEMS: Final = {"gradient": "gradient", "enterService": "enterService", "fixedPFAbsorb": "fixedPF", "fixedPFInject": "fixedPF"}
RATED: Final = (  # of DCDERCtrlr, with their units; what nobody says is empty
    ("MaxW", "W"), ("MaxChargeRateW", "W"), ("MaxVar", "var"), ("MaxVarNeg", "var"), ("MaxVA", "VA"), ("MaxChargeRateVA", "VA"),
    ("OverExcitedW", "W"), ("OverExcitedPF", ""), ("UnderExcitedW", "W"), ("UnderExcitedPF", ""), ("ReactiveSusceptance", "S"),
)  # fmt: skip
MADE: Final = ("InverterManufacturer", "InverterModel", "InverterSerialNumber", "InverterSwVersion", "InverterHwVersion")
FLOWS: Final = 50.0  # W; below it a power has no direction, and what is asked does not change with it


def declare(charger: Charger) -> None:
    """Write into the device model which controls have an effect at each EVSE, and how its own inverter is rated as far as it says."""
    for evse in charger.evses.values():
        for component, modes in modes_of(evse.services, evse.inverter.functions).items():
            there = "true" if modes else "false"
            for name, value in (("ModesSupported", ",".join(modes)), ("Available", there), ("Enabled", there)):
                charger.variables[component, name, "", evse.id] = value
        for name, rated in ratings_of(evse.services, evse.limits, evse.inverter.functions).items():
            charger.variables["DCDERCtrlr", name, "", evse.id] = f"{rated:.0f}"


def _modes(charger: Charger) -> set[str]:
    """The controlTypes that have an effect at one EVSE at least."""
    keys = [(component, "ModesSupported", "", evse) for component in ("ACDERCtrlr", "DCDERCtrlr") for evse in charger.evses]
    return {mode for key in keys for mode in charger.variables[key].split(",") if mode}


# --- the CSMS sets, reads and clears ---


def set_control(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetDERControl (R04): take a control, and let it take effect if its time has come."""
    wall, before = charger.wall(now), dict(charger.der.held)
    try:
        judged(payload, _modes(charger), wall)
        tried(read(payload, 0))
        superseded = charger.der.put(payload, wall)
    except Refused as refused:
        return no(refused.reason, str(refused), refused.status)
    _keep(charger, before)
    _turn(charger, now)
    return {"status": "Accepted"} | ({"supersededIds": list(superseded)} if superseded else {})


def get_control(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetDERControl (R04): report the controls that are asked for, a page for each kind of settings."""
    if "controlType" in payload and payload["controlType"] not in _modes(charger):
        return no("UnsupportedParam", f"{payload['controlType']} is not in ModesSupported", "NotSupported")
    chosen = charger.der.select(payload.get("isDefault"), payload.get("controlType"), payload.get("controlId"))
    if not chosen:
        return no("NotFound", "no such control is there", "NotFound")
    pages = list(_pages(chosen))
    for place, page in enumerate(pages):
        charger.call("ReportDERControl", page | {"requestId": payload["requestId"], "tbc": place < len(pages) - 1}, solicited=True)
    return {"status": "Accepted"}


def _pages(chosen: list[Control]) -> Iterable[Payload]:
    by_field: dict[str, list[Payload]] = {}
    for control in chosen:
        by_field.setdefault(BODIES[control.type], []).append(_reported(control))
    for name, items in by_field.items():
        for first in range(0, len(items), MOST):
            yield {name: items[first : first + MOST]}


def _reported(control: Control) -> Payload:
    name = BODIES[control.type]
    said: Payload = {"id": control.id, ITEMS.get(name, name): control.body}
    if name == "curve":
        said["curveType"] = control.type
    return said if control.type in DEFAULT_ONLY else said | {"isDefault": control.default, "isSuperseded": control.superseded}


def clear_control(charger: Charger, payload: Payload, now: float) -> Payload:
    """ClearDERControl (R04): forget controls; what they asked for is asked no more."""
    type_, id_ = payload.get("controlType"), payload.get("controlId")
    if id_ is None and type_ is not None and type_ not in _modes(charger):
        return no("UnsupportedParam", f"{type_} is not in ModesSupported", "NotSupported")
    chosen = charger.der.select(payload["isDefault"], type_ if id_ is None else None, id_)
    if not chosen and (id_ is not None or type_ is not None):
        return no("NotFound", "no such control is there", "NotFound")
    before = dict(charger.der.held)
    charger.der.clear(chosen)
    _keep(charger, before)
    for control in chosen:
        if control.begun and not control.superseded:
            _notify(charger, Turn(control, started=False), now)
    _take_effect(charger, now)
    return {"status": "Accepted"}


# --- time ---


def due(charger: Charger) -> float | None:
    """When a control starts or ends (monotonic s)."""
    edge = charger.der.due()
    return None if edge is None else charger.moment(edge)


def tick(charger: Charger, now: float) -> None:
    """Start and end the controls whose time has come; alarms of a car that has gone are over."""
    edge = charger.der.due()
    if edge is not None and charger.wall(now) >= edge:
        _turn(charger, now)
    for evse in charger.evses.values():
        if evse.inverter.alarms and evse.session is None:
            _alarms(charger, evse, (), "the car has gone", now)


def _turn(charger: Charger, now: float) -> None:
    before = dict(charger.der.held)
    for turn in list(charger.der.turns(charger.wall(now))):
        _notify(charger, turn, now)
    _keep(charger, before)
    _take_effect(charger, now)


def _notify(charger: Charger, turn: Turn, now: float) -> None:
    said: Payload = {"controlId": turn.control.id, "started": turn.started, "timestamp": timestamp(charger.wall(now))}
    charger.call("NotifyDERStartStop", said | ({"supersededIds": list(turn.superseded)} if turn.superseded else {}), kept=True)


def _keep(charger: Charger, before: Mapping[str, Control]) -> None:
    """Keep what differs from `before` over a restart."""
    for id_ in before.keys() | charger.der.held.keys():
        control = charger.der.held.get(id_)
        if control != before.get(id_):
            charger.keep(f"der/{id_}", None if control is None else control.kept)


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Take back the controls that were kept; those that are over by now end with the next tick."""
    controls = sorted((of_kept(said) for said in kept.values()), key=lambda control: control.number)
    charger.der.held = {control.id: control for control in controls}
    charger.der.numbers = max((control.number for control in controls), default=0)


# --- the session ---


def _take_effect(charger: Charger, now: float) -> None:
    for evse in charger.evses.values():
        tell(charger, evse, now)
        steering.steer(charger, evse, now)


def tell(charger: Charger, evse: Evse, now: float) -> None:
    """Tell the session at an EVSE what is asked of its car's inverter, where that is not what it was told last."""
    session = evse.session
    if session is None or not (evse.inverter.functions or any(SERVICES[service].der in MODES for service in evse.services)):
        return
    volts, hertz = evse.limits.nominal_voltage, evse.limits.nominal_frequency
    try:
        control, shares = asked(charger.der.holding(charger.wall(now)), charger.der.codes, volts, hertz, feeding=evse.inverter.feeding)
    except Refused as refused:
        charger.note(f"EVSE {evse.id}: the DER controls cannot be told together, what was told before holds: {refused}")
        return
    if (control, shares) != evse.inverter.asked:
        evse.inverter.asked = control, shares
        charger.tell(evse, GridControlChanged(control, shares))


def begin(charger: Charger, evse: Evse, now: float) -> None:
    """Tell a session that begins what is asked of its car's inverter, of which nobody knows anything yet."""
    evse.inverter.asked, evse.inverter.feeding = CarInverter().asked, False
    tell(charger, evse, now)


def look(charger: Charger, evse: Evse, now: float) -> None:
    """Note in which direction power flows, by which one of two cos phi counts."""
    power, session = evse.sample.power, evse.session
    if session is None or power is None or abs(power) < FLOWS or evse.inverter.feeding == (power < 0):
        return
    evse.inverter.feeding = power < 0
    tell(charger, evse, now)


# --- alarms ---


def reported(charger: Charger, evse: Evse, want: GridReported, now: float) -> None:
    """The car's inverter tells its alarms: what is new, and what has ended (R06)."""
    measured = [f"{value:g} {unit}" for value, unit in ((want.voltage, "V"), (want.frequency, "Hz")) if value is not None]
    measured += [] if want.connected else ["disconnected from the grid"]
    _alarms(charger, evse, want.alarms, ", ".join(measured), now)


def _alarms(charger: Charger, evse: Evse, stand: tuple[Alarm, ...], words: str, now: float) -> None:
    before, evse.inverter.alarms = evse.inverter.alarms, stand
    for alarm in sorted({*before} ^ {*stand}):
        ended = alarm not in stand
        ration = charger.der.ration
        verdict = ration.verdict(None, sum(call.about == ration.what for call in charger.outbox.kept), now)
        if verdict == "not told":
            continue
        text = words if verdict == "told" else f"more {ration.what} stand in the station's log"
        charger.note(f"EVSE {evse.id}: the car's inverter: {alarm} {'has ended' if ended else 'stands'} ({words})")
        said: Payload = {"controlType": ALARMED[alarm], "gridEventFault": alarm, "timestamp": timestamp(charger.wall(now))}
        said |= ({"alarmEnded": True} if ended else {}) | ({"extraInfo": text[:200]} if text else {})
        charger.call("NotifyDERAlarm", said, evse=evse.id, kept=True, about=ration.what)


BLOCK: Final = Block(
    requests={"SetDERControl": set_control, "GetDERControl": get_control, "ClearDERControl": clear_control},
    due=due,
    tick=tick,
    keeps="der",
    variables=tuple(
        row
        for component in ("ACDERCtrlr", "DCDERCtrlr")
        for row in (
            Row(component, "Available", "false", FLAG, each=True),
            Row(component, "Enabled", "false", FLAG, each=True),
            Row(component, "ModesSupported", "", LIST, each=True, values=tuple(BODIES)),
        )
    )
    + tuple(Row("DCDERCtrlr", name, "", REAL, unit=unit, each=True) for name, unit in RATED)
    + tuple(Row("DCDERCtrlr", name, "", each=True) for name in MADE),
    begin=declare,
    restore=restore,
)
