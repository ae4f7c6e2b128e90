"""What is asked of a maker's API, and what its answer says. Pure."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.http import Request, Response
from v2gkit.grid.unversioned import demand_power
from v2gkit.grid.vendor.declared import VALUE, Field, Limit, Vendor

LARGEST: Final = 1e15  # Wh; more than that no meter has counted
WORD: Final = 64  # characters of a state


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer: numbers by what they are (W, Wh, units of the limit), and the state of the device where it has one."""

    values: Mapping[str, float] = field(default_factory=dict)
    state: str | None = None


def status_request(vendor: Vendor, secret: str) -> Request:
    """The request for a reading."""
    body = vendor.status.body
    return _request(vendor, vendor.status.method, vendor.status.url, body, secret)


def limit_request(vendor: Vendor, limit: Limit, units: float | None, secret: str) -> Request:
    """The request that tells a limit in the device's units; None: it has to be off. GridFault where it has no word for that."""
    if units is None:
        if limit.off_url is None and limit.off_body is None:
            raise GridFault(Trouble.MALFORMED, f"{vendor.name} cannot be told less than {limit.least:g} units, nor to be off; give off_url")
        return _request(vendor, limit.method, limit.off_url or limit.url.replace(VALUE, "0"), limit.off_body, secret)
    told = f"{units:.6f}".rstrip("0").rstrip(".")
    return _request(vendor, limit.method, limit.url.replace(VALUE, told), limit.body and limit.body.replace(VALUE, told), secret)


def reading_of(vendor: Vendor, response: Response) -> Reading:
    """What an answer says. Raises GridFault: DENIED with the server's status, MALFORMED with the path of what is wrong."""
    demand_answer(vendor, response, (200,), "the status")
    try:
        found = json.loads(response.body, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise GridFault(Trouble.MALFORMED, f"{vendor.name}: no JSON: {quoted(error)}") from None
    values: dict[str, float] = {}
    state = None
    for each in vendor.status.field:
        raw = _at(vendor, each, found)
        if each.reads == "state":
            state = _word(vendor, each, raw)
        elif (number := _number(vendor, each, raw)) is not None:
            values[each.reads] = number
    return Reading(values, state)


def demand_answer(vendor: Vendor, response: Response, accepts: tuple[int, ...], what: str) -> None:
    """Raise GridFault for a status that is not accepted."""
    if response.status in accepts:
        return
    trouble = Trouble.DENIED if 400 <= response.status < 500 and response.status != 429 else Trouble.UNREACHABLE
    slower = "; it wants fewer requests, see `requests`" if response.status == 429 else ""
    raise GridFault(trouble, f"{vendor.name}: {what} is answered {response.status}{slower}")


def _request(vendor: Vendor, method: str, url: str, body: str | None, secret: str) -> Request:
    headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {})
    if vendor.auth == "bearer":
        headers["Authorization"] = f"Bearer {secret}"
    elif vendor.auth == "basic":
        headers["Authorization"] = f"Basic {b64encode(secret.encode()).decode()}"
    elif vendor.auth == "header":
        headers[vendor.key] = secret
    elif vendor.auth == "query":
        url += f"{'&' if '?' in url else '?'}{quote(vendor.key)}={quote(secret, safe='')}"
    return Request(method, url, body.encode() if body is not None else None, headers)


def _at(vendor: Vendor, each: Field, found: Any) -> Any:
    at = found
    for part in each.path.split("."):
        if isinstance(at, dict) and part in at:
            at = at[part]
        elif isinstance(at, list) and part.isascii() and part.isdecimal() and int(part) < len(at):
            at = at[int(part)]
        else:
            raise GridFault(Trouble.MALFORMED, f"{vendor.name}: the answer has no {each.path}, which is the {each.reads}")
    return at


def _number(vendor: Vendor, each: Field, raw: Any) -> float | None:
    if raw is None and each.reads in ("import_cap", "export_cap", "setpoint"):
        return None  # null is what such an answer has for "none"
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) <= LARGEST:
        raise GridFault(Trouble.MALFORMED, f"{vendor.name}: {each.path} is {quoted(raw)}; the {each.reads} is a number")
    if raw == each.absent:
        return None
    value = float(raw) * each.scale * (-1.0 if each.invert else 1.0)
    return value if each.reads in ("energy", "exported", "limit") else demand_power(value, f"{vendor.name}: {each.path}")


def _word(vendor: Vendor, each: Field, raw: Any) -> str:
    said = "null" if raw is None else str(raw).lower() if isinstance(raw, bool) else str(raw)[:WORD]
    if isinstance(raw, dict | list):
        raise GridFault(Trouble.MALFORMED, f"{vendor.name}: {each.path} is no word")
    if each.words is None:
        return said
    if said not in each.words:
        raise GridFault(Trouble.MALFORMED, f"{vendor.name}: {each.path} is {quoted(said)}; words has {', '.join(each.words)}")
    return each.words[said]


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
