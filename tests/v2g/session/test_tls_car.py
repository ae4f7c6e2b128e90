"""The car's TLS before stations of every kind."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pki.issue import Issued
from pki.profiles import ISO2 as ISO2_RULES
from pki.profiles import Role
from pki.status import Responder, Revocation, check
from tests.v2g.session.peers import (
    BYE,
    HELLO,
    NOW,
    OPENSSL,
    Files,
    Station,
    car_tls,
    credential,
    der,
    drive,
    go,
    hierarchy,
    judge,
    key_pem,
    presentations,
    station_tls,
)
from v2g.session.errors import Misuse
from v2g.session.handshake import HelloReader
from v2g.session.link import Disconnected, HandshakeFailed
from v2g.session.tls import ISO2, Credential, TlsError
from v2g.session.transport import ClientTls, Server, ServerTls, libssl

NEEDS_SYSTEM = pytest.mark.skipif(not libssl.available(), reason="the system has no OpenSSL 3")
NEEDS_OPENSSL = pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@contextlib.asynccontextmanager
async def foreign_station(files: Files, *words: str | Path, own: Issued | None = None) -> AsyncIterator[int]:
    """`openssl s_server` for one connection; it answers whatever it is asked with two frames. Yields its port."""
    assert OPENSSL is not None
    station = own or hierarchy()[Role.SECC]
    roots = files.roots(hierarchy()[Role.OEM_ROOT], hierarchy("ed448")[Role.OEM_ROOT])
    command = (OPENSSL, "s_server", "-accept", "[::1]:0", "-naccept", "1", *files.of(station), "-CAfile", roots, *words)
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    assert process.stdin is not None
    while not (line := await process.stdout.readline()).startswith(b"ACCEPT"):
        assert line, "s_server does not run"
    process.stdin.write(HELLO + BYE)
    try:
        yield int(line.rsplit(b":", 1)[1])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_the_hello_says_what_the_standard_pins_and_nothing_else() -> None:
    """E-TLS-01, E-TLS-03; and what E-TLS-02 asks is stated as a limit, not passed over."""
    channel = car_tls(check_staples=lambda *_: None).channel()
    channel.start()
    hello = HelloReader().feed(channel.octets_to_send())
    assert hello is not None
    assert hello.versions == (0x0304,)
    assert hello.suites == (0x1302, 0x1303)
    assert hello.groups == (0x0019, 0x001E)
    assert hello.signature_schemes == (0x0603, 0x0808)
    assert hello.status_request == bytes.fromhex("0100000000")  # OCSP, no responders, no extensions [V2G20-2373]
    assert not {41, 42, 0, 16} & set(hello.extensions)  # no PSK, no early data, no names, no ALPN
    assert hello.octets < 512  # fits one Ethernet frame of the power line
    silent = car_tls().channel()
    silent.start()
    without = HelloReader().feed(silent.octets_to_send())
    assert without is not None
    assert without.status_request is None


@NEEDS_SYSTEM
def test_a_car_names_its_roots_where_the_system_can() -> None:
    """E-TLS-02, and the rest of the hello as ever."""
    own = hierarchy()
    channel = car_tls(own, system=True, authorities=[der(own[Role.V2G_ROOT].certificate)], check_staples=lambda *_: None).channel()
    channel.start()
    hello = HelloReader().feed(channel.octets_to_send())
    assert hello is not None
    assert hello.certificate_authorities == (own[Role.V2G_ROOT].certificate.subject.public_bytes(),)
    assert hello.versions == (0x0304,)
    assert [suite for suite in hello.suites if suite != 0x00FF] == [0x1302, 0x1303]  # 0x00FF is a signal of older versions and no suite
    assert (hello.groups, hello.signature_schemes) == ((0x0019, 0x001E), (0x0603, 0x0808))
    assert hello.status_request == bytes.fromhex("0100000000")
    assert not {41, 42, 0, 16} & set(hello.extensions)


@NEEDS_SYSTEM
@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_a_station_of_both_curves_serves_the_car_that_names_its_root(curve: str) -> None:
    own = hierarchy(curve)

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(hierarchy("secp521r1"), hierarchy("ed448"))) as server:
            tls = car_tls(own, system=True, authorities=[der(own[Role.V2G_ROOT].certificate)])
            car = await drive(server.port, tls, *[HELLO] * 200, BYE)
        assert car.ended.well, car.ended
        assert len(car.heard) == 201
        assert car.facts is not None
        assert car.facts.carries_20
        assert car.facts.limits == ()
        assert car.facts.own_scheme == {"secp521r1": "ecdsa_secp521r1_sha512"}.get(curve, curve)
        assert car.facts.own_chain == tuple(der(c) for c in own[Role.VEHICLE].chain)
        assert len(car.witness.secrets) == 5
        assert car.witness.of(Disconnected)[0].clean

    go(scenario())


@NEEDS_SYSTEM
def test_the_library_of_the_system_judges_no_less(files: Files) -> None:
    own, stranger = hierarchy(), hierarchy("secp521r1", "Stranger")
    roots = [der(own[Role.V2G_ROOT].certificate)]

    async def scenario() -> None:
        async with Server(Station().attend, "::1", 0, station_tls(own, iso2=[credential(hierarchy("secp256r1")[Role.SECC])])) as server:
            for given, words in (
                ({"verify": judge(Role.SECC, stranger)}, "untrusted root"),
                ({"verify": lambda chain, now: None}, "must return the proof"),
                ({"check_staples": _demand}, "nothing was stapled"),
                ({"credential": credential(own[Role.CONTRACT])}, "unknown_ca"),
            ):
                car = await drive(server.port, car_tls(own, system=True, authorities=roots, **given))
                assert car.ended.how == "no connection"
                assert words in str(car.ended.error), car.ended
        if OPENSSL is not None:
            async with foreign_station(files, "-tls1_2") as port:
                car = await drive(port, car_tls(own, system=True, authorities=roots))
                assert "protocol_version" in str(car.ended.error)
        for wrong in (Credential(credential(own[Role.SECC]).chain, key_pem(own[Role.VEHICLE])), Credential((b"x",), b"y")):
            with pytest.raises(Misuse, match="cannot be used"):
                ClientTls(wrong, judge(Role.SECC, own), system=True)

    go(scenario())


@NEEDS_OPENSSL
@pytest.mark.parametrize(
    ("curve", "words", "group"),
    [
        ("secp521r1", (), "secp521r1"),
        ("secp521r1", ("-groups", "X448"), "x448"),
        ("secp521r1", ("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), "secp521r1"),
        ("ed448", (), "secp521r1"),
        ("ed448", ("-groups", "X448"), "x448"),
    ],
)
def test_a_foreign_station_is_met(files: Files, curve: str, words: tuple[str, ...], group: str) -> None:
    own = hierarchy(curve)

    async def scenario() -> None:
        async with foreign_station(files, "-tls1_3", "-Verify", "3", "-verify_return_error", *words, own=own[Role.SECC]) as port:
            car = await drive(port, car_tls(own))
        assert car.ended.well, car.ended
        assert car.facts is not None
        assert car.facts.carries_20
        assert car.facts.relaxations == ()
        assert car.facts.group == group
        assert car.facts.own_chain == tuple(der(c) for c in own[Role.VEHICLE].chain)  # E-TLS-04
        assert car.facts.verified.common_name == "DEV2GE000001"  # type: ignore[attr-defined]

    go(scenario())


@NEEDS_OPENSSL
@pytest.mark.parametrize(
    ("words", "alert"),
    [
        (("-tls1_2",), "protocol_version"),  # E-TLS-10
        (("-tls1_3", "-groups", "P-256:X25519"), "handshake_failure"),
        (("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"), "handshake_failure"),
    ],
)
def test_a_station_of_other_lists_is_none(files: Files, words: tuple[str, ...], alert: str) -> None:
    async def scenario() -> None:
        async with foreign_station(files, *words) as port:
            car = await drive(port, car_tls())
        assert car.ended.how == "no connection"
        assert isinstance(car.ended.error, TlsError)
        assert car.ended.error.alert == alert
        assert car.facts is None

    go(scenario())


@NEEDS_OPENSSL
def test_a_station_with_a_key_of_another_kind_is_none(files: Files) -> None:
    """E-TLS-08: the car offers no scheme that such a key could sign with."""

    async def scenario() -> None:
        async with foreign_station(files, "-tls1_3", own=hierarchy("secp256r1")[Role.SECC]) as port:
            car = await drive(port, car_tls())
        assert car.ended.how == "no connection"
        assert "handshake_failure" in str(car.ended.error)

    go(scenario())


@NEEDS_OPENSSL
def test_a_station_that_asks_for_no_certificate_is_told_apart(files: Files) -> None:
    """E-TLS-11: the connection stands, but it may not carry -20, and the trace says why."""

    async def scenario() -> None:
        async with foreign_station(files, "-tls1_3") as port:
            car = await drive(port, car_tls())
        assert car.facts is not None
        assert not car.facts.certificate_requested
        assert not car.facts.carries_20
        assert [r.requirement for r in car.facts.relaxations] == ["V2G20-2400"]
        assert car.facts.own_chain == ()

    go(scenario())


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_stations_broken_on_purpose_get_the_verdict_they_deserve(curve: str) -> None:
    """E-TLS-05 to E-TLS-08: every variant that a TLS library can be made to present at all."""
    own = hierarchy(curve)

    async def scenario() -> int:
        presented = list(presentations(own, Role.SECC))
        for variant, chain in presented:
            tls = ServerTls([credential(own[Role.SECC], chain)], judge(Role.VEHICLE, own))
            async with Server(Station().attend, "::1", 0, tls) as server:
                car = await drive(server.port, car_tls(own))
            if variant.verdict is None:
                assert car.ended.well, (variant.name, car.ended)
            else:
                assert car.ended.how == "no connection", variant.name
                assert variant.verdict.value in str(car.ended.error), (variant.name, car.ended)
        return len(presented)

    assert go(scenario(), 60) > 30


# --- OCSP: E-TLS-09 ---

REVOKED = Revocation(NOW - timedelta(days=2))


def _staple(status: object = "good", of: Role = Role.SECC, at: datetime = NOW, days: float = 1.0) -> bytes:
    issuer = hierarchy()[Role.CPO_SUB2]
    responder = Responder(issuer.certificate, issuer.certificate, issuer.key, lambda serial: status, timedelta(days=days))  # type: ignore[arg-type, return-value]
    return responder.staple(hierarchy()[of].certificate, at)


def _demand(chain: tuple[bytes, ...], staples: tuple[bytes | None, ...], now: float) -> None:
    """A car's policy: the leaf's response must be there and good."""
    leaf, issuer = (x509.load_der_x509_certificate(octets) for octets in chain[:2])
    if staples[0] is None:
        raise ValueError("nothing was stapled")
    check(staples[0], leaf, issuer, datetime.fromtimestamp(now, UTC))


@pytest.mark.parametrize(
    ("staple", "words"),
    [
        (_staple(), ""),
        (None, "nothing was stapled"),
        (_staple(of=Role.CPS), "speaks of another certificate"),
        (_staple(at=NOW - timedelta(days=3)), "the response ended"),
        (_staple(days=30), "lives 30 days"),
        (_staple(REVOKED), "revoked"),
        (_staple("unknown"), "does not know this certificate"),
    ],
    ids=["good", "absent", "of-another", "ended", "too-long", "revoked", "unknown"],
)
@NEEDS_OPENSSL
def test_a_stapled_response_is_believed_when_it_is_good(files: Files, staple: bytes | None, words: str) -> None:
    async def scenario() -> None:
        given = ("-status_file", files.written(staple)) if staple else ()
        async with foreign_station(files, "-tls1_3", "-Verify", "3", *given) as port:
            car = await drive(port, car_tls(check_staples=_demand))
        if words:
            assert car.ended.how == "no connection"
            assert words in str(car.ended.error)
        else:
            assert car.ended.well, car.ended
            assert car.facts is not None
            assert car.facts.staples == (staple, None, None)

    go(scenario())


def test_a_station_of_ours_hears_why_its_response_was_refused() -> None:
    async def scenario() -> None:
        station = Station()
        offered = credential(hierarchy()[Role.SECC], staple=lambda now: _staple(REVOKED))
        tls = ServerTls([offered], judge(Role.VEHICLE, hierarchy()))
        async with Server(station.attend, "::1", 0, tls, observe=[station.observe]) as server:
            car = await drive(server.port, car_tls(check_staples=_demand))
            assert "revoked" in str(car.ended.error)
            await server.served.get()
        assert station.witnesses[1].of(HandshakeFailed)[0].alert == "bad_certificate_status_response"

    go(scenario())


def test_whoever_asks_for_no_response_gets_none() -> None:
    async def scenario() -> None:
        offered = credential(hierarchy()[Role.SECC], staple=lambda now: _staple())
        async with Server(Station().attend, "::1", 0, ServerTls([offered], judge(Role.VEHICLE, hierarchy()))) as server:
            car = await drive(server.port, car_tls())
        assert car.facts is not None
        assert car.facts.staples == (None, None, None)
        assert not car.facts.staples_asked_for

    go(scenario())


# --- stations that misbehave: E-TLS-12 ---


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "the peer closed in the TLS handshake"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS handshake failed"),
        (bytes.fromhex("15030300020228"), "handshake_failure, "),
        (bytes.fromhex("160303ffff") + bytes(100), "TLS handshake failed"),
        (HELLO, "TLS handshake failed"),
    ],
)
def test_a_station_that_answers_nonsense_ends_the_attempt_and_not_the_car(octets: bytes, words: str) -> None:
    async def scenario() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(octets)
            writer.close()

        async with await asyncio.start_server(answer, "::1", 0) as server:
            car = await drive(server.sockets[0].getsockname()[1], car_tls())
        assert car.ended.how == "no connection"
        assert words.rstrip(", ") in str(car.ended.error)
        async with Server(Station().attend, "::1", 0, station_tls()) as again:
            assert (await drive(again.port, car_tls())).ended.well

    go(scenario())


def test_a_flood_in_the_handshake_has_an_end() -> None:
    async def scenario() -> None:
        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while True:  # change_cipher_spec records are legal, and ignored, as often as one likes
                    writer.write(bytes.fromhex("140303000101") * 1000)
                    await writer.drain()

        async with await asyncio.start_server(flood, "::1", 0) as server:
            car = await drive(server.sockets[0].getsockname()[1], car_tls())
        assert car.ended.how == "no connection"

    go(scenario())


# --- the older generation ---


def test_a_car_of_minus_2_names_its_roots_and_gets_a_chain_that_ends_there() -> None:
    """TLS 1.2 with server authentication; the station chooses among two chains by trusted_ca_keys."""
    first, second = hierarchy("secp256r1", "First"), hierarchy("secp256r1", "Second")

    async def scenario() -> None:
        station = Station()
        tls = ServerTls([], judge(Role.VEHICLE, first), iso2=[credential(h[Role.SECC]) for h in (first, second)])
        async with Server(station.attend, "::1", 0, tls) as server:
            for own in (first, second):
                root = own[Role.V2G_ROOT].certificate
                sha1 = hashlib.sha1(der(root)).digest()
                car = await drive(
                    server.port,
                    ClientTls(None, judge(Role.SECC, own, rules=ISO2_RULES), profile=ISO2, trusted_ca_keys=[sha1]),
                )
                assert car.ended.well, car.ended
                assert car.facts is not None
                assert (car.facts.version, car.facts.suite) == ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256")
                assert car.facts.peer_scheme == "ecdsa_secp256r1_sha256"
                assert not car.facts.carries_20

    go(scenario())


def test_a_car_of_minus_2_checks_the_stapled_response() -> None:
    own = hierarchy("secp256r1")
    issuer = own[Role.CPO_SUB2]
    staple = Responder(issuer.certificate, issuer.certificate, issuer.key, lambda serial: "good").staple(own[Role.SECC].certificate, NOW)

    async def scenario() -> None:
        for offered, well in ((staple, True), (None, False)):
            tls = ServerTls([], judge(Role.VEHICLE, own), iso2=[credential(own[Role.SECC], staple=lambda now, offered=offered: offered)])
            async with Server(Station().attend, "::1", 0, tls) as server:
                client = ClientTls(None, judge(Role.SECC, own, rules=ISO2_RULES), profile=ISO2, check_staples=_demand)
                car = await drive(server.port, client)
                assert car.ended.well is well, car.ended
                if well:
                    assert car.facts is not None
                    assert car.facts.staples == (staple, None, None)

    go(scenario())


def test_pem_becomes_a_credential(files: Files) -> None:
    own = hierarchy()[Role.SECC]
    words = files.of(own)
    made = Credential.from_pem(words[1].read_bytes() + words[5].read_bytes(), words[3].read_bytes())  # type: ignore[union-attr]
    assert made.chain == credential(own).chain
    with pytest.raises(Misuse, match="cannot be used"):
        ClientTls(Credential((b"garbage",), made.key), judge(Role.SECC, hierarchy()))
