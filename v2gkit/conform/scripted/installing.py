"""Contracts that a scripted station delivers, and those that no car may install, each wrong in one point."""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from pki.chains import plain_chain
from pki.envelope import new_contract_key, seal
from pki.keys import ALGORITHMS
from pki.profiles import Role
from pki.provisioning import ProvisioningService
from pki.signature import sign
from v2g.messages import common_messages as cm
from v2g.messages import schema_set
from v2gkit.authorities.broken import VARIANTS
from v2gkit.conform.running import Blocked
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.good import good
from v2gkit.conform.scripted.play import Answers
from v2gkit.conform.scripted.raw import stretched
from v2gkit.conform.scripted.trust import Certificates

Response = Any
Spoil = Callable[[Response, Certificates], Response]
KEY = "SECP521_EncryptedPrivateKey"
MARKED = bytes(range(1, 95))  # an encrypted key of the right length that is found again in the octets of a message


def service(held: Certificates) -> Callable[[Any], Response]:
    """Answers a CertificateInstallationReq with the first contract of the folder. Raises Blocked where the folder cannot."""
    store = held.store
    if not store.credentials(Role.CPS) or not store.contracts:
        raise Blocked("the folder of certificates has no provisioning service (cps) or no contract")
    serving = ProvisioningService(store.cps, store.anchors, lambda pcid: store.contracts[:1], secrets.token_bytes)
    return lambda request: serving.answer(request, datetime.now(UTC))


def changed(response: Response, **fields: Any) -> Response:
    """The response with other fields."""
    return msgspec.structs.replace(response, **fields)


def resigned(response: Response, held: Certificates, key: Any = None) -> Response:
    """The response with a fresh signature: by the service unless a key is given."""
    made = sign([response.SignedInstallationData], key or held.store.cps.key, schema_set("common"))
    return changed(response, Header=changed(response.Header, Signature=made))


def _data(fields: Mapping[str, Callable[[Any], Any]], sign_again: bool = True) -> Spoil:
    """Fields of the signed data changed by functions, and signed anew or not."""

    def spoil(response: Response, held: Certificates) -> Response:
        found = response.SignedInstallationData
        data = changed(found, **{name: make(getattr(found, name)) for name, make in fields.items()})
        made = changed(response, SignedInstallationData=data)
        return resigned(made, held) if sign_again else made

    return spoil


def _by(role: Role) -> Spoil:
    def spoil(response: Response, held: Certificates) -> Response:
        other = held.store.credential(role)
        return resigned(changed(response, CPSCertificateChain=plain_chain(other.chain)), held, other.key)

    return spoil


def _by_chain(name: str) -> Spoil:
    def spoil(response: Response, held: Certificates) -> Response:
        variant = next(each for each in VARIANTS if each.name == name)
        leaf, *subs = variant.chain(held.bench_of(Role.CPS))[:4]
        chain = cm.CertificateChainType(Certificate=leaf, SubCertificates=cm.SubCertificatesType(Certificate=tuple(subs)))
        return resigned(changed(response, CPSCertificateChain=chain), held)

    return spoil


def _unsigned(response: Response, held: Certificates) -> Response:
    return changed(response, Header=changed(response.Header, Signature=None))


def _by_another_key(response: Response, held: Certificates) -> Response:
    return resigned(response, held, ALGORITHMS["secp521r1"].generate())


def _sealed(response: Response, held: Certificates, key: Any, receiver: Any) -> Response:
    box = seal(key, held.store.contract.leaf, receiver, secrets.token_bytes)
    data = changed(response.SignedInstallationData, DHPublicKey=box.public_key, **{KEY: box.encrypted})
    return resigned(changed(response, SignedInstallationData=data), held)


def _for_another_car(response: Response, held: Certificates) -> Response:
    bench = held.bench_of(Role.PROVISIONING)
    other = bench.again(bench.leaf, key=ALGORITHMS[bench.curve].generate())
    return _sealed(response, held, held.store.contract.key, other.certificate)


def _of_another_contract(response: Response, held: Certificates) -> Response:
    return _sealed(response, held, new_contract_key("secp521r1"), held.store.provisioning.leaf)


def _expired_contract(response: Response, held: Certificates) -> Response:
    variant = next(each for each in VARIANTS if each.name == "expired")
    leaf, *subs = variant.chain(held.bench_of(Role.CONTRACT))
    chain = cm.ContractCertificateChainType(Certificate=leaf, SubCertificates=cm.SubCertificatesType(Certificate=tuple(subs)))
    return resigned(
        changed(response, SignedInstallationData=changed(response.SignedInstallationData, ContractCertificateChain=chain)), held
    )


def _flipped(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


def _in_order(response: Response, held: Certificates) -> Response:
    return response


IN_ORDER = "in order"
_SPOILED: dict[str, Spoil] = {
    IN_ORDER: _in_order,
    "signed by the station": _by(Role.SECC),
    "signed by the contract": _by(Role.CONTRACT),
    "the service has expired": _by_chain("expired"),
    "the service is of an unknown root": _by_chain("unknown-root"),
    "no signature": _unsigned,
    "signed by another key": _by_another_key,
    "one bit changed after signing": _data({KEY: _flipped}, False),
    "another Id after signing": _data({"Id": lambda value: "id2"}, False),
    "the key is for another car": _for_another_car,
    "the key is another contract's": _of_another_contract,
    "the contract has expired": _expired_contract,
}
_CLOSED: dict[str, Spoil] = {
    "an encrypted key of zeros": _data({KEY: lambda value: bytes(len(value))}),
    "a public key off its curve": _data({"DHPublicKey": _flipped}),
    "a public key of zeros": _data({"DHPublicKey": lambda value: bytes(len(value))}),
    "the other curve": _data({"ECDHCurve": lambda value: cm.ecdhCurveType.X448}),
}
_LENGTHS = {"a key of no octet": 0, "a key of 93 octets": 93, "a key of 95 octets": 95, "a key of 300 octets": 300}
UNPROVEN = tuple(_SPOILED)
UNOPENABLE = (*_CLOSED, *_LENGTHS)


def delivered(part: str, held: Certificates) -> Answers:
    """The answer to a CertificateInstallationReq that is wrong in the point that `part` names."""
    if part in _LENGTHS:
        return _of_length(_LENGTHS[part], held)
    spoil = (_SPOILED | _CLOSED)[part]
    return lambda request, desk: spoil(good(request, desk), held)


def _of_length(length: int, held: Certificates) -> Answers:
    def answer(request: Any, desk: Desk) -> bytes:
        made = _data({KEY: lambda value: MARKED})(good(request, desk), held)
        return stretched(desk.framed(made), MARKED, bytes(octet % 255 for octet in range(length)))

    return answer
