"""Authorization of a car: the CSMS is asked (C01, C07, C08); where it cannot be, variables of the device model decide."""

from dataclasses import dataclass, replace
from typing import Final

from ocpp_bridge.block import Block, answer_at, failure_at, no
from ocpp_bridge.blocks import billing, fares, transactions
from ocpp_bridge.blocks.availability import refusal
from ocpp_bridge.blocks.local_authorization import known, master, remember, said_before
from ocpp_bridge.blocks.reservation import objection as reserved
from ocpp_bridge.blocks.reservation import redeem
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.contract import proof, rooted, token
from ocpp_bridge.model.known_tokens import group_of, name_of, of_csms, paid
from ocpp_bridge.model.mapping import objection, services, verdict
from ocpp_bridge.model.variables import Key
from ocpp_bridge.smart import steering
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from secc.station import AuthorizationRefused, AuthorizationWanted, Authorized, RenegotiationAsked, Service, ServicesAllowed
from v2g.reasons import Reason
from v2g.services import SERVICES

BRIEFLY = 60.0  # s; a CSMS that is away no longer than this may be back in a moment
HOLD = 5.0  # s that a car is then held; its patience is 60 s


@dataclass(frozen=True, slots=True)
class Stopping:
    """What a call of Authorize is about that may end a transaction."""

    transaction: str  # empty: any, where it is a master pass


NOBODY: Payload = {"idToken": "", "type": "NoAuthorization"}
UNPROVED: Final = (
    "the contract cannot be proved to the CSMS: its certificates name no responder, or its root is not here, and the chain is too long or "
    "CentralContractValidationAllowed is false"
)
UNROOTED: Final = "the CSMS is not there, and the root of the contract is not here, so nobody can validate it"


def authorize(charger: Charger, evse: Evse, want: AuthorizationWanted, now: float) -> None:
    """Handle the session's question whether its car may charge: with a contract ask the CSMS at once, else wait for a token."""
    assert evse.session is not None
    evse.session.authorization = want
    if why := refusal(charger, evse):
        _refuse(charger, evse, f"this outlet serves no new car: {why}")
    elif want.authorization == "PnC" and not charger.variables.yes("ISO15118Ctrlr.PnCEnabled"):
        _refuse(charger, evse, "the CSMS has switched Plug & Charge off (ISO15118Ctrlr.PnCEnabled)")
    elif want.authorization == "PnC":
        ask(charger, evse, token("eMAID", want.emaid, want.evccid), now)
    elif not charger.variables.yes("AuthCtrlr.Enabled"):
        grant(charger, evse, NOBODY, Authorized(energy_transfer=_leave(charger, evse, {})), now)
    elif evse.remote is None and evse.presented is None and charger.variables.yes("AuthCtrlr.Autocharge"):
        ask(charger, evse, token("EVCCID", want.evccid), now)
    else:
        proceed(charger, evse, now)


def proceed(charger: Charger, evse: Evse, now: float) -> None:
    """Authorize a waiting car by a token that was presented or a RequestStartTransaction, if there is one."""
    if evse.session is None or evse.session.authorization is None:
        return
    if evse.remote is not None:
        asked, evse.remote = evse.remote, None
        evse.session.remote, evse.session.group = asked["remoteStartId"], group_of(asked)
        if evse.transaction is not None:
            evse.transaction.remote_start_id = asked["remoteStartId"]
        if charger.variables.yes("AuthCtrlr.AuthorizeRemoteStart") and not of_csms(asked["idToken"]):  # [C05.FR.01]
            ask(charger, evse, asked["idToken"], now)
        else:
            grant(charger, evse, asked["idToken"], Authorized(energy_transfer=_leave(charger, evse, {})), now)
    elif (shown := evse.presented or charger.owner) is not None:
        evse.presented = None
        ask(charger, evse, shown, now)


def ask(charger: Charger, evse: Evse, shown: Payload, now: float) -> None:
    """Ask the CSMS about a token, or decide without it."""
    want = evse.session.authorization if evse.session else None
    payload: Payload = {"idToken": shown}
    contract = want is not None and want.authorization == "PnC"
    if want is not None and paid(shown) and charger.payments.taken.get(evse.id, ("",))[0] == shown["idToken"]:
        _decide(charger, evse, shown, {"idTokenInfo": {"status": "Accepted"}}, now)  # by the terminal: nobody else is asked [C18]
        return
    if want is not None and not contract and charger.accepted and (said := said_before(charger, shown, now)) is not None:
        _decide(charger, evse, shown, said, now)
        return
    if want is not None and contract:
        centrally = charger.variables.yes("ISO15118Ctrlr.CentralContractValidationAllowed")
        payload |= (proved := proof(want.chain, charger.roots, centrally=centrally))
        if want.chain and not proved and charger.accepted:  # [C07.FR.02] [C07.FR.06]
            _refuse(charger, evse, UNPROVED)
            return
    if charger.call("Authorize", payload, evse=evse.id, about=want, urgent=True):
        return
    if evse.session is not None and charger.offline(now) < BRIEFLY and evse.session.held is None:
        evse.session.held = (now + HOLD, shown)  # the car polls and does not mind
    else:
        _alone(charger, evse, shown, now)


