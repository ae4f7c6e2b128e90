"""Certificates by way of a CSMS: contracts for cars and the status of the station's own, over a real WebSocket."""

import asyncio
import base64
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.contract import hash_data
from pki.certificate import read_pem
from pki.errors import CertificateError, Kind, StoreError
from pki.issue import build
from pki.keys import ALGORITHMS, belongs, key_name
from pki.plan import Names, Plan
from pki.profiles import PROFILES, Role
from pki.provisioning import ask
from pki.provisioning2 import accept, ask_installation, ask_update
from pki.request import request as signing_request
from pki.status import check
from pki.store import Credential, Store, create
from secc.station import CertificateInstallationWanted, CertificateReady, Limits, SessionStarted
from tests.ocpp_bridge.ocpp_stand import stand
from v2g.energy.site import Site
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.iso2 import frames
from v2g.messages import schema_set
from v2g.messages.common_messages import CertificateInstallationReq
from v2g.messages.common_types import MessageHeaderType
from v2g.messages.iso2.msg_body import BodyType
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType as Header2
from v2g.session.clock import Clock
from v2g.session.v2gtp import PayloadType
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


# --- ISO 15118-2 ---

MINUS_2 = "urn:iso:15118:2:2013:MsgDef"


def asked2(kind: str, store2: Store) -> tuple[bytes, Any]:
    """What a car of -2 asks with, as EXI in its envelope, and the credential with which it opens the answer."""
    asker = store2.provisioning if kind == "Install" else store2.contract
    body, signature = (
        ask_installation(asker, store2.anchors.v2g) if kind == "Install" else ask_update(asker, asker.common_name, store2.anchors.v2g)
    )
    return frames.write(body, b"SESSION1", signature=signature).exi, asker


@pytest.fixture(scope="module")
def store2(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Certificates of both generations, in one folder."""
    now = datetime.now(UTC)
    return create(tmp_path_factory.mktemp("both"), [build(Plan(), curve, now) for curve in ("secp521r1", "secp256r1")])


@pytest.fixture(scope="module")
def alone2(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Those of ISO 15118-2 alone."""
    return create(tmp_path_factory.mktemp("alone"), [build(Plan(), "secp256r1", datetime.now(UTC))])


def opened(exi: bytes) -> tuple[Any, Any]:
    came = frames.read(PayloadType.EXI, exi, by_car=True)
    assert came.session_id == b"SESSION1"
    return came.reading.message, came.signature


@pytest.mark.parametrize("kind", ["Install", "Update"])
def test_a_car_of_minus_2_gets_and_renews_its_contract_by_frames(kind: str, alone2: Store) -> None:
    """By a socket: the station's bridge asks our CSMS, and what comes back is what the car accepts."""

    async def scene() -> Any:
        exi, asker = asked2(kind, alone2)
        csms = Csms(Strategy("none"), pki=LabPki.of(alone2))
        async with stand(csms) as s:
            await s.until(lambda: s.point.bridge.charger.accepted)
            s.backend.began(s.facts.append)
            s.hear(SessionStarted(0.0, bytes(8), "DEABCC1A2B3C4D"))
            s.hear(CertificateInstallationWanted(0.0, exi, MINUS_2, None, (), 7, kind == "Update"))
            ready = await s.fact(CertificateReady)
            [call] = s.frames.calls("Get15118EVCertificate")
            assert (call["iso15118SchemaVersion"], call["action"]) == (MINUS_2, kind)
            assert "maximumContractCertificateChains" not in call
            assert ready.about == 7
            return opened(ready.exi), asker

    (body, signature), asker = asyncio.run(asyncio.wait_for(scene(), 300))
    assert type(body).__name__ == {"Install": "CertificateInstallationRes", "Update": "CertificateUpdateRes"}[kind]
    installed = accept(body, signature, asker, alone2.anchors, datetime.now(UTC))
    assert installed.emaid == alone2.contract.common_name
    assert belongs(installed.key, alone2.contract.leaf.public_key())


def test_a_contract_of_minus_2_is_judged_by_the_rules_of_minus_2(store2: Store) -> None:
    chain = store2.credential(Role.CONTRACT, "secp256r1").chain
    text = "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)
    assert LabPki.of(store2).judged({"certificate": text}) == "Accepted"


@pytest.mark.parametrize("curve", ["secp256r1", "secp521r1"])
def test_a_station_gets_its_certificate_from_the_authority_on_the_curve_of_its_key(curve: str, store2: Store) -> None:
    """V2GCertificate is of ISO 15118-2 and V2G20Certificate of -20: one CSMS signs both."""
    kind = "V2GCertificate" if curve == "secp256r1" else "V2G20Certificate"
    asked = signing_request(PROFILES[Role.SECC], Names(), ALGORITHMS[curve].generate())
    chain = read_pem(LabPki.of(store2).sign(asked.public_bytes(Encoding.PEM).decode(), kind).encode(), 4_000)
    assert {key_name(one.public_key()) for one in chain} == {curve}


def test_a_key_on_a_curve_that_no_authority_has_is_refused(alone2: Store) -> None:
    asked = signing_request(PROFILES[Role.SECC], Names(), ALGORITHMS["secp521r1"].generate())
    with pytest.raises(ValueError, match="V2G20Certificate"):
        LabPki.of(alone2).sign(asked.public_bytes(Encoding.PEM).decode(), "V2G20Certificate")
