"""Certificates by way of a CSMS: contracts for cars and the status of the station's own, over a real WebSocket."""

import asyncio
import base64
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.contract import hash_data
from pki.errors import CertificateError, Kind, StoreError
from pki.issue import build
from pki.plan import Names, Plan
from pki.profiles import Role
from pki.provisioning import ask
from pki.provisioning2 import ask_installation
from pki.status import check
from pki.store import Credential, Store, create
from secc.station import Limits
from v2g.energy.site import Site
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.messages import schema_set
from v2g.messages.common_messages import CertificateInstallationReq
from v2g.messages.common_types import MessageHeaderType
from v2g.messages.iso2.msg_body import BodyType
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType as Header2
from v2g.session.clock import Clock
from v2gkit.authorities.office import Office
from v2gkit.csms import certificates as csms_pki
from v2gkit.csms.certificates import LabPki
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy
from v2gkit.station.staples import certificates, collect, inquire, kept_by_csms

COMMON, ISO2 = schema_set("common"), schema_set("iso2")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    plan = Plan(names=Names(ocsp_url="http://[::1]:1/ocsp"))  # which the station cannot reach
    return create(tmp_path / "pki", [build(plan, "secp521r1", datetime.now(UTC))])


def request(store: Store) -> str:
    return request_of(store.provisioning)


def request_of(held: Credential) -> str:
    chain, signature = ask(held)
    header = MessageHeaderType(SessionID=b"SESSION1", TimeStamp=1, Signature=signature)
    asked = least(CertificateInstallationReq, Header=header, OEMProvisioningCertificateChain=chain, MaximumContractCertificateChains=3)
    return base64.b64encode(encode(asked, COMMON)).decode()


def test_a_contract_in_base64(store: Store) -> None:
    answered = LabPki.of(store).contract({"exiRequest": request(store)}, "ocpp2.1")
    assert (answered["status"], answered["remainingContracts"]) == ("Accepted", 0)
    response: Any = decode(base64.b64decode(answered["exiResponse"]), COMMON)
    assert response.ResponseCode.value == "OK"
    assert "remainingContracts" not in LabPki.of(store).contract({"exiRequest": request(store)}, "ocpp2.0.1")


@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
def test_a_car_of_the_generation_before_gets_its_contract_by_the_same_call(tmp_path: Path, version: Any) -> None:
    both = create(tmp_path / "both", [build(Plan(), curve, datetime.now(UTC)) for curve in ("secp256r1", "secp521r1")])
    body, signature = ask_installation(both.credential(Role.PROVISIONING, "secp256r1"), both.anchors.v2g)
    exi = encode(V2G_Message(Header=Header2(SessionID=b"SESSION1", Signature=signature), Body=BodyType(BodyElement=body)), ISO2)
    answered = LabPki.of(both).contract({"exiRequest": base64.b64encode(exi).decode(), "action": "Install"}, version)
    assert set(answered) == {"status", "exiResponse"}
    response: Any = decode(base64.b64decode(answered["exiResponse"]), ISO2)
    assert response.Body.BodyElement.ResponseCode.value == "OK"
    newer: Any = LabPki.of(both).contract({"exiRequest": request_of(both.credential(Role.PROVISIONING, "secp521r1"))}, version)
    assert decode(base64.b64decode(newer["exiResponse"]), COMMON).ResponseCode.value == "OK"  # type: ignore[attr-defined]


def test_a_car_whose_provisioning_certificate_was_revoked_gets_no_contract(store: Store) -> None:
    asked = {"exiRequest": request(store)}
    Office(store).revoke(store.provisioning.leaf, datetime.now(UTC))
    response: Any = decode(base64.b64decode(LabPki.of(store).contract(asked, "ocpp2.1")["exiResponse"]), COMMON)
    assert response.ResponseCode.value == "WARNING_CertificateRevoked"


@pytest.mark.parametrize("octets", [b"", b"garbage", bytes(200)])
def test_what_is_no_request_fails(store: Store, octets: bytes) -> None:
    answered = LabPki.of(store).contract({"exiRequest": base64.b64encode(octets).decode()}, "ocpp2.1")
    assert (answered["status"], answered["statusInfo"]["reasonCode"]) == ("Failed", "InvalidRequest")
    assert LabPki.of(store).contract({"exiRequest": "no base64"}, "ocpp2.1")["status"] == "Failed"


def test_a_response_that_does_not_fit_fails(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csms_pki, "EXI_MAXIMUM", {"ocpp2.0.1": 100})
    answered = LabPki.of(store).contract({"exiRequest": request(store)}, "ocpp2.0.1")
    assert answered["statusInfo"]["reasonCode"] == "TooLong"


def test_a_directory_without_a_service_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cps"):
        LabPki.of(create(tmp_path / "none", []))


def bridge() -> Bridge:
    return Bridge(Charger(Clock(time.time(), time.monotonic()), secrets.token_bytes, {1: Evse(1, ("DC",), Limits(), "E1")}, site=Site()))


def test_a_station_that_reaches_only_its_csms_gets_what_it_staples(store: Store) -> None:
    async def story() -> None:
        csms = Csms(Strategy("none"), pki=LabPki.of(store))
        server = await csms.serve()
        port = next(iter(server.sockets)).getsockname()[1]
        point = ChargePoint(Endpoint(f"ws://127.0.0.1:{port}/ocpp", "CS-1"), bridge())
        running = [
            asyncio.create_task(point.run()),
            asyncio.create_task(kept_by_csms(store, point.bridge, point.wake, look=0.01, soon=0.05)),
        ]
        while not all(store.response(one, issuer) for one, issuer in certificates(store)):  # noqa: ASYNC110 - it comes as a file
            await asyncio.sleep(0.01)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        server.close()

    asyncio.run(asyncio.wait_for(story(), 300))
    for one, issuer in certificates(store):
        assert check(store.response(one, issuer) or b"", one, issuer, datetime.now(UTC))


def test_what_proves_nothing_is_not_kept(store: Store) -> None:
    class Liar:
        def check_status(self, certificate: bytes, issuer: bytes) -> bool:
            return True

        def staple(self, certificate: bytes) -> bytes | None:
            return b"\x30\x00"

    collect(store, Liar())
    assert store.response(*store.secc.chain[:2]) is None
    assert inquire(store, Liar()) == (True, True, True)


def test_a_revocation_comes_this_way_too(store: Store) -> None:
    Office(store).revoke(store.secc.leaf, datetime.now(UTC))
    data = hash_data(store.secc.leaf, store.secc.chain[1], "http://x")
    answered = LabPki.of(store).status({"ocspRequestData": data})
    with pytest.raises(CertificateError) as refused:
        check(base64.b64decode(answered["ocspResult"]), store.secc.leaf, store.secc.chain[1], datetime.now(UTC))
    assert refused.value.kind is Kind.REVOKED
    assert LabPki.of(store).status({"ocspRequestData": data | {"serialNumber": "xyz"}})["status"] == "Failed"
