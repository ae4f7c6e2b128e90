"""E-AUT: what a car makes of a station's offers, verdicts, challenges and contracts, over TLS on a real socket, each with its control."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authorization import Accepted, judge
from pki.chains import plain_chain
from pki.envelope import new_contract_key, seal
from pki.issue import build
from pki.keys import ALGORITHMS
from pki.profiles import Role
from pki.provisioning import ProvisioningService
from pki.signature import sign as sign_elements
from pki.store import Store
from tests.conformance.harness import NOW, PLAN, Pki, changed, pki, without_contract
from tests.conformance.hostile import Met, answers, run_jumping, visit
from tests.evcc.scripted_station import Answer, Code, Processing, Station, finished, ok, ongoing, times
from v2g.exi.codec import encode
from v2g.messages import common_messages as cm
from v2g.messages import schema_set
from v2g.session.v2gtp import PayloadType, frame
from v2gkit.authorities.broken import Bench
from v2gkit.authorities.office import Office

COMMON = schema_set("common")
CHALLENGE = bytes(range(16))
KEY = "SECP521_EncryptedPrivateKey"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki(tmp_path_factory.mktemp("aut") / "certs")


@pytest.fixture
def bare(own: Pki, tmp_path: Path) -> Store:
    """A car that was never given a contract."""
    return without_contract(own.store, tmp_path / "car")


def offering(*ways: str, challenge: bytes = CHALLENGE, installation: bool = False) -> Answer:
    """AuthorizationSetupRes with these services in this order."""

    def answer(request: Any, station: Station) -> Any:
        if "PnC" in ways:
            mode: dict[str, Any] = {"PnC_ASResAuthorizationMode": cm.PnC_ASResAuthorizationModeType(GenChallenge=challenge)}
        else:
            mode = {"EIM_ASResAuthorizationMode": cm.EIM_ASResAuthorizationModeType()}
        services = tuple(map(cm.authorizationType, ways))
        return ok(request, station, AuthorizationServices=services, CertificateInstallationService=installation, **mode)

    return answer


def warning(code: Code) -> Answer:
    return lambda request, station: ok(request, station, ResponseCode=code, EVSEProcessing=Processing.Finished)


def asked(met: Met) -> list[str]:
    """The ways that the car asked for, without repetition."""
    requests = met.station.of(cm.AuthorizationReq)
    return list(dict.fromkeys(request.SelectedAuthorizationService.value for request in requests))


# --- offers ---


@pytest.mark.parametrize("ways", [("PnC", "EIM"), ("EIM", "PnC")])
@pytest.mark.parametrize(("wish", "way"), [(("EIM",), "EIM"), (("PnC",), "PnC"), (("PnC", "EIM"), "PnC"), (("EIM", "PnC"), "EIM")])
def test_e_aut_01_a_car_takes_what_it_has_in_either_order(own: Pki, ways: tuple[str, ...], wish: tuple[str, ...], way: str) -> None:
    met = run_jumping(lambda: visit(own, Station(answers(AuthorizationSetup=offering(*ways))), authorizations=wish))
    assert met.said["ok"], met.said
    assert asked(met) == [way]
    assert met.said["auth"] == way.lower()


def test_e_aut_01_a_car_without_contract_does_not_stumble_over_plug_and_charge(own: Pki, bare: Store) -> None:
    met = run_jumping(lambda: visit(own, Station(answers(AuthorizationSetup=offering("PnC", "EIM"))), bare))
    assert met.said["ok"], met.said
    assert (asked(met), met.said["contract"]) == (["EIM"], None)


def test_e_aut_02_a_service_that_the_car_has_not(own: Pki) -> None:
    for ways, wish in ((("PnC",), ("EIM",)), (("EIM",), ("PnC",))):
        met = run_jumping(
            lambda ways=ways, wish=wish: visit(own, Station(answers(AuthorizationSetup=offering(*ways))), authorizations=wish)
        )
        assert not met.said["ok"]
        assert f"authorization is offered by {ways[0]} only" in met.said["reason"]
        assert met.station.names()[-1] == "SessionStop"
        assert asked(met) == []
        control = run_jumping(lambda wish=wish: visit(own, Station(answers(AuthorizationSetup=offering(*wish))), authorizations=wish))
        assert control.said["ok"], control.said


# --- waiting ---


def test_e_aut_03_a_car_polls_for_half_a_minute(own: Pki) -> None:
    polls = 250  # at a pace of 0.1 s and the time on the way, more than 25 s
    for way in ("EIM", "PnC"):
        station = Station(answers(AuthorizationSetup=offering("EIM", "PnC"), Authorization=times(polls, ongoing, finished)))
        met = run_jumping(lambda station=station, way=way: visit(own, station, authorizations=(way,)))
        assert met.said["ok"], met.said
        requests = met.station.of(cm.AuthorizationReq)
        assert len(requests) == polls + 1
        assert met.said["seconds"] > 25
        # the same request every time: only the time stamp may differ [V2G20-1582]
        assert len({encode(changed(request, "Header.TimeStamp", 0), COMMON) for request in requests}) == 1


def test_e_aut_04_a_car_stops_polling_after_a_minute(own: Pki) -> None:
    station = Station(answers(Authorization=ongoing))
    met = run_jumping(lambda: visit(own, station, authorizations=("EIM",)))
    assert not met.said["ok"]
    assert "V2G_EVCC_Authorization_Ongoing_Timeout of 60 s" in met.said["reason"]
    assert 60 <= met.said["seconds"] < 62
    assert "PowerDelivery" not in station.names()


# --- verdicts ---


def test_e_aut_05_a_refused_car_does_not_charge(own: Pki) -> None:
    station = Station(answers(Authorization=warning(Code.WARNING_EIMAuthorizationFailure)))
    met = run_jumping(lambda: visit(own, station, authorizations=("EIM",)))
    assert not met.said["ok"]
    assert "WARNING_EIMAuthorizationFailure" in met.said["reason"]
    assert not {"ServiceDiscovery", "PowerDelivery"} & set(station.names())
    assert station.names()[-1] == "SessionStop"
    assert run_jumping(lambda: visit(own, Station(), authorizations=("EIM",))).said["ok"]


def test_e_aut_05_a_refused_contract_leaves_the_next_one_and_the_next_way(own: Pki) -> None:
    refused = warning(Code.WARNING_eMSPUnknown)
    offered = offering("PnC", "EIM")
    second = run_jumping(lambda: visit(own, Station(answers(AuthorizationSetup=offered, Authorization=times(1, refused, finished)))))
    assert second.said["ok"], second.said
    assert (asked(second), second.said["contract"]) == (["PnC"], PLAN.emaids[1])
    neither = run_jumping(lambda: visit(own, Station(answers(AuthorizationSetup=offered, Authorization=times(2, refused, finished)))))
    assert neither.said["ok"], neither.said
    assert (asked(neither), neither.said["auth"]) == (["PnC", "EIM"], "eim")


# --- challenges ---


def test_e_aut_06_any_challenge_of_sixteen_octets_is_echoed(own: Pki) -> None:
    for challenge in (bytes(16), b"\xff" * 16, CHALLENGE, CHALLENGE):
        station = Station(answers(AuthorizationSetup=offering("PnC", challenge=challenge)))
        met = run_jumping(lambda station=station: visit(own, station, authorizations=("PnC",)))
        assert met.said["ok"], met.said
        assert {one.PnC_AReqAuthorizationMode.GenChallenge for one in station.of(cm.AuthorizationReq)} == {challenge}


@pytest.mark.parametrize("length", [0, 15, 17, 255])
def test_e_aut_06_a_challenge_of_another_length_ends_the_session(own: Pki, length: int) -> None:
    def answer(request: Any, station: Station) -> bytes:
        setup = encode(offering("PnC")(request, station), COMMON)
        return frame(PayloadType.COMMON, stretched(setup, CHALLENGE, secrets.token_bytes(length)))

    met = run_jumping(lambda: visit(own, Station(answers(AuthorizationSetup=answer)), authorizations=("PnC",)))
    assert not met.said["ok"]
    assert asked(met) == []
    assert "GenChallenge" in met.said["reason"]


def stretched(exi: bytes, old: bytes, new: bytes) -> bytes:
    """The document with one binary value replaced by another of another length: octets that no codec writes."""
    bits = "".join(f"{octet:08b}" for octet in exi)
    value = "".join(f"{octet:08b}" for octet in bytes((len(old),)) + old)
    assert bits.count(value) == 1
    length = f"{len(new):08b}" if len(new) < 128 else f"{len(new) & 127 | 128:08b}{len(new) >> 7:08b}"
    bits = bits.replace(value, length + "".join(f"{octet:08b}" for octet in new))
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


# --- what the car signs ---


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_e_aut_07_what_a_car_signs_is_all_valid(own: Pki, tmp_path: Path, curve: str) -> None:
    mine = own if curve == "secp521r1" else pki(tmp_path / "certs", curve)
    station = Station(answers(AuthorizationSetup=offering("PnC")))
    assert run_jumping(lambda: visit(mine, station, authorizations=("PnC",))).said["ok"]
    request = station.of(cm.AuthorizationReq)[0]
    mode, signature = request.PnC_AReqAuthorizationMode, request.Header.Signature
    verdict = judge(mode, signature, CHALLENGE, mine.store.anchors, datetime.now(UTC))
    assert isinstance(verdict, Accepted), verdict
    assert verdict.emaid == PLAN.emaids[0]
    assert [one.URI for one in signature.SignedInfo.Reference] == [f"#{mode.Id}"]
    assert signature.KeyInfo is None
    assert not isinstance(judge(mode, signature, bytes(16), mine.store.anchors, datetime.now(UTC)), Accepted)


# --- contracts that come ---

Spoil = Callable[[Any, Pki], Any]


def provider(own: Pki) -> ProvisioningService:
    return ProvisioningService(own.store.cps, own.store.anchors, lambda pcid: own.store.contracts[:1], secrets.token_bytes)


def delivering(serving: ProvisioningService, own: Pki, spoil: Spoil = lambda response, own: response) -> Answer:
    """CertificateInstallationRes of a service, under the station's header, spoiled on the way."""

    def answer(request: Any, station: Station) -> Any:
        response = spoil(serving.answer(request, datetime.now(UTC)), own)
        header = changed(station.header, "Signature", response.Header.Signature)
        return changed(response, "Header", header)

    return answer


