"""OCSP from the responder to the car: fetched over HTTP, kept in the store, stapled in real handshakes, judged by policy."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evcc.trust import staple_facts, tls_credential, vehicle_tls
from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from pki.status import statement
from pki.store import Store, create
from secc.trust import station_tls
from tests.starved import HANG
from v2g.session.endpoint import Event
from v2g.session.link import HandshakeFailed, Observer, Secured
from v2g.session.tls import TlsFacts
from v2g.session.transport import ClientTls, Server, ServerTls, libssl, run
from v2gkit.authorities import ocsp
from v2gkit.authorities.broken_form import other_half
from v2gkit.authorities.office import Office
from v2gkit.authorities.web import Answer, Asked, Site
from v2gkit.station.staples import certificates, kept_fresh, refresh

NOW = datetime.now(UTC)
REVOCATIONS = ("known", "leaf", "strict")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create(tmp_path_factory.mktemp("staples") / "pki", [build(Plan(), "secp521r1", NOW)]).path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Store:
    return Store(copytree(made, tmp_path / "pki"))


@pytest.fixture
def car(made: Path, tmp_path: Path) -> Store:
    """What the same hierarchy gives a car: no station's key, and nothing that a station learns."""
    own = copytree(made, tmp_path / "car")
    rmtree(own / Role.SECC.value)
    return Store(own)


class Handshake(Observer):
    """What came of one."""

    def __init__(self) -> None:
        self.facts: TlsFacts | None = None
        self.failed: HandshakeFailed | None = None

    def event(self, event: Event) -> None:
        if isinstance(event, Secured):
            self.facts = event.facts
        if isinstance(event, HandshakeFailed):
            self.failed = event


def shake(station: ServerTls, *cars: ClientTls) -> list[Handshake]:
    """One handshake of each car over a real socket."""

    async def all_of_them() -> list[Handshake]:
        found = [Handshake() for _ in cars]
        async with Server(lambda link: None, "::1", 0, station) as server:
            for car, seen in zip(cars, found, strict=True):
                async with asyncio.timeout(300):
                    await run(lambda link: None, "::1", server.port, car, observe=[lambda *_, seen=seen: seen])
        return found

    return asyncio.run(all_of_them())


