"""What a CSMS sees: the CSMS that the suite plays, and the cases about it against our own station in a process of its own."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.client import connect

from ocpp_bridge.model.contract import hash_data
from ocpp_bridge.wire.link import CallFailed, Link
from ocpp_bridge.wire.schemas import actions
from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import Store, create
from tests.conformance.harness import NOW
from tests.ocpp_bridge.ocpp_certificates import Ca
from tests.starved import again, heed
from tests.v2gkit.conform.faulty_ocpp import OCPP
from tests.v2gkit.conform.settings import CSMS, SETTINGS20, equipped
from tests.v2gkit.conform.station_mutants import judged
from tests.v2gkit.conform.stations import CLAIMS, QUICK, Own, bad, station
from v2gkit.conform.backend import Backend, tls_of
from v2gkit.conform.cases.ocpp_account import account, unproven
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.running import Unreached
from v2gkit.conform.verdict import Verdict

CASES = [case for case in catalogue().values() if case.family == "OCP"]
PLAYED = ("S-OCP-02", "S-OCP-04", "S-OCP-05", "S-OCP-20", "S-OCP-21", "S-OCP-23", "S-OCP-25")
BOOT = {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v"}}


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conform-ocpp") / "certs"
    create(path, [build(Plan(), "secp521r1", NOW)])
    return path


@again
def test_nothing_of_our_own_station_fails_at_a_csms(tmp_path: Path, certs: Path) -> None:
    _, more, port = equipped(SETTINGS20[CSMS], certs, tmp_path)
    cases = [replace(catalogue()[id_], parts=catalogue()[id_].parts[:1]) for id_ in PLAYED]
    with station(tmp_path, certs, outlets=3, more=more) as outlets:
        results = Own(outlets, certs, replace(CLAIMS, ocpp=True), QUICK, csms=port).judged(cases)
    assert not bad(results)
    assert [each.verdict for each in results.values()] == [Verdict.PASS] * len(PLAYED)


@again
def test_nothing_fails_in_ocpp_2_0_1_over_wss(tmp_path: Path, certs: Path) -> None:
    """The station offers no other version, and takes no other CSMS than the one below that root."""
    ca = Ca(tmp_path / "csms", at=datetime.now(UTC))
    chain, key = ca.issue("server", purpose="SERVER_AUTH", names=("::1",))
    port, played = equipped(SETTINGS20[CSMS], certs, tmp_path).csms, ("S-OCP-02", "S-OCP-05", "S-OCP-25")
    more = f'[ocpp]\nurl = "wss://[::1]:{port}/ocpp"\ntrust = "{ca.root}"\nversions = ["ocpp2.0.1"]'
    cases = [replace(catalogue()[id_], parts=catalogue()[id_].parts[:1]) for id_ in played]
    with station(tmp_path, certs, outlets=2, more=more) as outlets:
        own = Own(outlets, certs, replace(CLAIMS, ocpp=True), QUICK, csms=port, csms_tls=tls_of(str(chain), str(key)))
        results = own.judged(cases)
    assert not bad(results)
    assert [each.verdict for each in results.values()] == [Verdict.PASS] * len(played)


@again
def test_a_fault_fails_its_case(certs: Path, tmp_path: Path) -> None:
    """One of them; `python -m tests.v2gkit.conform.station_mutants S-OCP` plays them all."""
    (found,) = judged(certs, tmp_path, "S-OCP-05", neighbours=False).values()
    heed(found.seen)
    assert found.verdict is Verdict.FAIL, found.seen


def test_each_case_has_a_fault() -> None:
    assert {case.id for case in CASES if case.generation == "20"} == {f"S-OCP-{number:02}" for number in OCPP}
    assert {case.id for case in CASES if case.generation == "2"} == {f"S2-OCP-{number:02}" for number in OCPP if number != 22}
    assert all(case.basis and case.domain == "OCPP" for case in CASES)


def of(claims: Any, csms: int, certs: Path, tmp_path: Path) -> Any:
    """The result of a case at a station that is not connected to any CSMS."""
    with station(tmp_path, certs, outlets=1) as outlets:
        test = replace(QUICK, arrival=0.5, returns=0.5)
        return Own(outlets, certs, claims, test, csms=csms).judged([catalogue()["S-OCP-25"]])["S-OCP-25"]


@again
def test_a_station_that_does_not_connect_is_not_blamed(tmp_path: Path, certs: Path) -> None:
    port = equipped(SETTINGS20[CSMS], certs, tmp_path).csms
    found = of(replace(CLAIMS, ocpp=True), port, certs, tmp_path)
    assert (found.verdict, found.seen) == (Verdict.INCONCLUSIVE, "no station connects to this CSMS within 0.5 s")


@again
def test_without_a_csms_nothing_is_judged(tmp_path: Path, certs: Path) -> None:
    found = of(replace(CLAIMS, ocpp=True), 0, certs, tmp_path)
    assert found.verdict is Verdict.BLOCKED
    assert "--csms" in found.seen
    assert of(CLAIMS, 0, certs, tmp_path).verdict is Verdict.NOT_APPLICABLE


# --- what the suite answers ---


async def _obeys(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"status": "Rejected"}


@asynccontextmanager
async def _linked(backend: Backend) -> Any:
    """A station's link to a CSMS of the suite, in OCPP 2.1."""
    async with connect(f"ws://[::1]:{backend.port}/CS", subprotocols=["ocpp2.1"]) as socket:  # type: ignore[list-item]
        link = Link(socket, "ocpp2.1", _obeys, actions("ocpp2.1"))
        running = asyncio.create_task(link.run())
        await backend.station(5.0)
        try:
            yield link
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def test_a_station_is_answered_and_asked() -> None:
    async def story() -> None:
        async with Backend("::1", 0) as backend, _linked(backend) as link:
            assert (await link.call("BootNotification", BOOT))["status"] == "Accepted"
            said = await link.call("Authorize", {"idToken": {"idToken": "A", "type": "Central"}})
            assert said["idTokenInfo"] == {"status": "Accepted"}
            with backend.answering("Authorize", lambda payload, usual: {"idTokenInfo": {"status": "Blocked"}}):
                said = await link.call("Authorize", {"idToken": {"idToken": "A", "type": "Central"}})
                assert said["idTokenInfo"] == {"status": "Blocked"}
            assert await backend.call("RequestStopTransaction", {"transactionId": "1"}) == {"status": "Rejected"}
            assert [each.action for each in backend.heard(0.0)] == ["BootNotification", "Authorize", "Authorize"]
            assert await backend.hear(0.0, lambda call: call.action == "Heartbeat", 0.05) is None

    asyncio.run(story())