def installing(own: Pki, bare: Store, answer: Answer) -> Met:
    """A car without contract at a station that has contracts, and takes cards too."""
    offered = offering("PnC", "EIM", installation=True)
    station = Station(answers(AuthorizationSetup=offered, CertificateInstallation=answer))
    return run_jumping(lambda: visit(own, station, bare))


def resigned(response: Any, own: Pki, key: Any = None) -> Any:
    signature = sign_elements([response.SignedInstallationData], key or own.key(Role.CPS), COMMON)
    return changed(response, "Header.Signature", signature)


def data(path: str, make: Callable[[Any], Any], sign: bool = True) -> Spoil:
    """Change the signed data, and sign it again as the service would, or leave the signature of before."""

    def spoil(response: Any, own: Pki) -> Any:
        found = response.SignedInstallationData
        for name in path.split("."):
            found = getattr(found, name)
        response = changed(response, f"SignedInstallationData.{path}", make(found))
        return resigned(response, own) if sign else response

    return spoil


def by(role: Role) -> Spoil:
    """Signed by another certificate of the right roots, shown as the service's."""

    def spoil(response: Any, own: Pki) -> Any:
        return resigned(changed(response, "CPSCertificateChain", plain_chain(own.made[role].chain)), own, own.key(role))

    return spoil


