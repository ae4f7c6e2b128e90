"""The rules of authorization (C01 to C17, E05) in frames, each by the number of its requirement: one row or one test for each."""

from importlib import import_module
from typing import NamedTuple

import pytest

from ocpp_bridge.blocks.authorization import UNPROVED, UNROOTED
from ocpp_bridge.blocks.billing import LOOK
from ocpp_bridge.model.known_tokens import name_of
from pki.profiles import Role
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    LimitsChanged,
    MeterReading,
    NeedsChanged,
    PowerStarted,
    ScheduleChosen,
    ServiceSelected,
    SessionStarted,
    SetpointChanged,
    StopAsked,
)
from tests.ocpp_bridge.ocpp_certificates import OTHERS, der
from tests.ocpp_bridge.ocpp_stand import NEEDS, WALL
from tests.ocpp_bridge.test_bridge import ANSWERS, EVCCID, Played
from tests.ocpp_bridge.test_local_authorization import card, charging, grouped, item, reborn, send, setting, show, waiting
from tests.ocpp_bridge.test_plug_and_charge import CERTIFICATES, CHAIN, ROOT, SPELLINGS
from v2g.energy.series import Series
from v2g.iso20.refusals import warning_of
from v2g.reasons import Reason

OTHER_ROOT = der(OTHERS[Role.MO_ROOT].certificate)
STARTS = (ScheduleChosen(0.0, Series.constant(WALL, 600.0, 5000.0), 1), PowerStarted(0.0))
SUSPENSION = ("Deauthorized", "ChargingStateChanged")
REFUSED = {"idTokenInfo": {"status": "Blocked"}}


def contract(p: Played, chain: tuple[bytes, ...] = CHAIN) -> Played:
    return p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, SPELLINGS[0], chain))


def alone(p: Played) -> Played:
    p.bridge.go_offline(p.now)
    p.run(100.0).told.clear()
    return p


# --- without the CSMS: one table ---


class Offline(NamedTuple):
    """A token that is shown without connection: what the list says of it, what is set, and whether its car charges."""

    requirement: str
    contract: bool = False
    listed: str = ""
    local: str = "true"  # LocalAuthorizeOffline
    unknown: str = "false"  # OfflineTxForUnknownIdEnabled
    validates: str = "true"  # ContractValidationOffline
    root: bytes = ROOT
    charges: bool = False


OFFLINE = (
    Offline("C13.FR.01", listed="Accepted", charges=True),
    Offline("C13.FR.02", listed="Accepted", local="false"),
    Offline("C13.FR.02 and C15: known, so not unknown", listed="Accepted", local="false", unknown="true"),
    Offline("C13.FR.04", listed="Blocked"),
    Offline("C13.FR.04 beside C15", listed="Blocked", unknown="true"),
    Offline("C13.FR.04 whatever is local", listed="Blocked", local="false", unknown="true"),
    Offline("C13.FR.04 expired", listed="Expired", unknown="true"),
    Offline("C15.FR.01 not enabled"),
    Offline("C15 enabled", unknown="true", charges=True),
    Offline("C07.FR.07", contract=True, listed="Accepted", validates="false"),
    Offline("C07.FR.07 beside C15", contract=True, unknown="true", validates="false"),
    Offline("C07.FR.08 and 09", contract=True, listed="Accepted", charges=True),
    Offline("C07.FR.08 without the root", contract=True, listed="Accepted", root=OTHER_ROOT),
    Offline("C07.FR.08 without the root, beside C15", contract=True, unknown="true", root=OTHER_ROOT),
    Offline("C07.FR.10 not enabled", contract=True),
    Offline("C07.FR.10", contract=True, unknown="true", charges=True),
    Offline("C07.FR.11", contract=True, listed="Accepted", local="false", unknown="true"),
    Offline("C07.FR.12", contract=True, listed="Blocked", unknown="true"),
)


