"""Converts Ed448 keys to X448 keys, so that a certificate for signatures can also be used for a key agreement.

edwards448 is 4-isogenous to curve448 by (x, y) -> u = y² / x², which takes base point to base point [RFC 7748 4.2]; the secret scalar of
both is made from the same octets by the same clamping [RFC 8032 5.2.5, RFC 7748 5].
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ed448, x448
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PRIME = 2**448 - 2**224 - 1
D = -39081  # x² + y² = 1 + d x² y²
X448_OCTETS = 56
ED448_OCTETS = 57


def agreement_key(key: ed448.Ed448PrivateKey) -> x448.X448PrivateKey:
    """The X448 private key with the secret scalar of an Ed448 key."""
    seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return x448.X448PrivateKey.from_private_bytes(hashlib.shake_256(seed).digest(2 * ED448_OCTETS)[:X448_OCTETS])


def agreement_public_key(key: ed448.Ed448PublicKey) -> x448.X448PublicKey:
    """The X448 public key for an Ed448 one. Raises ValueError for the few points that have none."""
    y = int.from_bytes(key.public_bytes(Encoding.Raw, PublicFormat.Raw)[:X448_OCTETS], "little")
    y2 = y * y % PRIME
    if y >= PRIME or (y2 - 1) % PRIME == 0:
        raise ValueError("this Ed448 point has no X448 counterpart")
    u = y2 * (D * y2 - 1) * pow(y2 - 1, -1, PRIME) % PRIME  # x² = (y² - 1) / (d y² - 1)
    return x448.X448PublicKey.from_public_bytes(u.to_bytes(X448_OCTETS, "little"))
