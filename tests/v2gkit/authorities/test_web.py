"""The web server of the services and what stands behind it: bounds, silence about itself, an index, re-enrolment by the old certificate."""

import asyncio
import base64
import contextlib
import http.client
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import urlparse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.issue import build
from pki.keys import ALGORITHMS
from pki.plan import Names, Plan
from pki.profiles import PROFILES, Role
from pki.request import renewal, request
from pki.status import Responder
from pki.status import request as ocsp_request
from pki.store import Store, create
from v2gkit.authorities import est, ocsp, web
from v2gkit.authorities.office import Office
from v2gkit.authorities.passwords import Door, Secret
from v2gkit.authorities.route import Answer
from v2gkit.authorities.web import Site

NOW = datetime.now(UTC).replace(microsecond=0)
STATION = Names().evse_id


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create(tmp_path_factory.mktemp("services"), [build(Plan(), "secp521r1", NOW)]).path


@pytest.fixture
def store(created: Path, tmp_path: Path) -> Store:
    return Store(copytree(created, tmp_path / "certs"))


def place(site: Site) -> tuple[str, int]:
    parts = urlparse(site.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def talk(site: Site, octets: bytes) -> bytes:
    """What comes back until the server closes."""
    with socket.create_connection(place(site), timeout=300) as raw:
        raw.sendall(octets)
        return b"".join(iter(lambda: raw.recv(65536), b""))


def get(site: Site, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*place(site), timeout=300)
    connection.request("GET", path)
    return connection.getresponse()


def test_no_answer_tells_what_went_wrong_inside(store: Store) -> None:
    def boom(asked: object) -> Answer:
        raise LookupError("the secret plan")

    with Site([*ocsp.routes(store), ("GET", "/boom", boom)]) as site:
        for path, status in (("/boom", 500), ("/ocsp/%00%ff", 200), ("/ocsp/!!!", 200), ("/crl/x/y", 404), ("/crl/%00", 404)):
            answered = get(site, path)
            said = answered.read() + str(answered.headers).encode()
            assert answered.status == status, path
            assert not any(word in said for word in (b"Error", b"secret", b"Traceback", b"uvicorn"))


def test_a_body_is_not_read_as_the_next_request(store: Store) -> None:
    inner = b"GET /boom HTTP/1.1\r\nHost: x\r\n\r\n"
    asked: list[str] = []
    routes: list[Any] = [("GET", "/ok", lambda _: Answer(b"fine")), ("GET", "/boom", lambda _: asked.append("boom") or Answer(b"inner"))]
    with Site(routes) as site:
        head = b"GET /ok HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner)
        said = talk(site, head + inner + b"GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said.count(b"fine") == 2
    assert not asked


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", b"413"),
        (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"8001\r\n" + bytes(0x8001) + b"\r\n") * 2, b"413"),
        (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", b"400"),
        (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"400"),
        (b"GET /%s HTTP/1.1\r\n" % (b"x" * 20_000), b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
    ],
    ids=["length", "chunks", "two lengths", "negative", "header", "path", "TLS"],
)  # fmt: skip
def test_what_is_too_long_or_no_http_is_refused_and_closed(store: Store, octets: bytes, status: bytes) -> None:
    with Site(ocsp.routes(store)) as site:
        assert talk(site, octets).split(b" ")[1] == status
        assert get(site, "/ocsp/").status == 200


DRIPS = [b"", b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", b"GET /ocsp/ HTTP/1.1\r\nX: "]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("first", DRIPS, ids=["silent", "body", "head"])
def test_an_octet_now_and_then_keeps_no_place(store: Store, first: bytes, tls: bool) -> None:
    context = est.server_tls(store, NOW) if tls else None
    with Site(ocsp.routes(store), tls=context, lifetime=1.0) as site, socket.create_connection(place(site), timeout=300) as raw:
        drip(raw, first)


def drip(raw: socket.socket, first: bytes) -> None:
    """Send an octet ten times a second, until the server has closed."""
    with contextlib.suppress(OSError):
        raw.sendall(first)
        while True:
            raw.settimeout(0.1)
            try:
                if not raw.recv(4096):
                    return
            except TimeoutError:
                raw.sendall(b"x")


def test_connections_are_bounded_and_a_crowd_shuts_nobody_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "ROOM", 8)
    with Site(ocsp.routes(store), lifetime=3600.0) as site:
        crowd = [socket.create_connection(place(site), timeout=300) for _ in range(40)]
        assert get(site, "/ocsp/").status == 200
        gone = 0
        for each in crowd[:30]:  # all but the last were shown out
            each.settimeout(300)
            with contextlib.suppress(ConnectionError):
                gone += each.recv(1) == b""
        assert gone >= 30
        for each in crowd:
            each.close()


def test_an_acceptor_that_is_killed_comes_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [OSError(24, "Too many open files"), RuntimeError("a fault")]

    async def accept(self: Any) -> None:
        if faults:
            raise faults.pop()
        await real(self)

    real = web._Door.accept
    monkeypatch.setattr(web._Door, "accept", accept)
    with Site(ocsp.routes(store)) as site:
        assert get(site, "/ocsp/").status == 200
    assert not faults


def test_a_shortage_of_descriptors_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        loop, tries, enough = asyncio.get_running_loop(), list[int](), asyncio.Event()

        async def accept(listener: socket.socket) -> Any:
            tries.append(1)
            if len(tries) == 5:
                enough.set()
                await asyncio.Event().wait()
            raise OSError(24, "Too many open files")

        async def sleep(seconds: float, real: Any = asyncio.sleep) -> None:
            await real(0)

        monkeypatch.setattr(loop, "sock_accept", accept)
        monkeypatch.setattr(web.asyncio, "sleep", sleep)
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
            door = web._Door(listener, None, None, 1.0)
            accepting = asyncio.create_task(door.accept())
            await enough.wait()
            accepting.cancel()

    asyncio.run(asyncio.wait_for(scene(), 300))
    assert sum("cannot accept a connection" in record.getMessage() for record in caplog.records) == 1


# --- OCSP by index ---


def fill(store: Store, count: int) -> list[int]:
    """So many certificates on record, alike but for their serial numbers (their signatures are those of the first)."""
    office, key = Office(store), ALGORITHMS["secp521r1"].generate()
    names = Names()
    first = office.sign(request(PROFILES[Role.SECC], names, key), Role.SECC, store.credential(Role.CPO_SUB2), NOW)[0]
    der, serial = first.public_bytes(Encoding.DER), first.serial_number
    length = (serial.bit_length() + 8) // 8
    base = int.from_bytes(b"\x11" * length, "big")
    for number in range(count):
        octets = der.replace(serial.to_bytes(length, "big"), (base + number).to_bytes(length, "big"), 1)
        pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(octets) + b"-----END CERTIFICATE-----\n"
        (store.path / "issued" / f"{base + number:x}.pem").write_bytes(pem)
    return [base + number for number in range(count)]


class Opened:
    """Counts the files and listings of a folder that this process opens, whoever opens them."""

    count = 0
    active = False
    folder = ""

    @classmethod
    def hook(cls, event: str, arguments: Any) -> None:
        if cls.active and event in ("open", "os.scandir", "os.listdir") and str(arguments[0]).startswith(cls.folder):
            cls.count += 1


@pytest.fixture(scope="module")
def opened() -> type[Opened]:
    sys.addaudithook(Opened.hook)
    return Opened


@contextlib.contextmanager
def counting(opened: type[Opened], folder: Path) -> Iterator[None]:
    opened.count, opened.active, opened.folder = 0, True, str(folder)
    try:
        yield
    finally:
        opened.active = False


def question(store: Store, serial: int) -> bytes:
    issuer = store.credential(Role.CPO_SUB2).leaf
    honest = x509.ocsp.load_der_ocsp_request(ocsp_request(store.secc.leaf, issuer))
    builder = x509.ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        honest.issuer_name_hash, honest.issuer_key_hash, serial, honest.hash_algorithm
    )
    return builder.build().public_bytes(Encoding.DER)