@pytest.mark.parametrize("row", OFFLINE, ids=[row.requirement for row in OFFLINE])
def test_what_decides_without_the_csms(row):
    p = Played(roots=(row.root,)).boot()
    for name, value in (
        ("AuthCtrlr.LocalAuthorizeOffline", row.local),
        ("AuthCtrlr.OfflineTxForUnknownIdEnabled", row.unknown),
        ("ISO15118Ctrlr.ContractValidationOffline", row.validates),
    ):
        assert setting(p, name, value) == "Accepted"
    if row.listed:
        shown = {"idToken": SPELLINGS[0], "type": "eMAID"} if row.contract else card()
        send(p, 1, {"idToken": shown, "idTokenInfo": {"status": row.listed}})
    alone(p)
    if row.contract:
        contract(p)
    else:
        show(p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID)))
    assert bool(p.facts(Authorized)) is row.charges
    assert bool(p.facts(AuthorizationRefused)) is not row.charges
    if row.root is OTHER_ROOT:
        assert p.facts(AuthorizationRefused)[-1].reason == UNROOTED
    assert all(event.get("offline") for event in p.events)


# --- C01: a token that is shown ---


def test_c01_fr_26_a_token_that_no_car_comes_for_ends_after_its_time():
    p = Played().boot()
    setting(p, "TxCtrlr.EVConnectionTimeOut", "120")
    show(p).run(119.0)
    p.run(2.0)
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert not p.calls("Authorize")
    assert not p.facts(Authorized)


def test_c01_fr_26_within_its_time_it_lets_the_car_charge():
    p = Played().boot()
    setting(p, "TxCtrlr.EVConnectionTimeOut", "120")
    show(p).run(119.0)
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert p.facts(Authorized)


@pytest.mark.parametrize(("other", "same"), [(card("0a1b"), True), (card("0A1B", "Local"), False), (card("0A1B2"), False)])
def test_c01_fr_25_tokens_are_the_same_by_text_and_type_whatever_is_added_to_them(other, same):
    added = {"additionalInfo": [{"additionalIdToken": "x", "type": "EVCCID"}]}
    assert (name_of(card() | added) == name_of(other)) is same


def test_c02_where_nobody_need_be_authorized_nobody_is_asked():
    p = Played().boot()
    setting(p, "AuthCtrlr.Enabled", "false")
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert p.facts(Authorized)
    assert not p.calls("Authorize")
    assert p.events[-1]["idToken"] == {"idToken": "", "type": "NoAuthorization"}


@pytest.mark.parametrize("kind", ["ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress"])
def test_c01_c04_c06_a_token_of_any_kind_is_asked_about_as_it_was_shown(kind):
    p = waiting()
    p.bridge.take_token(1, card(kind=kind), p.now)
    assert p.run().calls("Authorize") == [{"idToken": card(kind=kind)}]
    assert p.events[-1]["idToken"] == card(kind=kind)


# --- C02, C03, C05: tokens of the CSMS itself ---


@pytest.mark.parametrize("kind", ["Central", "NoAuthorization"])
def test_c05_fr_01_a_token_that_the_csms_made_is_not_asked_about_nor_kept(kind):
    p = waiting()
    assert setting(p, "AuthCtrlr.AuthorizeRemoteStart", "true") == "Accepted"
    token = {"idToken": "" if kind == "NoAuthorization" else "made-by-csms", "type": kind}
    assert p.ask("RequestStartTransaction", {"idToken": token, "remoteStartId": 3})["status"] == "Accepted"
    assert p.facts(Authorized)
    assert not p.calls("Authorize")
    assert not p.charger.cache.entries
    assert (p.events[-1]["triggerReason"], p.events[-1]["idToken"]) == ("RemoteStart", token)


def test_f01_another_token_is_asked_about_where_remote_starts_are_authorized():
    p = waiting()
    p.ask("RequestStartTransaction", {"idToken": card(), "remoteStartId": 3})
    assert p.calls("Authorize")


# --- C07: contracts, with the CSMS ---


@pytest.mark.parametrize("root", [ROOT, OTHER_ROOT])
def test_c07_fr_02_and_06_a_contract_that_cannot_be_proved_is_refused_before_the_csms_is_asked(root):
    """Without hash data and without leave to send the chain, a CSMS could only say that the account is known, not that the car has it."""
    p = Played(roots=(root,)).boot()
    setting(p, "ISO15118Ctrlr.CentralContractValidationAllowed", "false")
    if root is ROOT:
        assert contract(p).calls("Authorize")[-1]["iso15118CertificateHashData"]
        return
    contract(p)
    assert not p.calls("Authorize")
    assert (p.facts(AuthorizationRefused)[-1].kind, p.facts(AuthorizationRefused)[-1].reason) == (Reason.CONTRACT_REFUSED, UNPROVED)


