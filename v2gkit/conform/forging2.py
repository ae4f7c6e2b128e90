"""Requests of ISO 15118-2 that are wrong on purpose where a signature or a chain is looked at (pure, but for fresh keys)."""

from collections.abc import Callable
from typing import Any

import msgspec
from cryptography import x509

from pki.chains import der
from pki.keys import ALGORITHMS, PrivateKey, sign
from pki.profiles import Role
from pki.signature import signed_info_octets
from v2g.messages import schema_set
from v2g.messages.iso2 import msg_body as mb
from v2gkit.authorities.broken import octets
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import Sealed
from v2gkit.conform.forging import changed
from v2gkit.conform.wallet import Wallet

Showing = Callable[[Wallet], mb.PaymentDetailsReq]
Forge2 = Callable[["Moment2"], Any]
ORDER = ALGORITHMS["secp256r1"].order or 0


class Moment2:
    """What one may forge with: the wallet, the challenge of the session, and the sound request."""

    def __init__(self, wallet: Wallet, challenge: bytes):
        self.wallet, self.challenge = wallet, challenge
        self.sound = asked2.sealed(asked2.challenged(challenge), self.key)

    @property
    def key(self) -> PrivateKey:
        """The key of the contract."""
        return self.wallet.credential(Role.CONTRACT).key


# --- contracts that are shown ---


def _emaid(wallet: Wallet) -> str:
    return asked2.contract(wallet.credential(Role.CONTRACT)).eMAID


def chain(name: str) -> Showing:
    """A contract chain that is wrong in the way of that name."""
    return lambda wallet: asked2.details(_emaid(wallet), wallet.broken(Role.CONTRACT, name))


def role(which: Role) -> Showing:
    """Another certificate of the folder in the place of the contract."""
    return lambda wallet: asked2.details(_emaid(wallet), der(wallet.credential(which).chain))


def certificate(content: bytes) -> Showing:
    """Octets in the place of the contract certificate."""
    return lambda wallet: asked2.details(_emaid(wallet), (content, *wallet.contract_chain()[1:]))


def account(emaid: str) -> Showing:
    """The contract, under the name of another account."""
    return lambda wallet: asked2.details(emaid, wallet.contract_chain())


def named(emaid: str) -> Showing:
    """A contract of the right authorities whose certificate has another name."""

    def showing(wallet: Wallet) -> mb.PaymentDetailsReq:
        bench = wallet.bench(Role.CONTRACT)
        one = bench.again(bench.leaf, subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, emaid)]))
        return asked2.details(emaid[:15].ljust(14, "0"), octets(one))

    return showing


# --- signatures ---


def unsigned(at: Moment2) -> Any:
    """No signature at all."""
    return at.sound.message


def in_body(field: str, new: Any) -> Forge2:
    """Change what was signed, after it was signed."""
    return lambda at: Sealed(msgspec.structs.replace(at.sound.message, **{field: new}), at.sound.signature)


def by_another_key(at: Moment2) -> Any:
    """The sound request, signed with a key that is not the contract's."""
    return asked2.sealed(at.sound.message, ALGORITHMS["secp256r1"].generate())


def other_challenge(at: Moment2) -> Any:
    """Another challenge than that of the session, properly signed."""
    return asked2.sealed(asked2.challenged(bytes(octet ^ 0x5A for octet in at.challenge)), at.key)


def resigned(path: str, new: Any) -> Forge2:
    """Change how it is signed, and sign that properly."""

    def forge(at: Moment2) -> Any:
        info = changed(at.sound.signature.SignedInfo, path, new)  # type: ignore[union-attr]
        value = sign(at.key, signed_info_octets(info, schema_set("iso2"), "xmldsig"))
        signature = changed(changed(at.sound.signature, "SignedInfo", info), "SignatureValue.value", value)
        return Sealed(at.sound.message, signature)

    return forge


def references(*uris: str) -> Forge2:
    """Several references under these URIs, each with the digest of the element; properly signed."""

    def forge(at: Moment2) -> Any:
        (one,) = at.sound.signature.SignedInfo.Reference  # type: ignore[union-attr]
        return resigned("Reference", tuple(msgspec.structs.replace(one, URI=uri) for uri in uris))(at)

    return forge


def value(make: Callable[[bytes], bytes]) -> Forge2:
    """Other octets as the value of the signature."""

    def forge(at: Moment2) -> Any:
        made = make(at.sound.signature.SignatureValue.value)  # type: ignore[union-attr]
        return Sealed(at.sound.message, changed(at.sound.signature, "SignatureValue.value", made))

    return forge
