"""Reads certificates and keys from PEM files; what cannot be read is a StoreError with the file and the cure."""

from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from pki.certificate import PARSE_ERRORS, facts, read_pem
from pki.errors import CertificateError, StoreError
from pki.keys import ALGORITHMS, PrivateKey, key_name
from pki.token import TokenKey, address, token_key


def read_chain(path: Path) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM file, in order. Raises StoreError where there is none or one cannot be read."""
    try:
        return read_pem(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; put PEM certificates there, or take it away") from None
    except CertificateError as error:
        raise StoreError(f"{path}: {error.reason}; put PEM certificates there, or take the file away") from None


def demand_readable(path: Path, chain: tuple[x509.Certificate, ...]) -> None:
    """Raise StoreError for the first certificate of a file whose fields cannot be read."""
    for depth, certificate in enumerate(chain):
        try:
            facts(certificate)
        except CertificateError as error:
            raise StoreError(f"{path}: certificate {depth}: {error.reason}; have it issued anew, or take the file away") from None


def read_key(path: Path, password: bytes | None = None) -> PrivateKey:
    """The private key of a PEM file, or the one in hardware that a `.key.uri` file points to. Raises StoreError."""
    if path.suffix == ".uri":
        return _token_key(path)
    try:
        key: PrivateKeyTypes = serialization.load_pem_private_key(path.read_bytes(), password)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; put the key of the first certificate there") from None
    except PARSE_ERRORS as error:
        if isinstance(error, TypeError) and password is None:
            raise StoreError(f"{path} is encrypted, and keys are read without a password; openssl pkey -in {path} -out KEY") from None
        raise StoreError(f"{path} holds no usable private key ({error}); put the key of the first certificate there") from None
    if key_name(key) not in ALGORITHMS:
        raise StoreError(f"{path} holds a {key_name(key)} key; ISO 15118 signs with {', '.join(ALGORITHMS)}")
    return cast(PrivateKey, key)


def _token_key(path: Path) -> TokenKey:
    uri = path.read_text().strip()
    source = address(uri).pin_source
    try:
        return token_key(uri, Path(source).read_text().strip() if source else None)
    except OSError as error:
        raise StoreError(f"the PIN for {path} cannot be read from {source}: {error.strerror}") from None