def release(charger: Charger, evse: Evse, now: float) -> None:
    """Go on with a token that waits for the connection: it is back, or will not come back in time. One that no car came for is over."""
    if evse.presented is not None and now >= evse.presented_due:  # [C01.FR.26]
        evse.presented = None
        charger.note(f"EVSE {evse.id}: no car came for the token that was shown")
    session = evse.session
    if session is not None and session.held is not None and (charger.accepted or now >= session.held[0]):
        shown = session.held[1]
        if charger.accepted:
            session.held = None
        ask(charger, evse, shown, now)
        session.held = None


def take_verdict(charger: Charger, evse: Evse, call: Call, response: Payload, now: float) -> None:
    """Take the AuthorizeResponse of the CSMS, and tell the session its verdict."""
    shown = call.payload["idToken"]
    remember(charger, shown, response, now)
    session = evse.session
    if isinstance(call.about, Stopping):
        _stop_if_allowed(charger, evse, response, now)
    elif session is not None and session.authorization is call.about and call.about is not None:  # not another car by now
        _decide(charger, evse, shown, response, now)


def _decide(charger: Charger, evse: Evse, shown: Payload, response: Payload, now: float) -> None:
    """Tell the waiting session the verdict of an AuthorizeResponse, of now or of before."""
    session, info = evse.session, response["idTokenInfo"]
    assert session is not None
    assert session.authorization is not None
    about = session.authorization
    fact = verdict(response, contract=about.authorization == "PnC", evse=evse.id)
    if isinstance(fact, Authorized) and master(charger, response):
        why = "a token of the master pass group ends transactions and begins none"
        end_all(charger, now)
        fact = AuthorizationRefused(Reason.CARD_REFUSED, why)
    if isinstance(fact, Authorized) and (why := reserved(charger, evse, shown, group_of(info))):
        fact = AuthorizationRefused(Reason.CARD_REFUSED, why)
    if isinstance(fact, Authorized) and (why := billing.take_drivers(charger, evse, response)):
        fact = AuthorizationRefused(Reason.CARD_REFUSED, why)
        transactions.update(charger, evse, "TariffNotAccepted", now)
    if isinstance(fact, Authorized):
        session.group = group_of(info)
        grant(charger, evse, shown, Authorized(fact.expires_soon, _leave(charger, evse, response)), now, info)
    else:
        session.authorization = None
        said = f"{objection(info, evse.id) or info['status']} {response.get('certificateStatus', '')}".rstrip()
        charger.note(f"EVSE {evse.id}: refused, {said}")
        charger.tell(evse, replace(fact, about=about.number))


def show(charger: Charger, evse: Evse, shown: Payload, now: float) -> None:
    """Take a token that someone shows at an EVSE: it ends what it may end, else waits for the car that it may let charge."""
    if stop_by(charger, evse, shown, now):
        return
    others = any("Authorized" in each.conditions for each in charger.evses.values())
    if others and (evse.session is None or evse.session.authorization is None) and charger.variables["AuthCtrlr.MasterPassGroupId"]:
        if (said := known(charger, shown, now)) is None:  # it may be a master pass, which is not shown for a car [C16]
            charger.call("Authorize", {"idToken": shown}, evse=evse.id, about=Stopping(""), urgent=True)
        elif _may_stop(charger, evse, said):
            end_all(charger, now)
            return
    evse.presented, evse.presented_due = shown, now + charger.variables.number("TxCtrlr.EVConnectionTimeOut")
    proceed(charger, evse, now)


