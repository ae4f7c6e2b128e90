"""Meter values (block J): by the clock, in a transaction or outside of one, and when the CSMS asks for them at once.

What a transaction tells with its own events is in `ocpp_bridge.blocks.transactions`, what each of them has in `ocpp_bridge.model.readings`.
"""

import base64
from typing import Final

from ocpp_bridge.block import Block
from ocpp_bridge.blocks import transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model import readings
from ocpp_bridge.model.measurands import NAMES, STANDARD, meter_value, sampled
from ocpp_bridge.model.variables import BOOLEAN, FLAG, LIST, NUMBER, OPTION, WHOLE, Key, Row, list_of, one_of
from ocpp_bridge.smart.periods import MODES
from ocpp_bridge.wire.schemas import Payload

CLOCK: Final = readings.CLOCK
# Samples that wait for the end of their transaction: beyond it every second one goes. An Ended event of so many has 60 kB.
FOR_END: Final = 100
MAIN: Final = 0  # the EVSE id of the main meter


def due(charger: Charger) -> float | None:
    """When the clock next wants meter values (monotonic s)."""
    edges = [edge for edge in charger.by_clock.due.values() if edge is not None]
    ends = [evse.metering.end_due for evse in charger.evses.values() if evse.transaction is not None and evse.metering.end_due is not None]
    return min([charger.moment(edge) for edge in (*edges, *ends)], default=None)


def tick(charger: Charger, now: float) -> None:
    """Send what the clock wants at `now`, keep what is for the end of transactions, sample anew where the operation mode has changed."""
    wall = charger.wall(now)
    _show_keys(charger)
    for name, do in (("Interval", _send), ("TxEndedInterval", _keep_aligned), ("UpstreamInterval", _send_upstream)):
        edge = charger.by_clock.due.get(name)
        if edge is not None and wall >= edge:
            do(charger, now)
        if edge is None or wall >= edge:
            charger.by_clock.due[name] = readings.next_clock(charger, name, wall)
    for evse in charger.evses.values():
        if evse.transaction is None:
            continue
        if evse.metering.sampled_as != (mode := readings.mode_of(evse)):
            evse.metering.sampled_as = mode
            transactions.arm_sampling(charger, evse, now)
            evse.metering.end_due = _next_end(charger, evse, wall)
        if evse.metering.end_due is not None and wall >= evse.metering.end_due:
            _keep(evse, readings.told(charger, evse, "Sample.Periodic", now, ended=True))
            evse.metering.end_due = _next_end(charger, evse, wall)


def _show_keys(charger: Charger) -> None:
    """Let the device model say by which key the readings of each meter are proven."""
    for evse in charger.evses.values():
        signed = evse.sample.reading.signed if evse.sample.reading is not None else None
        if signed is not None and signed.public_key != evse.metering.meter_key:
            evse.metering.meter_key = signed.public_key
            charger.variables["FiscalMetering", "PublicKey", "", evse.id] = base64.b64encode(signed.public_key).decode()


def _next_end(charger: Charger, evse: Evse, wall: float) -> float | None:
    seconds = readings.interval(charger, evse, "TxEndedInterval")
    return wall + seconds if seconds > 0 else None


def _keep(evse: Evse, values: list[Payload]) -> None:
    evse.metering.for_end += values
    if len(evse.metering.for_end) > FOR_END:
        del evse.metering.for_end[1::2]


def _keep_aligned(charger: Charger, now: float) -> None:
    for evse in charger.evses.values():
        if evse.transaction is not None:
            _keep(evse, readings.told(charger, evse, CLOCK, now, ended=True))


def _send(charger: Charger, now: float) -> None:
    """Clock-aligned values: of a transaction in its event, of an idle EVSE in MeterValues, as is a main meter without its own interval."""
    if _unwanted(charger):
        return
    for evse in charger.evses.values():
        if evse.transaction is not None:
            transactions.event(charger, evse, "Updated", "MeterValueClock", now, context=CLOCK)
        else:
            _meter_values(charger, evse, CLOCK, now)
    if not charger.variables["AlignedDataCtrlr.UpstreamInterval"]:
        _main(charger, CLOCK, now)


def _send_upstream(charger: Charger, now: float) -> None:
    if not _unwanted(charger):
        _main(charger, CLOCK, now)


def _unwanted(charger: Charger) -> bool:
    """Whether the CSMS wants clock-aligned values only while the whole station is idle, and it is not."""
    busy = any(evse.transaction is not None for evse in charger.evses.values())
    return busy and charger.variables.yes("AlignedDataCtrlr.SendDuringIdle")


