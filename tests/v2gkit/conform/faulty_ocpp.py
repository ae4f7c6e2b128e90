"""Faults of a station that concern its CSMS: what it says, what it hears, what it obeys. They sit between its bridge and the WebSocket.

`OCPP` has a fault for the case of each number, S-OCP-01 as S2-OCP-01.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from ocpp_bridge.wire.rpc import CALLRESULT, Answered, Asked, Exchange
from tests.v2gkit.conform.seeding import Seed, all_of, late, put, says
from v2g.iso2.physical import number as number2
from v2g.iso2.physical import physical
from v2g.iso20.rational import number, rational
from v2g.messages import dc
from v2g.messages.iso2 import msg_body as mb

Payload = dict[str, Any]
DYNAMIC, SCHEDULED = "DynamicControl", "ScheduledControl"
REGISTER = "Energy.Active.Import.Register"


def tells(action: str, change: Callable[[Payload], Payload]) -> Seed:
    """A call of the station is changed before it is written."""

    def seed() -> None:
        call = Exchange.call

        def changed(self: Any, name: str, payload: Payload, timeout: float) -> str:
            return call(self, name, change(payload) if name == action else payload, timeout)

        Exchange.call = changed  # type: ignore[method-assign]

    return seed


def without(*names: str) -> Callable[[Payload], Payload]:
    """A payload without some of its fields."""
    return lambda payload: {name: value for name, value in payload.items() if name not in names}


def hears(action: str, change: Callable[[Payload], Payload]) -> Seed:
    """The answer to a call of the station is changed before it is read."""

    def seed() -> None:
        read = Exchange._read_result

        def changed(self: Any, frame: Any) -> Any:
            found = read(self, frame)
            if isinstance(found, Answered) and found.action == action:
                return Answered(found.id, action, change(found.payload))
            return found

        Exchange._read_result = changed  # type: ignore[method-assign]

    return seed


def obeys_not(action: str, then: Callable[[], None] = lambda: None, where: Callable[[Payload], bool] = lambda payload: True) -> Seed:
    """A call of the CSMS, where its payload fits, is answered by Accepted, and nothing is done."""

    def seed() -> None:
        receive = Exchange.receive

        def changed(self: Any, text: Any) -> Any:
            left = []
            for each in receive(self, text):
                if isinstance(each, Asked) and each.action == action and where(each.payload):
                    del self._asked[each.id]
                    self._write(CALLRESULT, each.id, {"status": "Accepted"})
                    then()
                else:
                    left.append(each)
            return left

        Exchange.receive = changed  # type: ignore[method-assign]

    return seed


CONTROLS: dict[int, str] = {}  # EVSE -> the control mode of the car there, as it was told; empty: its protocol has none
CHARGING: set[str] = set()  # transactions that were told to charge


def keeps_told() -> None:
    """What is told of control modes and of charging is kept."""
    call = Exchange.call

    def told(self: Any, name: str, payload: Payload, timeout: float) -> str:
        if name == "NotifyEVChargingNeeds":
            CONTROLS[payload["evseId"]] = payload["chargingNeeds"].get("controlMode", "")
        if name == "TransactionEvent" and payload["transactionInfo"].get("chargingState") == "Charging":
            CHARGING.add(payload["transactionInfo"]["transactionId"])
        return call(self, name, payload, timeout)

    Exchange.call = told  # type: ignore[method-assign]


def deaf_to_profiles(*where: tuple[str, bool]) -> Seed:
    """Profiles are forgotten for cars in one of these control modes that charge, or do not yet."""

    def fits(payload: Payload) -> bool:
        control = CONTROLS.get(payload["evseId"], "")
        return (control, payload["chargingProfile"].get("transactionId") in CHARGING) in where

    return all_of(keeps_told, obeys_not("SetChargingProfile", where=fits))


def misspells(action: str, right: str, wrong: str) -> Seed:
    """A call of the station breaks the schema, in its text."""

    def seed() -> None:
        written = Exchange._written

        def changed(self: Any, kind: int, id_: str, name: str, *more: Any) -> str:
            text = written(self, kind, id_, name, *more)
            return text.replace(right, wrong) if name == action else text

        Exchange._written = changed  # type: ignore[method-assign]

    return seed


def info(**fields: Any) -> Callable[[Payload], Payload]:
    """An event whose transactionInfo has other values, where it has them."""

    def change(payload: Payload) -> Payload:
        said = payload["transactionInfo"]
        return {**payload, "transactionInfo": {**said, **{name: value for name, value in fields.items() if name in said}}}

    return change


def doubled(payload: Payload) -> Payload:
    """Registers of the meter are twice what they are."""
    text = json.loads(json.dumps(payload))
    for value in text.get("meterValue", ()):
        for sample in value["sampledValue"]:
            if sample.get("measurand") == REGISTER:
                sample["value"] *= 3
    return text  # type: ignore[no-any-return]


def longer(payload: Payload) -> Payload:
    """The request of a car with an octet behind it."""
    return {**payload, "exiRequest": base64.b64encode(base64.b64decode(payload["exiRequest"]) + b"\0").decode()}


def always_the_running_one() -> None:
    """Whatever transaction is to be stopped, the one that runs is."""
    running = [""]
    call, check = Exchange.call, Exchange._read_call

    def told(self: Any, name: str, payload: Payload, timeout: float) -> str:
        if name == "TransactionEvent":
            running[0] = payload["transactionInfo"]["transactionId"]
        return call(self, name, payload, timeout)

    def asked(self: Any, frame: Any) -> Any:
        found = check(self, frame)
        if isinstance(found, Asked) and found.action == "RequestStopTransaction":
            return Asked(found.id, found.action, {"transactionId": running[0]})
        return found

    Exchange.call, Exchange._read_call = told, asked  # type: ignore[method-assign]


LIFTED = [1.0]


def lifted(response: Any) -> Any:
    """The power of a loop of -20, as far as a profile lifted it."""
    mode = response.CLResControlMode
    changes = {name: rational(LIFTED[0] * number(found)) for name in LIMITS if (found := getattr(mode, name, None)) is not None}
    return put(response, CLResControlMode=put(mode, **changes))


def lifted2(response: Any) -> Any:
    """The power of a loop of -2, as far as a profile lifted it."""
    changes = {
        name: physical(LIFTED[0] * number2(found), found.Unit) for name in LIMITS2 if (found := getattr(response, name, None)) is not None
    }
    return put(response, **changes)


LIMITS = ("EVSEMaximumChargePower", "EVSEMaximumChargeCurrent")
LIMITS2 = ("EVSEMaximumPowerLimit", "EVSEMaximumCurrentLimit")


def lifts() -> None:
    LIFTED[0] = 10.0


TELLS_ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}
AVAILABLE = tells("StatusNotification", lambda payload: {**payload, "connectorStatus": "Available"})
OCPP: dict[int, Seed] = {
    1: tells("TransactionEvent", info(chargingState="EVConnected")),
    2: tells("Authorize", without("iso15118CertificateHashData", "certificate")),
    3: tells("TransactionEvent", without("idToken")),
    4: hears("Authorize", lambda payload: {**payload, **TELLS_ACCEPTED, "certificateStatus": "Accepted"}),
    5: hears("Authorize", lambda payload: {**payload, **TELLS_ACCEPTED}),
    6: hears("TransactionEvent", without("idTokenInfo")),
    7: tells("TransactionEvent", info(stoppedReason="Remote")),
    8: AVAILABLE,
    9: misspells("StatusNotification", '"connectorId":1', '"connectorId":"1"'),
    20: tells(
        "NotifyEVChargingNeeds",
        lambda payload: {**payload, "chargingNeeds": {**payload["chargingNeeds"], "requestedEnergyTransfer": "AC_three_phase"}},
    ),
    21: deaf_to_profiles((DYNAMIC, True), ("", True)),
    22: deaf_to_profiles((SCHEDULED, True)),
    23: deaf_to_profiles((SCHEDULED, False), ("", False)),
    24: all_of(obeys_not("SetChargingProfile", lifts), says(dc.DC_ChargeLoopRes, lifted), says(mb.CurrentDemandRes, lifted2)),
    25: all_of(keeps_told, obeys_not("RequestStopTransaction", where=lambda payload: payload["transactionId"] in CHARGING)),
    26: always_the_running_one,
    27: tells("TransactionEvent", doubled),
    28: tells("Get15118EVCertificate", longer),
    29: all_of(late(dc.DC_ChargeLoopRes, 1.5), late(mb.CurrentDemandRes, 1.5)),
    30: tells("TransactionEvent", without("offline")),
}
