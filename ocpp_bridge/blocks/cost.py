"""Tariff and cost (block I): what a transaction costs by the CSMS's word or by a tariff that it has sent, told to the car and the CSMS."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import billing, transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.tariff import ELEMENTS_MAXIMUM, objection
from ocpp_bridge.model.variables import BOOLEAN, FLAG, NUMBER, OPTION, WHOLE, Row, one_of
from ocpp_bridge.wire.schemas import Payload

HANDLING: Final = ("Deauthorize", "UseDefaultTariff")  # where the driver's tariff cannot be used
TARIFFS_MAXIMUM: Final = 4  # of an EVSE: the present one, and some to come; 100 kB. One more is refused


def cost_updated(charger: Charger, payload: Payload, now: float) -> Payload:
    """CostUpdated: keep what a transaction has cost so far, and tell car and people."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is not None and evse.transaction is not None:
        evse.transaction.cost = payload["totalCost"]
        charger.note(f"EVSE {evse.id}: {payload['totalCost']:.2f} {charger.variables['TariffCostCtrlr.Currency']} so far")
        billing.tell(charger, evse, payload["totalCost"])
    return {}


def _refused(charger: Charger, tariff: Payload) -> Payload | None:
    if not billing.on(charger):
        return no("NotEnabled", "TariffCostCtrlr.Enabled of Tariff and Cost are not both true")
    if (why := objection(tariff)) is not None:
        return no(why[1], why[2], status=why[0])
    return None