def stop_by(charger: Charger, evse: Evse, shown: Payload, now: float) -> bool:
    """Take a token that is shown while a car charges by another or the same: it ends the transaction if it may (C09, C16).

    True where that is what it is shown for. The same token ends it at once; another must be of its group or of the master pass group.
    """
    session = evse.session
    if session is None or session.token is None or session.authorization is not None or evse.transaction is None:
        return False
    if name_of(shown) == name_of(session.token):
        transactions.stop(charger, evse, "Local", "StopAuthorized", "the token that began the transaction was shown again")
    elif (said := known(charger, shown, now)) is not None and _may_stop(charger, evse, said):
        _stop_if_allowed(charger, evse, said, now)
    elif not charger.call("Authorize", {"idToken": shown}, evse=evse.id, about=Stopping(evse.transaction.id), urgent=True):
        charger.note(f"EVSE {evse.id}: the CSMS is not there, and the token shown is not known to belong to the one that charges")
    return True


def _may_stop(charger: Charger, evse: Evse, response: Payload) -> bool:
    if response["idTokenInfo"]["status"] != "Accepted":
        return False
    group = group_of(response["idTokenInfo"])
    return master(charger, response) or (evse.session is not None and bool(group) and group == evse.session.group)


def end_all(charger: Charger, now: float) -> None:
    """End every transaction that a token began: a master pass was shown, and there is nothing here to choose one by [C16.FR.02]."""
    for evse in charger.evses.values():
        if evse.transaction is not None and "Authorized" in evse.conditions:
            transactions.cut(charger, evse, "MasterPass", "StopAuthorized", "a master pass ends the transaction", now)


def _stop_if_allowed(charger: Charger, evse: Evse, response: Payload, now: float) -> None:
    if not _may_stop(charger, evse, response):
        charger.note(f"EVSE {evse.id}: the token shown ends no transaction")
    elif master(charger, response):
        evse.presented = None
        end_all(charger, now)
    elif evse.transaction is not None:
        transactions.stop(charger, evse, "Local", "StopAuthorized", "a token of the same group ends the transaction")


def go_without_verdict(charger: Charger, evse: Evse, call: Call, code: str, now: float) -> None:
    """Decide without the CSMS, as offline, because its answer did not come."""
    if evse.session is not None and evse.session.authorization is call.about and call.about is not None:
        charger.note(f"EVSE {evse.id}: Authorize failed with {code}, the station decides alone")
        _alone(charger, evse, call.payload["idToken"], now)


def grant(charger: Charger, evse: Evse, shown: Payload, fact: Authorized, now: float, info: Payload | None = None) -> None:
    """Let the car charge (`fact`), tell its driver what `info` (idTokenInfo) has for him, and put the token `shown` on the transaction.

    Where all that is here would discharge, and it may not, it is refused.
    """
    assert evse.session is not None
    if not fact.energy_transfer:
        _refuse(charger, evse, "nothing that this EVSE has may be chosen without leave to discharge, and there is none")
        return
    want, evse.session.authorization, evse.session.token = evse.session.authorization, None, shown
    evse.allowed = tuple(service for service in fact.energy_transfer if service in evse.services)
    charger.tell(evse, fact if want is None else replace(fact, about=want.number))
    fares.greet(charger, evse, info or {})
    trigger = "RemoteStart" if evse.session.remote is not None else "Authorized"
    held = redeem(charger, evse, shown, evse.session.group)
    evse.session.reserved = None if held is None else charger.wall(now) - held.since
    transactions.begin(charger, evse, ("Authorized",), trigger, now, token=shown, reservation=held.id if held else None)


def allow(charger: Charger, evse: Evse, transfers: list[str], now: float) -> bool:
    """Let the car choose among these services from now on (Q02). One that it has and that is none of them discharges no more, at once.

    It is asked to choose anew where it has not been offered what is allowed now; before power flows, as soon as it does. Its token keeps
    the leave for times without connection. False, and nothing is changed, where this EVSE has none of the services.
    """
    session, allowed = evse.session, _bearable(evse, services(transfers))
    if not allowed:
        return False
    if session is not None and session.token is not None and name_of(session.token) in charger.cache.entries:
        remember(charger, session.token, {"allowedEnergyTransfer": transfers}, now)
    _permit(charger, evse, allowed, now)
    return True


def _permit(charger: Charger, evse: Evse, allowed: tuple[Service, ...], now: float) -> None:
    session, before = evse.session, set(evse.services if evse.allowed is None else evse.allowed)
    evse.allowed = allowed
    charger.tell(evse, ServicesAllowed(allowed))
    if session is not None and session.selected is not None and (not evse.may_give or set(allowed) - before):
        session.reselect = True
        reselect(charger, evse)
    steering.steer(charger, evse, now)


def _bearable(evse: Evse, named: tuple[Service, ...]) -> tuple[Service, ...]:
    """Of these services those that the EVSE has; while V2XChargingCtrlr.Enabled is false none that discharges."""
    return tuple(service for service in named if service in evse.services and (evse.v2x or not SERVICES[service].bidirectional))


