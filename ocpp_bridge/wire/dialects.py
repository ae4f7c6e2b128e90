"""One vocabulary, two dialects: the bridge speaks the words of OCPP 2.1, and a link writes them in the version that was agreed on it.

A version belongs to the connection. What waits or is kept is never in the words of one, so that a CSMS which comes back with 2.0.1 loses
nothing that 2.0.1 can say. What it cannot say follows from the official schemas of both versions, by these rules:

    a field that 2.0.1 does not have        is dropped
    a value that its enumeration lacks      is replaced (`REPLACED`), else its field is what cannot be said
    a text that is too long for it          is cut where people read it (`CUT`), else its field is what cannot be said
    a field that 2.0.1 alone requires       is made of the others (`ADDED`)
    a field that cannot be said             is dropped alone (`SPARED`) or takes along the item of the list that it stands in (`ITEMS`),
                                            for without it the rest would mean something else; beyond that the message is refused

A TransactionEvent is never refused: its number must reach the CSMS. `Unsayable` tells of what is.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from ocpp_bridge.wire.schemas import FOLDERS, Direction, Payload, PayloadFault, Version, actions
from v2g.services import services_of

NEUTRAL: Final[Version] = "ocpp2.1"  # whose words the bridge speaks

# field, value of 2.1 -> what 2.0.1 is told; "" stands for any other value
REPLACED: Final[dict[str, Mapping[str, str]]] = {
    "triggerReason": {
        "CostLimitReached": "EnergyLimitReached",
        "LimitSet": "ChargingRateChanged",
        "OperationModeChanged": "ChargingRateChanged",
        "RunningCost": "MeterValuePeriodic",
        "SoCLimitReached": "EnergyLimitReached",
        "TariffChanged": "MeterValuePeriodic",
        "TariffNotAccepted": "Deauthorized",
        "TxResumed": "ChargingStateChanged",
    },
    "stoppedReason": {"ReqEnergyTransferRejected": "Other"},
    "type": {"EVCCID": "MacAddress", "": "Central"},  # of a token
    "chargingLimitSource": {"": "Other"},
    "reservationUpdateStatus": {"NoTransaction": "Expired"},
    "format": {"QRCODE": "UTF8"},
    "status": {"LanguageNotSupported": "Rejected", "NoChargingProfile": "Rejected"},
}
CUT: Final = ("additionalInfo", "content", "techInfo")  # texts for people
SPARED: Final = ("idToken", "signedMeterValue", "certificate", "meterValue")  # may be missing without changing what the rest means
ITEMS: Final = (
    "additionalInfo",
    "certificateHashDataChain",
    "chargingProfile",
    "eventData",
    "messageInfo",
    "meterValue",
    "monitor",
    "reportData",
    "sampledValue",
    "variableMonitoring",
)
HEARD: Final[dict[tuple[str, str], Mapping[str, str]]] = {  # (message, field of it): value of 2.0.1 -> what it means in 2.1
    ("NotifyEVChargingNeedsResponse", "status"): {"Rejected": "NoChargingProfile"},  # there it does not end the transaction
}


class Unsayable(PayloadFault):
    """A message has no words in the version of the link. `code` is OCPP's, the text says which field or action."""


class _Lost(Exception):
    """A field cannot be said; the text is its path."""


def written(version: Version, action: str, direction: Direction, payload: Payload) -> Payload:
    """A payload in the words of 2.1 as a link of `version` must send it. Raises `Unsayable`; the payload itself is left as it is."""
    named = f"{action}{direction}"
    if version == NEUTRAL:
        return _needs_21(payload) if named == "NotifyEVChargingNeedsRequest" else payload
    if action not in actions(version):
        raise Unsayable("NotImplemented", f"{action} is no action of {version}")
    if named == "NotifyEVChargingNeedsRequest":
        payload = _needs_201(payload)
    try:
        said: Payload = _object(shape(version, named), payload, named)
    except _Lost as lost:
        raise Unsayable("PropertyConstraintViolation", f"{version} has no word for {lost}") from None
    return said


def heard(version: Version, action: str, direction: Direction, payload: Payload) -> Payload:
    """A payload that came by a link of `version`, in the words of 2.1."""
    if version == NEUTRAL:
        return payload
    named = f"{action}{direction}"
    meant = {field: words for (message, field), words in HEARD.items() if message == named}
    return payload | {field: words.get(payload[field], payload[field]) for field, words in meant.items() if field in payload}


# --- by the schemas ---


