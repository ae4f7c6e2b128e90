"""Responder, provisioning service and enrolment over real sockets, with `openssl` as a client where it can be one."""

import base64
import http.client
import secrets
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, which
from typing import Any
from urllib.parse import urlparse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.errors import CertificateError, Kind, StoreError
from pki.issue import build
from pki.keys import ALGORITHMS, belongs
from pki.plan import Names, Plan
from pki.profiles import PROFILES, Role
from pki.provisioning import accept, ask
from pki.request import renewal, request
from pki.status import check
from pki.status import request as ocsp_request
from pki.status_book import Silence, StatusBook
from pki.store import Store, create
from pki.verify import verify
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.messages import schema_set
from v2g.messages.common_messages import CertificateInstallationReq, CertificateInstallationRes
from v2g.messages.common_types import MessageHeaderType
from v2gkit.authorities import cps, est, ocsp
from v2gkit.authorities.office import Office
from v2gkit.authorities.passwords import Door, Secret
from v2gkit.authorities.route import Answer
from v2gkit.authorities.web import MAX_BODY, Site
from v2gkit.station.staples import certificates

NOW = datetime.now(UTC).replace(microsecond=0)
STATION = Names().evse_id
USERS = {STATION: Secret.of("secret")}


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create(tmp_path_factory.mktemp("services"), [build(Plan(), curve, NOW) for curve in ("secp521r1", "ed448")]).path


@pytest.fixture
def store(created: Path, tmp_path: Path) -> Store:
    return Store(copytree(created, tmp_path / "certs"))


def issuer(store: Store, role: Role = Role.CPO_SUB2) -> x509.Certificate:
    return store.credential(role).leaf


# --- OCSP ---


def test_the_responder_answers_over_http(store: Store) -> None:
    with Site(ocsp.routes(store)) as site:
        response, good = ocsp.fetch(store.secc.leaf, issuer(store), f"{site.url}/ocsp")
        assert good.next_update - good.this_update == timedelta(days=1)
        assert check(response, store.secc.leaf, issuer(store), datetime.now(UTC))
        der = ocsp_request(store.secc.leaf, issuer(store))
        with urllib.request.urlopen(ocsp.get_url(f"{site.url}/ocsp", der)) as answered:
            assert check(answered.read(), store.secc.leaf, issuer(store), datetime.now(UTC))


def test_a_revocation_is_known_at_once(store: Store) -> None:
    with Site(ocsp.routes(store)) as site:
        ocsp.fetch(store.contract.leaf, issuer(store, Role.MO_SUB2), f"{site.url}/ocsp")
        Office(store).revoke(store.contract.leaf, NOW, "keyCompromise")
        with pytest.raises(CertificateError) as caught:
            ocsp.fetch(store.contract.leaf, issuer(store, Role.MO_SUB2), f"{site.url}/ocsp")
        assert caught.value.kind is Kind.REVOKED
        authority = store.credential(Role.MO_SUB2)
        with urllib.request.urlopen(f"{site.url}/crl/mo-sub2/{authority.name}.crl") as answered:
            crl = x509.load_der_x509_crl(answered.read())
        assert crl.get_revoked_certificate_by_serial_number(store.contract.leaf.serial_number) is not None


def test_a_stranger_is_unknown(store: Store) -> None:
    stranger = build(Plan(), "secp521r1", NOW)
    with Site(ocsp.routes(store)) as site:
        for certificate, above in ((stranger[Role.SECC], stranger[Role.CPO_SUB2]), (stranger[Role.SECC], None)):
            with pytest.raises(CertificateError) as caught:
                ocsp.fetch(certificate.certificate, above.certificate if above else issuer(store), f"{site.url}/ocsp")
            assert caught.value.kind is Kind.STATUS_UNKNOWN


def test_nobody_there_is_unknown(store: Store) -> None:
    with pytest.raises(CertificateError, match="does not answer"):
        ocsp.fetch(store.secc.leaf, issuer(store), "http://[::1]:1/ocsp", timeout=1)
    for url in (None, "file:///etc/passwd"):
        with pytest.raises(CertificateError):
            ocsp.fetch(store.secc.leaf, issuer(store), url)


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
def test_openssl_asks_our_responder(store: Store, tmp_path: Path) -> None:
    for name, chain in (
        ("leaf", store.secc.chain[:1]),
        ("issuer", store.secc.chain[1:2]),
        ("ca", (*store.secc.chain[1:], *store.anchors.v2g)),
    ):
        (tmp_path / name).write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    with Site(ocsp.routes(store), host="127.0.0.1") as site:
        command = ["openssl", "ocsp", "-url", f"{site.url}/ocsp", "-issuer", "issuer", "-cert", "leaf", "-CAfile", "ca"]
        first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        Office(store).revoke(store.secc.leaf, NOW)
        second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Response verify OK" in first.stderr, first.stderr
    assert "leaf: good" in first.stdout
    assert "leaf: revoked" in second.stdout


