"""Validates payloads against the official JSON schemas of OCPP, with the error code to answer a faulty one.

The files are those inside the PyPI package `ocpp`. Only its data is read: its classes guess names (`limit_L2`, `prioritizedEMAIDs` and 52
more come out wrong), so payloads are plain dicts under the names of the wire.
"""

from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import jsonschema_rs
import msgspec

Version = Literal["ocpp2.1", "ocpp2.0.1"]  # as in Sec-WebSocket-Protocol
Direction = Literal["Request", "Response", ""]  # "" is a SEND, which has no answer
Payload = dict[str, Any]

FOLDERS: Final[dict[Version, str]] = {"ocpp2.1": "v21", "ocpp2.0.1": "v201"}
SENDS: Final = frozenset({"NotifyPeriodicEventStream"})
VIOLATIONS: Final = {  # JSON schema keyword -> OCPP error code
    "type": "TypeConstraintViolation",
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "additionalProperties": "FormatViolation",
}


class PayloadFault(Exception):
    """A payload breaks its schema. `code` is OCPP's; the text names the field but never its value, which may be a token."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@cache
def actions(version: Version) -> frozenset[str]:
    """Every action of a version of OCPP; any other is answered NotImplemented."""
    names = (entry.name for entry in (files("ocpp") / FOLDERS[version] / "schemas").iterdir())
    requests = {name.removesuffix("Request.json") for name in names if name.endswith("Request.json")}
    return frozenset(requests | (SENDS if version == "ocpp2.1" else set()))


@cache
def _validator(version: Version, action: str, direction: Direction) -> Any:
    text = (files("ocpp") / FOLDERS[version] / "schemas" / f"{action}{direction}.json").read_text(encoding="utf-8-sig")
    return jsonschema_rs.validator_for(msgspec.json.decode(text), validate_formats=True, mask="this value")


def check(version: Version, action: str, direction: Direction, payload: object) -> None:
    """Raise `PayloadFault` unless the payload of a known action is valid against its schema (formats such as date-time included)."""
    validator, named = _validator(version, action, direction), f"{action}{direction}"
    try:
        if validator.is_valid(payload):
            return
        fault = next(iter(validator.iter_errors(payload)))
    except (ValueError, OverflowError, RecursionError) as error:  # a number or a depth that the validator cannot hold
        raise PayloadFault("PropertyConstraintViolation", f"{named}: {error}") from None
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.instance_path)
    keyword = str(fault.schema_path[-1])
    raise PayloadFault(VIOLATIONS.get(keyword, "PropertyConstraintViolation"), f"{named}{path}: {fault.message}")
