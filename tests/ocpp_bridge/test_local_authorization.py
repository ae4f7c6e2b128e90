"""Local authorization list and authorization cache in frames: who charges unasked, who is refused, who may stop."""

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model import known_tokens
from ocpp_bridge.model.known_tokens import AuthorizationCache, LocalList
from ocpp_bridge.wire.link import FRAME_LIMIT
from ocpp_bridge.wire.times import timestamp
from secc.station import AuthorizationRefused, AuthorizationWanted, Authorized, ServiceSelected, SessionStarted, StopAsked
from tests.ocpp_bridge.ocpp_stand import WALL, charger
from tests.ocpp_bridge.test_bridge import ANSWERS, EVCCID, Played

AWAY = 100.0  # s, longer than a lost connection is waited for


def card(text: str = "0A1B", kind: str = "ISO14443") -> dict:
    return {"idToken": text, "type": kind}


def item(text: str, status: str = "Accepted", **more) -> dict:
    return {"idToken": card(text), "idTokenInfo": {"status": status, **more}}


def waiting() -> Played:
    """A car without contract waits for a card."""
    return Played().boot().want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))


def send(p: Played, version: int, *items: dict, kind: str = "Full") -> dict:
    more = {"localAuthorizationList": list(items)} if items else {}
    return p.ask("SendLocalList", {"versionNumber": version, "updateType": kind, **more})


def show(p: Played, text: str = "0A1B") -> Played:
    p.bridge.take_token(1, card(text), p.now)
    return p.run()


def version(p: Played) -> int:
    return p.ask("GetLocalListVersion", {})["versionNumber"]


def setting(p: Played, name: str, value: str) -> str:
    component, variable = name.split(".")
    data = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}
    return p.ask("SetVariables", {"setVariableData": [data]})["setVariableResult"][0]["attributeStatus"]


def reborn(p: Played) -> Played:
    """The station after a kill, with what it kept."""
    kept = p.bridge.changes()
    again = Played()
    again.bridge = Bridge(charger())
    again.bridge.restore({name: value for name, value in kept.items() if value is not None})
    return again


def away(p: Played) -> Played:
    p.bridge.go_offline(p.now)
    return p.run(AWAY)


# --- the list ---


def test_a_list_has_its_version_and_is_changed_in_steps():
    p = Played().boot()
    assert version(p) == 0
    assert send(p, 7, item("aa"), item("bb")) == {"status": "Accepted"}
    assert version(p) == 7
    assert send(p, 9, item("cc"), {"idToken": card("aa")}, kind="Differential") == {"status": "Accepted"}
    assert [entry["idToken"]["idToken"] for entry in p.charger.local_list.entries.values()] == ["bb", "cc"]
    assert p.charger.variables["LocalAuthListCtrlr.Entries"] == "2"
    assert send(p, 10, kind="Differential") == {"status": "Accepted"}
    assert (version(p), len(p.charger.local_list.entries)) == (10, 2)
    assert send(p, 2) == {"status": "Accepted"}  # a full list without tokens is an empty one
    assert (version(p), p.charger.local_list.entries) == (2, {})


@pytest.mark.parametrize(
    ("number", "items", "kind", "status", "reason"),
    [
        (0, [item("aa")], "Full", "Failed", "InvalidValue"),
        (5, [item("aa")], "Differential", "VersionMismatch", "InvalidValue"),
        (4, [item("aa")], "Differential", "VersionMismatch", "InvalidValue"),
        (6, [item("aa"), item("AA")], "Full", "Failed", "InvalidValue"),
        (6, [{"idToken": card("aa")}], "Full", "Failed", "MissingParam"),
        (6, [item(f"{n}") for n in range(known_tokens.ITEMS_MAXIMUM + 1)], "Full", "Failed", "TooManyElements"),
    ],
)
def test_a_list_that_is_refused_changes_nothing(number, items, kind, status, reason):
    p = Played().boot()
    send(p, 5, item("bb"))
    answer = send(p, number, *items, kind=kind)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == (status, reason)
    assert (version(p), list(p.charger.local_list.entries)) == (5, ["iso14443:bb"])