def test_staples_are_made_for_a_whole_chain(store: Store) -> None:
    office = Office(store)
    proof = verify(store.secc.chain, Role.SECC, store.anchors, NOW)
    book = StatusBook(Silence.REFUSES)
    issuers = (*proof.chain[1:], proof.anchor)
    for certificate, issuer, response in zip(proof.chain, issuers, office.staples(proof.chain, NOW), strict=True):
        store.save_response(certificate, issuer, response)
        book.learn(certificate, issuer, store.response(certificate, issuer) or b"")
    assert verify(store.secc.chain, Role.SECC, store.anchors, NOW, status=book.status)


def test_a_station_without_authorities_fetches_its_staples(store: Store, tmp_path: Path) -> None:
    for part in ("secc", "roots"):
        copytree(store.path / part, tmp_path / "station" / part)
    station = Store(tmp_path / "station")
    with Site(ocsp.routes(store)) as site:
        assert ocsp.refresh(station, NOW, f"{site.url}/ocsp") == 6  # two curves, three certificates each
        assert ocsp.refresh(station, datetime.now(UTC), f"{site.url}/ocsp") == 0
        assert ocsp.refresh(station, datetime.now(UTC) + timedelta(hours=13), f"{site.url}/ocsp") == 6
        Office(store).revoke(store.secc.leaf, NOW)
        with pytest.raises(CertificateError) as caught:
            ocsp.refresh(station, datetime.now(UTC) + timedelta(hours=13), f"{site.url}/ocsp")
    assert caught.value.kind is Kind.REVOKED
    assert all(station.response(one, issuer) for one, issuer in certificates(station))


# --- the web server under them ---


def test_the_server_outlives_its_clients(store: Store) -> None:
    with Site([*ocsp.routes(store), ("GET", "/boom", lambda asked: Answer(b"", asked.headers["none"]))]) as site:
        place = urlparse(site.url)
        for octets in (
            b"",
            b"\x00" * 100,
            b"POST /ocsp HTTP/1.1\r\n\r\n",
            b"POST /ocsp HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
            b"GET /no HTTP/1.1\r\n\r\n",
        ):
            with socket.create_connection((place.hostname or "", place.port or 0), timeout=300) as raw:
                raw.sendall(octets)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        for method, path, body, status in (
            ("POST", "/ocsp", b"x" * (MAX_BODY + 1), 413),
            ("GET", "/nothing", None, 404),
            ("GET", "/boom", None, 500),
        ):
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=300)
            connection.request(method, path, body)
            assert connection.getresponse().status == status
            connection.close()
        ocsp.fetch(store.secc.leaf, issuer(store), f"{site.url}/ocsp")


# --- provisioning ---


def installation_request(store: Store, curve: str) -> bytes:
    chain, signature = ask(store.credential(Role.PROVISIONING, curve))
    header = MessageHeaderType(SessionID=b"SESSION1", TimeStamp=1, Signature=signature)
    asked = least(CertificateInstallationReq, Header=header, OEMProvisioningCertificateChain=chain, MaximumContractCertificateChains=2)
    return encode(asked, schema_set("common"))


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_a_contract_comes_over_http(store: Store, curve: str) -> None:
    with Site(cps.routes(cps.service(store))) as site:
        for remaining in (1, 0):
            answered = cps.relay(f"{site.url}/installation", installation_request(store, curve))
            response = decode(answered, schema_set("common"))
            assert isinstance(response, CertificateInstallationRes)
            car: Any = store.credential(Role.PROVISIONING, curve)
            installed = accept(response, car, store.anchors, datetime.now(UTC))
            assert installed.remaining == remaining
            assert belongs(installed.key, installed.chain[0].public_key())
        with pytest.raises(OSError, match="400"):
            cps.relay(f"{site.url}/installation", b"garbage")


def test_only_named_cars_get_contracts(store: Store) -> None:
    with Site(cps.routes(cps.service(store, pcids=["SOMEBODY"]))) as site:
        response: Any = decode(cps.relay(f"{site.url}/installation", installation_request(store, "ed448")), schema_set("common"))
    assert response.ResponseCode.value == "WARNING_NoContractMatchingPCIDFound"


# --- enrolment ---


@contextmanager
def est_site(store: Store) -> Iterator[Site]:
    with Site(est.routes(store, Door(USERS)), tls=est.server_tls(store, datetime.now(UTC))) as site:
        yield site


