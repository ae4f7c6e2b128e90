"""What a driver reads of tariff and cost (I01 to I06): words of the CSMS for him, or those that it left for when it says none."""

from typing import Final

from ocpp_bridge.block import Block
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.display import FORMATS, Fare
from ocpp_bridge.model.variables import Row
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload

READING: Final = 300.0  # s in which who has charged may read what it cost; the next car ends it
WORDS: Final = r"[^\x00-\x1f]{0,255}"


def _content(message: Payload | None) -> str:
    """The text of a MessageContentType; empty where there is none, or what is no text."""
    return str(message["content"]) if message is not None and message["format"] in FORMATS else ""


def greet(charger: Charger, evse: Evse, info: Payload) -> None:
    """Show a driver who may charge what it will cost him: his personal message (I01), his tariff, or what is left for both (I04)."""
    tariff = evse.session.tariff if evse.session is not None else None
    described = next((text for each in (tariff or {}).get("description", ()) if (text := _content(each))), "")
    words = _content(info.get("personalMessage")) or described or charger.variables["TariffCostCtrlr.TariffFallbackMessage"]
    charger.messages.fares[evse.id] = Fare(words)
    _note(charger, evse.id, words)


def bill(charger: Charger, evse: Evse, event: Payload, now: float) -> None:
    """Show what a transaction has cost whose end is told: by the station's own account, or the words left for when nobody says (I05)."""
    if event["eventType"] != "Ended":
        return
    shown = charger.messages.fares.setdefault(evse.id, Fare())
    owed = event["costDetails"]["totalCost"]["total"] if "costDetails" in event else {}
    total = owed.get("inclTax", owed.get("exclTax"))
    shown.total = charger.variables["TariffCostCtrlr.TotalCostFallbackMessage"] if total is None else _amount(charger, evse, total)
    shown.until = now + READING
    _note(charger, evse.id, shown.total)


def take(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """Show what a TransactionEventResponse says to the driver: other words (I06), and with the end of his transaction its cost (I03)."""
    shown = charger.messages.fares.get(call.evse)
    if shown is None:
        return
    said = response.get("updatedPersonalMessage", response.get("idTokenInfo", {}).get("personalMessage"))
    ended = call.payload["eventType"] == "Ended"
    if words := _content(said):
        shown.tariff = words
        _note(charger, call.evse, words)
    if ended and "totalCost" in response and shown.until is not None:
        shown.total = f"{response['totalCost']:.2f} {charger.variables['TariffCostCtrlr.Currency']}"
        shown.until = now + READING
        _note(charger, call.evse, shown.total)


def texts(charger: Charger, evse: Evse) -> tuple[str, ...]:
    """What stands there for the driver at an EVSE now, with what his transaction has cost so far (I02)."""
    shown, tx = charger.messages.fares.get(evse.id, Fare()), evse.transaction
    if tx is None or shown.until is not None:
        return tuple(filter(None, (shown.tariff, shown.total)))
    own = evse.account if evse.account is not None and evse.account.transaction == tx.id else None
    cost = float(own.owed) if own is not None else tx.cost
    return tuple(filter(None, (shown.tariff, "" if cost is None else _amount(charger, evse, cost))))


def _amount(charger: Charger, evse: Evse, cost: float) -> str:
    currency = evse.account.tariff["currency"] if evse.account is not None else charger.variables["TariffCostCtrlr.Currency"]
    return f"{cost:.2f} {currency}"


def _note(charger: Charger, evse: int, words: str) -> None:
    if words:
        charger.note(f"EVSE {evse} tells its driver: {words}")


def _due(charger: Charger) -> float | None:
    return min((shown.until for shown in charger.messages.fares.values() if shown.until is not None), default=None)


def _tick(charger: Charger, now: float) -> None:
    fares = charger.messages.fares
    for id_ in [id_ for id_, shown in fares.items() if shown.until is not None and now >= shown.until]:
        del fares[id_]


BLOCK: Final = Block(
    due=_due,
    tick=_tick,
    variables=(
        Row("TariffCostCtrlr", "TariffFallbackMessage", "", "string", WORDS, required="I04"),
        Row("TariffCostCtrlr", "TotalCostFallbackMessage", "", "string", WORDS, required="I05"),
    ),
)
