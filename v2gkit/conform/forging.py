"""Requests that are wrong on purpose where a signature or a chain is looked at (pure, but for fresh keys)."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from cryptography import x509

from pki.chains import der
from pki.keys import ALGORITHMS, PrivateKey, sign
from pki.profiles import Role
from pki.signature import sign as sign_elements
from pki.signature import signed_info_octets
from v2g.messages import schema_set
from v2g.messages.common_messages import AuthorizationReq, ContractCertificateChainType, SubCertificatesType
from v2gkit.authorities.broken import octets
from v2gkit.conform import asked
from v2gkit.conform.wallet import Wallet

Forge = Callable[["Moment"], Any]
ORDER = ALGORITHMS["secp521r1"].order or 0


class Moment:
    """What one may forge with: the wallet, the challenge of the session, and the sound request."""

    def __init__(self, wallet: Wallet, challenge: bytes):
        self.wallet, self.challenge = wallet, challenge
        self.request = asked.plug_and_charge(wallet.credential(Role.CONTRACT), challenge)

    @property
    def key(self) -> PrivateKey:
        """The key of the contract."""
        return self.wallet.credential(Role.CONTRACT).key


def changed(value: Any, path: str, new: Any) -> Any:
    """A message with one field replaced, at a dotted path; a number is a place in a tuple."""
    head, _, rest = path.partition(".")
    if head.isdigit():
        items = list(value)
        items[int(head)] = changed(items[int(head)], rest, new) if rest else new
        return tuple(items)
    return msgspec.structs.replace(value, **{head: changed(getattr(value, head), rest, new) if rest else new})


def by(chain: Sequence[bytes], key: PrivateKey, challenge: bytes) -> AuthorizationReq:
    """A request by any chain (DER, leaf first), signed with any key."""
    subs = SubCertificatesType(Certificate=tuple(chain[1:4]))
    mode = asked.pnc_mode(ContractCertificateChainType(Certificate=chain[0], SubCertificates=subs), challenge)
    return asked.authorized_by(mode, sign_elements([mode], key, schema_set("common")))


# --- faults of the signature ---


def in_body(path: str, new: Any) -> Forge:
    """Change what was signed, after it was signed."""
    return lambda at: changed(at.request, f"PnC_AReqAuthorizationMode.{path}", new)


def resigned(path: str, new: Any) -> Forge:
    """Change how it is signed, and sign that properly."""

    def forge(at: Moment) -> Any:
        info = changed(at.request.Header.Signature.SignedInfo, path, new)  # type: ignore[union-attr]
        value = sign(at.key, signed_info_octets(info, schema_set("common"), "xmldsig"))
        request = changed(at.request, "Header.Signature.SignedInfo", info)
        return changed(request, "Header.Signature.SignatureValue.value", value)

    return forge


def unsigned(at: Moment) -> Any:
    """No signature at all."""
    return changed(at.request, "Header.Signature", None)


def wrapped(at: Moment) -> Any:
    """A good signature over one element, and another element in its place."""
    other = by(at.wallet.contract_chain(), at.key, bytes(16))
    return changed(other, "PnC_AReqAuthorizationMode", changed(at.request.PnC_AReqAuthorizationMode, "Id", "id2"))


def references(*uris: str) -> Forge:
    """Several references under these URIs, each with the digest of the element; properly signed."""

    def forge(at: Moment) -> Any:
        (one,) = at.request.Header.Signature.SignedInfo.Reference  # type: ignore[union-attr]
        return resigned("Reference", tuple(msgspec.structs.replace(one, URI=uri) for uri in uris))(at)

    return forge


def value(make: Callable[[bytes], bytes]) -> Forge:
    """Other octets as the value of the signature."""

    def forge(at: Moment) -> Any:
        assert at.request.Header.Signature is not None
        return changed(at.request, "Header.Signature.SignatureValue.value", make(at.request.Header.Signature.SignatureValue.value))

    return forge


def by_another_key(at: Moment) -> Any:
    """The chain of the contract, signed with a key that is not its."""
    fresh = ALGORITHMS[at.wallet.credential(Role.CONTRACT).curve].generate()
    return by(at.wallet.contract_chain(), fresh, at.challenge)


def other_challenge(at: Moment) -> Any:
    """Another challenge than that of the session, properly signed."""
    return by(at.wallet.contract_chain(), at.key, bytes(octet ^ 0x5A for octet in at.challenge))


# --- faults of the chain ---


def chain(name: str) -> Forge:
    """A contract chain that is wrong in the way of that name, properly signed by its leaf's key."""
    return lambda at: by(at.wallet.broken(Role.CONTRACT, name), at.key, at.challenge)


def role(which: Role) -> Forge:
    """Another certificate of the car in the place of the contract."""

    def forge(at: Moment) -> Any:
        held = at.wallet.credential(which)
        return by(der(held.chain), held.key, at.challenge)

    return forge


def named(emaid: str) -> Forge:
    """A contract of the right authorities for another account."""

    def forge(at: Moment) -> Any:
        bench = at.wallet.bench(Role.CONTRACT)
        one = bench.again(bench.leaf, subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, emaid)]))
        return by(octets(one), one.key, at.challenge)

    return forge


def certificate(content: bytes) -> Forge:
    """Octets in the place of the contract certificate, signed as a whole."""
    return lambda at: by((content, *at.wallet.contract_chain()[1:]), at.key, at.challenge)