def status(office: Office, der: bytes) -> str:
    found = x509.ocsp.load_der_ocsp_response(office.answer(der, datetime.now(UTC)))
    if found.response_status is not x509.ocsp.OCSPResponseStatus.SUCCESSFUL:
        return found.response_status.name.lower()
    return found.certificate_status.name.lower()


def test_a_question_reads_no_file_and_signs_once_among_ten_thousand(
    store: Store, opened: type[Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    serials = fill(store, 10_000)
    time.sleep(0.3)  # what changed a moment ago is looked at once more, as an editor's clock is no finer
    office = Office(store)
    assert status(office, question(store, serials[0])) == "good"
    signed: list[int] = []
    sign = Responder._signed
    monkeypatch.setattr(Responder, "_signed", lambda self, serial, *given: signed.append(serial) or sign(self, serial, *given))
    read = office.register.files_read
    questions = [question(store, serial) for serial in (*serials[1:100], 5)]
    with counting(opened, store.path):
        assert [status(office, each) for each in questions] == ["good"] * 99 + ["unknown"]
    assert (opened.count, office.register.files_read - read, len(signed)) == (0, 0, 100)
    stranger = build(Plan(), "secp521r1", NOW)
    foreign = ocsp_request(stranger[Role.SECC].certificate, stranger[Role.CPO_SUB2].certificate)
    with counting(opened, store.path):
        assert status(office, foreign) == "unauthorized"
        assert status(office, b"garbage") == "malformed_request"
    assert (opened.count, len(signed)) == (0, 100)


def test_what_changes_in_the_store_is_known_at_the_next_question(store: Store) -> None:
    office, other = Office(store), Office(Store(store.path))
    authority = store.credential(Role.CPO_SUB2)
    key = ALGORITHMS["secp521r1"].generate()
    for _ in range(20):  # in quick succession: within one tick of a file system's clock
        leaf = other.sign(request(PROFILES[Role.SECC], Names(), key), Role.SECC, authority, NOW)[0]
        assert status(office, question(store, leaf.serial_number)) == "good"
        other.revoke(leaf, NOW)
        assert status(office, question(store, leaf.serial_number)) == "revoked"
    (store.path / "issued" / f"{leaf.serial_number:x}.pem").unlink()
    assert leaf.serial_number not in office.known(authority.leaf)
    (store.path / "issued" / "halfway.pem").write_bytes(b"-----BEGIN")
    assert status(office, question(store, leaf.serial_number)) == "revoked"


def test_two_changes_within_one_tick_of_the_clock_are_two(store: Store) -> None:
    office, issued = Office(store), store.path / "issued"
    authority, key = store.credential(Role.CPO_SUB2), ALGORITHMS["secp521r1"].generate()
    office.sign(request(PROFILES[Role.SECC], Names(), key), Role.SECC, authority, NOW)
    assert office.known(authority.leaf)
    leaf = office.sign(request(PROFILES[Role.SECC], Names(), key), Role.SECC, authority, NOW)[0]
    now = time.time_ns()
    for _ in range(2):  # the folder bears one and the same time before and after
        os.utime(issued, ns=(now, now))
        office.known(authority.leaf)
    later = office.sign(request(PROFILES[Role.SECC], Names(), key), Role.SECC, authority, NOW)[0]
    os.utime(issued, ns=(now, now))
    assert {leaf.serial_number, later.serial_number} <= office.known(authority.leaf)


def test_many_may_ask_at_once(store: Store) -> None:
    office, failed = Office(store), []
    serial = store.secc.leaf.serial_number

    def asks() -> None:
        try:
            assert all(status(office, question(store, serial)) == "good" for _ in range(20))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=asks) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


# --- enrolment ---


class Enrolment:
    """An EST server and a client that can say anything."""

    def __init__(self, store: Store, site: Site):
        self.store, self.place = store, place(site)
        roots = b"".join(root.public_bytes(Encoding.PEM) for root in store.anchors.v2g).decode()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.load_verify_locations(cadata=roots)

    def status(self, operation: str, csr: x509.CertificateSigningRequest, user: str, password: str, proof: str | None = None) -> int:
        headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
        if proof is not None:
            headers[est.PROOF] = proof
        connection = http.client.HTTPSConnection(*self.place, timeout=300, context=self._tls)
        connection.request("POST", f"{est.BASE}/{operation}", base64.encodebytes(csr.public_bytes(Encoding.DER)), headers)
        self.said = connection.getresponse()
        self.text = self.said.read()
        connection.close()
        return self.said.status


@pytest.fixture
def enrolment(store: Store) -> Iterator[Enrolment]:
    door = Door({STATION: Secret.of("secret"), "DEABCE666": Secret.of("other")})
    with Site(est.routes(store, door), tls=est.server_tls(store, datetime.now(UTC))) as site:
        yield Enrolment(store, site)


def named(name: str, key: Any) -> x509.CertificateSigningRequest:
    return request(PROFILES[Role.SECC], Names(evse_id=name), key)


def test_a_station_gets_a_certificate_for_its_own_name_alone(enrolment: Enrolment) -> None:
    key = ALGORITHMS["secp521r1"].generate()
    assert enrolment.status("simpleenroll", named(STATION, key), STATION, "secret") == 200
    assert enrolment.status("simpleenroll", named("DEABCE666", key), STATION, "secret") == 400
    assert b"its own name alone" in enrolment.text
    assert enrolment.status("simpleenroll", named("DEABCE666", key), "DEABCE666", "other") == 200
    for user, password in ((STATION, ""), ("", ""), (STATION, "other"), ("nobody", "secret")):
        assert enrolment.status("simpleenroll", named(STATION, key), user, password) in (401, 429)


def test_a_renewal_needs_the_certificate_that_it_renews(enrolment: Enrolment) -> None:
    store, key = enrolment.store, ALGORITHMS["secp521r1"].generate()
    csr, old = renewal(store.secc.leaf, key), store.secc
    sound = est.proof(csr, old)

    def verdict(proof: str | None, csr: x509.CertificateSigningRequest = csr) -> int:
        return enrolment.status("simplereenroll", csr, STATION, "secret", proof)

    assert verdict(None) == 400
    assert b"needs the certificate that it renews" in enrolment.text
    assert verdict(sound) == 200
    assert verdict(sound, renewal(old.leaf, ALGORITHMS["secp521r1"].generate())) == 400  # the proof of another request
    stolen = est.proof(csr, store.vehicle).split(" ")[1]  # the certificate without its key
    assert verdict(f"{sound.split(' ')[0]} {stolen}") == 400
    assert verdict(est.proof(csr, store.vehicle)) == 400  # a certificate of another authority
    assert verdict("x") == verdict("x y z") == verdict("AAAA AAAA") == 400
    stranger = create(store.path.parent / "stranger", [build(Plan(), "secp521r1", NOW)])
    assert verdict(est.proof(csr, stranger.secc)) == 400  # the same names, another hierarchy
    Office(store).revoke(old.leaf, NOW)
    assert verdict(sound) == 400
    assert b"not in force" in enrolment.text


def test_an_ended_certificate_renews_nothing(store: Store, tmp_path: Path) -> None:
    long_ago = create(tmp_path / "old", [build(Plan(), "secp521r1", NOW - timedelta(days=3 * 365))])
    office = Office(long_ago)
    csr = renewal(long_ago.secc.leaf, ALGORITHMS["secp521r1"].generate())
    with pytest.raises(Exception, match="has ended"):
        est._demand_proof(est.proof(csr, long_ago.secc), csr, office, long_ago.credential(Role.CPO_SUB2))


def test_guessing_a_password_of_enrolment_is_slow(enrolment: Enrolment) -> None:
    csr = named(STATION, ALGORITHMS["secp521r1"].generate())
    statuses = [enrolment.status("simpleenroll", csr, STATION, f"guess {n}") for n in range(12)]
    assert statuses.count(401) < 12
    assert 429 in statuses
    assert 200 not in statuses
