"""The provisioning service for cars of ISO 15118-2: what it gives, what it refuses by which code; both generations in one call."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from pki import signature as xmldsig
from pki.certificate import facts
from pki.errors import CertificateError, Kind, StoreError
from pki.keys import key_name
from pki.profiles import Role
from pki.provisioners import Provisioners, demand, is_older, provisioners
from pki.provisioning import Held
from pki.provisioning import ask as ask20
from pki.provisioning2 import accept, ask_installation, ask_update
from pki.provisioning_service2 import ProvisioningService2
from pki.store import Store, create
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.messages import common_messages, schema_set
from v2g.messages.common_types import MessageHeaderType as Header20
from v2g.messages.common_types import responseCodeType as Code20
from v2g.messages.iso2.msg_body import BodyType, CertificateInstallationRes, CertificateUpdateRes, SessionStopReq
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType

CURVE = "secp256r1"
SESSION = b"\x0a" * 8


class Hand:
    """A chain with its key."""

    def __init__(self, role: Role, curve: str = CURVE):
        one = hierarchy(curve)[role]
        self.chain, self.key = one.chain, one.key


def entropy(length: int) -> bytes:
    return bytes(range(length))


def hand(role: Role) -> Any:
    return Hand(role)


def service(**changes: Any) -> ProvisioningService2:
    held: list[Held] = [hand(Role.CONTRACT)]
    subs = hand(Role.PROVISIONING).chain[1:]
    given = {"contracts": lambda pcid: held, "renewed": lambda emaid: held, "entropy": entropy, "subs": subs[::-1]}
    return ProvisioningService2(**{"cps": hand(Role.CPS), "anchors": anchors(CURVE), **given, **changes})


def emaid() -> str:
    return facts(hand(Role.CONTRACT).chain[0]).common_name


def roots() -> list[x509.Certificate]:
    return [hierarchy(CURVE)[Role.V2G_ROOT].certificate]


def asked(update: bool) -> Any:
    return ask_update(hand(Role.CONTRACT), emaid(), roots()) if update else ask_installation(hand(Role.PROVISIONING), roots())


def sent(body: Any, signature: Any) -> bytes:
    header = MessageHeaderType(SessionID=SESSION, Signature=signature)
    return encode(V2G_Message(Header=header, Body=BodyType(BodyElement=body)), schema_set("iso2"))


def code(update: bool, at: Any = NOW, forged: bool = False, **changes: Any) -> Code:
    """The code of the answer to a request, whose signature is another's if `forged`."""
    body, signature = asked(update)
    if forged:
        signature = xmldsig.sign([body], hand(Role.CPS).key, schema_set("iso2"))
    whole: Any = decode(service(**changes).answer_exi(sent(body, signature), at), schema_set("iso2"))
    assert type(whole.Body.BodyElement) is (CertificateUpdateRes if update else CertificateInstallationRes)
    if whole.Body.BodyElement.ResponseCode is not Code.OK:
        assert whole.Header.Signature is None
    return Code(whole.Body.BodyElement.ResponseCode)


@pytest.mark.parametrize("update", [False, True])
def test_a_car_takes_what_the_service_gives_it(update: bool) -> None:
    octets = service().answer_exi(sent(*asked(update)), NOW)
    assert is_older(octets)
    whole: Any = decode(octets, schema_set("iso2"))
    assert whole.Header.SessionID == SESSION
    car = hand(Role.CONTRACT if update else Role.PROVISIONING)
    taken = accept(whole.Body.BodyElement, whole.Header.Signature, car, anchors(CURVE), NOW)
    assert taken.emaid == emaid()
    assert taken.key.private_numbers() == hand(Role.CONTRACT).key.private_numbers()  # type: ignore[union-attr]


def on_a_list(*_: Any) -> None:
    raise CertificateError(Kind.REVOKED, "it is on a list")


@pytest.mark.parametrize("update", [False, True])
def test_what_is_wrong_with_a_request_has_its_code(update: bool) -> None:
    assert code(update, forged=True) is Code.FAILED_SignatureError
    assert code(update, NOW + timedelta(days=365 * 40)) is Code.FAILED_CertificateExpired
    assert code(update, status=on_a_list) is Code.FAILED_CertificateRevoked
    assert code(update, anchors=anchors("secp521r1")) is Code.FAILED_CertChainError
    assert code(update, contracts=lambda _: (), renewed=lambda _: ()) is Code.FAILED_NoCertificateAvailable
    body, _ = asked(update)
    unsigned: Any = decode(service().answer_exi(sent(body, None), NOW), schema_set("iso2"))
    assert unsigned.Body.BodyElement.ResponseCode is Code.FAILED_SignatureError


def test_a_car_of_a_manufacturer_that_nobody_knows_is_refused() -> None:
    assert code(update=False, subs=()) is Code.FAILED_CertChainError


def test_an_account_is_renewed_by_its_own_contract_alone() -> None:
    body, signature = ask_update(hand(Role.CONTRACT), "DEABC1234567890", roots())
    response, signed = service().answer(body, signature, NOW)
    assert (response.ResponseCode, signed) == (Code.FAILED_CertChainError, None)


@pytest.mark.parametrize("octets", [b"", b"\x80", sent(least(SessionStopReq), None)])
def test_what_is_no_request_for_a_contract_is_an_error(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        service().answer_exi(octets, NOW)


# --- both generations ---


def stored(folder: Path, *curves: str) -> Store:
    return create(folder, [hierarchy(curve) for curve in curves])


def newer() -> bytes:
    chain, signature = ask20(Hand(Role.PROVISIONING, "secp521r1"))  # type: ignore[arg-type]
    header = Header20(SessionID=SESSION, TimeStamp=int(NOW.timestamp()), Signature=signature)
    fields = {"Header": header, "OEMProvisioningCertificateChain": chain, "MaximumContractCertificateChains": 1}
    return encode(least(common_messages.CertificateInstallationReq, **fields), schema_set("common"))


def test_a_store_of_both_curves_gives_each_generation_what_it_can_read(tmp_path: Path) -> None:
    found = demand(provisioners(stored(tmp_path, CURVE, "secp521r1"), entropy), Store(tmp_path))
    old: Any = decode(found.answer_exi(sent(*asked(False)), NOW), schema_set("iso2"))
    assert old.Body.BodyElement.ResponseCode is Code.OK
    young: Any = decode(found.answer_exi(newer(), NOW), schema_set("common"))
    assert young.ResponseCode is Code20.OK
    leaf = x509.load_der_x509_certificate(young.SignedInstallationData.ContractCertificateChain.Certificate)
    assert key_name(leaf.public_key()) == "secp521r1"  # type: ignore[arg-type]
    assert key_name(x509.load_der_x509_certificate(young.CPSCertificateChain.Certificate).public_key()) == "secp521r1"  # type: ignore[arg-type]


def test_a_store_of_one_curve_says_what_it_lacks_for_the_other(tmp_path: Path) -> None:
    found = provisioners(stored(tmp_path, "secp521r1"), entropy)
    assert isinstance(found, Provisioners)
    assert found.older is None
    with pytest.raises(DecodeError, match="secp256r1"):
        found.answer_exi(sent(*asked(False)), NOW)
    (tmp_path / "nothing").mkdir()
    empty = Store(tmp_path / "nothing")
    with pytest.raises(StoreError, match="cps"):
        demand(provisioners(empty, entropy), empty)