def test_c07_fr_06_without_the_root_the_chain_is_for_the_csms_to_judge():
    p = contract(Played(roots=(OTHER_ROOT,)).boot())
    assert p.calls("Authorize")[-1]["certificate"].count("BEGIN CERTIFICATE") == len(CHAIN)


VERDICTS = {  # C07.FR.13 to 17: certificateStatus, idTokenInfo.status -> what the session is told
    ("Accepted", "Unknown"): Reason.UNKNOWN_PROVIDER,
    ("Accepted", "NoCredit"): Reason.CONTRACT_REFUSED,
    ("Accepted", "ConcurrentTx"): Reason.CONTRACT_REFUSED,
    ("ContractCancelled", "Blocked"): Reason.CONTRACT_REFUSED,
    ("ContractCancelled", "Unknown"): Reason.UNKNOWN_PROVIDER,
    ("CertificateExpired", "Expired"): Reason.CERTIFICATE_EXPIRED,
    ("CertificateRevoked", "Invalid"): Reason.CERTIFICATE_REVOKED,
    ("CertChainError", "Invalid"): Reason.WRONG_CERTIFICATE,
    ("SignatureError", "Invalid"): Reason.WRONG_CERTIFICATE,
    ("NoCertificateAvailable", "Invalid"): Reason.NO_CERTIFICATE,
    ("CertificateRevoked", "Accepted"): Reason.CERTIFICATE_REVOKED,  # a CSMS that contradicts itself lets nobody charge
}


HEARD = {  # what the car hears of it
    Reason.UNKNOWN_PROVIDER: "WARNING_eMSPUnknown",
    Reason.CONTRACT_REFUSED: "WARNING_GeneralPnCAuthorizationError",
    Reason.CERTIFICATE_EXPIRED: "WARNING_CertificateExpired",
    Reason.CERTIFICATE_REVOKED: "WARNING_CertificateRevoked",
    Reason.WRONG_CERTIFICATE: "WARNING_CertificateValidationError",
    Reason.NO_CERTIFICATE: "WARNING_NoCertificateAvailable",
}


def test_c07_fr_13_to_17_every_status_of_a_certificate_has_its_row_and_the_car_hears_it():
    assert {certificate for certificate, _ in VERDICTS} == set(CERTIFICATES)
    assert set(VERDICTS.values()) == set(HEARD)
    assert {reason: warning_of(reason).value for reason in HEARD} == HEARD


@pytest.mark.parametrize(("certificate", "status"), VERDICTS)
def test_c07_fr_13_to_17_each_verdict_of_the_csms_is_one_that_the_session_is_told(certificate, status):
    p = Played(roots=(ROOT,))
    p.answers["Authorize"] = {"idTokenInfo": {"status": status}, "certificateStatus": certificate}
    contract(p.boot())
    assert [fact.kind for fact in p.facts(AuthorizationRefused)] == [VERDICTS[certificate, status]]
    assert not p.facts(Authorized)


# --- C10: what is kept of verdicts ---


def test_c10_fr_10_an_entry_holds_for_its_lifetime_since_the_csms_said_it_however_often_it_is_used():
    p = waiting()
    show(p)
    setting(p, "AuthCtrlr.LocalPreAuthorize", "true")
    setting(p, "AuthCacheCtrlr.LifeTime", "50")
    asked = []
    for _ in range(3):
        p.bridge.unplug(1, p.now)
        p.run(20.0).want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
        asked.append(len(show(p).calls("Authorize")))
    assert asked == [1, 1, 2]


@pytest.mark.parametrize("ahead", [-1.0, 0.0])
def test_c10_fr_13_an_entry_whose_end_is_past_lets_nobody_charge(ahead):
    p = waiting()
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted", "cacheExpiryDateTime": f"2026-11-22T18:00:0{int(ahead + 1)}Z"}}
    show(p)
    p.bridge.unplug(1, p.now)
    alone(p).want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert show(p).facts(AuthorizationRefused)
    assert WALL  # the time at which these entries ended


# --- C16: the master pass ---


def two_charging() -> Played:
    p = Played(evses=2).boot()
    setting(p, "AuthCtrlr.MasterPassGroupId", "Police")
    for evse in (1, 2):
        p.bridge.want(evse, SessionStarted(0.0, bytes(8), f"{EVCCID[:-1]}{evse}"), p.now)
        p.bridge.want(evse, AuthorizationWanted(0.0, "EIM", EVCCID), p.now)
        p.bridge.take_token(evse, card(f"driver{evse}"), p.now)
        p.run()
        p.bridge.want(evse, ServiceSelected(0.0, "DC", "Scheduled"), p.now)
    return p.run()