@cache
def shape(version: Version, named: str) -> dict[str, Any]:
    """The fields, words and lengths of a message such as `AuthorizeRequest`: its official schema with what it refers to in place."""
    root = msgspec.json.decode((files("ocpp") / FOLDERS[version] / "schemas" / f"{named}.json").read_text(encoding="utf-8-sig"))
    resolved: dict[str, Any] = _resolved(root, root)
    return resolved


def _resolved(schema: Any, root: Any) -> Any:
    """A schema with what it refers to in place."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    resolved = {name: value for name, value in schema.items() if name in ("type", "enum", "maxLength", "minItems", "required")}
    if "properties" in schema:
        resolved["properties"] = {name: _resolved(each, root) for name, each in schema["properties"].items()}
    if "items" in schema:
        resolved["items"] = _resolved(schema["items"], root)
    return resolved


def _value(schema: dict[str, Any], field: str, value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return _object(schema, value, path)
    if isinstance(value, list):
        return _items(schema, field, value, path)
    if isinstance(value, str):
        return _text(schema, field, value, path)
    if schema.get("type") == "integer" and isinstance(value, float):  # less than the car can do, more than it needs
        return math.ceil(value) if field.startswith("evMin") else math.floor(value)
    return value


def _object(schema: dict[str, Any], value: Payload, path: str) -> Payload:
    known, said = schema.get("properties"), {}
    if known is None:  # customData, which may hold anything
        return value
    required = schema.get("required", ())
    for field, each in value.items():
        if field not in known:
            continue
        try:
            said[field] = _value(known[field], field, each, f"{path}.{field}")
        except _Lost:
            if field not in SPARED or field in required:
                raise
    for field in required:
        if field not in said:
            said[field] = _added(field, value, path)
    if "limit" in said and isinstance(value.get("setpoint"), int | float):
        said["limit"] = value["setpoint"]
    return said


def _items(schema: dict[str, Any], field: str, value: list[Any], path: str) -> list[Any]:
    said = []
    for place, each in enumerate(value):
        try:
            said.append(_value(schema["items"], field, each, f"{path}[{place}]"))
        except _Lost:
            if field not in ITEMS:
                raise
    if len(said) < schema.get("minItems", 0):
        raise _Lost(path)
    return said


def _text(schema: dict[str, Any], field: str, value: str, path: str) -> str:
    if "enum" in schema and value not in schema["enum"]:
        words = REPLACED.get(field, {})
        value = words.get(value, words.get("", value))
        if value not in schema["enum"]:
            raise _Lost(path)
    longest = schema.get("maxLength", len(value))
    if len(value) > longest:
        if field not in CUT:
            raise _Lost(path)
        return value[:longest]
    return value


ADDED: Final[dict[str, Callable[[Payload], Any]]] = {
    "limit": lambda period: period.get("setpoint"),
    "signingMethod": lambda signed: "",
    "publicKey": lambda signed: "",
}


def _added(field: str, value: Payload, path: str) -> Any:
    made = ADDED[field](value) if field in ADDED else None
    if made is None:
        raise _Lost(f"{path} without {field}")
    return made


# --- what a car needs ---


def _needs_21(payload: Payload) -> Payload:
    """NotifyEVChargingNeeds of 2.1: where the parameters of V2X are there, those of AC and DC say no more."""
    needs = payload["chargingNeeds"]
    if "v2xChargingParameters" not in needs:
        return payload
    return payload | {
        "chargingNeeds": {name: value for name, value in needs.items() if name not in ("acChargingParameters", "dcChargingParameters")}
    }


def _needs_201(payload: Payload) -> Payload:
    """NotifyEVChargingNeeds whose transfer is that of the same service in 2.0.1, for as many phases as its powers tell."""
    needs = payload["chargingNeeds"]
    rows = services_of(needs["requestedEnergyTransfer"])
    if not rows or needs["requestedEnergyTransfer"] in rows[0].ocpp["ocpp2.0.1"]:
        return payload
    alternating, v2x = needs.get("acChargingParameters"), needs.get("v2xChargingParameters", {})
    one = alternating["evMaxVoltage"] * alternating["evMaxCurrent"] if alternating else 0.0  # W of one phase
    phases = min(max(round(v2x.get("maxChargePower", 0.0) / one), 1), 3) if one else 3
    return payload | {"chargingNeeds": needs | {"requestedEnergyTransfer": rows[0].transfer(phases, "ocpp2.0.1")}}