def test_a_csms_that_says_nothing_answers_once_it_speaks_again() -> None:
    async def story() -> None:
        async with Backend("::1", 0) as backend, _linked(backend) as link:
            with backend.answering("Heartbeat", lambda payload, usual: None):
                waiting = link.call("Heartbeat", {})
                done, _ = await asyncio.wait([waiting], timeout=0.1)
                assert not done
            assert "currentTime" in await waiting

    asyncio.run(story())


def test_a_csms_that_is_away_takes_nobody() -> None:
    async def story() -> None:
        async with Backend("::1", 0) as backend:
            async with _linked(backend), backend.away():
                with pytest.raises(Exception, match="503"):
                    await connect(f"ws://[::1]:{backend.port}/CS", subprotocols=["ocpp2.1"])  # type: ignore[list-item]
                with pytest.raises(Unreached, match="not connected"):
                    await backend.call("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})
            async with _linked(backend) as link:
                assert "currentTime" in await link.call("Heartbeat", {})
                assert backend.connections == 2

    asyncio.run(story())


def test_what_is_no_ocpp_is_kept_as_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with Backend("::1", 0) as backend, _linked(backend) as link:
            monkeypatch.setattr(link._exchange, "_written", lambda kind, id_, *more: f'[2,"{id_}","Heartbeat",{{"wrong":1}}]')
            with pytest.raises(CallFailed):
                await link.call("Heartbeat", {})
            assert backend.faults
            assert "HeartbeatRequest" in backend.faults[0]

    asyncio.run(story())


# --- a contract, as the CSMS is told of it ---


def test_a_contract_is_proved_by_the_hashes_of_its_own_certificates(certs: Path) -> None:
    store = Store(certs)
    chain, roots = store.credential(Role.CONTRACT).chain, store.anchors.trusted_for(Role.CONTRACT)
    issuers = [*chain[1:], next(root for root in roots if root.subject == chain[-1].issuer)]
    data = [hash_data(one, issuer, "http://ocsp.example") for one, issuer in zip(chain, issuers, strict=True)]
    wallet = SimpleNamespace(store=store, credential=store.credential)
    bench: Any = SimpleNamespace(generation="20", wallet=wallet)
    assert unproven(bench, {"iso15118CertificateHashData": data}) == ""
    upper = [{**each, "issuerNameHash": each["issuerNameHash"].upper()} for each in data]
    assert unproven(bench, {"iso15118CertificateHashData": upper}) == ""
    assert "no hash data is that of" in unproven(bench, {"iso15118CertificateHashData": data[1:]})
    assert "no certificate in" in unproven(bench, {"iso15118CertificateHashData": [{**data[0], "issuerKeyHash": "00"}]})
    assert "neither" in unproven(bench, {})


@pytest.mark.parametrize("text", ["DE-V2G-C00000001-G", "DEV2GC00000001G", "dev2gc00000001", "DE*V2G*C00000001"])
def test_an_account_is_the_same_however_it_is_spelt(text: str) -> None:
    assert account(text) == "DEV2GC00000001"