@pytest.mark.parametrize("listed", [True, False])
def test_c16_fr_02_a_master_pass_ends_the_transactions_of_the_whole_station(listed):
    p = two_charging()
    if listed:
        send(p, 1, item("badge", groupIdToken=card("police", "Central")))
        alone(p)
    else:
        p.answers["Authorize"] = grouped("police")
    show(p, "badge")
    assert len(p.facts(StopAsked)) == 2
    for evse in (1, 2):
        p.bridge.end_session(evse, p.now)
    p.bridge.go_online("ocpp2.1", p.now)
    ends = [event["transactionInfo"] for event in p.run().events if event["eventType"] == "Ended"]
    assert [end["stoppedReason"] for end in ends] == ["MasterPass", "MasterPass"]


def test_c16_at_an_evse_that_waits_for_a_token_it_ends_the_others_and_begins_nothing():
    p = two_charging()
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.told.clear()
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    p.answers["Authorize"] = grouped("police")
    show(p, "badge")
    assert len(p.facts(StopAsked)) == 1
    assert not p.facts(Authorized)


@pytest.mark.parametrize("listed", [True, False])
def test_c16_at_an_evse_without_a_car_it_ends_the_others_at_once_and_waits_for_none(listed):
    p = two_charging()
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.told.clear()
    if listed:
        send(p, 1, item("badge", groupIdToken=card("police", "Central")))
    p.answers["Authorize"] = grouped("police")
    show(p, "badge")
    assert len(p.facts(StopAsked)) == 1
    assert p.charger.evses[1].presented is None


def test_c16_another_card_that_is_shown_there_ends_nothing_and_waits_for_its_car():
    p = two_charging()
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.told.clear()
    show(p, "somebody")
    assert not p.facts(StopAsked)
    assert p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID)).facts(Authorized)


# --- E05: a token that the CSMS does not accept once it charges ---


def charges(most: str | None = None, control: str = "Scheduled") -> Played:
    """A car under power, whose CSMS may refuse its token from the next event on; the station is not to end that transaction."""
    p = Played().boot()
    setting(p, "TxCtrlr.StopTxOnInvalidId", "false")
    if most is not None:
        assert setting(p, "TxCtrlr.MaxEnergyOnInvalidId", most) == "Accepted"
    p.arrive(control=control)
    p.install({"startPeriod": 0, "limit": 9000.0})
    meter(p, 1000.0).want(*STARTS)
    p.told.clear()
    return p


def meter(p: Played, imported: float) -> Played:
    p.bridge.take_reading(1, MeterReading("M1", imported, 0.0, WALL), 5000.0)
    return p


def refuses(p: Played) -> Played:
    p.answers["TransactionEvent"] = REFUSED
    return event(p)


def event(p: Played) -> Played:
    p.ask("TriggerMessage", {"requestedMessage": "TransactionEvent"})
    return p.run(LOOK)


def power(p: Played) -> float:
    return p.facts(LimitsChanged)[-1].limits.charge_power


def test_e05_fr_02_where_an_invalid_token_ends_its_transaction_the_car_is_asked_to_stop():
    p = charging()
    p.answers["TransactionEvent"] = REFUSED
    p.want(PowerStarted(0.0))
    assert p.facts(StopAsked)
    p.bridge.end_session(1, p.now)
    p.run()
    assert (p.events[-1]["triggerReason"], p.events[-1]["transactionInfo"]["stoppedReason"]) == ("Deauthorized", "DeAuthorized")


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_e05_fr_01_where_it_does_not_end_it_power_is_suspended_at_once(control):
    p = refuses(charges(control=control))
    assert not p.facts(StopAsked)
    assert power(p) == 0.0
    assert control == "Scheduled" or p.facts(SetpointChanged)[-1].power == 0.0
    told = [
        (event["triggerReason"], event["transactionInfo"]["chargingState"]) for event in p.events if event["triggerReason"] in SUSPENSION
    ]
    assert told[-2:] == [("Deauthorized", "Charging"), ("ChargingStateChanged", "SuspendedEVSE")]
    assert p.charger.evses[1].transaction is not None


