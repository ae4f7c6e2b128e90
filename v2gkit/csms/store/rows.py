"""What is kept of what stations say: from a payload of OCPP to rows of the store (pure; it needs no library of the store)."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from ocpp_bridge.wire.schemas import Payload
from v2gkit.csms.measured import moment, samples_of
from v2gkit.csms.stations import WORDS, Station, Transaction
from v2gkit.sql.words import Row

VARIABLES: Final = 20_000  # rows of one report message at most: a frame of a megabyte holds fewer


QUIET: Final = frozenset({"Heartbeat", "Authorize", "PullDynamicScheduleUpdate", "SignCertificate", "DataTransfer"})  # what needs no row


class Said(NamedTuple):
    """One message of a station with its answer, and when it came (epoch s)."""

    station: Station
    payload: Payload
    answer: Payload
    at: float


def text_of(payload: Any) -> str:
    """A payload as JSON."""
    return msgspec.json.encode(payload).decode()


def rows_of(action: str, said: Said) -> list[Row]:
    """The rows that a message of a station makes; none for most."""
    if (make := KEPT.get(action)) is not None:
        return list(make(said))
    if action in QUIET:
        return []
    return [Row("messages", {"station": said.station.id, "at": said.at, "action": action, "payload": text_of(said.payload)})]


def rows_of_answer(action: str, station: Station, asked: Payload, answer: Payload, at: float) -> list[Row]:
    """The rows that a station's answer to the CSMS makes: values of variables, and what was done with certificates."""
    if action == "SetVariables":
        asked_for = zip(asked["setVariableData"], answer["setVariableResult"], strict=False)
        taken = [(wanted, said) for wanted, said in asked_for if said["attributeStatus"] == "Accepted"]
        return [
            variable_row(station.id, wanted, said.get("attributeType", "Actual"), wanted["attributeValue"], at) for wanted, said in taken
        ]
    if action == "GetVariables":
        results = (said for said in answer["getVariableResult"] if said["attributeStatus"] == "Accepted")
        return [variable_row(station.id, said, said.get("attributeType", "Actual"), said.get("attributeValue"), at) for said in results]
    if action in ("InstallCertificate", "DeleteCertificate"):
        detail = asked.get("certificateHashData", {}).get("serialNumber") or asked.get("certificateType", "")
        return [certificate_row(station.id, action, answer["status"], at, detail=detail)]
    return []


def streamed_rows(station: str, payload: Payload) -> list[Row]:
    """The rows of a NotifyPeriodicEventStream: each value that is a number, under the number of its stream."""
    begins, made = moment(payload["basetime"]), []
    for element in payload["data"]:
        try:
            value = float(element["v"])
        except ValueError:
            continue
        if begins is not None and math.isfinite(value):
            said = {"measurand": f"stream {payload['id']}", "at": begins + element["t"], "value": value}
            made.append(Row("samples", {"station": station, "transaction": None, "seq_no": None} | said))
    return made


def transaction_row(station: str, tx: Transaction, at: float) -> Row:
    """A transaction as it stands now."""
    token = tx.token or {}
    known: dict[str, Any] = {"station": station, "id": tx.id, "evse": tx.evse, "began": tx.began, "updated": at, "power": tx.power}
    known |= {"token": token.get("idToken"), "token_type": token.get("type"), "profile": tx.profile["id"] if tx.profile else None}
    known |= {"ended": tx.ended_at, "viewer": tx.viewer, **dict.fromkeys(WORDS.values()), **tx.words}
    for name, register in tx.registers.items():
        known |= {f"{name}_first_no": register.first[0], f"{name}_first": register.first[1]}
        known |= {f"{name}_last_no": register.last[0], f"{name}_last": register.last[1]}
    return Row("transactions", known)


def profile_row(station: str, kind: str, about: Payload, payload: Payload, at: float) -> Row:
    """A profile that was sent, a schedule that was chosen, or needs that were told."""
    return Row("profiles", {"station": station, "kind": kind, "at": at, "payload": text_of(payload), **about})


def _boot(said: Said) -> Iterator[Row]:
    named = said.payload["chargingStation"]
    known = {"vendor": named["vendorName"], "model": named["model"], "serial": named.get("serialNumber")}
    yield Row("stations", {"id": said.station.id, "firmware": named.get("firmwareVersion"), "status": said.station.status, **known})


def _status(said: Said) -> Iterator[Row]:
    yield Row("stations", {"id": said.station.id, "connectors": text_of(said.station.connectors)})


