"""One port for both generations: TLS 1.3, TLS 1.2 and plain TCP, each with what it may carry; and what discovery answers."""

import asyncio
import ssl
from datetime import UTC, datetime
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

from pki.errors import StoreError
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc.backend import LocalBackend
from secc.bay import Place
from secc.generations import CONDUCTS
from secc.outlet import Outlet
from secc.responder import Responder
from secc.server import Station, surroundings, wall_clock
from secc.simulated import SimulatedEVSE
from secc.trust import station_tls
from tests.starved import HANG
from v2g.exi.codec import decode, encode
from v2g.iso2.services import PROTOCOL as MINUS_2
from v2g.iso20.services import PROTOCOLS
from v2g.messages import schema_set
from v2g.session.sap import offer
from v2g.session.sdp import Request, Response, Security, answer
from v2g.session.v2gtp import frame

MINUS_20 = PROTOCOLS["dc"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    now = datetime.now(UTC)
    return create(tmp_path_factory.mktemp("both") / "pki", [build(Plan(), curve, now) for curve in ("secp521r1", "secp256r1")])


def negotiated(store: Store, outlet: Outlet, protocols: tuple[object, ...], tls: ssl.SSLContext | None) -> str:
    """What the station answers to a car that offers these protocols by this link; empty: it closes the connection without a word."""

    async def story() -> str:
        now, clock = asyncio.get_running_loop().time, wall_clock()
        evse = SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep)
        place = Place(evse, outlet, LocalBackend(surroundings(clock)))
        async with asyncio.timeout(HANG), Station([place], station_tls(store), clock=clock) as station:
            host, port = station.addresses[0]
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
            writer.write(frame(0x8001, encode(offer(protocols), schema_set("app"))))  # type: ignore[arg-type]
            try:
                header = await reader.readexactly(8)
                message = decode(await reader.readexactly(int.from_bytes(header[4:], "big")), schema_set("app"))
            except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                return ""
            finally:
                writer.close()
            return str(message.ResponseCode.value)  # type: ignore[attr-defined]

    return asyncio.run(story())


def tls12() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0")
    return context


def test_minus_2_comes_by_tcp_and_tls_1_2_beside_tls_1_3_and_minus_20_by_neither(store: Store) -> None:
    outlet = Outlet()
    assert negotiated(store, outlet, (MINUS_2,), None) == "OK_SuccessfulNegotiation"
    assert negotiated(store, outlet, (MINUS_20, MINUS_2), None) == "OK_SuccessfulNegotiation"
    assert negotiated(store, outlet, (MINUS_20,), None) == "Failed_NoNegotiation"
    assert negotiated(store, outlet, (MINUS_2,), tls12()) == "OK_SuccessfulNegotiation"
    assert negotiated(store, outlet, (MINUS_20,), tls12()) == "Failed_NoNegotiation"


@pytest.mark.parametrize("outlet", [Outlet(generations=("20",)), Outlet(authorizations=("PnC",))], ids=["-20 alone", "contracts alone"])
def test_an_outlet_that_needs_tls_takes_no_car_without(store: Store, outlet: Outlet) -> None:
    assert not outlet.plain
    assert negotiated(store, outlet, (MINUS_2,), None) == ""


def test_discovery_answers_no_tls_to_a_car_that_asks_for_none_where_it_may() -> None:
    station = Response(IPv6Address("fe80::1"), 50_000, Security.TLS)
    for asked, plain, told in (
        (Security.NONE, True, Security.NONE),
        (Security.NONE, False, Security.TLS),
        (Security.TLS, True, Security.TLS),
        (Security.TLS, False, Security.TLS),
    ):
        found = answer(Request(asked), station, plain=plain)
        assert found is not None
        assert found.security is told


@pytest.mark.parametrize(
    ("generations", "told"),
    [(("DIN",), Security.NONE), (("2", "DIN"), Security.TLS), (("20",), Security.TLS), (("20", "2", "DIN"), Security.TLS)],
)
def test_discovery_tells_of_tls_by_what_the_outlet_speaks(
    store: Store, generations: tuple[Any, ...], told: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[V2G-DC-618]: where DIN alone is spoken there is none, whatever the station could do, also to a car that asks for it."""
    monkeypatch.setattr("secc.responder.link_local", lambda iface: IPv6Address("fe80::1"))

    async def story() -> Response | None:
        now, clock = asyncio.get_running_loop().time, wall_clock()
        evse = SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep)
        place = Place(evse, Outlet(generations=generations), LocalBackend(surroundings(clock)))
        async with Station([place], station_tls(store), clock=clock) as station:
            return Responder("lo", station.bays, station._security, CONDUCTS, now).wired("fe80::2")

    found = asyncio.run(story())
    assert found is not None
    assert answer(Request(Security.TLS), found) == found
    assert found.security is told


def test_a_station_of_minus_2_alone_needs_no_certificate_for_tls_1_3(tmp_path: Path) -> None:
    only = create(tmp_path / "pki", [build(Plan(), "secp256r1", datetime.now(UTC))])
    with pytest.raises(StoreError, match="no station certificate for the profile conformance"):
        station_tls(only)
    tls = station_tls(only, generations=("2", "DIN"))
    assert (len(tls._offers), len(tls._offers2)) == (0, 1)