def test_e05_fr_03_up_to_the_energy_that_an_invalid_token_may_have_it_charges():
    p = refuses(charges("500"))
    assert not p.facts(LimitsChanged)
    meter(p, 1499.0).run(LOOK + 1.0)
    assert not p.facts(LimitsChanged)
    meter(p, 1500.0).run(LOOK + 1.0)
    assert power(p) == 0.0
    assert [event["triggerReason"] for event in p.events].count("Deauthorized") == 1


def test_e05_a_token_that_is_accepted_again_has_its_power_again():
    p = refuses(charges())
    p.answers["TransactionEvent"] = {"idTokenInfo": {"status": "Accepted"}}
    assert power(event(p)) > 0.0


def test_e05_an_invalid_token_is_known_over_a_kill():
    q = reborn(refuses(charges()))
    q.bridge.go_online("ocpp2.1", q.now)
    q.run()
    q.answers["TransactionEvent"] = {}
    q.want(SessionStarted(0.0, bytes(8), EVCCID, True), ServiceSelected(0.0, "DC_BPT", "Scheduled"), NeedsChanged(0.0, NEEDS, True))
    q.run(30.0).want(*STARTS).run(LOOK)
    assert power(q) == 0.0


def test_a_transaction_that_a_version_before_these_rules_kept_goes_on():
    kept = charges().bridge.changes()
    row = {name: value for name, value in kept["transaction/1"].items() if name not in ("unpaid", "spent")}
    p = Played()
    p.bridge.restore({"transaction/1": row})
    assert p.charger.evses[1].interrupted is not None
    assert p.charger.evses[1].interrupted.transaction.unpaid is None


def test_c15_a_car_that_charged_unknown_is_judged_once_the_csms_is_back():
    p = Played().boot()
    setting(p, "AuthCtrlr.OfflineTxForUnknownIdEnabled", "true")
    alone(p)
    show(p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID)))
    assert p.facts(Authorized)
    p.answers |= ANSWERS | {"TransactionEvent": REFUSED}
    p.bridge.go_online("ocpp2.1", p.now)
    assert p.run().facts(StopAsked)
    assert all(event["offline"] for event in p.events if "idToken" in event)


# --- rules whose tests stand elsewhere ---

ELSEWHERE = {
    "C01": "test_bridge::test_a_token_is_good_at_the_evses_it_names",
    "C07.FR.01": "test_plug_and_charge::test_a_contract_is_proved_by_hash_data_else_by_its_chain_if_the_csms_may_validate_it",
    "C08": "test_bridge::test_autocharge_takes_the_car_for_its_token",
    "C09": "test_local_authorization::test_another_token_ends_it_where_it_is_of_the_group",
    "C09 offline": "test_local_authorization::test_offline_the_group_is_known_from_the_list",
    "C10": "test_local_authorization::test_list_and_cache_survive_a_kill_in_their_order",
    "C10 by TransactionEvent": "test_local_authorization::test_what_a_transaction_event_says_of_a_token_is_known_from_then_on",
    "C10 its size": "test_local_authorization::test_a_full_cache_gives_up_who_may_not_charge_and_then_who_came_longest_ago",
    "C11": "test_local_authorization::test_a_cleared_cache_is_empty_after_a_kill_and_one_that_is_not_used_is_not_cleared",
    "C12": "test_local_authorization::test_a_token_of_the_cache_charges_unasked_only_where_that_is_allowed",
    "C12.FR.05": "test_local_authorization::test_a_token_that_the_cache_refuses_is_asked_about_unless_that_is_disabled",
    "C13": "test_local_authorization::test_an_entry_of_the_list_holds_until_its_end",
    "C14.FR.02": "test_local_authorization::test_a_token_of_the_list_charges_unasked_only_where_that_is_allowed",
    "C14.FR.03": "test_local_authorization::test_a_token_that_the_list_refuses_is_asked_about_unless_that_is_disabled",
    "C15 no discharge": "test_bridge::test_an_unknown_token_that_may_charge_offline_may_not_discharge",
    "C17": "test_limits::test_a_session_that_reaches_a_limit_ends_with_it_as_its_reason",
    "E07": "test_local_authorization::test_the_same_token_ends_its_transaction_without_asking",
}


@pytest.mark.parametrize("rule", ELSEWHERE)
def test_a_rule_that_is_proved_elsewhere_is(rule):
    module, name = ELSEWHERE[rule].split("::")
    assert callable(getattr(import_module(f"tests.ocpp_bridge.{module}"), name))