def test_a_station_renews_its_certificate_while_it_runs(store: Store, tmp_path: Path) -> None:
    station = Store(
        copytree(store.path / "secc", tmp_path / "station/secc") and copytree(store.path / "roots", tmp_path / "station/roots").parent
    )
    old = station.secc
    running = Store(station.path)
    assert running.secc.chain == old.chain
    with est_site(store) as site:
        renewed = est.renew(station, site.url, (STATION, "secret"), datetime.now(UTC))
    assert renewed.leaf != old.leaf
    assert not belongs(old.key, renewed.leaf.public_key())
    assert renewed.leaf.subject == old.leaf.subject
    assert verify(renewed.chain, Role.SECC, station.anchors, datetime.now(UTC))
    assert running.secc.chain == old.chain  # what runs, runs on
    assert running.changed()
    running.reload()
    assert running.secc.chain == renewed.chain
    assert renewed.leaf.serial_number in Office(store).known(issuer(store))


def test_the_wrong_password_renews_nothing(store: Store) -> None:
    before = store.secc
    with est_site(store) as site:
        for user in ((STATION, "wrong"), ("nobody", "secret"), ("", "")):
            with pytest.raises(StoreError, match="401"):
                est.renew(store, site.url, user, datetime.now(UTC))
    assert store.secc.chain == before.chain


def test_a_server_of_another_root_is_not_believed(store: Store, tmp_path: Path) -> None:
    other = create(tmp_path / "other", [build(Plan(), "secp521r1", NOW)])
    with est_site(other) as site, pytest.raises(StoreError, match="certificate verify failed"):
        est.renew(store, site.url, (STATION, "secret"), datetime.now(UTC))
    with pytest.raises(StoreError, match="https only"):
        est.renew(store, "http://[::1]:1", (STATION, "secret"), datetime.now(UTC))
    with pytest.raises(StoreError, match="refused"):
        est.renew(store, "https://[::1]:1", (STATION, "secret"), datetime.now(UTC))


def test_requests_that_are_not_granted(store: Store) -> None:
    secc, key = store.secc, ALGORITHMS["secp521r1"].generate()
    good = renewal(secc.leaf, key)
    der = bytearray(good.public_bytes(Encoding.DER))
    der[-1] ^= 1
    wrong = {
        "another key signed": bytes(der),
        "P-256": renewal(secc.leaf, ALGORITHMS["secp256r1"].generate()).public_bytes(Encoding.DER),
        "the name of a car": request(PROFILES[Role.VEHICLE], Names(), key).public_bytes(Encoding.DER),
        "no request": b"\x30\x03\x02\x01\x00",
        "too long": bytes(6000),
    }
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(
        cadata=store.anchors.v2g[1].public_bytes(Encoding.PEM).decode() + store.anchors.v2g[0].public_bytes(Encoding.PEM).decode()
    )
    authorization = {"Authorization": "Basic " + base64.b64encode(f"{STATION}:secret".encode()).decode()}
    with est_site(store) as site:
        place = urlparse(site.url)

        def status(body: bytes, headers: dict[str, str]) -> int:
            connection = http.client.HTTPSConnection(place.hostname or "", place.port, timeout=300, context=tls)
            connection.request("POST", f"{est.BASE}/simpleenroll", base64.encodebytes(body), headers)
            found = connection.getresponse().status
            connection.close()
            return found

        assert {name: status(body, authorization) for name, body in wrong.items()} == dict.fromkeys(wrong, 400)
        assert status(good.public_bytes(Encoding.DER), {}) == 401
        assert status(good.public_bytes(Encoding.DER), authorization) == 200


def test_what_a_request_asks_for_beyond_its_name_is_not_granted(store: Store) -> None:
    key: Any = ALGORITHMS["secp521r1"].generate()
    asking = x509.CertificateSigningRequestBuilder().subject_name(store.secc.leaf.subject)
    asking = asking.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    chain = Office(store).sign(asking.sign(key, ALGORITHMS["secp521r1"].hash), Role.SECC, store.credential(Role.CPO_SUB2), NOW)
    assert verify(chain, Role.SECC, store.anchors, NOW)
    assert not chain[0].extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_hostile_answer_replaces_nothing(store: Store) -> None:
    """A server with the right name and a wrong mind: garbage, a certificate for another key, the old one, another role's."""
    office, before = Office(store), store.secc
    stranger = renewal(store.secc.leaf, ALGORITHMS["secp521r1"].generate())
    other = office.sign(stranger, Role.SECC, store.credential(Role.CPO_SUB2), NOW)
    genuine = [pkcs7.serialize_certificates([one], Encoding.DER) for one in (other[0], before.leaf, store.vehicle.leaf, before.chain[1])]
    for body in (b"", b"garbage", secrets.token_bytes(300), *genuine):
        routes = [route for route in est.routes(store, Door(USERS)) if route[0] == "GET"]
        answer = Answer(base64.encodebytes(body), est.CERTIFICATES)
        with (
            Site([*routes, ("POST", est.BASE, lambda _, answer=answer: answer)], tls=est.server_tls(store, NOW)) as site,
            pytest.raises((CertificateError, StoreError)),
        ):
            est.renew(store, site.url, (STATION, "secret"), datetime.now(UTC))
    assert Store(store.path).secc.chain == before.chain
