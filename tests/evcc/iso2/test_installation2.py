"""CertificateInstallation and CertificateUpdate of a car of ISO 15118-2, answered by a service made of `pki.provisioning2`."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from evcc.car import Car
from evcc.credentials import Contract, Provisioning
from evcc.generations import conducts_named
from evcc.iso2.wallet import asked_for, contract_of
from evcc.opening import usual
from evcc.trust import equip
from pki import provisioning2, signature
from pki.chains import der, octets_of
from pki.envelope import new_contract_key
from pki.errors import StoreError
from pki.issue import build
from pki.plan import Plan
from pki.profiles import ISO2, Role
from pki.provisioning import Installed
from pki.store import Store, create
from pki.verify import Anchors
from secc import station as words
from secc.claims import Trust
from secc.trust import Verifiers
from tests.evcc.iso2.scripted_station2 import EPOCH, Answer, Code, Met, Option, Station2, car2, code, ok
from tests.evcc.virtual_pair import Pair, outlet
from tests.pki.test_provisioning import Hand
from v2g.iso2.generation import ISO2 as ISO2_TABLES
from v2g.messages import schema_set
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.endpoint import FrameSent
from v2g.session.errors import PeerFailed, PeerIncompatible, PeerMisbehaved
from v2gkit.authorities.broken import Bench

NOW = datetime.fromtimestamp(EPOCH, UTC)
OURS, STRANGERS = (build(Plan(v2g_roots=(name,)), "secp256r1", NOW - timedelta(days=1)) for name in ("V2G", "Stranger"))
TRUSTED = Anchors(v2g=(OURS[Role.V2G_ROOT].certificate,), oem=(OURS[Role.OEM_ROOT].certificate,), mo=(OURS[Role.MO_ROOT].certificate,))
EMAID = "DEV2GC00000001G"
CHALLENGE = bytes(range(16))


def hand(role: Role, of: Any = OURS) -> Hand:
    return Hand(of[role].chain, of[role].key)


def contract(emaid: str = EMAID, of: Any = OURS, **given: Any) -> Hand:
    """Another contract of an account, with a key of its own."""
    bench = Bench(of, Role.CONTRACT, NOW)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, emaid)])
    one = bench.again(bench.leaf, key=new_contract_key("secp256r1"), subject=name, **given)
    return Hand(one.chain, one.key)


def held(one: Hand, emaid: str = EMAID) -> Contract:
    return Contract(der(one.chain), one.key, emaid)


def visitor(*contracts: Contract, **wish: Any) -> tuple[Car[Any], list[Installed]]:
    """A car with a provisioning certificate, and what it keeps."""
    car, kept = car2(tls=True, **{"authorizations": ("PnC", "EIM"), **wish}), list[Installed]()
    own = hand(Role.PROVISIONING)
    car.also = (Provisioning(own.chain, own.key, TRUSTED, kept.append, ISO2, signature.ISO2),)
    car.prefer(*contracts)
    return car, kept


def service(contract: Hand, cps: Hand | None = None, spoil: Any = None, resign: bool = True) -> Answer:
    """A provisioning service behind the station: it proves the request, then delivers. `spoil` changes the body, signed anew or not."""

    def answer(request: Any, station: Station2) -> Any:
        subs = hand(Role.PROVISIONING).chain[1:] if isinstance(request, b.CertificateInstallationReq) else ()
        asker = provisioning2.judge_request(request, station.envelope, TRUSTED, NOW, subs=subs).leaf
        kind: Any = b.CertificateInstallationRes if isinstance(request, b.CertificateInstallationReq) else b.CertificateUpdateRes
        signer = cps or hand(Role.CPS)
        body, signed = provisioning2.deliver(kind, asker, contract, signer, entropy=secrets.token_bytes)
        if spoil is not None:
            body = spoil(body)
            if resign:
                signed = signature.sign(provisioning2.signed_parts(body), signer.key, schema_set("iso2"))
        return body, signed

    return answer


def details(request: Any, station: Station2) -> Any:
    return ok(request, station, GenChallenge=CHALLENGE, EVSETimeStamp=int(EPOCH))


def station(**answers: Answer) -> Station2:
    return Station2({"PaymentDetails": details, **answers}, ways=(Option.ExternalPayment, Option.Contract), added=(2,))


def test_a_car_without_a_contract_gets_one_and_charges_with_it() -> None:
    new, (car, kept) = contract(), visitor()
    met = Met(there := station(CertificateInstallation=service(new)), car)
    assert met.error is None
    names = there.names()
    assert names[2:8] == [
        "ServiceDiscovery",
        "ServiceDetail",
        "PaymentServiceSelection",
        "CertificateInstallation",
        "PaymentDetails",
        "Authorization",
    ]
    (selected,) = there.of(b.PaymentServiceSelectionReq)
    assert [(one.ServiceID, one.ParameterSetID) for one in selected.SelectedServiceList.SelectedService] == [(1, None), (2, 1)]
    (shown,) = there.of(b.PaymentDetailsReq)
    assert (shown.eMAID, octets_of(shown.ContractSignatureCertChain)) == (EMAID, der(new.chain))
    (proof,) = there.of(b.AuthorizationReq)
    assert proof.GenChallenge == CHALLENGE
    key: Any = new.chain[0].public_key()
    signature.verify(there.envelopes["Authorization"], [proof], key, schema_set("iso2"), suites=signature.ISO2)  # by the new key
    assert (car.authorization, car.installed, [one.emaid for one in kept]) == ("PnC", (EMAID,), [EMAID])
    assert met.noted("contract installed")[0]["by"] == hand(Role.CPS).chain[0].subject.rfc4514_string().split("CN=")[1].split(",")[0]


def test_a_contract_that_is_about_to_end_is_updated_and_its_successor_is_used() -> None:
    old, new = contract(validity=timedelta(days=5)), contract()
    car, kept = visitor(held(old))
    met = Met(there := station(CertificateUpdate=service(new)), car)
    assert met.error is None, met.error
    (update,) = there.of(b.CertificateUpdateReq)
    assert (update.eMAID, octets_of(update.ContractSignatureCertChain)) == (EMAID, der(old.chain))
    assert [one.chain for one in car.contracts] == [der(new.chain)]  # in place of the old one
    assert [one.emaid for one in kept] == [EMAID]
    (selected,) = there.of(b.PaymentServiceSelectionReq)
    assert selected.SelectedServiceList.SelectedService[1].ParameterSetID == 2


@pytest.mark.parametrize(
    ("days", "install", "kinds"),
    [(60, False, ()), (60, True, ("Installation",)), (13, False, ("Update", "Installation")), (-1, False, ("Installation",))],
)
def test_when_a_car_asks(days: int, install: bool, kinds: tuple[str, ...]) -> None:
    one = contract()
    car, _ = visitor(held(one), install=install)
    at = (one.chain[0].not_valid_after_utc - timedelta(days=days)).timestamp()
    car.clock = replace(car.clock, epoch=at)
    assert asked_for(car, [Option.Contract]) == kinds
    assert asked_for(car, [Option.ExternalPayment]) == ()


def test_a_car_without_tls_without_a_provisioning_certificate_or_without_the_wish_asks_for_nothing() -> None:
    car, _ = visitor()
    assert asked_for(car, [Option.Contract]) == ("Installation",)
    car.wish = replace(car.wish, authorizations=("EIM",))
    assert asked_for(car, [Option.Contract]) == ()
    car, _ = visitor()
    car.also = ()
    assert asked_for(car, [Option.Contract]) == ()
    plain = car2(tls=False, authorizations=("PnC", "EIM"))
    plain.also = visitor()[0].also
    assert asked_for(plain, [Option.Contract]) == ()
    met = Met(there := station(CertificateInstallation=service(contract())), plain)
    assert met.error is None
    assert "ServiceDetail" not in there.names()


def _named(body: Any, value: str) -> Any:
    return msgspec.structs.replace(body, eMAID=t.EMAIDType(Id=body.eMAID.Id, value=value))


def _cut(body: Any) -> Any:
    whole = body.ContractSignatureEncryptedPrivateKey
    turned = bytes([whole.value[0] ^ 1]) + whole.value[1:]
    return msgspec.structs.replace(body, ContractSignatureEncryptedPrivateKey=msgspec.structs.replace(whole, value=turned))


UNPROVEN = {
    "a service of another root": (lambda: service(contract(), hand(Role.CPS, STRANGERS)), "root"),
    "a station that plays the service": (lambda: service(contract(), hand(Role.SECC)), ""),
    "a contract of another provider": (lambda: service(contract(of=STRANGERS)), "root"),
    "another account": (lambda: service(contract(), spoil=lambda body: _named(body, "DEV2GC00000002D")), "account"),
    "another account, not signed": (lambda: service(contract(), spoil=lambda body: _named(body, "DEV2GC00000002D"), resign=False), ""),
    "another key": (lambda: service(contract(), spoil=_cut), "key"),
    "no signature": (lambda: lambda request, there: service(contract())(request, there)[0], ""),
}


@pytest.mark.parametrize("what", list(UNPROVEN))
def test_what_is_not_proven_is_not_kept_and_not_charged_with(what: str) -> None:
    make, word = UNPROVEN[what]
    car, kept = visitor()
    met = Met(there := station(CertificateInstallation=make()), car)
    assert isinstance(met.error, PeerIncompatible)
    assert there.names()[-1] == "SessionStop"  # in order
    assert (kept, car.contracts, car.installed) == ([], (), ())
    (said,) = met.noted("contract refused")
    assert word in said["why"]
    old = contract("DEV2GC00000009A")
    car, kept = visitor(held(old, "DEV2GC00000009A"), install=True)
    met = Met(there := station(CertificateInstallation=make()), car)
    assert met.error is None  # it has another one, and pays by that
    assert there.of(b.PaymentDetailsReq)[0].eMAID == "DEV2GC00000009A"
    assert kept == []


def test_a_refusal_ends_the_session_by_its_code() -> None:
    car, kept = visitor()
    met = Met(station(CertificateInstallation=code(Code.FAILED_NoCertificateAvailable)), car)
    assert isinstance(met.error, PeerFailed)  # [V2G2-539]
    assert "NoCertificateAvailable" in str(met.error)
    assert kept == []


def test_a_contract_that_cannot_be_kept_is_good_for_the_session() -> None:
    car, _ = visitor()

    def full(installed: Installed) -> None:
        raise StoreError("the disk is full")

    car.also = (replace(car.also[0], keep=full),)
    met = Met(station(CertificateInstallation=service(contract())), car)
    assert met.error is None
    assert met.noted("contract not kept")[0]["why"] == "the disk is full"
    assert car.authorization == "PnC"


def test_a_service_without_what_the_car_needs_is_left() -> None:
    def other(request: Any, there: Station2) -> Any:
        one = t.ParameterSetType(ParameterSetID=1, Parameter=(t.ParameterType(Name="Service", stringValue="Something"),))
        return ok(request, there, ServiceID=request.ServiceID, ServiceParameterList=t.ServiceParameterListType(ParameterSet=(one,)))

    car, _ = visitor()
    met = Met(there := station(ServiceDetail=other), car)
    assert met.error is None
    assert car.authorization == "EIM"
    assert "no Installation" in met.noted("no contract")[0]["why"]
    assert "CertificateInstallation" not in there.names()


@pytest.mark.parametrize(("wanted", "chosen"), [(("https", "http"), "https"), (("ftp",), None), ((), None)])
def test_the_internet_is_taken_where_it_is_offered(wanted: tuple[str, ...], chosen: str | None) -> None:
    car = car2(internet=wanted)
    met = Met(there := Station2(added=(3,)), car)
    assert met.error is None
    assert car.outcome().internet == chosen
    (selected,) = there.of(b.PaymentServiceSelectionReq)
    taken = {one.ServiceID: one.ParameterSetID for one in selected.SelectedServiceList.SelectedService}
    assert taken == ({1: None, 3: 2} if chosen else {1: None})
    assert ("ServiceDetail" in there.names()) is bool(wanted)
    assert bool(met.noted("service passed over")) is bool(wanted and not chosen)


def test_the_details_of_another_service_are_not_believed() -> None:
    met = Met(Station2({"ServiceDetail": lambda request, there: ok(request, there, ServiceID=7)}, added=(3,)), car2(internet=("https",)))
    assert isinstance(met.error, PeerMisbehaved)
    assert "service 7" in str(met.error)


def test_the_folder_has_the_new_contract_for_the_next_visit_and_the_old_one_is_not_shown(tmp_path: Path) -> None:
    store = create(tmp_path / "pki", [OURS])
    car = car2(tls=True, authorizations=("PnC",))
    car.clock = replace(car.clock, epoch=EPOCH)
    equip(car, Store(store.path), signature.ISO2)
    (before,) = car.contracts
    new = contract(before.emaid)
    car.wish = replace(car.wish, install=True)
    met = Met(station(CertificateInstallation=service(new)), car)
    assert met.error is None, met.error
    again = car2(tls=True, authorizations=("PnC",))
    equip(again, Store(store.path), signature.ISO2)
    shown = contract_of(again)
    assert shown is not None
    later = max(new.chain[0].not_valid_after_utc, x509.load_der_x509_certificate(before.chain[0]).not_valid_after_utc)
    assert x509.load_der_x509_certificate(shown.chain[0]).not_valid_after_utc == later
    assert len(again.contracts) == 1


@pytest.mark.parametrize("kind", [b.CertificateInstallationReq, b.CertificateUpdateReq])
def test_our_station_passes_the_request_on_and_the_car_pays_by_what_came(kind: type[Any]) -> None:
    update = kind is b.CertificateUpdateReq
    car, kept = visitor(*([held(contract(validity=timedelta(days=5)))] if update else []))
    new = contract()

    class Passing(Pair):
        def _serve(self, event: Any) -> None:
            super()._serve(event)
            if isinstance(event, words.CertificateInstallationWanted):
                came = ISO2_TABLES.read(0x8001, event.exi)
                there = Station2(envelope=came.signature)
                body, signed = service(new)(came.reading.message, there)
                assert event.update is update
                self._after(words.CertificateReady(ISO2_TABLES.write(body, bytes(8), "main", signed).exi, about=event.number))

    place = outlet(services=("DC",), certificate_installation=True)
    pair = Passing(car, place, usual(conducts_named(["2"])), given={"verifier": Verifiers(Trust(TRUSTED))})
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well, pair.evcc.ended
    assert [type(event.message) for event in pair.seen if isinstance(event, FrameSent)].count(kind) == 1
    (asked,) = pair.of(words.AuthorizationWanted)
    assert (asked.emaid, car.authorization, car.installed, len(kept)) == (EMAID, "PnC", (EMAID,), 1)