def by_chain(name: str) -> Spoil:
    """The service's own chain, wrong on purpose."""

    def spoil(response: Any, own: Pki) -> Any:
        leaf, *subs = own.broken(Role.CPS, name)[:4]
        chain = cm.CertificateChainType(Certificate=leaf, SubCertificates=cm.SubCertificatesType(Certificate=tuple(subs)))
        return resigned(changed(response, "CPSCertificateChain", chain), own)

    return spoil


def by_stranger(response: Any, own: Pki) -> Any:
    other = build(PLAN, "secp521r1", NOW)
    return resigned(changed(response, "CPSCertificateChain", plain_chain(other[Role.CPS].chain)), own, other[Role.CPS].key)


def unsigned(response: Any, own: Pki) -> Any:
    return changed(response, "Header.Signature", None)


def for_another_car(response: Any, own: Pki) -> Any:
    """The same contract, its key encrypted for another car's certificate."""
    bench = Bench(own.made, Role.PROVISIONING, NOW)
    other = bench.again(bench.leaf, key=ALGORITHMS["secp521r1"].generate())
    held = own.store.contract
    sealed = seal(held.key, held.leaf, other.certificate, secrets.token_bytes)
    response = changed(response, "SignedInstallationData.DHPublicKey", sealed.public_key)
    return resigned(changed(response, "SignedInstallationData.SECP521_EncryptedPrivateKey", sealed.encrypted), own)