def test_a_list_is_refused_beyond_its_room(monkeypatch):
    monkeypatch.setattr(known_tokens, "LIST_MAXIMUM", 3)
    p = Played().boot()
    send(p, 1, item("a"), item("b"), item("c"))
    assert send(p, 2, item("d"), kind="Differential")["statusInfo"]["reasonCode"] == "OutOfStorage"
    assert send(p, 2, item("d"), {"idToken": card("a")}, kind="Differential") == {"status": "Accepted"}
    assert known_tokens.BYTES_MAXIMUM == FRAME_LIMIT


def test_a_list_that_is_not_used_is_not_taken():
    p = Played().boot()
    send(p, 5, item("bb"))
    assert setting(p, "LocalAuthListCtrlr.Enabled", "false") == "Accepted"
    assert (version(p), send(p, 6, item("aa"))["statusInfo"]["reasonCode"]) == (0, "NotEnabled")


def test_a_token_of_the_list_charges_unasked_only_where_that_is_allowed():
    p = waiting()
    send(p, 1, item("0a1b"))
    assert show(p).calls("Authorize")
    p = waiting()
    setting(p, "AuthCtrlr.LocalPreAuthorize", "true")
    send(p, 1, item("0a1b"))
    assert show(p).facts(Authorized)
    assert not p.calls("Authorize")
    assert p.events[-1]["idToken"] == card()


def test_a_token_that_the_list_refuses_is_asked_about_unless_that_is_disabled():
    p = waiting()
    send(p, 1, item("0A1B", "Blocked"))
    assert show(p).facts(Authorized)  # the CSMS has changed its mind
    p = waiting()
    setting(p, "LocalAuthListCtrlr.DisablePostAuthorize", "true")
    send(p, 1, item("0A1B", "Blocked"))
    assert show(p).facts(AuthorizationRefused)
    assert not p.calls("Authorize")


@pytest.mark.parametrize(
    ("said", "unknown", "charges"),
    [(item("0A1B"), "false", True), (item("0A1B", "Blocked"), "true", False), (item("ffff"), "false", False), (item("ffff"), "true", True)],
)
def test_offline_the_list_decides_and_one_that_it_refuses_is_no_unknown_one(said, unknown, charges):
    p = waiting()
    setting(p, "AuthCtrlr.OfflineTxForUnknownIdEnabled", unknown)
    send(p, 1, said)
    show(away(p))
    assert bool(p.facts(Authorized)) is charges
    assert bool(p.facts(AuthorizationRefused)) is not charges


def test_offline_nothing_local_counts_where_the_csms_says_so():
    p = waiting()
    setting(p, "AuthCtrlr.LocalAuthorizeOffline", "false")
    send(p, 1, item("0A1B"))
    assert show(away(p)).facts(AuthorizationRefused)


@pytest.mark.parametrize(("ahead", "charges"), [(50.0, False), (150.0, True)])
def test_an_entry_of_the_list_holds_until_its_end(ahead, charges):
    p = waiting()
    send(p, 1, item("0A1B", cacheExpiryDateTime=timestamp(WALL + ahead)))
    show(away(p))
    assert bool(p.facts(Authorized)) is charges


def test_list_and_cache_survive_a_kill_in_their_order():
    p = waiting()
    send(p, 3, item("aa"), item("bb"))
    send(p, 4, {"idToken": card("aa")}, kind="Differential")
    show(p, "one")
    p.bridge.unplug(1, p.now)
    p.run(10.0).want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    show(p, "two")
    q = reborn(p)
    assert (q.charger.local_list.number, list(q.charger.local_list.entries)) == (4, ["iso14443:bb"])
    assert list(q.charger.cache.entries) == ["iso14443:one", "iso14443:two"]
    assert q.charger.variables["LocalAuthListCtrlr.Entries"] == "1"


# --- the cache ---


def cached(answer: dict | None = None) -> Played:
    """A token that the CSMS has answered about; its car has left, another one waits."""
    p = waiting()
    p.answers["Authorize"] = answer or ANSWERS["Authorize"]
    show(p)
    p.bridge.unplug(1, p.now)
    p.run()
    p.sent.clear()
    p.told.clear()
    return p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))


def test_a_token_of_the_cache_charges_unasked_only_where_that_is_allowed():
    p = cached()
    assert show(p).calls("Authorize")
    p = cached()
    setting(p, "AuthCtrlr.LocalPreAuthorize", "true")
    assert show(p).facts(Authorized)[0].energy_transfer[0] == "DC"
    assert "DC_BPT" in p.facts(Authorized)[0].energy_transfer  # with the leave that it was given
    assert not p.calls("Authorize")


