"""Key algorithms as data: what may sign in which generation, and the raw form signatures take on the wire.

A private key is any object with the interface cryptography gives it (`EllipticCurvePrivateKey`, `Ed448PrivateKey`): a key in memory or,
through `pki.token`, one that never leaves a hardware module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

PrivateKey = ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed448.Ed448PublicKey
AnyKey = PrivateKeyTypes | PublicKeyTypes


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One signature algorithm: a key type with the only hash it is used with."""

    name: str  # of the key, as `--curve` takes it
    signature_name: str  # of the signature in a certificate
    generate: Callable[[], PrivateKey]
    hash: hashes.SHA256 | hashes.SHA512 | None  # None: the algorithm hashes itself
    signature_length: int  # octets of the raw signature on the wire
    order: int | None = None  # of the ECDSA group: r and s lie in 1 .. order-1


ECDSA_HASHES: dict[str, hashes.SHA256 | hashes.SHA512] = {"ecdsa-sha512": hashes.SHA512(), "ecdsa-sha256": hashes.SHA256()}


def _curve(name: str, curve: ec.EllipticCurve, hash_: hashes.SHA256 | hashes.SHA512, length: int, order: int) -> Algorithm:
    return Algorithm(name, f"ecdsa-{hash_.name}", lambda: ec.generate_private_key(curve), hash_, 2 * length, order)


ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        _curve("secp521r1", ec.SECP521R1(), hashes.SHA512(), 66, ec.SECP521R1.group_order),
        Algorithm("ed448", "ed448", ed448.Ed448PrivateKey.generate, None, 114),
        _curve("secp256r1", ec.SECP256R1(), hashes.SHA256(), 32, ec.SECP256R1.group_order),
    )
}


def key_name(key: AnyKey) -> str:
    """Name of the algorithm of a key: one of `ALGORITHMS`, or a description of what it is instead (`rsa1024`, `secp384r1`)."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return key.curve.name
    if isinstance(key, ed448.Ed448PrivateKey | ed448.Ed448PublicKey):
        return "ed448"
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return f"rsa{key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey").lower()


def algorithm_of(key: PrivateKey | PublicKey) -> Algorithm:
    """The algorithm of a key. Raises ValueError for a key that no generation of the standard signs with."""
    name = key_name(key)
    if name not in ALGORITHMS:
        raise ValueError(f"a {name} key signs nothing in ISO 15118; use one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def sign(key: PrivateKey, octets: bytes) -> bytes:
    """The raw signature over octets: r‖s of fixed length for ECDSA, the 114 octets of RFC 8032 for Ed448."""
    algorithm = algorithm_of(key)
    if isinstance(key, ed448.Ed448PrivateKey):
        return key.sign(octets)
    assert algorithm.hash is not None
    r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(algorithm.hash)))
    half = algorithm.signature_length // 2
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")


def verify(key: PublicKey, signature: bytes, octets: bytes) -> bool:
    """Whether a raw signature is one by this key over these octets; False also for a signature of another length."""
    algorithm = algorithm_of(key)
    try:
        if isinstance(key, ed448.Ed448PublicKey):
            key.verify(signature, octets)
        else:
            assert algorithm.hash is not None
            half = algorithm.signature_length // 2
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            key.verify(encode_dss_signature(r, s), octets, ec.ECDSA(algorithm.hash))
    except InvalidSignature:
        return False
    return True


def signed_as(name: str, key: PublicKeyTypes, signature: bytes, octets: bytes) -> bool:
    """Whether a signature in the form of X.509, by the algorithm of that name, is one by this key over these octets."""
    if isinstance(key, ed448.Ed448PublicKey) and name == "ed448":
        key.verify(signature, octets)
    elif isinstance(key, ec.EllipticCurvePublicKey) and name in ECDSA_HASHES:
        key.verify(signature, octets, ec.ECDSA(ECDSA_HASHES[name]))
    else:
        return False
    return True


def raw_public(key: PublicKeyTypes) -> bytes:
    """The DER of a public key, by which keys are compared."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def belongs(key: PrivateKey, public: PublicKeyTypes) -> bool:
    """Whether a private key belongs to this public key."""
    return raw_public(cast(PublicKeyTypes, key.public_key())) == raw_public(public)
