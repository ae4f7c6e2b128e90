"""What a CSMS is told of the meter at an EVSE: which measurands, how often, by its variables and the present operation mode."""

import base64
import math
from dataclasses import replace
from typing import Final

from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.measurands import IMPORT, Marks, Sample, meter_value, sampled
from ocpp_bridge.wire.schemas import Payload
from v2g.services import SERVICES

LISTS: Final = {"Transaction.Begin": "TxStartedMeasurands", "Transaction.End": "TxEndedMeasurands"}  # by the context of a sample
CLOCK: Final = "Sample.Clock"
SIGNED_MAXIMUM: Final = 32_768  # characters of signedMeterData; a longer record is not told, for a part of it proves nothing


def mode_of(evse: Evse) -> str:
    """The operationMode of the transaction, as the CSMS was told it last; before power, that of a car that only charges."""
    told = evse.transaction.told if evse.transaction is not None else None
    return "ChargingOnly" if told is None else told.mode


def _by_mode(charger: Charger, evse: Evse, name: str) -> str:
    """A variable of SampledDataCtrlr, or what V2XChargingCtrlr says of it for the present operation mode, where it says anything."""
    special = charger.variables["V2XChargingCtrlr", name, mode_of(evse), evse.id]
    return special or charger.variables[f"SampledDataCtrlr.{name}"]


def interval(charger: Charger, evse: Evse, name: str) -> float:
    """TxUpdatedInterval or TxEndedInterval (s) of the present operation mode; 0: no samples."""
    return float(_by_mode(charger, evse, name))


def measurands(charger: Charger, evse: Evse, context: str, ended: bool = False) -> tuple[str, ...]:
    """The measurands that a sample of such a context has; `ended`: it is for the end of the transaction."""
    name = "TxEndedMeasurands" if ended else LISTS.get(context, "TxUpdatedMeasurands")
    said = charger.variables[f"AlignedDataCtrlr.{'Measurands' if name != 'TxEndedMeasurands' else name}"] if context == CLOCK else None
    return tuple(filter(None, (_by_mode(charger, evse, name) if said is None else said).split(",")))


def present(charger: Charger, evse: Evse, now: float) -> Sample:
    """The sample of this moment, with what is offered to the car."""
    session = evse.session
    known = replace(evse.sample, limits=evse.limits, direct=evse.in_watts, setpoint_energy=None)
    if evse.transaction is not None:
        known = replace(known, setpoint_energy=evse.metering.setpoints.energy(charger.clock.wall(now)))
    if session is None:
        return known
    selected = session.selected
    back = selected is not None and SERVICES[selected.service].bidirectional and evse.may_give
    limits = session.limits or evse.limits
    both = limits if session.car is None else session.car.within(limits)
    offered = replace(limits, voltage=both.voltage, voltage_minimum=both.voltage_minimum)
    return replace(known, limits=offered, gives_back=back, needs=session.needs)


def told(charger: Charger, evse: Evse, context: str, now: float, *, ended: bool = False, wall: float | None = None) -> list[Payload]:
    """The meterValue of this moment, or of `wall` (epoch s), as the variables want it; empty where nothing of it is known."""
    names, sample = measurands(charger, evse, context, ended), present(charger, evse, now)
    kind = "clock" if context == CLOCK else "ended" if ended else "sampled"
    since: dict[str, float] = {}
    if context == "Transaction.Begin":
        for each in ("clock", "ended", "sampled"):
            evse.metering.marks.setdefault(each, Marks()).since(sample, sample.counters)
    elif evse.transaction is not None:
        since = evse.metering.marks.setdefault(kind, Marks()).since(sample, names)
    phased = not charger.variables.yes("SampledDataCtrlr.RegisterValuesWithoutPhases")
    values = sampled(sample, names, context, since, per_phase=phased)
    if _signs(charger, evse, context, ended):
        sign(charger, evse, values)
    return meter_value(values, charger.wall(now) if wall is None else wall)


def _signs(charger: Charger, evse: Evse, context: str, ended: bool) -> bool:
    """Whether the CSMS wants the meter's signature on such a sample."""
    component = "AlignedDataCtrlr" if context == CLOCK else "SampledDataCtrlr"
    if not charger.variables.yes(f"{component}.SignReadings"):
        return False
    if ended or evse.transaction is None:
        return True
    if context == "Transaction.Begin":
        return charger.variables.yes("SampledDataCtrlr.SignStartedReadings")
    if receipt_wanted(charger, evse):
        return context == "Other"  # once the car has confirmed the reading (J03)
    return charger.variables.yes(f"{component}.SignUpdatedReadings") or context in ("Other", "Trigger")


def receipt_wanted(charger: Charger, evse: Evse) -> bool:
    """Whether the car is to confirm a reading before its signed value is told (J03): one with a contract, where the CSMS wants receipts."""
    session = evse.session
    contract = session is not None and session.token is not None and session.token["type"] == "eMAID"
    return contract and charger.variables.yes("ISO15118Ctrlr.RequestMeteringReceipt")


def sign(charger: Charger, evse: Evse, values: list[Payload]) -> None:
    """Put the record that the meter signed on the register of import, or on the first value; nothing where it signs none."""
    signed = evse.sample.reading.signed if evse.sample.reading is not None else None
    if signed is None or not values:
        return
    place = next((value for value in values if value["measurand"] == IMPORT), values[0])
    said: Payload = {"signedMeterData": base64.b64encode(signed.record).decode(), "encodingMethod": signed.encoding}
    if signed.method:
        said["signingMethod"] = signed.method
    rule = charger.variables["OCPPCommCtrlr.PublicKeyWithSignedMeterValue"]
    if signed.public_key and (rule == "EveryMeterValue" or (rule == "OncePerTransaction" and not evse.metering.key_told)):
        said["publicKey"], evse.metering.key_told = base64.b64encode(signed.public_key).decode(), True
    if len(said["signedMeterData"]) <= SIGNED_MAXIMUM:
        place["signedMeterValue"] = said


def next_clock(charger: Charger, name: str, wall: float) -> float | None:
    """The next multiple (epoch s, by the CSMS's clock) of an interval of AlignedDataCtrlr after `wall`, from midnight UTC; None: none."""
    seconds = float(charger.variables[f"AlignedDataCtrlr.{name}"] or 0)
    if seconds <= 0:
        return None
    midnight = math.floor(wall / 86_400.0) * 86_400.0
    edge = midnight + (math.floor((wall - midnight) / seconds) + 1) * seconds
    return min(edge, midnight + 86_400.0)
