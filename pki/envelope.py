"""Encrypts a contract key for a car, by a key agreed with the car's provisioning key, and decrypts it there.

Certain for -20 are the sizes: a public key of 133 octets, an encrypted key of 94 (secp521r1) or 84 (x448) octets. Every point that no open
source settles is a constant here, so that it is corrected in one line. For -2 two independent stacks agree with this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, x448
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pki.certificate import facts
from pki.curve448 import X448_OCTETS, agreement_key, agreement_public_key
from pki.errors import EnvelopeError
from pki.keys import ALGORITHMS, PrivateKey, belongs, key_name

Entropy = Callable[[int], bytes]

# --- open points of -20, with what speaks for each value ---
KDF_HASH = hashes.SHA512()  # one open implementation: SHA-512(00000001 ‖ Z); the generation hashes with SHA-512 throughout
KDF_OTHER_INFO = b""  # the same implementation; the standard may name the parties as -2 does (01 55 56)
AAD_FIELDS: tuple[Literal["pcid", "ski"], ...] = ()  # the same; other public code speaks of PCID ‖ SKI of the contract certificate
IV_FIRST = True  # 94 = 12 ‖ 66 ‖ 16, as in -2, where IV ‖ ciphertext is certain
X448_PUBLIC_FIRST = True  # the field has 133 octets, an X448 key 56: where the key lies, the rest is zero. Either is read.
X448_SEED_TAIL = b"\x00"  # the field has room for 56 octets, an Ed448 seed has 57: contract keys are made with this last octet

# --- settled ---
KEY_OCTETS, IV_OCTETS, TAG_OCTETS = 32, 12, 16  # AES-256-GCM
PUBLIC_OCTETS = 133  # DHPublicKey
P521_OCTETS = 66  # a scalar, left-padded
LENGTHS = {"secp521r1": 94, "ed448": 84}  # of the encrypted key, by the curve of the contract key
OTHER_INFO_2 = bytes((0x01, 0x55, 0x56))  # -2: algorithm, sender U, receiver V [V2G2-818]


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted contract key, and the ephemeral public key by which its holder finds the decryption key."""

    agreement: Literal["SECP521", "X448"]
    public_key: bytes  # DHPublicKey, 133 octets
    encrypted: bytes  # 94 or 84 octets, by the curve of the contract key

    def curve(self) -> str:
        """The curve of the encrypted contract key, told by its length. Raises EnvelopeError for another length."""
        for curve, length in LENGTHS.items():
            if len(self.encrypted) == length:
                return curve
        raise EnvelopeError(f"{len(self.encrypted)} octets of encrypted key, where {LENGTHS} are known")


def new_contract_key(curve: str) -> PrivateKey:
    """A new contract key on a curve whose encrypted form fits the field of the message."""
    key = ALGORITHMS[curve].generate()
    if isinstance(key, ed448.Ed448PrivateKey):
        seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return ed448.Ed448PrivateKey.from_private_bytes(seed[:X448_OCTETS] + X448_SEED_TAIL)
    return key


def seal(key: PrivateKey, contract: x509.Certificate, provisioning: x509.Certificate, entropy: Entropy) -> Sealed:
    """Encrypt a contract key for the holder of a provisioning certificate. Raises EnvelopeError for keys that have no field in -20."""
    receiver: Any = provisioning.public_key()
    if isinstance(receiver, ec.EllipticCurvePublicKey) and key_name(receiver) == "secp521r1":
        ephemeral = ec.generate_private_key(ec.SECP521R1())
        public = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        secret, agreement = ephemeral.exchange(ec.ECDH(), receiver), "SECP521"
    elif isinstance(receiver, ed448.Ed448PublicKey):
        ephemeral_x = x448.X448PrivateKey.generate()
        raw, rest = ephemeral_x.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), bytes(PUBLIC_OCTETS - X448_OCTETS)
        public = raw + rest if X448_PUBLIC_FIRST else rest + raw
        secret, agreement = ephemeral_x.exchange(agreement_public_key(receiver)), "X448"
    else:
        raise EnvelopeError(f"a {key_name(receiver)} provisioning key takes part in no key agreement of -20")
    cipher, aad = _agreed(secret, contract, provisioning)
    iv = entropy(IV_OCTETS)
    body = cipher.encrypt(iv, _plain(key), aad)
    return Sealed(agreement, public, iv + body if IV_FIRST else body + iv)  # type: ignore[arg-type]


def unseal(sealed: Sealed, key: PrivateKey, contract: x509.Certificate, provisioning: x509.Certificate) -> PrivateKey:
    """The contract key, decrypted by the provisioning key `key`. Raises EnvelopeError, also where it is not the contract certificate's."""
    curve = sealed.curve()
    cipher, aad = _agreed(_secret(sealed, key), contract, provisioning)
    octets = sealed.encrypted
    iv, body = (octets[:IV_OCTETS], octets[IV_OCTETS:]) if IV_FIRST else (octets[-IV_OCTETS:], octets[:-IV_OCTETS])
    try:
        plain = cipher.decrypt(iv, body, aad)
    except InvalidTag:
        raise EnvelopeError("the encrypted key does not open: it is for another car, or was changed") from None
    return _belonging(_unplain(curve, plain), contract)


