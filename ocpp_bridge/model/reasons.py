"""Why a car was refused, or its session ended otherwise than it should, as a CSMS hears it.

In words by NotifyEvent of `ISO15118Ctrlr.Problem`, with the response code (or how it ended) as `techCode` and the reason with its
requirement as `techInfo`; as one of OCPP's own words by `stoppedReason` of the transaction that it ended. OCPP's security events are about
CSMS and firmware, none about a car: a failed handshake is such a problem, too. All of it is kept while the CSMS is away, within the rations
of `Charger`.
"""

from typing import Final

from ocpp_bridge.blocks import transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.wire.ration import Ration
from ocpp_bridge.wire.times import timestamp
from secc.station import Objected, TurnedAway

CODE, WORDS = 50, 500  # characters of techCode and techInfo
STOPPED: Final = {"timed out": "Timeout"}  # how a session ended -> stoppedReason; what is not listed is Other
HAZARDS: Final = {"EmergencyStop": "EmergencyStop", "IsolationMeasured": "GroundFault"}  # what the hardware found -> stoppedReason


def note_objection(charger: Charger, evse: Evse, want: Objected, now: float) -> None:
    """The car was told no, and its session goes on."""
    said = want.objection
    problem(charger, evse, want.code, f"{want.request}: {said.reason}", said.requirement, now)


def turned_away(charger: Charger, evse: Evse, want: TurnedAway, now: float) -> None:
    """A car was refused before it had the outlet: none of the transaction that may run there. The same words are told once a minute."""
    words = _words(want.reason, want.requirement)
    _notify(charger, charger.strangers, evse, want.how, words, now, about=(evse.id, want.how, words))


def problem(charger: Charger, evse: Evse, code: str, reason: str, requirement: str | None, now: float) -> None:
    """Tell the CSMS what was wrong in a session."""
    words = _words(reason, requirement)
    _notify(charger, charger.problems, evse, code, words, now, transaction=evse.transaction.id if evse.transaction is not None else None)


def _words(reason: str, requirement: str | None) -> str:
    return f"{reason} [{requirement}]" if requirement else reason


def _notify(
    charger: Charger, ration: Ration, evse: Evse, code: str, words: str, now: float, *, about: object = None, transaction: str | None = None
) -> None:
    """Keep the event, or once the event that there were more of them than are told."""
    waiting = sum(call.about == ration.what for call in charger.outbox.kept)
    verdict = ration.verdict(about, waiting, now)
    if verdict == "not told":
        return
    if verdict == "last":
        bound = f"{ration.most} in a minute, {ration.room} while they wait"
        code, words, transaction = "more", f"not all {ration.what} are told to the CSMS ({bound}): more stand in the station's log", None
    charger.note(f"EVSE {evse.id}: {code}, {words}")
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
    if transaction is not None:
        event["transactionId"] = transaction
    notice = {"generatedAt": moment, "seqNo": 0, "eventData": [event]}
    charger.call("NotifyEvent", notice, evse=evse.id, kept=True, about=ration.what)


def hazard(evse: Evse, found: str) -> None:
    """The hardware found what ends the session: the transaction that it ends is to say so."""
    if evse.transaction is not None:
        evse.transaction.stopping, evse.transaction.stop_trigger = HAZARDS[found], "AbnormalCondition"


def local(evse: Evse) -> None:
    """Note that somebody at the outlet wants the session to end, unless the CSMS asked for that before."""
    if evse.transaction is not None:
        evse.transaction.stopping = evse.transaction.stopping or "Local"


def end_badly(charger: Charger, evse: Evse, how: str, reason: str | None, requirement: str | None, now: float) -> None:
    """A session did not end as it should: say why, and end what its authorization began."""
    problem(charger, evse, how, reason or how, requirement, now)
    lost = ("Authorized", "EnergyTransfer", "PowerPathClosed")
    transactions.end(charger, evse, lost, "EVCommunicationLost", STOPPED.get(how, "Other"), now, "EVConnected")