def _event(said: Said) -> Iterator[Row]:
    payload, id_ = said.payload, said.payload["transactionInfo"]["transactionId"]
    key = {"station": said.station.id, "transaction": id_, "seq_no": payload["seqNo"]}
    kinds = {"kind": payload["eventType"], "trigger": payload["triggerReason"], "offline": int(payload.get("offline", False))}
    at = moment(payload["timestamp"])
    yield Row("events", key | kinds | {"at": said.at if at is None else at, "received": said.at, "payload": text_of(payload)})
    evse = payload.get("evse", {}).get("id")
    for sample in samples_of(payload.get("meterValue", ())):
        yield Row("samples", key | {"evse": evse} | sample)
    if (tx := said.station.transactions.get(id_)) is not None:
        yield transaction_row(said.station.id, tx, said.at)


def _meter(said: Said) -> Iterator[Row]:
    for sample in samples_of(said.payload["meterValue"]):
        yield Row("samples", {"station": said.station.id, "transaction": None, "seq_no": None, "evse": said.payload["evseId"]} | sample)


def _needs(said: Said) -> Iterator[Row]:
    tx = said.station.running(said.payload["evseId"])
    about = {"transaction": tx.id if tx else None, "evse": said.payload["evseId"], "status": said.answer["status"], "id": None}
    yield profile_row(said.station.id, "needs", about, said.payload["chargingNeeds"], said.at)


def _chosen(said: Said) -> Iterator[Row]:
    tx = said.station.running(said.payload["evseId"])
    about = {"transaction": tx.id if tx else None, "evse": said.payload["evseId"], "status": said.answer["status"]}
    about["id"] = said.payload.get("selectedChargingScheduleId")
    yield profile_row(said.station.id, "chosen", about, said.payload["chargingSchedule"], said.at)


def _report(said: Said) -> Iterator[Row]:
    for data in said.payload.get("reportData", ())[:VARIABLES]:
        traits = data.get("variableCharacteristics", {})
        for attribute in data["variableAttribute"]:
            kind, more = attribute.get("type", "Actual"), {"mutability": attribute.get("mutability"), "data_type": traits.get("dataType")}
            yield variable_row(said.station.id, data, kind, attribute.get("value"), said.at, more)


def variable_row(station: str, named: Payload, kind: str, value: str | None, at: float, more: Payload | None = None) -> Row:
    """The value of one attribute of a variable, whose component and variable are `named` in OCPP's words."""
    key = {"station": station, "component": place_of(named["component"]), "variable": place_of(named["variable"]), "attribute": kind}
    hidden = "password" in named["variable"]["name"].lower()  # it opens a station's door, and is nobody's to read here
    return Row("variables", key | {"value": None if hidden else value, "at": at} | (more or {}))


def place_of(named: Payload) -> str:
    """A component or variable in one word: its name, its instance in brackets, its EVSE and connector behind an @."""
    instance, evse = named.get("instance"), named.get("evse")
    said = f"{named['name']}[{instance}]" if instance else str(named["name"])
    if evse:
        said += f"@{evse['id']}" + (f".{evse['connectorId']}" if "connectorId" in evse else "")
    return said


def _security(said: Said) -> Iterator[Row]:
    detail = said.payload.get("techInfo")
    yield Row("security_events", {"station": said.station.id, "at": said.at, "kind": said.payload["type"], "detail": detail})


def certificate_row(station: str, kind: str, status: str, at: float, **more: str) -> Row:
    """Something that was done with certificates: `name`, `serial` and `detail` where they are known."""
    return Row("certificates", {"station": station, "kind": kind, "status": status, "at": at, **more})


def _contract(said: Said) -> Iterator[Row]:
    yield certificate_row(said.station.id, "contract", said.answer["status"], said.at, name=str(said.payload.get("action", "")))


def _ocsp(said: Said) -> Iterator[Row]:
    serial = said.payload["ocspRequestData"]["serialNumber"]
    yield certificate_row(said.station.id, "status", said.answer["status"], said.at, serial=serial)


def _chain(said: Said) -> Iterator[Row]:
    for each in said.answer["certificateStatus"]:
        yield certificate_row(said.station.id, "status", each["status"], said.at, serial=each["certificateHashData"]["serialNumber"])


KEPT: Final[dict[str, Callable[[Said], Iterator[Row]]]] = {
    "BootNotification": _boot,
    "StatusNotification": _status,
    "TransactionEvent": _event,
    "MeterValues": _meter,
    "NotifyEVChargingNeeds": _needs,
    "NotifyEVChargingSchedule": _chosen,
    "NotifyReport": _report,
    "SecurityEventNotification": _security,
    "Get15118EVCertificate": _contract,
    "GetCertificateStatus": _ocsp,
    "GetCertificateChainStatus": _chain,
}