def _meter_values(charger: Charger, evse: Evse, context: str, now: float) -> None:
    if values := readings.told(charger, evse, context, now):
        charger.call("MeterValues", {"evseId": evse.id, "meterValue": values}, evse=evse.id, solicited=context == "Trigger")


def _main(charger: Charger, context: str, now: float) -> None:
    if charger.by_clock.main is None:
        return
    variables = charger.variables
    names = variables.words("AlignedDataCtrlr.UpstreamMeasurands") or variables.words("AlignedDataCtrlr.Measurands")
    values = [value | {"location": "Upstream"} for value in sampled(charger.by_clock.main, names, context, {})]
    if values:
        charger.call("MeterValues", {"evseId": MAIN, "meterValue": meter_value(values, charger.wall(now))}, solicited=context == "Trigger")


def trigger(charger: Charger, chosen: list[Evse], whole: bool, now: float) -> None:
    """Send MeterValues of these EVSEs because the CSMS asked for them (F06); `whole`: of the main meter too."""
    for evse in chosen:
        _meter_values(charger, evse, "Trigger", now)
    if whole:
        _main(charger, "Trigger", now)


def changed(charger: Charger, key: Key, now: float) -> None:
    """Take intervals that the CSMS has set into use."""
    if key[0] == "AlignedDataCtrlr" and key[1] in charger.by_clock.due:
        charger.by_clock.due[key[1]] = readings.next_clock(charger, key[1], charger.wall(now))
    if key[1] in ("TxUpdatedInterval", "TxEndedInterval"):
        for evse in charger.evses.values():
            evse.metering.sampled_as = ""


def _list(component: str, name: str, value: str, **more: object) -> Row:
    return Row(component, name, value, LIST, list_of(NAMES), values=NAMES, **more)  # type: ignore[arg-type]


KEYS: Final = ("Never", "OncePerTransaction", "EveryMeterValue")
MEASURED: Final = ("TxStartedMeasurands", "TxUpdatedMeasurands", "TxEndedMeasurands")
METERED: Final = ",".join(STANDARD)

BLOCK: Final = Block(
    due=due,
    tick=tick,
    changed=changed,
    variables=(
        Row("SampledDataCtrlr", "Available", "true", FLAG),
        *(_list("SampledDataCtrlr", name, METERED, required="J02") for name in MEASURED),
        Row("SampledDataCtrlr", "TxUpdatedInterval", "60", NUMBER, WHOLE, unit="s", required="J02"),
        Row("SampledDataCtrlr", "TxEndedInterval", "0", NUMBER, WHOLE, unit="s", required="J02"),
        Row("SampledDataCtrlr", "RegisterValuesWithoutPhases", "false", FLAG, BOOLEAN),
        Row("SampledDataCtrlr", "SignReadings", "false", FLAG, BOOLEAN),
        Row("SampledDataCtrlr", "SignStartedReadings", "false", FLAG, BOOLEAN),
        Row("SampledDataCtrlr", "SignUpdatedReadings", "false", FLAG, BOOLEAN),
        Row("AlignedDataCtrlr", "SignReadings", "false", FLAG, BOOLEAN),
        Row("AlignedDataCtrlr", "SignUpdatedReadings", "false", FLAG, BOOLEAN),
        Row("ISO15118Ctrlr", "RequestMeteringReceipt", "false", FLAG, BOOLEAN),
        Row("OCPPCommCtrlr", "PublicKeyWithSignedMeterValue", "Never", OPTION, one_of(KEYS), values=KEYS),
        Row("FiscalMetering", "PublicKey", "", each=True),
        Row("AlignedDataCtrlr", "Available", "true", FLAG),
        _list("AlignedDataCtrlr", "Measurands", METERED, required="J01"),
        Row("AlignedDataCtrlr", "Interval", "0", NUMBER, WHOLE, unit="s", required="J01"),
        _list("AlignedDataCtrlr", "TxEndedMeasurands", METERED, required="J01"),
        Row("AlignedDataCtrlr", "TxEndedInterval", "0", NUMBER, WHOLE, unit="s", required="J01"),
        Row("AlignedDataCtrlr", "SendDuringIdle", "false", FLAG, BOOLEAN),
        _list("AlignedDataCtrlr", "UpstreamMeasurands", ""),
        Row("AlignedDataCtrlr", "UpstreamInterval", "", NUMBER, r"[0-9]{0,9}", unit="s"),
        *(_list("V2XChargingCtrlr", name, "", instance=mode, each=True) for mode in MODES for name in MEASURED),
        *(
            Row("V2XChargingCtrlr", name, "", NUMBER, r"[0-9]{0,9}", unit="s", instance=mode, each=True)
            for mode in MODES
            for name in ("TxUpdatedInterval", "TxEndedInterval")
        ),
    ),
)
