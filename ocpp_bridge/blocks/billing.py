"""What a transaction costs by a tariff, kept up with meter and time: the accounts of EVSEs, and what events say of them (block I, 2.1).

The tariff of the driver goes before the one of the EVSE; which it is, is settled once the token is known, from the beginning of the
transaction.
"""

from collections.abc import Sequence
from typing import Final

from ocpp_bridge.charger import Charger, Evse, Transaction
from ocpp_bridge.model.account import Account
from ocpp_bridge.model.tariff import PAYMENT, objection
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch, offset_of
from secc.station import CostParts, CostTold

COST_MAXIMUM: Final = 1e6  # of any currency: more is no cost of a session, and a receipt has no digits for it
TELLING: Final = frozenset({"RunningCost", "CostLimitReached", "TariffChanged"})  # triggerReasons of events that say the cost
LOOK: Final = 2.0  # s between two looks at meter and limits: at 350 kW 0.2 kWh


def on(charger: Charger) -> bool:
    """Whether the station computes costs itself."""
    return charger.variables.yes("TariffCostCtrlr.Enabled[Cost]") and charger.variables.yes("TariffCostCtrlr.Enabled[Tariff]")


def default(charger: Charger, evse: Evse, wall: float) -> Payload | None:
    """The tariff of an EVSE that holds at `wall` (epoch s): of those that have begun the one that began last."""
    begun = [(valid_from(tariff), place) for place, tariff in enumerate(charger.tariffs.get(evse.id, ())) if valid_from(tariff) <= wall]
    return charger.tariffs[evse.id][max(begun)[1]] if begun else None


def valid_from(tariff: Payload) -> float:
    """When a tariff begins (epoch s); at once where it does not say."""
    return epoch(tariff["validFrom"]) if "validFrom" in tariff else float("-inf")


def take_drivers(charger: Charger, evse: Evse, response: Payload) -> str:
    """Note the tariff of the driver that an AuthorizeResponse brings. The words by which the car is refused for one that cannot be used."""
    tariff = response.get("tariff")
    if tariff is None or evse.session is None or not on(charger):
        return ""
    if (why := objection(tariff)) is None:
        evse.session.tariff = tariff
        return ""
    text = f"the tariff {tariff['tariffId']} of the driver cannot be used: {why[2]}"
    charger.note(f"EVSE {evse.id}: {text}")
    return text if charger.variables["TariffCostCtrlr.HandleFailedTariff"] == "Deauthorize" else ""


def open_account(charger: Charger, evse: Evse, tariff: Payload, now: float, since: float | None = None) -> None:
    """Begin the account of the transaction of an EVSE by a tariff, from its beginning or `since` (epoch s by our clock)."""
    assert evse.transaction is not None
    session = evse.session
    token = (session.token if session else None) or {}
    info = {each["type"]: each["additionalIdToken"] for each in token.get("additionalInfo", ())}
    payment = tuple((name, info[name]) for name in PAYMENT.values() if name in info)
    started = round(1000 * (begun(charger, evse.transaction) if since is None else since))
    evse.account = Account(evse.transaction.id, tariff, evse.in_watts, started, payment, _offset(charger), registers=_registers(evse))
    evse.account.ahead = round(1000 * charger.skew)
    reserved = session.reserved if session else None
    evse.account.begin(None if reserved is None else round(1000 * max(reserved, 0.0)))
    evse.account.due = now + charger.variables.number("TariffCostCtrlr.Interval[Cost]")


def _settled_by(charger: Charger, evse: Evse, now: float) -> bool:
    """Begin the account of a transaction once its token is known, if there is a tariff; whether it was begun now."""
    session = evse.session
    if session is None or session.token is None or session.billed or not on(charger):
        return False
    session.billed = True
    tariff, tx = session.tariff or default(charger, evse, charger.wall(now)), evse.transaction
    if tariff is None or (tx is not None and evse.account is not None and evse.account.transaction == tx.id):
        return False
    open_account(charger, evse, tariff, now)
    return True


def settle(charger: Charger, evse: Evse, now: float) -> None:
    """Bill an EVSE's transaction up to now; its present state holds from now on."""
    account, tx = evse.account, evse.transaction
    if account is None or tx is None or account.transaction != tx.id:
        return
    account.advance(round(1000 * charger.clock.wall(now)), _registers(evse), tx.state == "Charging")
    account.power, account.voltage = evse.sample.power or 0.0, evse.sample.voltage or 0.0


def add_cost(charger: Charger, evse: Evse, event: Payload, now: float) -> None:
    """Add to a TransactionEvent what it says of tariff and cost. The account is kept."""
    begun = _settled_by(charger, evse, now)
    settle(charger, evse, now)
    account, tx, ended = evse.account, evse.transaction, event["eventType"] == "Ended"
    if account is None or tx is None or account.transaction != tx.id:
        return
    charger.keep(f"account/{evse.id}", None if ended else account.saved())
    if begun or ended or event["triggerReason"] in TELLING:
        event["transactionInfo"]["tariffId"] = account.tariff["tariffId"]
    if ended or event["triggerReason"] in TELLING:
        event["costDetails"] = account.details(whole=ended)
        tell(charger, evse, float(account.owed), account.parts)


def tell(charger: Charger, evse: Evse, total: float, parts: CostParts | None = None) -> None:
    """Tell a car what its session has cost so far, with taxes where they are known; in parts where the station has computed them."""
    if evse.session is None or evse.transaction is None:
        return
    if abs(total) <= COST_MAXIMUM:
        charger.tell(evse, CostTold(total, begun(charger, evse.transaction), parts))
    else:
        charger.note(f"EVSE {evse.id}: a cost of {total:g} is beyond {COST_MAXIMUM:g}, the car is not told")


def begun(charger: Charger, tx: Transaction) -> float:
    """When a transaction began, by the station's own clock (epoch s): a CSMS that sets its clock makes no time that is billed."""
    return tx.own if tx.own is not None else tx.started - charger.skew


def _registers(evse: Evse) -> tuple[int, int] | None:
    reading = evse.sample.reading
    return None if reading is None else (round(1000 * reading.imported), round(1000 * reading.exported))


def _offset(charger: Charger) -> int:
    return round(1000 * offset_of(charger.variables["ClockCtrlr.TimeOffset"]))


def restore(charger: Charger, kept: dict[str, Payload] | Sequence[tuple[str, Payload]]) -> None:
    """Take back the accounts that were open when the process ended."""
    for name, saved in dict(kept).items():
        place = int(name.partition("/")[2])
        if place in charger.evses:
            charger.evses[place].account = Account.of(saved)