def test_a_token_that_the_cache_refuses_is_asked_about_unless_that_is_disabled():
    refused = {"idTokenInfo": {"status": "Blocked"}}
    p = cached(refused)
    assert len(show(p).calls("Authorize")) == 1
    p = cached(refused)
    setting(p, "AuthCacheCtrlr.DisablePostAuthorize", "true")
    assert show(p).facts(AuthorizationRefused)
    assert not p.calls("Authorize")


def test_a_full_cache_gives_up_who_may_not_charge_and_then_who_came_longest_ago(monkeypatch):
    monkeypatch.setattr(known_tokens, "CACHE_MAXIMUM", 3)
    cache = AuthorizationCache()
    for place, (name, status) in enumerate([("a", "Accepted"), ("b", "Accepted"), ("c", "Blocked")]):
        assert cache.put(card(name), {"idTokenInfo": {"status": status}}, place) == []
    cache.use(card("A"), 3.0)
    assert cache.put(card("d"), {"idTokenInfo": {"status": "Accepted"}}, 4.0) == ["iso14443:c"]
    assert cache.put(card("e"), {"idTokenInfo": {"status": "Accepted"}}, 5.0) == ["iso14443:b"]


def test_a_cleared_cache_is_empty_after_a_kill_and_one_that_is_not_used_is_not_cleared():
    p = cached()
    assert p.ask("ClearCache", {}) == {"status": "Accepted"}
    assert not reborn(p).charger.cache.entries
    setting(p, "AuthCacheCtrlr.Enabled", "false")
    assert p.ask("ClearCache", {})["statusInfo"]["reasonCode"] == "NotEnabled"


def test_an_end_that_nobody_can_read_holds_for_nobody():
    assert LocalList(1, {"iso14443:aa": item("aa", cacheExpiryDateTime="soon")}).find(card("aa"), 0.0) is None


def test_what_a_transaction_event_says_of_a_token_is_known_from_then_on():
    p = cached()
    p.answers["TransactionEvent"] = {"idTokenInfo": {"status": "Blocked"}}
    show(p)
    assert p.charger.cache.entries["iso14443:0a1b"]["idTokenInfo"]["status"] == "Blocked"
    assert "allowedEnergyTransfer" in p.charger.cache.entries["iso14443:0a1b"]


# --- who may stop ---


def grouped(name: str) -> dict:
    return {"idTokenInfo": {"status": "Accepted", "groupIdToken": card(name, "Central")}}


def charging(group: str = "Family") -> Played:
    p = waiting()
    p.answers["Authorize"] = grouped(group)
    show(p)
    return p.want(ServiceSelected(0.0, "DC", "Scheduled"))


def test_the_same_token_ends_its_transaction_without_asking():
    p = charging()
    asked = len(p.calls("Authorize"))
    assert show(p, "0a1B").facts(StopAsked)
    assert len(p.calls("Authorize")) == asked
    p.bridge.end_session(1, p.now)
    p.run()
    assert (p.events[-1]["triggerReason"], p.events[-1]["transactionInfo"]["stoppedReason"]) == ("StopAuthorized", "Local")


@pytest.mark.parametrize(("group", "stops"), [("family", True), ("Others", False)])
def test_another_token_ends_it_where_it_is_of_the_group(group, stops):
    p = charging()
    p.answers["Authorize"] = grouped(group)
    show(p, "other")
    assert bool(p.facts(StopAsked)) is stops
    assert p.tx


def test_offline_the_group_is_known_from_the_list():
    p = charging()
    send(p, 1, item("son", groupIdToken=card("FAMILY", "Central")), item("guest", groupIdToken=card("Guests", "Central")))
    away(p)
    assert not show(p, "guest").facts(StopAsked)
    assert show(p, "son").facts(StopAsked)


def test_a_master_pass_ends_every_transaction_and_begins_none():
    p = charging()
    assert setting(p, "AuthCtrlr.MasterPassGroupId", "Police") == "Accepted"
    p.answers["Authorize"] = grouped("POLICE")
    assert show(p, "badge").facts(StopAsked)
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.run()
    assert "MasterPass" in [event["transactionInfo"].get("stoppedReason") for event in p.events]
    p.told.clear()
    p.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID))
    assert show(p, "badge").facts(AuthorizationRefused)
    assert not p.facts(Authorized)
