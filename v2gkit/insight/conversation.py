"""The OCPP frames of one station, each with what is known from those before it: action, outlet, transaction (pure).

An answer names only the id of its call, most events of a transaction only the transaction: a conversation remembers both. Passwords, and
whatever else is a secret by its name, never get out of here.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from v2g.legible import masked
from v2g.session.trace import OcppFrame

KINDS: Final = {2: "call", 3: "result", 4: "error", 5: "error", 6: "send"}
OPEN: Final = 64  # calls without answer that are remembered: each side has one open, and a few that were never answered
TRANSACTIONS: Final = 256  # that are remembered: more than a station has outlets
LONGEST: Final = 100_000  # octets of a frame whose payload is kept: to write a longer one takes milliseconds of the loop that serves cars
HIDDEN: Final = "***"
NAME: Final = 64  # characters; longer names are none of OCPP's, and not remembered
SECRETS: Final = re.compile(r"password|passphrase|secret|\bpin\b|simPin|^key$", re.IGNORECASE)  # names of fields and of variables
VALUES: Final = frozenset({"attributeValue", "actualValue", "value"})  # of a variable that is secret by its name


class Conversation:
    """The frames between one station and its CSMS. `outlets` are the ids of its EVSEs, by number.

    `evse` is the number of the EVSE that the latest frame is about, 0: it names none. Payloads beyond `longest` octets are left out.
    """

    def __init__(self, outlets: Mapping[int, str], longest: int = LONGEST):
        self.evse = 0
        self._outlets, self._longest = dict(outlets), longest
        self._open: dict[tuple[bool, str], tuple[str, int]] = {}  # (it was ours, id) -> action, number of the EVSE
        self._transactions: dict[str, int] = {}

    def frame(self, at: float, direction: str, text: str) -> OcppFrame | None:
        """The frame in a text that came "in" or went "out" at `at` (monotonic s); None where it is no frame of OCPP."""
        try:
            read = msgspec.json.decode(text)
            kind, id_, rest = KINDS[read[0]], str(read[1]), read[2:]
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        ours = direction == "out"
        if kind in ("call", "send"):
            action, payload = (str(rest[0]), rest[1]) if len(rest) > 1 else ("", {})
            evse = self._evse_of(payload)
            if kind == "call":
                _remember(self._open, (ours, id_), (action, evse), OPEN)
        else:
            action, evse = self._open.pop((not ours, id_), ("", 0))
            payload = dict(zip(("code", "text", "details"), rest, strict=False)) if kind == "error" else rest[0] if rest else {}
        self.evse = evse
        kept = _without_secrets(payload) if isinstance(payload, dict) and len(text) <= self._longest else None
        return OcppFrame(at, "sent" if ours else "received", kind, action, id_, kept, self._outlets.get(evse, ""))

    def _evse_of(self, payload: Any) -> int:
        """The number of the EVSE that a payload names, itself or by its transaction; 0: it names none."""
        if not isinstance(payload, dict):
            return 0
        named = payload.get("evseId", _within(payload, "evse", "id"))
        if named is None and isinstance(events := payload.get("eventData"), list) and events:
            named = _within(events[0], "component", "evse", "id")
        transaction = payload.get("transactionId", _within(payload, "transactionInfo", "transactionId"))
        if isinstance(named, int) and named > 0:
            if isinstance(transaction, str):
                _remember(self._transactions, transaction, named, TRANSACTIONS)
            return named
        return self._transactions.get(transaction, 0) if isinstance(transaction, str) else 0


def _remember(kept: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Add a value, and forget the oldest beyond `most`."""
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]


def _within(payload: Any, *path: str) -> Any:
    """The value at a path of names; None where there is none."""
    for name in path:
        if not isinstance(payload, dict):
            return None
        payload = payload.get(name)
    return payload


def _secret(name: str) -> bool:
    return _known_secret(name) if len(name) <= NAME else SECRETS.search(name) is not None


@lru_cache(maxsize=1024)  # there are some hundred names of fields; asked of each field of a long frame they cost milliseconds
def _known_secret(name: str) -> bool:
    return SECRETS.search(name) is not None


def _without_secrets(value: Any) -> Any:
    """A payload with its secrets, and the passwords of URLs, replaced by stars."""
    kind = type(value)
    if kind is str:
        return masked(value)
    if kind is list:
        return [_without_secrets(each) for each in value]
    if kind is not dict:
        return value
    variable = _within(value, "variable", "name") if "variable" in value else None
    secret = isinstance(variable, str) and _secret(variable)
    kept = {}
    for name, each in value.items():
        if type(each) is int or type(each) is float:  # most of what there is much of
            kept[name] = HIDDEN if _secret(name) or (secret and name in VALUES) else each
        elif type(each) in (dict, list) or not (_secret(name) or (secret and name in VALUES)):
            kept[name] = _without_secrets(each)
        else:
            kept[name] = HIDDEN
    if secret and isinstance(attributes := kept.get("variableAttribute"), list):
        kept["variableAttribute"] = [
            {**each, "value": HIDDEN} if isinstance(each, dict) and "value" in each else each for each in attributes
        ]
    return kept
