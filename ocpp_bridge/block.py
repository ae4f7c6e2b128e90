"""What a functional block of OCPP is to the bridge: a set of tables. `ocpp_bridge.table` lists the blocks; none knows another's tables.

requests   what the CSMS may call, by action          answers, failures   what becomes of our own calls, by action
triggers   what TriggerMessage may ask of it, by kind: sends the message (`solicited`) and returns the result
due, tick  the block's timers                         save, restore       what it keeps over a restart of the process
variables  rows of the device model, declared where they are read            changed   told of each that the CSMS has set

A variable that a block's code reads is a row of that block: `Block(variables=(Row("TxCtrlr", "Something", "10", NUMBER, WHOLE),))`, read by
`charger.variables.number("TxCtrlr.Something")` (`yes`, `words`, `[...]`). With a `rule` the CSMS may set it, and what it set survives a
restart; nothing else is to be done. A row that only the station sets has no rule: `charger.variables["Component", "Variable", "", evse] =
"…"`. What must happen at once when it is set, not only where it is read next, is done by `changed`. `begin` fills in what depends on the
station, before anything else happens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.variables import Key, Row
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload

Request = Callable[[Charger, Payload, float], Payload]  # (charger, payload, monotonic s) -> the result; may raise rpc.Refusal, ValueError
Answer = Callable[[Charger, Call, Payload, float], None]  # (charger, our call, its result, monotonic s)
Trigger = Callable[
    [Charger, list[Evse], float], Payload
]  # (charger, the EVSEs that are meant, monotonic s) -> the result of TriggerMessage
Failure = Callable[[Charger, Call, str, float], None]  # (charger, our call, OCPP's code or Timeout or ConnectionLost, monotonic s)


def _never(charger: Charger) -> float | None:
    return None


def _idle(charger: Charger, now: float) -> None:
    pass


def _stateless(charger: Charger, now: float) -> None:
    pass


def _forgetful(charger: Charger, kept: Mapping[str, Any]) -> None:
    pass


def _indifferent(charger: Charger, key: Key, now: float) -> None:
    pass


def _ready(charger: Charger) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Block:
    """One functional block. `due` is the monotonic time (s) at which `tick` must be called at the latest, None for never."""

    requests: Mapping[str, Request] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)  # by MessageTrigger, or by customTrigger
    due: Callable[[Charger], float | None] = _never
    tick: Callable[[Charger, float], None] = _idle
    save: Callable[[Charger, float], None] = _stateless  # (charger, monotonic s): keeps what has changed since, before anything is said
    keeps: str = ""  # the first part of the names under which it keeps values (`Charger.keep`): "profile" for "profile/7"
    restore: Callable[[Charger, Mapping[str, Any]], None] = _forgetful  # given {name: value} of what it kept, before anything else happens
    variables: tuple[Row, ...] = ()
    changed: Callable[[Charger, Key, float], None] = _indifferent  # given each variable that the CSMS has set, now or before a restart
    begin: Callable[[Charger], None] = _ready


def no(reason: str, text: str = "", status: str = "Rejected") -> Payload:
    """A result that refuses, with OCPP's reasonCode and words for people (1,024 characters at most)."""
    info = {"reasonCode": reason} | ({"additionalInfo": text[:1024]} if text else {})
    return {"status": status, "statusInfo": info}


def answer_at(handler: Callable[[Charger, Evse, Call, Payload, float], None]) -> Answer:
    """An `Answer` for a call that concerns one EVSE, which is passed to the handler."""
    return lambda charger, call, response, now: handler(charger, charger.evses[call.evse], call, response, now)


def failure_at(handler: Callable[[Charger, Evse, Call, str, float], None]) -> Failure:
    """A `Failure` for a call that concerns one EVSE, which is passed to the handler."""
    return lambda charger, call, code, now: handler(charger, charger.evses[call.evse], call, code, now)
