"""Private keys in a hardware module (PKCS #11), with the interface of a key in memory.

    key = token_key("pkcs11:token=car;object=contract?module-path=/usr/lib/softhsm/libsofthsm2.so", pin="1234")
    sign([element], key, schemas); unseal(sealed, key, ...); issue(profile, authority_with(key), ...)

A `TokenKey` is an `EllipticCurvePrivateKey`: it signs messages, certificates, requests and OCSP responses and takes part in a key agreement
like any other. What it cannot do is serve a TLS handshake, because the TLS library wants the key itself. Needs `pip install python-pkcs11`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import parse_qs, unquote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from pki.errors import StoreError

CURVES: dict[str, ec.EllipticCurve] = {curve.name: curve for curve in (ec.SECP521R1(), ec.SECP256R1())}


@dataclass(frozen=True, slots=True)
class Address:
    """The place of a key in a hardware module: the parts of a PKCS #11 URI [RFC 7512] that name it."""

    module: str  # path of the module's library
    token: str
    object: str
    pin_source: str | None = None  # a file with the PIN; read by whoever opens the key

    def __str__(self) -> str:
        pin = f"&pin-source={self.pin_source}" if self.pin_source else ""
        return f"pkcs11:token={self.token};object={self.object}?module-path={self.module}{pin}"


def address(uri: str) -> Address:
    """The address in a PKCS #11 URI. Raises StoreError for one that leaves out module, token or object."""
    path, _, query = uri.strip().partition("?")
    scheme, _, names = path.partition(":")
    parts = {name: unquote(value) for name, _, value in (part.partition("=") for part in names.split(";"))}
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    missing = [name for name in ("token", "object") if not parts.get(name)] + ["module-path"] * ("module-path" not in asked)
    if scheme != "pkcs11" or missing:
        raise StoreError(f"{uri[:80]!r} is no PKCS #11 URI: {', '.join(missing) or 'pkcs11:'} is missing")
    source = asked.get("pin-source")
    return Address(asked["module-path"], parts["token"], parts["object"], source.removeprefix("file:") if source else None)


class TokenKey(ec.EllipticCurvePrivateKey):
    """A private key on a curve of ISO 15118 that stays in its hardware module."""

    def __init__(self, handle: Any, public_key: ec.EllipticCurvePublicKey, place: Address) -> None:
        self._handle, self._public, self.place = handle, public_key, place

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """The DER signature over `data`; the digest is computed here, the module signs it."""
        from pkcs11 import Mechanism

        algorithm = signature_algorithm.algorithm
        digest = bytes(data) if isinstance(algorithm, Prehashed) else _digest(bytes(data), algorithm)
        with _told(self.place):
            raw = self._handle.sign(digest, mechanism=Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """The shared secret of ECDH with a peer's public key, computed in the module."""
        from pkcs11 import KDF, Attribute, KeyType

        if peer_public_key.curve.name != self.curve.name:
            raise ValueError(f"a {peer_public_key.curve.name} key agrees on nothing with a {self.curve.name} key")
        point = peer_public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        octets = (self.key_size + 7) // 8
        template = {Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True, Attribute.VALUE_LEN: octets}
        with _told(self.place):
            secret = self._handle.derive_key(
                KeyType.GENERIC_SECRET, 8 * octets, mechanism_param=(KDF.NULL, None, point), template=template, store=False
            )
            return bytes(secret[Attribute.VALUE]).rjust(octets, b"\x00")

    def private_numbers(self) -> NoReturn:
        raise StoreError(f"the key {self.place} does not leave its module; for TLS, keep the key in a file")

    def private_bytes(self, *_: Any) -> NoReturn:
        self.private_numbers()

    def __copy__(self) -> "TokenKey":
        return self

    def __deepcopy__(self, memo: Any) -> "TokenKey":
        return self


def token_key(uri: str, pin: str | None = None) -> TokenKey:
    """The key at a PKCS #11 URI. Raises StoreError, saying what is missing: the package, the module, the token, the object."""
    place = address(uri)
    with _told(place):
        session = _session(place.module, place.token, pin)
        from pkcs11 import ObjectClass

        handle = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=place.object)
        return TokenKey(handle, _public(session, place), place)


def new_token_key(uri: str, curve: str, pin: str) -> TokenKey:
    """Make a key pair inside the module, under the label of the URI. Raises StoreError."""
    place = address(uri)
    with _told(place):
        from pkcs11 import Attribute, KeyType, MechanismFlag
        from pkcs11.util.ec import encode_named_curve_parameters

        session = _session(place.module, place.token, pin)
        domain = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True)
        can = MechanismFlag.SIGN | MechanismFlag.VERIFY | MechanismFlag.DERIVE
        domain.generate_keypair(store=True, label=place.object, capabilities=can)
    return token_key(uri, pin)


def _public(session: Any, place: Address) -> ec.EllipticCurvePublicKey:
    from pkcs11 import ObjectClass
    from pkcs11.util.ec import encode_ec_public_key

    public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=place.object)
    key = serialization.load_der_public_key(encode_ec_public_key(public))
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise StoreError(f"{place} is no key on {' or '.join(CURVES)}")
    return key


@lru_cache(maxsize=16)
def _session(module: str, token: str, pin: str | None) -> Any:
    """One session per token, open as long as the program runs: a module logs in once."""
    import pkcs11

    return pkcs11.lib(module).get_token(token_label=token).open(user_pin=pin, rw=pin is not None)


@contextmanager
def _told(place: Address) -> Iterator[None]:
    """Whatever a module complains about becomes a StoreError that names the key."""
    try:
        import pkcs11
    except ImportError:
        raise StoreError(f"{place}: keys in hardware need the package python-pkcs11; pip install python-pkcs11") from None
    try:
        yield
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise StoreError(f"{place}: {type(error).__name__} {error}".rstrip()) from None


def _digest(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