def changed(charger: Charger, key: Key, now: float) -> None:
    """V2XChargingCtrlr.Enabled was set: from now on no car discharges at that EVSE, one that does not at once; or the next one may."""
    if key[:2] != ("V2XChargingCtrlr", "Enabled"):
        return
    evse = charger.evses[key[3]]
    evse.v2x = charger.variables[key] == "true"
    if evse.session is None or evse.v2x:
        return
    if left := _bearable(evse, evse.services if evse.allowed is None else evse.allowed):
        _permit(charger, evse, left, now)
    else:
        steering.steer(charger, evse, now)
        transactions.stop(charger, evse, "ReqEnergyTransferRejected", "ChargingStateChanged", "no car may discharge at this EVSE any more")


def reselect(charger: Charger, evse: Evse) -> None:
    """Ask a car under power to choose its service anew, where others are allowed than it was offered."""
    session = evse.session
    if session is not None and session.reselect and session.delivering:
        session.reselect = False
        charger.tell(evse, RenegotiationAsked("Service"))


def _alone(charger: Charger, evse: Evse, shown: Payload, now: float) -> None:
    """Without the CSMS: list and cache, or trust in the unknown; a contract only if the station may judge it, and can (C07, C13, C15)."""
    session = evse.session
    if session is None or session.authorization is None:
        return
    want, variables = session.authorization, charger.variables
    if want.authorization == "PnC" and want.chain and not rooted(want.chain, charger.roots):  # [C07.FR.08]
        _refuse(charger, evse, UNROOTED)
        return
    before = known(charger, shown, now)
    if before is None:
        may = variables.yes("AuthCtrlr.OfflineTxForUnknownIdEnabled")  # [C15]
    else:  # a token that is known, whatever of it, is no unknown one [C13.FR.04]
        may = variables.yes("AuthCtrlr.LocalAuthorizeOffline") and not objection(before["idTokenInfo"], evse.id)
        may = may and not master(charger, before)
    may = may and (want.authorization != "PnC" or variables.yes("ISO15118Ctrlr.ContractValidationOffline"))  # [C07.FR.07]
    group = group_of((before or {}).get("idTokenInfo", {}))
    why = reserved(charger, evse, shown, group)
    if may and not why:
        why = billing.take_drivers(charger, evse, before or {})
    if may and not why:
        session.group = group
        grant(charger, evse, shown, Authorized(energy_transfer=_leave(charger, evse, before or {})), now, (before or {}).get("idTokenInfo"))
    else:
        _refuse(charger, evse, why or "the CSMS is not there, and nothing that it said before lets this token charge")


def _refuse(charger: Charger, evse: Evse, why: str) -> None:
    """Refuse the car that waits for a verdict, in words of our own."""
    session = evse.session
    if session is not None and (want := session.authorization) is not None:
        session.authorization = None
        kind = Reason.CONTRACT_REFUSED if want.authorization == "PnC" else Reason.CARD_REFUSED
        charger.tell(evse, AuthorizationRefused(kind, why, about=want.number))


def _leave(charger: Charger, evse: Evse, response: Payload) -> tuple[Service, ...]:
    """What the car may choose by an AuthorizeResponse: where that names nothing we know, charging; discharging needs leave [Q01]."""
    if named := services(response.get("allowedEnergyTransfer", [])):
        return _bearable(evse, named)
    if "allowedEnergyTransfer" not in response and charger.v2x_unasked:
        return _bearable(evse, evse.services)
    return tuple(service for service in evse.services if not SERVICES[service].bidirectional)


def allowed_energy_transfer(charger: Charger, payload: Payload, now: float) -> Payload:
    """NotifyAllowedEnergyTransfer (Q02): the allowed services changed, so the car is asked to choose again."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is None or evse.session is None:
        return no("InvalidValue", "no such transaction runs")
    if not charger.variables.yes("ISO15118Ctrlr.ServiceRenegotiationSupport"):
        return no("UnsupportedRequest", "services are not renegotiated here")
    if not allow(charger, evse, payload["allowedEnergyTransfer"], now):
        return no("InvalidValue", "this EVSE has none of these services")
    return {"status": "Accepted"}


BLOCK: Final = Block(
    requests={"NotifyAllowedEnergyTransfer": allowed_energy_transfer},
    answers={"Authorize": answer_at(take_verdict)},
    failures={"Authorize": failure_at(go_without_verdict)},
    changed=changed,
)
