"""TLS judges certificates and their staples at the time of the session, whatever the machine's clock says, and tells it."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evcc.trust import vehicle_tls
from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from pki.status import Responder
from pki.store import Store, create
from secc.trust import station_tls
from tests.v2g.session import peers
from tests.v2g.session.peers import Drive, Station, car_tls, credential, drive, go, hierarchy, judge
from v2g.session.link import Disconnected, HandshakeFailed
from v2g.session.transport import Server, ServerTls
from v2g.session.transport.libssl import available

NOW = datetime.now(UTC)
LATER = timedelta(days=365 * 30)  # by then everything but some roots has expired


def at(moment: datetime) -> Any:
    return lambda: moment.timestamp()


def met(station: Any, car: Any) -> tuple[Drive, Any]:
    """What the car saw, and why the station refused it, if it did."""

    async def scenario() -> tuple[Drive, Any]:
        attending = Station()
        async with Server(attending.attend, "::1", 0, station, observe=[attending.observe]) as server:
            came = await drive(server.port, car)
            await server.served.get()
        return came, attending

    return go(scenario())


def test_a_car_of_another_year_refuses_a_station_that_has_expired_by_then() -> None:
    came, _ = met(peers.station_tls(), car_tls(wall=at(NOW + LATER)))
    assert not came.ended.well
    (failed,) = came.witness.of(HandshakeFailed)
    assert "expired" in failed.reason
    assert (failed.by, failed.alert) == ("us", "certificate_expired")


def test_a_station_of_another_year_refuses_a_car_that_has_expired_by_then() -> None:
    came, attending = met(peers.station_tls(wall=at(NOW + LATER)), car_tls())
    assert not came.ended.well
    (failed,) = attending.witnesses[1].of(HandshakeFailed)
    assert (failed.by, failed.alert) == ("us", "certificate_expired")


def test_before_a_certificate_begins_it_is_not_valid_yet() -> None:
    came, _ = met(peers.station_tls(), car_tls(wall=at(NOW - timedelta(days=30))))
    assert not came.ended.well
    came, _ = met(peers.station_tls(wall=at(NOW - timedelta(days=30))), car_tls())
    assert not came.ended.well


def test_certificates_of_the_future_are_good_in_the_future_and_both_ends_say_when_they_judged() -> None:
    then = NOW + LATER
    future = build(Plan(responders=False), "secp521r1", then)
    given = {"wall": at(then + timedelta(hours=1))}
    came, attending = met(peers.station_tls(future, **given), car_tls(future, **given))
    assert came.ended.well, came.ended.error
    for facts in (came.facts, attending.links[0].tls):
        assert facts is not None
        assert facts.judged_at == pytest.approx(given["wall"]())


def test_the_time_of_the_machine_serves_where_no_other_is_given() -> None:
    came, _ = met(peers.station_tls(), car_tls())
    assert came.facts is not None
    assert abs(came.facts.judged_at - time.time()) < 3600


def test_staples_are_made_and_judged_at_that_time_too() -> None:
    asked: list[float] = []
    checked: list[float] = []

    def staple(when: float) -> bytes:
        asked.append(when)
        return b"a response"

    def check(chain: tuple[bytes, ...], staples: tuple[bytes | None, ...], when: float) -> None:
        checked.append(when)

    own, then = hierarchy(), NOW + timedelta(minutes=5)
    station = ServerTls([credential(own[Role.SECC], staple=staple)], judge(Role.VEHICLE, own), wall=at(then))
    came, attending = met(station, car_tls(own, check_staples=check, wall=at(then)))
    assert came.ended.well, came.ended.error
    assert set(asked) == set(checked) == {then.timestamp()}
    assert attending.witnesses[1].of(Disconnected)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return create(tmp_path_factory.mktemp("pki"), [build(Plan(), "secp521r1", NOW)])


@pytest.mark.parametrize(
    "named", [False, pytest.param(True, marks=pytest.mark.skipif(not available(), reason="no OpenSSL 3 of the system"))]
)
def test_what_a_directory_makes_of_a_car_and_a_station_follows_their_clock(store: Store, named: bool) -> None:
    good = at(NOW + timedelta(minutes=1))
    assert met(station_tls(store, wall=good), vehicle_tls(store, name_roots=named, wall=good))[0].ended.well
    assert not met(station_tls(store, wall=good), vehicle_tls(store, name_roots=named, wall=at(NOW + LATER)))[0].ended.well
    assert not met(station_tls(store, wall=at(NOW + LATER)), vehicle_tls(store, name_roots=named, wall=good))[0].ended.well


def test_a_response_that_is_old_by_the_clock_of_the_session_is_not_stapled(store: Store, tmp_path: Path) -> None:
    from v2gkit.station.staples import _old

    own = build(Plan(), "secp521r1", NOW)
    kept = create(tmp_path / "pki", [own])
    leaf, issuer = kept.secc.leaf, kept.secc.chain[1]
    issuing = next(one for one in own.issued if one.certificate == issuer)
    kept.save_response(leaf, issuer, Responder(issuer, issuer, issuing.key, lambda serial: "good").staple(leaf, NOW))
    soon, late = at(NOW + timedelta(minutes=1)), at(NOW + timedelta(days=60))
    came, _ = met(station_tls(kept, wall=soon), vehicle_tls(kept, wall=soon))
    assert came.facts is not None
    assert came.facts.staples[0] is not None
    came, _ = met(station_tls(kept, wall=late), vehicle_tls(kept, wall=late))
    assert came.facts is None or came.facts.staples[0] is None
    assert not _old(kept, leaf, issuer, soon)
    assert _old(kept, leaf, issuer, late)


def test_the_roots_of_a_directory_are_those_that_its_station_names(store: Store) -> None:
    """[V2G20-2401]: V2G and OEM roots, by whose names a car chooses its chain."""
    came, attending = met(station_tls(store), vehicle_tls(store))
    expected = {root.subject.public_bytes() for root in (*store.anchors.v2g, *store.anchors.oem)}
    assert store.anchors.v2g
    assert store.anchors.oem
    assert came.facts is not None
    assert set(came.facts.authorities_named_by_peer) == expected
    assert attending.links[0].tls is not None
    assert set(attending.links[0].tls.authorities_named) == expected
