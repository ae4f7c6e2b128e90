"""Why a car was refused, or its session ended otherwise than it should, as a CSMS hears it.

In words by NotifyEvent of `ISO15118Ctrlr.Problem`, with the response code as `techCode` and the reason with its requirement as `techInfo`;
as one of OCPP's own words by `stoppedReason` of the transaction that it ended.
"""

from typing import Final

from ocpp_bridge import transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.times import timestamp
from secc.station import Objected

CODE, WORDS = 50, 500  # characters of techCode and techInfo
STOPPED: Final = {"timed out": "Timeout"}  # how a session ended -> stoppedReason; what is not listed is Other
HAZARDS: Final = {"EmergencyStop": "EmergencyStop", "IsolationMeasured": "GroundFault"}  # what the hardware found -> stoppedReason


def objected(charger: Charger, evse: Evse, want: Objected, now: float) -> None:
    """The car was answered with a WARNING."""
    said = want.objection
    problem(charger, evse, said.code.value, f"{want.request}: {said.reason}", said.requirement, now)


def problem(charger: Charger, evse: Evse, code: str, reason: str, requirement: str | None, now: float) -> None:
    """Tell the CSMS what was wrong, if it is there to hear it."""
    words = f"{reason} [{requirement}]" if requirement else reason
    moment = timestamp(charger.wall(now))
    event = {
        "eventId": charger.number(),
        "timestamp": moment,
        "trigger": "Alerting",
        "actualValue": "true",
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": "ISO15118Ctrlr", "evse": {"id": evse.id}},
        "variable": {"name": "Problem"},
        "techCode": code[:CODE],
        "techInfo": words if len(words) <= WORDS else f"{words[: WORDS - 1]}…",
    }
    if evse.transaction is not None:
        event["transactionId"] = evse.transaction.id
    charger.note(f"EVSE {evse.id}: {code}, {words}")
    charger.call("NotifyEvent", {"generatedAt": moment, "seqNo": 0, "eventData": [event]}, evse=evse.id)


def hazard(evse: Evse, found: str) -> None:
    """The hardware found what ends the session: the transaction that it ends is to say so."""
    if evse.transaction is not None:
        evse.transaction.stopping, evse.transaction.stop_trigger = HAZARDS[found], "AbnormalCondition"


def ended(charger: Charger, evse: Evse, how: str, reason: str | None, requirement: str | None, now: float) -> None:
    """A session did not end as it should: say why, and end what its authorization began."""
    problem(charger, evse, how, reason or how, requirement, now)
    lost = ("Authorized", "EnergyTransfer", "PowerPathClosed")
    transactions.ended(charger, evse, lost, "EVCommunicationLost", STOPPED.get(how, "Other"), now, "EVConnected")