def set_default_tariff(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetDefaultTariff (I07): the tariff of an EVSE, or of all, for transactions that begin from then on."""
    tariff, wall = payload["tariff"], charger.wall(now)
    begins = billing.valid_from(tariff)
    if (refusal := _refused(charger, tariff)) is not None:
        return refusal
    places = [id_ for id_ in charger.evses if payload["evseId"] in (0, id_)]
    if not places:
        return no("InvalidValue", f"there is no EVSE {payload['evseId']}")
    same = [each for each in _every(charger) if each["tariffId"] == tariff["tariffId"]]
    if any(each != tariff for each in same):
        return no("DuplicateTariffId", f"another tariff has the id {tariff['tariffId']}", status="DuplicateTariffId")
    after = {}
    for id_ in places:
        current = billing.default(charger, charger.evses[id_], wall)
        others = [each for each in charger.tariffs.get(id_, []) if each != tariff]
        later = [each for each in others if billing.valid_from(each) > max(wall, begins)] if begins <= wall else others
        after[id_] = [each for each in later if begins <= wall or each is current or billing.valid_from(each) > wall] + [tariff]
        if len(after[id_]) > TARIFFS_MAXIMUM:
            return no("TooManyElements", f"EVSE {id_} has {TARIFFS_MAXIMUM} tariffs", status="TooManyElements")
    for id_, tariffs in after.items():
        _assign(charger, id_, tariffs)
    return {"status": "Accepted"}


def _assign(charger: Charger, evse: int, tariffs: list[Payload]) -> None:
    charger.tariffs[evse] = tariffs
    charger.keep(f"tariff/{evse}", tariffs or None)


def _every(charger: Charger) -> list[Payload]:
    """Every tariff that is here: of EVSEs, and of the transactions that run by one."""
    running = [evse.account.tariff for evse in charger.evses.values() if evse.account is not None and evse.transaction is not None]
    return [tariff for tariffs in charger.tariffs.values() for tariff in tariffs] + running


def tariffs(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetTariffs (I09): which tariffs are here, for which EVSEs, and those of the drivers who charge by one of their own."""
    places = [evse for evse in charger.evses.values() if payload["evseId"] in (0, evse.id)]
    if not places:
        return no("InvalidValue", f"there is no EVSE {payload['evseId']}")
    found: dict[str, Payload] = {}
    for evse in places:
        for tariff in charger.tariffs.get(evse.id, ()):
            entry = found.setdefault(tariff["tariffId"], {"tariffId": tariff["tariffId"], "tariffKind": "DefaultTariff", "evseIds": []})
            entry["evseIds"].append(evse.id)
    drivers = [_of_driver(charger, evse) for evse in places]
    assignments = [*found.values(), *(entry for entry in drivers if entry is not None)]
    return {"status": "Accepted", "tariffAssignments": assignments} if assignments else {"status": "NoTariff"}


def _of_driver(charger: Charger, evse: Evse) -> Payload | None:
    account, token = evse.account, evse.session.token if evse.session else None
    if account is None or evse.transaction is None or account.tariff in charger.tariffs.get(evse.id, ()):
        return None
    named = {"idTokens": [token["idToken"]]} if token is not None and token["idToken"] else {}
    return {"tariffId": account.tariff["tariffId"], "tariffKind": "DriverTariff", "evseIds": [evse.id]} | named


def clear_tariffs(charger: Charger, payload: Payload, now: float) -> Payload:
    """ClearTariffs (I10): forget tariffs of EVSEs, those that are named or all; a transaction that runs by one goes on by it."""
    places = [id_ for id_ in charger.evses if payload.get("evseId", 0) in (0, id_)]
    known = list(dict.fromkeys(tariff["tariffId"] for id_ in places for tariff in charger.tariffs.get(id_, ())))
    results = []
    for name in payload.get("tariffIds", known):
        results.append({"tariffId": name, "status": "Accepted" if name in known else "NoTariff"})
        for id_ in places:
            if any(tariff["tariffId"] == name for tariff in charger.tariffs.get(id_, ())):
                _assign(charger, id_, [tariff for tariff in charger.tariffs[id_] if tariff["tariffId"] != name])
    return {"clearTariffsResult": results or [{"status": "NoTariff"}]}


def change_transaction_tariff(charger: Charger, payload: Payload, now: float) -> Payload:
    """ChangeTransactionTariff (I11): go on with a transaction by another tariff; one that had none is billed from now on."""
    evse, tariff = charger.of_transaction(payload["transactionId"]), payload["tariff"]
    if evse is None or evse.transaction is None:
        return no("TxNotFound", status="TxNotFound")
    if (refusal := _refused(charger, tariff)) is not None:
        return refusal
    if billing.valid_from(tariff) > charger.wall(now):
        return no("InvalidValue", "validFrom is still to come; a transaction changes its tariff at once")
    account = evse.account
    if account is not None and account.tariff["currency"] != tariff["currency"]:
        text = f"the transaction is billed in {account.tariff['currency']}"
        return no("NoCurrencyChange", text, status="NoCurrencyChange")
    if account is None:
        billing.open_account(charger, evse, tariff, now, since=charger.clock.wall(now))
    else:
        billing.settle(charger, evse, now)
        account.change(tariff)
    transactions.update(charger, evse, "TariffChanged", now)
    return {"status": "Accepted"}


def _tick(charger: Charger, now: float) -> None:
    for evse in charger.evses.values():
        if evse.account is None or evse.transaction is None or now < evse.account.look:
            continue
        evse.account.look = now + billing.LOOK
        if evse.account.transaction != evse.transaction.id:  # of one that a kill has cut off
            evse.account = None
            charger.keep(f"account/{evse.id}", None)
            continue
        interval = charger.variables.number("TariffCostCtrlr.Interval[Cost]")
        if evse.account.due is None:  # it comes from before a restart
            evse.account.due = now + interval
        if interval and now >= evse.account.due:
            evse.account.due = now + interval
            transactions.update(charger, evse, "RunningCost", now)
        else:
            billing.settle(charger, evse, now)


def _due(charger: Charger) -> float | None:
    looks = [evse.account.look for evse in charger.evses.values() if evse.account is not None and evse.transaction is not None]
    return min(looks, default=None)


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    at = {int(name.partition("/")[2]): tariffs for name, tariffs in kept.items()}
    charger.tariffs = {evse: tariffs for evse, tariffs in at.items() if evse in charger.evses}


ACCOUNTS: Final = Block(keeps="account", restore=lambda charger, kept: billing.restore(charger, dict(kept)))
BLOCK: Final = Block(
    requests={
        "CostUpdated": cost_updated,
        "SetDefaultTariff": set_default_tariff,
        "GetTariffs": tariffs,
        "ClearTariffs": clear_tariffs,
        "ChangeTransactionTariff": change_transaction_tariff,
    },
    due=_due,
    tick=_tick,
    keeps="tariff",
    restore=_restore,
    variables=(
        Row("TariffCostCtrlr", "Available", "true", FLAG, instance="Tariff"),
        Row("TariffCostCtrlr", "Available", "true", FLAG, instance="Cost"),
        Row("TariffCostCtrlr", "Enabled", "true", FLAG, BOOLEAN, instance="Tariff"),
        Row("TariffCostCtrlr", "Enabled", "true", FLAG, BOOLEAN, instance="Cost"),
        Row("TariffCostCtrlr", "Interval", "60", NUMBER, WHOLE, unit="s", instance="Cost"),  # 0: the running cost is not told
        Row("TariffCostCtrlr", "Currency", "EUR", "string", "[A-Z]{3}"),  # of costs whose currency the CSMS does not say
        Row("TariffCostCtrlr", "MaxElements", str(ELEMENTS_MAXIMUM), NUMBER, instance="Tariff"),
        Row("TariffCostCtrlr", "ConditionsSupported", "true", FLAG, instance="Tariff"),
        Row("TariffCostCtrlr", "HandleFailedTariff", "Deauthorize", OPTION, one_of(HANDLING), values=HANDLING),
        Row("ClockCtrlr", "TimeOffset", "+00:00", "string", r"[+-](0[0-9]|1[0-4]):[0-5][0-9]"),
    ),
)
