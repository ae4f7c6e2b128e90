"""The station's TLS before cars of every kind: the openssl command as an independent one, and chains broken on purpose."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.keys import ALGORITHMS
from pki.profiles import INTEROP as INTEROP_RULES
from pki.profiles import ISO2 as ISO2_RULES
from pki.profiles import Role
from pki.status import Responder, Revocation, check, revocation_list
from pki.status_book import Silence, StatusBook
from pki.verify import verify
from tests.v2g.session.peers import (
    BYE,
    NOW,
    OPENSSL,
    Files,
    Said,
    Station,
    anchors,
    car_tls,
    credential,
    der,
    drive,
    go,
    hierarchy,
    judge,
    openssl,
    presentations,
    station_tls,
)
from v2g.session.handshake import HelloReader, certificate_request
from v2g.session.link import HandshakeFailed
from v2g.session.tls import ALERTS, INTEROP, TlsFacts
from v2g.session.transport import Server, ServerTls
from v2gkit.authorities.broken import Bench

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")
SUITES = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


async def visit(server: Server, *words: str | Path, says: bytes = BYE) -> Said:
    """One connection of `openssl s_client`, which says `bye`."""
    return await openssl("s_client", "-connect", f"[::1]:{server.port}", "-ign_eof", *words, says=says)


def pinned(files: Files, curve: str = "secp521r1", **changes: str) -> tuple[str | Path, ...]:
    """What a sound car offers, with changes."""
    own = hierarchy(curve)
    options = {"ciphersuites": SUITES, "groups": "P-521:X448", "sigalgs": "ECDSA+SHA512:ed448", **changes}
    root = files.roots(own[Role.V2G_ROOT])
    return (
        *("-tls1_3", *files.of(own[Role.VEHICLE]), "-CAfile", root, "-verify_return_error"),
        *(word for name, value in options.items() for word in (f"-{name}", value)),
    )


@pytest.mark.parametrize(
    ("curve", "changes", "suite", "group"),
    [
        ("secp521r1", {}, "TLS_AES_256_GCM_SHA384", "secp521r1"),  # S-TLS-01
        ("secp521r1", {"ciphersuites": "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"}, None, "secp521r1"),
        ("secp521r1", {"ciphersuites": "TLS_CHACHA20_POLY1305_SHA256"}, "TLS_CHACHA20_POLY1305_SHA256", "secp521r1"),  # S-TLS-02
        ("secp521r1", {"groups": "P-521"}, "TLS_AES_256_GCM_SHA384", "secp521r1"),  # S-TLS-04
        ("secp521r1", {"groups": "X448"}, "TLS_AES_256_GCM_SHA384", "x448"),
        ("secp521r1", {"groups": "P-256:X25519:X448"}, "TLS_AES_256_GCM_SHA384", "x448"),
        ("ed448", {"sigalgs": "ed448"}, "TLS_AES_256_GCM_SHA384", "secp521r1"),  # S-TLS-06
        ("ed448", {"groups": "X448", "sigalgs": "ed448"}, "TLS_AES_256_GCM_SHA384", "x448"),
        ("secp521r1", {"maxfraglen": "512"}, "TLS_AES_256_GCM_SHA384", "secp521r1"),  # S-TLS-26
    ],
)
def test_sound_cars_complete(files: Files, curve: str, changes: dict[str, str], suite: str | None, group: str) -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(hierarchy("secp521r1"), hierarchy("ed448"))) as server:
            said = await visit(server, *pinned(files, curve, **changes))
        facts = station.links[0].tls
        assert facts is not None
        assert facts.suite == (suite or "TLS_AES_256_GCM_SHA384")  # the station's order counts, not the car's
        assert facts.group == group
        assert facts.peer_scheme == {"secp521r1": "ecdsa_secp521r1_sha512"}.get(curve, curve)
        assert "Verify return code: 0 (ok)" in said.text
        assert BYE in said.out

    go(scenario())


def _without_certificate(files: Files) -> tuple[str | Path, ...]:
    words = pinned(files)
    return (words[0], *words[7:])


REFUSED = {
    "S-TLS-03 only AES-128": (lambda f: pinned(f, ciphersuites="TLS_AES_128_GCM_SHA256"), "handshake_failure", "V2G20-2458"),
    "S-TLS-05 only x25519": (lambda f: pinned(f, groups="X25519"), "handshake_failure", "V2G20-2460"),
    "S-TLS-05 only P-256": (lambda f: pinned(f, groups="P-256"), "handshake_failure", "V2G20-2460"),
    "sigalgs of other curves": (lambda f: pinned(f, sigalgs="ECDSA+SHA256:ed25519:RSA-PSS+SHA256"), "handshake_failure", "V2G20-1667"),
    "S-TLS-07 only TLS 1.2": (lambda f: ("-tls1_2",), "protocol_version", "V2G20-2356"),
    "S-TLS-09 no certificate": (_without_certificate, "certificate_required", "V2G20-2400"),
    "S-TLS-17 unknown root": (
        lambda f: (*_without_certificate(f), *f.of(hierarchy("secp521r1", "Stranger")[Role.VEHICLE])),
        "unknown_ca",
        "V2G20-2331",
    ),
    "S-TLS-22 contract": (lambda f: (*_without_certificate(f), *f.of(hierarchy()[Role.CONTRACT])), "unknown_ca", "V2G20-2331"),
    "provisioning": (lambda f: (*_without_certificate(f), *f.of(hierarchy()[Role.PROVISIONING])), "unsupported_certificate", "Annex B.8"),
    "a station as a car": (lambda f: (*_without_certificate(f), *f.of(hierarchy()[Role.SECC])), "unsupported_certificate", "Annex B.8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unsound_cars_are_refused_with_an_alert_and_the_next_one_is_served(files: Files, case: str) -> None:
    words, alert, requirement = REFUSED[case]

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            said = await visit(server, *words(files))
            assert not station.links
            failed = station.witnesses[1].of(HandshakeFailed)[0]
            assert failed.by == "us"
            assert (failed.alert, failed.requirement) == (alert, requirement)
            assert f"alert {alert}".replace("_", " ") in said.text.lower().replace("tlsv1 ", "").replace("tlsv13 ", "").replace(
                "sslv3 ", ""
            )
            assert (await drive(server.port, car_tls())).ended.well

    go(scenario())


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_chains_broken_on_purpose_get_the_verdict_they_deserve(curve: str) -> None:
    """S-TLS-15 to S-TLS-23: every variant that a TLS library can be made to present at all."""
    own = hierarchy(curve)

    async def scenario() -> int:
        presented = list(presentations(own, Role.VEHICLE))
        async with Server(Station().attend, "::1", 0, station_tls(own), observe=[(station := Station()).observe]) as server:
            for variant, chain in presented:
                car = await drive(server.port, car_tls(own, credential=credential(own[Role.VEHICLE], chain)))
                served = await server.served.get()
                failures = station.witnesses[served.number].of(HandshakeFailed)
                if variant.verdict is None:
                    assert car.ended.well, (variant.name, car.ended)
                    assert not failures
                else:
                    assert not car.ended.well, variant.name
                    assert variant.verdict.value in failures[0].reason, (variant.name, failures[0])
                    assert failures[0].alert == ALERTS.get(variant.verdict.value, "bad_certificate"), variant.name
            assert (await drive(server.port, car_tls(own))).ended.well
        return len(presented)

    assert go(scenario(), 60) > 30


@pytest.mark.parametrize("kind", ["secp256r1", "secp384r1", "rsa"])
def test_keys_of_another_kind_cannot_even_sign(files: Files, kind: str) -> None:
    """S-TLS-23: a vehicle certificate of another kind of key, under good sub-CAs."""
    keys: dict[str, Callable[[], Any]] = {
        "secp256r1": ALGORITHMS["secp256r1"].generate,
        "secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }
    bench = Bench(hierarchy(), Role.VEHICLE, NOW)
    weak = bench.again(bench.leaf, key=keys[kind]())

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            schemes = "ECDSA+SHA512:ed448:ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256"
            said = await visit(server, *_without_certificate(files)[:-2], "-sigalgs", schemes, *files.of(weak))
            assert not station.links
            failed = station.witnesses[1].of(HandshakeFailed)[0]
            assert failed.alert is not None
            assert failed.alert in said.text.replace(" ", "_")
            assert (await drive(server.port, car_tls())).ended.well

    go(scenario())


def test_a_leaf_issued_by_a_leaf_is_nobody() -> None:
    """S-TLS-20."""
    bench = Bench(hierarchy(), Role.VEHICLE, NOW)
    below = bench.again(bench.leaf, issuer=bench.leaf, key=ALGORITHMS[bench.curve].generate())

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            car = await drive(server.port, car_tls(credential=credential(below)))
            assert not car.ended.well
            await server.served.get()
            assert "wrong profile" in station.witnesses[1].of(HandshakeFailed)[0].reason

    go(scenario())


def test_a_revoked_vehicle_is_refused_by_that_name() -> None:
    """S-TLS-16, by a revocation list; the same car passes while the list does not name it."""
    own = hierarchy()
    issuer, vehicle = own[Role.OEM_SUB2], own[Role.VEHICLE]
    lists: list[x509.CertificateRevocationList] = []

    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        return StatusBook(Silence.PASSES, lists).status(certificate, issuer, now)

    held = anchors(own)

    def judged(chain: tuple[bytes, ...], now: float) -> object:
        return verify(chain, Role.VEHICLE, held, datetime.fromtimestamp(now, UTC), status=status)

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(own, verify=judged), observe=[station.observe]) as server:
            for revoked, alert in (({}, None), ({vehicle.certificate.serial_number: Revocation(NOW)}, "certificate_revoked")):
                lists[:] = [revocation_list(issuer.certificate, issuer.key, revoked, NOW)]
                car = await drive(server.port, car_tls(own))
                served = await server.served.get()
                failed = station.witnesses[served.number].of(HandshakeFailed)
                assert car.ended.well is (alert is None)
                assert [f.alert for f in failed] == ([alert] if alert else [])

    go(scenario())


def test_the_certificate_request_names_roots_and_schemes_and_nothing_else(files: Files) -> None:
    """S-TLS-08, S-TLS-10, S-TLS-11, as an independent client prints it and octet by octet."""
    own = hierarchy()
    seen: list[bytes] = []

    async def scenario() -> None:
        async with Server(Station().attend, "::1", 0, station_tls(own)) as server:
            said = await visit(server, *pinned(files), "-msg")
            names = said.text.split("Acceptable client certificate CA names\n")[1].split("Requested Signature Algorithms")[0]
            assert [line.partition("CN = ")[2].partition(",")[0] for line in names.strip().splitlines()] == [
                "V2G Root CA secp521r1",
                "OEM Root CA secp521r1",
            ]
            assert re.search(r"Requested Signature Algorithms: ECDSA\+SHA512:ed448\n", said.text)
            message = said.text.split("CertificateRequest\n")[1].split("<<<")[0].split(">>>")[0]
            seen.append(bytes.fromhex("".join(re.findall(r"^    ((?:[0-9a-f]{2} ?)+)$", message, re.MULTILINE))))

    go(scenario())
    request = certificate_request(seen[0], 0x0304)
    assert request.signature_schemes == (0x0603, 0x0808)  # [V2G20-1667], in this order
    assert request.certificate_authorities == tuple(own[role].certificate.subject.public_bytes() for role in (Role.V2G_ROOT, Role.OEM_ROOT))
    assert set(request.extensions) == {13, 47}  # no oid_filters, no status_request [V2G20-2406] [V2G20-2407]


@pytest.mark.parametrize("named", [0, 1])
def test_the_chain_follows_the_roots_that_the_car_names(files: Files, named: int) -> None:
    """S-TLS-12."""
    both = (hierarchy("secp521r1", "First"), hierarchy("secp521r1", "Second"))

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(*both)) as server:
            root = files.roots(both[named][Role.V2G_ROOT])
            words = (*_without_certificate(files), *files.of(both[named][Role.VEHICLE]), "-requestCAfile", root, "-CAfile", root)
            await visit(server, *words)
        facts = station.links[0].tls
        assert facts is not None
        assert facts.own_chain == tuple(der(c) for c in both[named][Role.SECC].chain)
        assert facts.authorities_named_by_peer == (both[named][Role.V2G_ROOT].certificate.subject.public_bytes(),)

    go(scenario())


def test_nothing_is_resumed_and_no_early_data_is_taken(files: Files) -> None:
    """S-TLS-24: a ticket, where the library sends one at all, opens nothing."""
    early = files.written(BYE)
    session = files.folder / "session"

    async def scenario() -> list[TlsFacts | None]:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls()) as server:
            await visit(server, *pinned(files), "-sess_out", session)
            assert session.exists()
            said = await visit(server, *pinned(files), "-sess_in", session, "-early_data", early)
            assert "Early data was rejected" in said.text or "Early data was not sent" in said.text
            assert "Reused, TLSv1.3" not in said.text
        assert [e.heard for e in station.endpoints] == [[b"bye"], [b"bye"]]
        return [link.tls for link in station.links]

    first, second = go(scenario())
    assert first is not None
    assert second is not None
    assert not second.resumed
    assert second.verified is not None
    assert second.peer_chain == first.peer_chain


def test_an_ocsp_response_is_stapled_for_who_asks(files: Files) -> None:
    """S-TLS-13 and S-TLS-14, for the leaf: that is as far as the TLS library goes."""
    own = hierarchy()
    issuer = own[Role.CPO_SUB2]
    responder = Responder(issuer.certificate, issuer.certificate, issuer.key, lambda serial: "good", timedelta(days=3))
    staple = responder.staple(own[Role.SECC].certificate, NOW)
    served: list[float] = []

    def provide(now: float) -> bytes:
        served.append(now)
        return staple

    async def scenario() -> None:
        station = Station()
        tls = ServerTls([credential(own[Role.SECC], staple=provide)], judge(Role.VEHICLE, own))
        async with Server(station.attend, "::1", 0, tls) as server:
            said = await visit(server, *pinned(files), "-status")
            assert "OCSP Response Status: successful" in said.text
            assert "Cert Status: good" in said.text
            await visit(server, *pinned(files))
        asked, silent = (link.tls for link in station.links)
        assert asked is not None
        assert silent is not None
        assert asked.staples_asked_for
        assert asked.staples == (staple, None, None)
        assert not silent.staples_asked_for
        assert silent.staples == (None, None, None)
        assert check(asked.staples[0] or b"", own[Role.SECC].certificate, issuer.certificate, NOW)
        assert any("V2G20-2388" in limit for limit in asked.limits)

    go(scenario())
    assert len(served) == 1


def test_no_response_is_made_up(files: Files) -> None:
    async def scenario() -> None:
        async with Server(Station().attend, "::1", 0, station_tls()) as server:
            assert "OCSP response: no response sent" in (await visit(server, *pinned(files), "-status")).text

    go(scenario())


# --- other profiles and generations ---


def test_the_interop_profile_says_what_it_lets_pass(files: Files) -> None:
    other = hierarchy("secp256r1")

    async def scenario() -> None:
        station = Station()
        tls = station_tls(other, profile=INTEROP, verify=judge(Role.VEHICLE, other, rules=INTEROP_RULES))
        async with Server(station.attend, "::1", 0, tls) as server:
            root = files.roots(other[Role.V2G_ROOT])
            await visit(server, "-tls1_3", "-groups", "P-256", *files.of(other[Role.VEHICLE]), "-CAfile", root)
        facts = station.links[0].tls
        assert facts is not None
        assert facts.group == "secp256r1"
        assert {r.requirement for r in facts.relaxations} == {"V2G20-2460", "V2G20-1667", "V2G20-1668"}

    go(scenario())


def test_one_port_serves_both_generations(files: Files) -> None:
    """-2 over TLS 1.2 with its ECDHE suite, beside -20; a station without -2 credentials refuses TLS 1.2 (see above)."""
    new, old = hierarchy(), hierarchy("secp256r1")

    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(new, iso2=[credential(old[Role.SECC])])) as server:
            root = files.roots(old[Role.V2G_ROOT])
            said = await visit(server, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256", "-CAfile", root, "-verify_return_error")
            assert "Verify return code: 0 (ok)" in said.text
            refused = await visit(server, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", "-CAfile", root)
            assert "alert handshake failure" in refused.text
            await visit(server, *pinned(files))
            offered_both = await visit(server, *pinned(files)[1:])
            assert "TLSv1.3" in offered_both.text
        first, second, third = (link.tls for link in station.links)
        assert first is not None
        assert (first.version, first.suite, first.group) == ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "secp256r1")
        assert first.own_scheme == "ecdsa_secp256r1_sha256"
        assert not first.certificate_requested
        assert not first.carries_20
        assert first.relaxations == ()
        assert second is not None
        assert second.carries_20
        assert third is not None
        assert third.carries_20

    go(scenario())
    assert ISO2_RULES.name == "iso2"


def test_the_hello_of_an_independent_client_is_read(files: Files) -> None:
    async def scenario() -> bytes:
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.put_nowait(await reader.read(4096))
            writer.close()

        async with await asyncio.start_server(take, "::1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            root = files.roots(hierarchy()[Role.V2G_ROOT])
            words = (
                "-connect",
                f"[::1]:{port}",
                "-servername",
                "station.example",
                "-status",
                "-maxfraglen",
                "1024",
                "-requestCAfile",
                root,
            )
            await openssl("s_client", *words)
            return await heard.get()

    hello = HelloReader().feed(go(scenario()))
    assert hello is not None
    assert hello.tls13
    assert 0x0303 in hello.versions
    assert 0x1302 in hello.suites
    assert {0x0017, 0x001D, 0x0019} <= set(hello.groups)
    assert {0x0403, 0x0603, 0x0808} <= set(hello.signature_schemes)
    assert hello.server_name == "station.example"
    assert hello.status_request is not None
    assert hello.max_fragment_length == 1024
    assert hello.certificate_authorities == (hierarchy()[Role.V2G_ROOT].certificate.subject.public_bytes(),)