def of_another_contract(response: Any, own: Pki) -> Any:
    """A key that opens and is not the certificate's."""
    sealed = seal(new_contract_key("secp521r1"), own.store.contract.leaf, own.store.provisioning.leaf, secrets.token_bytes)
    response = changed(response, "SignedInstallationData.DHPublicKey", sealed.public_key)
    return resigned(changed(response, "SignedInstallationData.SECP521_EncryptedPrivateKey", sealed.encrypted), own)


def expired_contract(response: Any, own: Pki) -> Any:
    leaf, *subs = own.broken(Role.CONTRACT, "expired")
    chain = cm.ContractCertificateChainType(Certificate=leaf, SubCertificates=cm.SubCertificatesType(Certificate=tuple(subs)))
    return resigned(changed(response, "SignedInstallationData.ContractCertificateChain", chain), own)


def changed_chain(response: Any, own: Pki) -> Any:
    """Another contract chain under the signature of before."""
    return changed(expired_contract(response, own), "Header.Signature", response.Header.Signature)


def flipped(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


SPOILED: dict[str, tuple[Spoil, str]] = {
    "E-AUT-08 signed by the station": (by(Role.SECC), "wrong profile"),
    "E-AUT-08 signed by the contract": (by(Role.CONTRACT), "untrusted root"),
    "E-AUT-08 signed by a service of another root": (by_stranger, "untrusted root"),
    "E-AUT-08 the service has expired": (by_chain("expired"), "expired"),
    "E-AUT-08 the service is not yet valid": (by_chain("not-yet-valid"), "not yet valid"),
    "E-AUT-08 the service's name is another's": (by_chain("wrong-component"), "wrong profile"),
    "E-AUT-08 no signature": (unsigned, "missing signature"),
    "E-AUT-08 signed by another key": (lambda response, own: resigned(response, own, own.key(Role.VEHICLE)), "signature does not verify"),
    "E-AUT-08 the eMAID's chain changed after signing": (changed_chain, "digest differs"),
    "E-AUT-08 one bit of the key changed after signing": (data(KEY, flipped, sign=False), "digest differs"),
    "E-AUT-08 the reference is to another Id": (data("Id", lambda v: "id2", sign=False), "wrong references"),
    "E-AUT-08 the key is for another car": (for_another_car, "for another car"),
    "E-AUT-08 the key is another contract's": (of_another_contract, "not the key of the contract"),
    "E-AUT-08 the contract has expired": (expired_contract, "expired"),
    "E-AUT-09 the encrypted key is zero": (data(KEY, lambda v: bytes(len(v))), "does not open"),
    "E-AUT-09 the public key is off its curve": (data("DHPublicKey", flipped), "no point of its curve"),
    "E-AUT-09 the public key is infinity": (data("DHPublicKey", lambda v: bytes(len(v))), "no point of its curve"),
    "E-AUT-09 the curve is the other one": (data("ECDHCurve", lambda v: cm.ecdhCurveType.X448), "X448"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_e_aut_08_09_a_contract_that_is_not_proven_is_not_installed(own: Pki, bare: Store, case: str) -> None:
    spoil, words = SPOILED[case]
    met = installing(own, bare, delivering(provider(own), own, spoil))
    assert met.said["ok"], met.said  # and goes on with a card
    assert (met.said["auth"], met.said["installed"]) == ("eim", [])
    (refused,) = met.notes.of("contract refused")
    assert words in refused["why"]
    assert Store(bare.path).contracts == ()
    control = installing(own, bare, delivering(provider(own), own))
    assert control.said["ok"], control.said
    assert (control.said["auth"], control.said["installed"]) == ("pnc", [PLAN.emaids[0]])


@pytest.mark.parametrize(("role", "of"), [(Role.CPS, "cps-sub2"), (Role.CONTRACT, "mo-sub2")])
def test_e_aut_08_what_is_on_a_list_of_the_car_is_not_installed(own: Pki, bare: Store, tmp_path: Path, role: Role, of: str) -> None:
    provided = Office(Store(copytree(own.store.path, tmp_path / "provider")))
    authority = provided.revoke(own.store.credential(role).leaf, NOW)
    assert authority.role.value == of
    (bare.path / "crl").mkdir()
    (bare.path / "crl" / "list.pem").write_bytes(provided.crl(authority, NOW).public_bytes(Encoding.PEM))
    met = installing(own, bare, delivering(provider(own), own))
    assert (met.said["auth"], met.said["installed"]) == ("eim", [])
    assert "revoked" in met.notes.of("contract refused")[0]["why"]


@pytest.mark.parametrize("length", [0, 93, 95, 300])
def test_e_aut_09_an_encrypted_key_of_another_length(own: Pki, bare: Store, length: int) -> None:
    """The schema fixes its length: such octets are no message, and the session ends."""
    serving, marker = provider(own), secrets.token_bytes(94)

    def answer(request: Any, station: Station) -> bytes:
        response = delivering(serving, own, data(KEY, lambda v: marker))(request, station)
        return frame(PayloadType.COMMON, stretched(encode(response, COMMON), marker, secrets.token_bytes(length)))

    met = installing(own, bare, answer)
    assert not met.said["ok"]
    assert "SECP521_EncryptedPrivateKey" in met.said["reason"]
    assert Store(bare.path).contracts == ()


@pytest.mark.parametrize("code", [one for one in Code if one.value.startswith("WARNING")], ids=lambda one: one.value)
def test_e_aut_08_a_warning_instead_of_a_contract_leaves_the_card(own: Pki, bare: Store, code: Code) -> None:
    met = installing(own, bare, warning(code))
    assert met.said["ok"], met.said
    assert (met.said["auth"], met.said["installed"]) == ("eim", [])
    assert met.notes.of("no contract") == [{"code": code.value}]


def test_e_aut_08_a_refusal_ends_the_session(own: Pki, bare: Store) -> None:
    met = installing(own, bare, lambda request, station: ok(request, station, ResponseCode=Code.FAILED_SignatureError))
    assert not met.said["ok"]
    assert "FAILED_SignatureError" in met.said["reason"]


def test_e_aut_08_a_station_that_never_stops_promising_more(own: Pki, bare: Store) -> None:
    """RemainingContractCertificateChains is not signed: a car asks for no more than it wished for."""

    def again(request: Any, station: Station) -> Any:
        fresh = provider(own)  # which remembers nothing
        return delivering(fresh, own, lambda response, _: changed(response, "RemainingContractCertificateChains", 255))(request, station)

    met = installing(own, bare, again)
    assert met.said["ok"], met.said
    assert met.said["installed"] == [PLAN.emaids[0]]
    assert len(met.station.of(cm.CertificateInstallationReq)) == 3