def counted(site_routes: list[Any]) -> tuple[list[Any], list[bytes]]:
    """The routes, and every request that came by POST."""
    asked: list[bytes] = []

    def noting(service: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
        return lambda one: (asked.append(one.body), service(one))[1]

    return [(method, path, noting(service)) for method, path, service in site_routes], asked


async def until(true: Callable[[], object]) -> None:
    """Look until it is."""
    while not true():  # noqa: ASYNC110 - what is waited for happens in another thread
        await asyncio.sleep(0.01)


# --- fetching and keeping ---


def test_a_chain_is_asked_about_once_until_half_its_time_has_gone(store: Store) -> None:
    routes, asked = counted(ocsp.routes(store))
    with Site(routes) as site:
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
        assert len(asked) == 3 == len(list(certificates(store)))
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
        assert len(asked) == 3
        office, leaf = Office(store), store.secc.leaf
        old = office.responder(office.issuer_of(leaf), timedelta(hours=4)).staple(leaf, NOW - timedelta(hours=3))
        store.save_response(leaf, store.secc.chain[1], old)
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
        assert len(asked) == 4
        assert store.response(leaf, store.secc.chain[1]) != old


def test_a_responder_that_does_not_answer_costs_nothing_that_is_held(store: Store) -> None:
    office = Office(store)
    leaf = store.secc.leaf
    held = office.responder(office.issuer_of(leaf), timedelta(hours=4)).staple(leaf, NOW - timedelta(hours=3))
    store.save_response(leaf, store.secc.chain[1], held)
    wrong = refresh(store, "http://[::1]:1/ocsp", timeout=1)
    assert len(wrong) == 3
    assert all("does not answer" in reason for reason in wrong.values())
    assert store.response(leaf, store.secc.chain[1]) == held


def test_without_a_responder_nobody_is_asked(store: Store) -> None:
    assert refresh(store) == {}
    assert store.response(*store.secc.chain[:2]) is None


def test_a_revocation_is_said_kept_and_never_stapled(store: Store) -> None:
    with Site(ocsp.routes(store)) as site:
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
        Office(store).revoke(store.secc.leaf, NOW)
        store.response_path(*store.secc.chain[:2]).unlink()
        wrong = refresh(store, f"{site.url}/ocsp", timeout=HANG)
    assert "revoked" in wrong[store.secc.common_name]
    said = statement(store.response(*store.secc.chain[:2]) or b"", *store.secc.chain[:2])
    assert said is not None
    assert said.revoked == NOW.replace(microsecond=0)
    (offer,) = station_tls(store)._offers
    assert offer.context.credential is not None
    assert offer.context.credential.staple is not None
    assert offer.context.credential.staple(NOW.timestamp()) is None


def test_a_station_keeps_itself_fresh_and_says_what_changes(store: Store) -> None:
    said: list[dict[str, str]] = []

    async def story(url: str) -> None:
        keeping = asyncio.create_task(kept_fresh(store, url, said.append, look=0.01))
        await until(lambda: store.response(*store.secc.chain[:2]))
        Office(store).revoke(store.secc.leaf, NOW)
        store.response_path(*store.secc.chain[:2]).unlink()
        await until(lambda: said)
        keeping.cancel()

    with Site(ocsp.routes(store)) as site:
        asyncio.run(asyncio.wait_for(story(f"{site.url}/ocsp"), 300))
    assert [list(one) for one in said] == [[store.secc.common_name]]


def test_a_new_response_is_no_reason_to_load_the_store_anew(store: Store) -> None:
    with Site(ocsp.routes(store)) as site:
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
    assert not store.changed()
    rmtree(store.path / "cps")
    assert store.changed()


# --- from the store into the handshake ---


def test_what_is_stapled_satisfies_a_car_as_far_as_the_library_staples(store: Store, car: Store) -> None:
    with Site(ocsp.routes(store)) as site:
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
    known, leaf, strict = shake(station_tls(store), *(vehicle_tls(car, revocation=one) for one in REVOCATIONS))  # type: ignore[arg-type]
    for seen in (known, leaf):
        assert seen.facts is not None
        assert seen.facts.staples == (store.response(*store.secc.chain[:2]), None, None)
        assert staple_facts(seen.facts) == {
            "stapled": [True, False, False],
            "missing": "2 of 3 OCSP responses",
            "requirement": "V2G20-2388",
        }
    assert strict.failed is not None  # the library of the station staples to the leaf only, and says so among its limits
    assert strict.failed.requirement == "V2G20-2411"
    assert (strict.failed.by, strict.failed.alert) == ("us", "bad_certificate_status_response")


def test_what_the_car_itself_keeps_counts_where_nothing_is_stapled(store: Store, car: Store) -> None:
    with Site(ocsp.routes(store)) as site:
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
    for certificate, issuer in certificates(store):
        car.save_response(certificate, issuer, store.response(certificate, issuer) or b"")
    silent = ServerTls([tls_credential(store.secc)], lambda chain, at: True)
    (strict,) = shake(silent, vehicle_tls(car, revocation="strict"))
    assert strict.facts is not None
    assert staple_facts(strict.facts)["stapled"] == [False, False, False]


def test_a_station_that_staples_nothing_is_told_of_or_refused(store: Store) -> None:
    known, leaf = shake(station_tls(store), vehicle_tls(store), vehicle_tls(store, revocation="leaf"))
    assert known.facts is not None
    assert known.facts.staples_asked_for
    assert staple_facts(known.facts)["missing"] == "3 of 3 OCSP responses"
    assert leaf.failed is not None
    assert "stapled no OCSP response" in leaf.failed.reason


def test_what_a_station_keeps_to_staple_is_not_what_the_car_knows(store: Store) -> None:
    """One directory for both, as on a bench: the responses that the station fetched about itself do not speak for one that staples none."""
    with Site(ocsp.routes(store)) as site:
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
    assert store.response(*store.secc.chain[:2]) is not None
    silent = ServerTls([tls_credential(store.secc)], lambda chain, at: True)
    known, leaf, strict = shake(silent, *(vehicle_tls(store, revocation=one) for one in REVOCATIONS))  # type: ignore[arg-type]
    assert known.facts is not None
    for refused in (leaf, strict):
        assert refused.failed is not None
        assert "stapled no OCSP response" in refused.failed.reason
    (stapling,) = shake(station_tls(store), vehicle_tls(store, revocation="leaf"))
    assert stapling.facts is not None  # it is the response in the handshake that counts


@pytest.mark.parametrize("revocation", REVOCATIONS)
def test_a_revocation_ends_the_handshake_whoever_says_it(store: Store, car: Store, revocation: Any) -> None:
    office, secc = Office(store), store.secc
    office.revoke(secc.leaf, NOW)
    revoked = office.responder(office.issuer_of(secc.leaf)).staple(secc.leaf, NOW)
    hostile = ServerTls([replace(tls_credential(secc), staple=lambda at: revoked)], lambda chain, at: True)
    (stapled_so,) = shake(hostile, vehicle_tls(car, revocation=revocation))
    assert stapled_so.failed is not None
    assert "revoked" in stapled_so.failed.reason
    assert (stapled_so.failed.by, stapled_so.failed.alert) == ("us", "bad_certificate_status_response")
    car.save_response(secc.leaf, secc.chain[1], revoked)
    (known,) = shake(station_tls(store), vehicle_tls(car, revocation=revocation))
    assert known.failed is not None
    assert (known.failed.by, known.failed.alert) == ("us", "certificate_revoked")


def test_a_station_keeps_its_own_revocation_back(store: Store, car: Store) -> None:
    office, leaf = Office(store), store.secc.leaf
    office.revoke(leaf, NOW)
    store.save_response(leaf, store.secc.chain[1], office.responder(office.issuer_of(leaf)).staple(leaf, NOW))
    (seen,) = shake(station_tls(store), vehicle_tls(car))
    assert seen.facts is not None
    assert staple_facts(seen.facts)["stapled"] == [False, False, False]


def test_a_station_on_a_list_of_the_car_is_refused(store: Store, car: Store, made: Path) -> None:
    office = Office(store)
    authority = office.revoke(store.secc.leaf, NOW)
    (car.path / "crl").mkdir()
    (car.path / "crl" / "cpo.pem").write_bytes(office.crl(authority, NOW).public_bytes(Encoding.PEM))
    good, bad = shake(station_tls(store), vehicle_tls(Store(made)), vehicle_tls(car))
    assert good.facts is not None
    assert bad.failed is not None
    assert bad.failed.alert == "certificate_revoked"


def test_a_station_without_sub_ca_staples_by_its_root(tmp_path: Path) -> None:
    plan = Plan(private=True)
    private = create(tmp_path / "private", [build(plan, "ed448", NOW)])
    for path in (private.path / "secc").glob("ed448*"):
        path.unlink()
    private.reload()
    assert len(private.secc.chain) == 1
    with Site(ocsp.routes(private)) as site:
        assert refresh(private, f"{site.url}/ocsp", timeout=HANG) == {}
    assert private.credentials(Role.SECC)
    (seen,) = shake(station_tls(private), vehicle_tls(private, revocation="strict"))
    assert seen.facts is not None
    assert staple_facts(seen.facts) == {"stapled": [True]}


@pytest.mark.skipif(not libssl.available(), reason="the system has no OpenSSL 3")
def test_a_car_names_its_roots_and_still_asks_for_staples(store: Store) -> None:
    with Site(ocsp.routes(store)) as site:
        assert refresh(store, f"{site.url}/ocsp", timeout=HANG) == {}
    (seen,) = shake(station_tls(store), vehicle_tls(store, revocation="leaf", name_roots=True))
    assert seen.facts is not None
    assert seen.facts.authorities_named == tuple(root.subject.public_bytes() for root in store.anchors.v2g)
    assert seen.facts.staples_asked_for
    assert seen.facts.limits == ()


# --- what was revoked stays out, in real handshakes ---


def _turned(store: Store, role: Role) -> None:
    """The store shows the same certificates with their signatures in the other form, which anybody can make of them."""
    held = store.credential(role)
    text = b"".join(x509.load_der_x509_certificate(other_half(one)).public_bytes(Encoding.PEM) for one in held.chain)
    held.chain_path.write_bytes(text)
    store.reload()
    assert store.credential(role).chain != held.chain


def _revoked(store: Store, certificate: x509.Certificate, into: Store) -> None:
    office = Office(store)
    office.revoke(certificate, NOW)
    issuer = office.issuer_of(certificate)
    into.save_response(certificate, issuer.leaf, office.responder(issuer).staple(certificate, NOW))


@pytest.mark.parametrize("turned", [False, True])
def test_a_revoked_vehicle_stays_out_under_another_signature_too(store: Store, car: Store, turned: bool) -> None:
    if turned:
        _turned(car, Role.VEHICLE)
    (let_in,) = shake(station_tls(store), vehicle_tls(car))
    assert let_in.facts is not None
    _revoked(store, store.vehicle.leaf, store)
    station, seen = station_tls(store), []

    async def meet() -> None:
        async with Server(lambda link: None, "::1", 0, station, observe=[lambda *_: seen.append(Handshake()) or seen[-1]]) as server:
            async with asyncio.timeout(300):
                await run(lambda link: None, "::1", server.port, vehicle_tls(car), observe=[lambda *_: Handshake()])

    asyncio.run(meet())
    assert seen[0].failed is not None
    assert "revoked" in seen[0].failed.reason


@pytest.mark.parametrize("turned", [False, True])
def test_a_revoked_station_stays_out_under_another_signature_too(store: Store, car: Store, turned: bool) -> None:
    _revoked(store, store.secc.leaf, car)
    if turned:
        _turned(store, Role.SECC)
    (refused,) = shake(station_tls(store), vehicle_tls(car))
    assert refused.failed is not None
    assert "revoked" in refused.failed.reason
