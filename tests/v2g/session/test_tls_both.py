"""A car of both generations: one ClientHello for stations of ISO 15118-20 (TLS 1.3) and of ISO 15118-2 (TLS 1.2)."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pki.issue import Hierarchy, Issued
from pki.profiles import ISO2 as ISO2_RULES
from pki.profiles import Role
from tests.v2g.session.peers import Station, car_tls, credential, der, drive, go, hierarchy, judge, key_pem, pem, station_tls
from v2g.session.errors import Misuse
from v2g.session.handshake import HelloReader
from v2g.session.tls import CONFORMANCE, ISO2, TlsError
from v2g.session.transport import ClientTls, Server, ServerTls


def _both(own2: Hierarchy, own20: Hierarchy | None = None, **given: Any) -> ClientTls:
    """A car of both generations: it trusts the root on P-256 in TLS 1.2, that of the other curve in TLS 1.3."""
    own20 = own20 or hierarchy()
    sha1 = hashlib.sha1(der(own2[Role.V2G_ROOT].certificate)).digest()
    older = (judge(Role.SECC, own2, rules=ISO2_RULES), given.pop("check_older", None))
    return car_tls(own20, older=older, trusted_ca_keys=[sha1], **given)


def test_one_hello_is_taken_by_stations_of_either_generation() -> None:
    """By that of TLS 1.2 as ISO 15118-2 pins it, by that of TLS 1.3 as -20 does; a station of both takes it for the newer."""
    own2, own20 = hierarchy("secp256r1"), hierarchy()

    async def scenario() -> None:
        minus2 = [credential(own2[Role.SECC])]
        only2 = ServerTls([], judge(Role.VEHICLE, own2), iso2=minus2)
        both = station_tls(own20, iso2=minus2)
        for tls, version, group, suite in (
            (only2, "TLSv1.2", "secp256r1", ISO2.suites[0]),
            (station_tls(own20), "TLSv1.3", "secp521r1", "TLS_AES_256_GCM_SHA384"),
            (both, "TLSv1.3", "secp521r1", "TLS_AES_256_GCM_SHA384"),
        ):
            station = Station()
            async with Server(station.attend, "::1", 0, tls, observe=[station.observe]) as server:
                car = await drive(server.port, _both(own2))
            assert car.ended.well, car.ended
            assert car.facts is not None
            assert (car.facts.version, car.facts.group, car.facts.suite) == (version, group, suite)
            assert car.facts.carries_20 is (version == "TLSv1.3")
            assert (car.facts.own_chain == ()) is (version == "TLSv1.2")
            assert car.facts.profile == ("iso2" if version == "TLSv1.2" else "conformance")

    go(scenario())


def test_the_hello_of_both_names_the_lists_of_both() -> None:
    channel = _both(hierarchy("secp256r1")).channel()
    channel.start()
    hello = HelloReader().feed(channel.octets_to_send())
    assert hello is not None
    assert {0x0303, 0x0304} == set(hello.versions)
    assert {0xC023, 0x1302, 0x1303} <= set(hello.suites)
    assert hello.groups == (25, 30, 23)  # secp521r1, x448, secp256r1
    assert hello.signature_schemes == (0x0603, 0x0808, 0x0403)
    assert len(hello.trusted_ca_keys) == 1


@pytest.mark.parametrize("shown", ["another root", "another curve"])
def test_a_station_in_tls_1_2_is_judged_by_the_rules_of_minus_2(shown: str) -> None:
    own2 = hierarchy("secp256r1")
    theirs = hierarchy("secp256r1", "Stranger") if shown == "another root" else hierarchy()

    async def scenario() -> None:
        async with _foreign_tls12(theirs[Role.SECC]) as port:
            car = await drive(port, _both(own2))
        assert isinstance(car.ended.error, TlsError)
        assert "refused" in str(car.ended.error)
        assert car.ended.error.alert in ("unknown_ca", "unsupported_certificate", "bad_certificate")

    go(scenario())


def test_a_station_of_minus_2_that_asks_for_a_certificate_gets_none_in_clear() -> None:
    """TLS 1.2 would show the vehicle's certificate to everybody on the link."""
    own2 = hierarchy("secp256r1")

    async def scenario() -> None:
        async with _foreign_tls12(own2[Role.SECC], asks=True) as port:
            car = await drive(port, _both(own2))
        assert car.facts is not None, car.ended
        assert car.facts.certificate_requested
        assert car.facts.own_chain == ()

    go(scenario())


def test_a_group_for_tls_1_2_is_none_for_tls_1_3() -> None:
    """The list of groups is one for both versions: a station may pick P-256 for TLS 1.3, which -20 does not have."""
    own20 = hierarchy()

    async def scenario() -> None:
        narrow = replace(CONFORMANCE, groups=("secp256r1",))
        async with Server(Station().attend, "::1", 0, station_tls(own20, profile=narrow)) as server:
            car = await drive(server.port, _both(hierarchy("secp256r1"), own20))
        assert isinstance(car.ended.error, TlsError)
        assert car.ended.error.requirement == "V2G20-2460"
        assert "secp256r1" in str(car.ended.error)

    go(scenario())


def test_the_response_of_a_station_in_tls_1_2_is_judged_by_its_own_policy() -> None:
    own2, asked = hierarchy("secp256r1"), list[str]()

    async def scenario() -> None:
        older = lambda chain, staples, at: asked.append("1.2")  # noqa: E731
        newer = lambda chain, staples, at: asked.append("1.3")  # noqa: E731
        for tls in (ServerTls([], judge(Role.VEHICLE, own2), iso2=[credential(own2[Role.SECC])]), station_tls()):
            async with Server(Station().attend, "::1", 0, tls) as server:
                car = await drive(server.port, _both(own2, check_older=older, check_staples=newer))
            assert car.ended.well, car.ended
        assert asked == ["1.2", "1.3"]

    go(scenario())


@contextlib.asynccontextmanager
async def _foreign_tls12(shown: Issued, asks: bool = False) -> AsyncIterator[int]:
    """A station of TLS 1.2 by another binding of OpenSSL, with whatever certificate; it reads one frame and says it back."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0")
    if asks:
        context.verify_mode = ssl.CERT_OPTIONAL
    with TemporaryDirectory() as folder:
        file = Path(folder) / "station.pem"
        file.write_bytes(key_pem(shown) + pem(*shown.chain))
        context.load_cert_chain(file)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while octets := await reader.read(4096):
                writer.write(octets)
        writer.close()

    async with await asyncio.start_server(serve, "::1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def test_the_library_of_the_system_has_no_such_hello() -> None:
    with pytest.raises(Misuse, match=r"TLS 1\.3 alone"):
        _both(hierarchy("secp256r1"), system=True)