def _agreed(secret: bytes, contract: x509.Certificate, provisioning: x509.Certificate) -> tuple[AESGCM, bytes | None]:
    """The cipher and the additional data both ends derive: the one place where the open points meet."""
    key = ConcatKDFHash(KDF_HASH, KEY_OCTETS, KDF_OTHER_INFO).derive(secret)
    named = {"pcid": facts(provisioning).common_name.encode(), "ski": facts(contract).key_identifier or b""}
    return AESGCM(key), b"".join(named[name] for name in AAD_FIELDS) or None


def _secret(sealed: Sealed, key: PrivateKey) -> bytes:
    if len(sealed.public_key) != PUBLIC_OCTETS:
        raise EnvelopeError(f"{len(sealed.public_key)} octets of public key where {PUBLIC_OCTETS} are due")
    try:
        if sealed.agreement == "SECP521" and isinstance(key, ec.EllipticCurvePrivateKey):
            return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP521R1(), sealed.public_key))
        if sealed.agreement == "X448" and isinstance(key, ed448.Ed448PrivateKey):
            return agreement_key(key).exchange(_x448_public(sealed.public_key))
    except ValueError as error:
        raise EnvelopeError(f"the public key is no point of its curve: {error}") from None
    raise EnvelopeError(f"a key agreed on {sealed.agreement} is not for a {key_name(key)} provisioning key")


def _x448_public(field: bytes) -> x448.X448PublicKey:
    first, last, padding = field[:X448_OCTETS], field[-X448_OCTETS:], bytes(PUBLIC_OCTETS - X448_OCTETS)
    if field[X448_OCTETS:] == padding:
        return x448.X448PublicKey.from_public_bytes(first)
    if field[:-X448_OCTETS] == padding:
        return x448.X448PublicKey.from_public_bytes(last)
    raise EnvelopeError("the X448 public key is padded with something else than zeros")


def _plain(key: PrivateKey) -> bytes:
    if isinstance(key, ed448.Ed448PrivateKey):
        seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        if not seed.endswith(X448_SEED_TAIL):
            raise EnvelopeError("this Ed448 key does not fit its field of 56 octets; make contract keys with new_contract_key")
        return seed[:X448_OCTETS]
    if key_name(key) != "secp521r1":
        raise EnvelopeError(f"a {key_name(key)} contract key has no field in -20")
    return key.private_numbers().private_value.to_bytes(P521_OCTETS, "big")


def _unplain(curve: str, plain: bytes) -> PrivateKey:
    try:
        if curve == "ed448":
            return ed448.Ed448PrivateKey.from_private_bytes(plain + X448_SEED_TAIL)
        return ec.derive_private_key(int.from_bytes(plain, "big"), ec.SECP521R1())
    except ValueError as error:
        raise EnvelopeError(f"what was decrypted is no {curve} key: {error}") from None


def _belonging(key: PrivateKey, contract: x509.Certificate) -> PrivateKey:
    if not belongs(key, contract.public_key()):
        raise EnvelopeError("the decrypted key is not the key of the contract certificate beside it")
    return key


# --- -2: ECDH on secp256r1, ConcatKDF with SHA-256, AES-128-CBC without padding [V2G2-818] ---


def seal2(key: ec.EllipticCurvePrivateKey, receiver: ec.EllipticCurvePublicKey, entropy: Entropy) -> tuple[bytes, bytes]:
    """Encrypt a contract key for -2: DHpublickey (65 octets) and the encrypted key (IV ‖ 32 octets).

    `receiver` is the car's provisioning key or, in an update, its contract key.
    """
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    iv = entropy(16)
    encryptor = Cipher(algorithms.AES128(_key2(ephemeral.exchange(ec.ECDH(), receiver))), modes.CBC(iv)).encryptor()
    body = encryptor.update(key.private_numbers().private_value.to_bytes(32, "big")) + encryptor.finalize()
    return ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), iv + body


def unseal2(public_key: bytes, encrypted: bytes, key: ec.EllipticCurvePrivateKey, contract: x509.Certificate) -> PrivateKey:
    """The contract key of -2, decrypted. Raises EnvelopeError where it does not belong to the contract certificate: CBC proves nothing."""
    if len(encrypted) != 48:
        raise EnvelopeError(f"{len(encrypted)} octets of encrypted key where 48 are due")
    try:
        secret = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key))
        decryptor = Cipher(algorithms.AES128(_key2(secret)), modes.CBC(encrypted[:16])).decryptor()
        plain = decryptor.update(encrypted[16:]) + decryptor.finalize()
        return _belonging(ec.derive_private_key(int.from_bytes(plain, "big"), ec.SECP256R1()), contract)
    except ValueError as error:
        raise EnvelopeError(f"no contract key comes out: {error}") from None


def _key2(secret: bytes) -> bytes:
    return ConcatKDFHash(hashes.SHA256(), 16, OTHER_INFO_2).derive(secret)
