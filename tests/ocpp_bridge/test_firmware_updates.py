"""Firmware updates in frames: what is refused, each status in order, when it is installed, and what outlives a kill. In both versions."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ocpp_bridge.blocks.firmware import LAST_WORDS, RESTART, take_activation, take_file, take_installation, work
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model.firmware import CUTS_MAXIMUM, Firmware, Update
from ocpp_bridge.model.safe import Holdings
from ocpp_bridge.model.transfer import ATTEMPTS_MAXIMUM
from ocpp_bridge.wire.times import timestamp
from secc.station import SessionStarted
from tests.ocpp_bridge.firmware_maker import FILE, Maker
from tests.ocpp_bridge.ocpp_certificates import der
from tests.ocpp_bridge.ocpp_stand import WALL, charger
from tests.ocpp_bridge.test_bridge import EVCCID, Played

URL = "https://csms.example/firmware.bin"
DIGEST = hashlib.sha256(FILE).hexdigest()
FETCHED = ["Downloading", "Downloaded", "SignatureVerified"]


class Nobody:
    """An installer that is asked nothing here: the test is the shell."""


@pytest.fixture(scope="module")
def maker(tmp_path_factory) -> Maker:
    return Maker(tmp_path_factory.mktemp("maker"))


def equipped(p: Played, maker: Maker, **more) -> Played:
    p.charger.firmware = Firmware(Nobody(), Path("/nowhere"), ("csms.example",), **more)
    p.charger.safe.holdings = Holdings({"ManufacturerRootCertificate": (der(maker.certificate),)})
    return p


def station(maker: Maker, version: str = "ocpp2.1", evses: int = 1, **more) -> Played:
    p = equipped(Played(evses=evses), maker, **more)
    p.bridge.go_online(version, p.now)
    return p.run()


def ask(p: Played, maker: Maker, request: int = 7, key: str = "rsa", how: dict | None = None, **firmware) -> dict:
    wanted = {name: value for name, value in (maker.firmware(URL, key) | firmware).items() if value is not None}
    answer = p.ask("UpdateFirmware", {"requestId": request, "firmware": wanted} | (how or {}))
    p.run()
    return answer


def told(p: Played) -> list[str]:
    return [each["status"] for each in p.calls("FirmwareStatusNotification")]


def alarms(p: Played) -> list[str]:
    """The events of security that a CSMS heard, without that of the start."""
    return [each["type"] for each in p.calls("SecurityEventNotification") if each["type"] != "StartupOfTheDevice"]


def fetched(p: Played, digest: str = DIGEST, why: str = "") -> Update:
    [(kind, update)] = work(p.charger)
    assert kind == "download"
    take_file(p.charger, update, digest, why, p.now)
    p.run()
    return update


def installed(p: Played, status: str = "Installed", why: str = "", kind: str = "install") -> Update:
    [(wanted, update)] = work(p.charger)
    assert wanted == kind
    take_installation(p.charger, update, status, why, p.now)
    p.run()
    return update


def killed(p: Played, maker: Maker, version: str = "ocpp2.1") -> Played:
    """The station after a kill, with what it kept, connected and accepted anew."""
    p.kept = getattr(p, "kept", {}) | p.bridge.changes()
    again = Played()
    again.bridge, again.kept, again.now = Bridge(charger()), p.kept, p.now
    equipped(again, maker)
    again.bridge.restore({name: value for name, value in p.kept.items() if value is not None})
    again.bridge.go_online(version, again.now)
    return again.run()


# --- what is told ---


@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
@pytest.mark.parametrize("key", ["rsa", "secp256r1", "secp384r1"])
def test_each_status_of_an_update_is_told_in_order(maker, version, key):
    p = station(maker, version)
    assert ask(p, maker, key=key) == {"status": "Accepted"}
    fetched(p)
    installed(p)
    assert told(p) == [*FETCHED, "Installing", "Installed"]
    assert {each["requestId"] for each in p.calls("FirmwareStatusNotification")} == {7}
    assert alarms(p)[-1] == "FirmwareUpdated"
    assert any(text.startswith("FirmwareUpdated") for _, text in p.charger.logs.security)


def test_what_is_for_later_is_fetched_and_installed_then(maker):
    p = station(maker)
    ask(p, maker, retrieveDateTime=timestamp(WALL + 100.0), installDateTime=timestamp(WALL + 500.0))
    assert told(p) == ["DownloadScheduled"]
    assert not work(p.run(99.0).charger)
    fetched(p.run(2.0))
    assert told(p) == ["DownloadScheduled", *FETCHED, "InstallScheduled"]
    assert not work(p.run(390.0).charger)
    installed(p.run(20.0))
    assert told(p)[5:] == ["Installing", "Installed"]


def test_a_restart_is_told_before_it_and_what_runs_after_it(maker):
    p = station(maker)
    ask(p, maker)
    fetched(p)
    installed(p, "InstallRebooting")
    [(kind, update)] = work(p.charger)
    assert (kind, told(p)) == ("activate", [*FETCHED, "Installing", "InstallRebooting"])
    take_activation(p.charger, update, "", p.now)
    q = killed(p, maker)
    assert q.calls("BootNotification")[0]["reason"] == "FirmwareUpdate"
    installed(q, "Installed", kind="confirm")
    assert told(q) == ["Installed"]
    assert alarms(q)[-1] == "FirmwareUpdated"
    assert work(q.run(10_000.0).charger) == []


def test_a_restart_waits_until_the_csms_has_heard_of_it_and_no_longer_than_that(maker):
    p = station(maker)
    ask(p, maker)
    fetched(p)
    p.bridge.go_offline(p.now)
    installed(p, "InstallRebooting")
    assert work(p.charger) == []
    assert [kind for kind, _ in work(p.run(LAST_WORDS).charger)] == ["activate"]


def test_a_station_that_does_not_restart_says_so(maker):
    p = station(maker)
    ask(p, maker)
    fetched(p)
    installed(p, "InstallRebooting")
    [(_, update)] = work(p.charger)
    take_activation(p.charger, update, "", p.now)
    p.run(RESTART - 1.0)
    assert told(p)[-1] == "InstallRebooting"
    p.run(2.0)
    assert told(p)[-1] == "InstallationFailed"
    assert p.charger.evses[1].status == "Available"


@pytest.mark.parametrize("status", ["InstallVerificationFailed", "InstallationFailed"])
def test_what_cannot_be_installed_is_told_and_cars_are_served_again(maker, status):
    p = station(maker)
    ask(p, maker)
    fetched(p)
    assert p.charger.evses[1].status == "Unavailable"
    installed(p, status, "no such model")
    assert told(p) == [*FETCHED, "Installing", status]
    assert p.calls("FirmwareStatusNotification")[-1]["statusInfo"]["additionalInfo"] == "no such model"
    assert p.charger.evses[1].status == "Available"


def test_what_the_csms_did_not_hear_it_hears_when_it_is_back(maker):
    p = station(maker)
    ask(p, maker)
    p.bridge.go_offline(p.now)
    fetched(p)
    installed(p)
    assert told(p) == ["Downloading"]
    p.bridge.go_online("ocpp2.0.1", p.now)
    assert told(p.run()) == [*FETCHED, "Installing", "Installed"]


def test_how_it_stands_is_told_when_it_is_asked_for(maker):
    p = station(maker)
    for act in (lambda: ask(p, maker), lambda: fetched(p, why="no route"), lambda: None):
        p.ask("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
        act()
    asked = p.calls("FirmwareStatusNotification")
    assert asked[0] == {"status": "Idle"}
    assert asked[2] == {"status": "Downloading", "requestId": 7}
    assert asked[4] == {"status": "DownloadPaused", "requestId": 7}


# --- what is refused ---


def test_without_an_installer_nothing_is_fetched(maker):
    p = Played().boot()
    answer = ask(p, maker)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "UnsupportedRequest")
    assert not work(p.charger)


@pytest.mark.parametrize("url", ["https://evil.example/x", "file:///etc/passwd", "ftp://csms.example/x", "https://csms.example/a b"])
def test_firmware_is_fetched_from_the_csms_and_whom_the_owner_names(maker, url):
    p = station(maker)
    assert ask(p, maker, location=url)["statusInfo"]["reasonCode"] == "InvalidURL"
    assert (work(p.charger), told(p)) == ([], [])


def test_unsigned_firmware_is_taken_where_the_owner_says_so_alone(maker):
    p, bare = station(maker), {"signature": None, "signingCertificate": None}
    assert ask(p, maker, **bare)["statusInfo"]["reasonCode"] == "MissingParam"
    q = station(maker, unsigned=True)
    assert ask(q, maker, signature=None)["statusInfo"]["reasonCode"] == "MissingParam"
    assert ask(q, maker, **bare)["status"] == "Accepted"
    fetched(q)
    assert told(q) == ["Downloading", "Downloaded", "Installing"]


def wrong(maker: Maker, folder: Path) -> dict[str, str]:
    """Certificates that sign nothing here, by what is wrong with them."""
    stranger = Maker(folder / "stranger")
    return {
        "no manufacturer's root": stranger.signer(),
        "ended": maker.signer(days=-0.0001),
        "extended key usage": maker.signer(purpose="CLIENT_AUTH"),
        "key usage": maker.pem,
        "rsa1024": maker.signer("small"),
        "without sub-CAs": maker.signer() + maker.pem,
        "no PEM": "a certificate",
    }


def test_a_certificate_that_signs_no_firmware_is_refused_and_an_event(maker, tmp_path):
    for said, certificate in wrong(maker, tmp_path).items():
        p = station(maker)
        answer = ask(p, maker, signingCertificate=certificate)
        assert answer["status"] == "InvalidCertificate"
        assert said in answer["statusInfo"]["additionalInfo"]
        assert (alarms(p), told(p), work(p.charger)) == (["InvalidFirmwareSigningCertificate"], [], [])


def test_without_a_root_no_certificate_is_good(maker):
    p = station(maker)
    p.charger.safe.holdings = Holdings()
    assert "install one first" in ask(p, maker)["statusInfo"]["additionalInfo"]


@pytest.mark.parametrize("other", [{"key": "secp256r1"}, {"file": FILE[:-1]}])
def test_a_signature_that_is_not_one_over_the_file_ends_it_with_an_event(maker, other):
    p = station(maker)
    ask(p, maker, signature=maker.signature(**other))
    fetched(p)
    assert (told(p), alarms(p)) == (["Downloading", "Downloaded", "InvalidSignature"], ["InvalidFirmwareSignature"])
    assert work(p.run(10_000.0).charger) == []


def test_octets_that_are_no_base64_are_no_signature(maker):
    assert ask(station(maker), maker, signature="*")["statusInfo"]["reasonCode"] == "InvalidValue"


def test_a_certificate_that_ends_while_it_is_fetched_proves_nothing(maker):
    p = station(maker)
    ask(p, maker, signingCertificate=maker.signer(days=timedelta(seconds=60) / timedelta(days=1)))
    p.now += 100.0
    fetched(p)
    assert told(p)[-1] == "InvalidSignature"


# --- tried again, given up ---


def test_what_could_not_be_fetched_is_tried_again_as_often_as_was_asked_for(maker):
    p = station(maker)
    ask(p, maker, how={"retries": 1, "retryInterval": 60})
    fetched(p, why="no route")
    assert work(p.run(59.0).charger) == []
    fetched(p.run(2.0), why="no route")
    assert told(p) == ["Downloading", "DownloadPaused", "Downloading", "DownloadFailed"]
    assert p.calls("FirmwareStatusNotification")[-1]["statusInfo"]["additionalInfo"] == "no route"
    assert work(p.run(10_000.0).charger) == []


def test_a_million_retries_are_ten_attempts(maker):
    p = station(maker)
    ask(p, maker, how={"retries": 1_000_000, "retryInterval": -5})
    for _ in range(ATTEMPTS_MAXIMUM):
        fetched(p, why="no route")
        p.run(10.0)
    assert told(p)[-1] == "DownloadFailed"


def test_another_update_takes_the_place_of_one_that_is_not_being_installed(maker):
    p = station(maker)
    ask(p, maker)
    [(_, first)] = work(p.charger)
    assert ask(p, maker, request=8) == {"status": "AcceptedCanceled"}
    take_file(p.charger, first, DIGEST, "", p.now)
    fetched(p)
    assert [(each["requestId"], each["status"]) for each in p.calls("FirmwareStatusNotification")][:3] == [
        (7, "Downloading"),
        (8, "Downloading"),
        (8, "Downloaded"),
    ]
    assert ask(p, maker, request=9)["statusInfo"]["reasonCode"] == "FwUpdateInProgress"
    installed(p)
    assert ask(p, maker, request=9) == {"status": "Accepted"}


def test_an_update_that_is_refused_leaves_the_one_before(maker):
    p = station(maker)
    ask(p, maker)
    ask(p, maker, request=8, signingCertificate="none")
    fetched(p)
    installed(p)
    assert told(p)[-1] == "Installed"


# --- cars ---


@pytest.mark.parametrize("allowed", [False, True])
def test_it_is_installed_once_nobody_charges_and_new_cars_wait_unless_they_may_come(maker, allowed):
    p = station(maker, evses=2)
    name = {"component": {"name": "ChargingStation"}, "variable": {"name": "AllowNewSessionsPendingFirmwareUpdate"}}
    p.ask("SetVariables", {"setVariableData": [name | {"attributeValue": str(allowed).lower()}]})
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    ask(p, maker)
    fetched(p)
    assert told(p) == [*FETCHED, "InstallScheduled"]
    assert [evse.status for evse in p.charger.evses.values()] == ["Occupied", "Available" if allowed else "Unavailable"]
    assert work(p.run(1000.0).charger) == []
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    p.run()
    assert told(p)[-1] == "Installing"
    assert [evse.status for evse in p.charger.evses.values()] == ["Unavailable", "Unavailable"]
    p.bridge.plug_in(2, p.now)
    p.run()
    assert p.charger.evses[2].transaction is None
    start = {"idToken": {"idToken": "AA", "type": "ISO14443"}, "remoteStartId": 1}
    assert p.ask("RequestStartTransaction", start)["status"] == "Rejected"
    installed(p)
    assert [evse.status for evse in p.charger.evses.values()] == ["Available", "Occupied"]


def test_a_station_is_not_reset_while_firmware_is_installed(maker):
    """[B11.FR.06]"""
    p = station(maker)
    ask(p, maker)
    fetched(p)
    refused = p.ask("Reset", {"type": "Immediate"})
    assert (refused["status"], refused["statusInfo"]["reasonCode"]) == ("Rejected", "FwUpdateInProgress")
    installed(p)
    assert p.ask("Reset", {"type": "Immediate"}) == {"status": "Accepted"}


# --- over a kill ---


def test_a_kill_in_the_midst_of_a_download_begins_it_anew_without_an_attempt(maker):
    p = station(maker)
    ask(p, maker, how={"retries": 0})
    for _ in range(CUTS_MAXIMUM):
        p = killed(p, maker)
        assert [kind for kind, _ in p.charger.firmware.work] == ["download"]
    fetched(p)
    installed(p)
    assert told(p) == ["Downloaded", "SignatureVerified", "Installing", "Installed"]


def test_a_file_that_kills_the_station_is_not_fetched_for_ever(maker):
    p = station(maker)
    ask(p, maker)
    for _ in range(CUTS_MAXIMUM + 1):
        p = killed(p, maker)
    assert (told(p), p.charger.firmware.work) == (["DownloadFailed"], [])


def test_what_was_fetched_before_a_kill_is_installed_after_it(maker):
    p = station(maker)
    ask(p, maker, installDateTime=timestamp(WALL + 500.0))
    fetched(p)
    q = killed(p, maker)
    installed(q.run(600.0))
    assert told(q) == ["Installing", "Installed"]


@pytest.mark.parametrize("status", ["Installed", "InstallationFailed"])
def test_what_a_kill_in_the_midst_of_an_installation_left_is_asked_of_its_installer(maker, status):
    p = station(maker)
    ask(p, maker)
    fetched(p)
    q = killed(p, maker)
    assert q.charger.evses[1].status == "Unavailable"
    installed(q, status, "" if status == "Installed" else "half of it", kind="confirm")
    assert (told(q), q.charger.evses[1].status) == ([status], "Available")


def test_an_owner_who_takes_no_firmware_any_more_leaves_none_under_way(maker):
    p = station(maker)
    ask(p, maker)
    q = killed(p, maker)
    q.charger.firmware = replace(q.charger.firmware, installer=None)
    q.charger.firmware.running.busy = False
    assert told(q.run()) == ["DownloadFailed"]
