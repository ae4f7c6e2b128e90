"""A firmware update (pure): what the CSMS wants, how far it is, and whether what came is what its manufacturer signed (L01).

The station does not know how its firmware is installed: an `Installer` of its owner does. Without one nothing is fetched.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import ExtendedKeyUsageOID

from ocpp_bridge.model.safe import CERTIFICATE_MAXIMUM, issuer_among
from ocpp_bridge.model.transfer import ATTEMPTS_MAXIMUM, pause
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch
from pki.certificate import facts, read, read_pem
from pki.errors import CertificateError, Kind

RETRIES: Final = 2  # where the CSMS names no number
CUTS_MAXIMUM: Final = 3  # restarts in the midst of a download that are no attempts: a station that it kills is not killed for ever
SIZE_MAXIMUM: Final = 512 * 1024 * 1024  # octets, where nobody says otherwise
RSA_MINIMUM: Final = 2048  # bits
FINAL: Final = frozenset({"DownloadFailed", "InvalidSignature", "InstallVerificationFailed", "InstallationFailed", "Installed"})
UNTOUCHABLE: Final = frozenset({"Installing", "InstallRebooting"})  # what is being installed is not given up for another


class Installer(Protocol):
    """How firmware is installed, by the station's owner. What goes wrong is an OSError or a ValueError with words for people.

    Only a file whose signature is the manufacturer's comes here (unsigned ones where the owner allows them). A method may be cancelled: the
    station ends.
    """

    async def verify(self, file: Path) -> None:
        """Raise where the file is no firmware for this station; nothing is installed then."""

    async def install(self, file: Path) -> bool:
        """Install the file. True: it takes effect by `activate`, which restarts the station."""

    async def activate(self) -> None:
        """Restart the station into what was installed. It may end this process, or return before that."""

    async def confirm(self, file: Path, *, cut: bool) -> None:
        """Raise where, after a restart, the station does not run what is in the file. `cut`: it ended while `install` was at work."""


@dataclass(slots=True)
class Update:
    """One UpdateFirmware, and how far it is: `status` is what the CSMS was told last, empty at first."""

    request: int
    url: str
    retrieve: float  # epoch s of the CSMS's clock
    install: float  # likewise; in the past: at once
    left: int  # attempts to download
    wait: float  # s between two of them
    certificate: str = ""  # PEM; empty: it is not signed
    signature: str = ""  # base64
    status: str = ""
    digest: str = ""  # SHA-256 of what was downloaded, in hex
    cuts: int = 0  # downloads that a restart cut off
    due: float = 0.0  # monotonic s of the next attempt, or until when the station must have restarted; not kept
    busy: bool = False  # the shell is at work for it; not kept
    restarted: bool = False  # the process has ended since it was told last; not kept

    @classmethod
    def of(cls, payload: Payload) -> Self:
        """The update of an UpdateFirmware. ValueError for times that cannot be read."""
        wanted = payload["firmware"]
        return cls(
            payload["requestId"],
            wanted["location"],
            epoch(wanted["retrieveDateTime"]),
            epoch(wanted["installDateTime"]) if "installDateTime" in wanted else float("-inf"),
            1 + min(max(payload.get("retries", RETRIES), 0), ATTEMPTS_MAXIMUM - 1),
            pause(payload.get("retryInterval", 0)),
            wanted.get("signingCertificate", ""),
            wanted.get("signature", ""),
        )

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in FINAL

    def kept(self) -> dict[str, Any]:
        """What of it outlives the process, JSON-able."""
        row = {name: getattr(self, name) for name in KEPT}
        return row | {"install": None if self.install == float("-inf") else self.install}

    @classmethod
    def restored(cls, row: dict[str, Any]) -> Self:
        """An update as it was kept, after a restart."""
        install = float("-inf") if row["install"] is None else row["install"]
        return cls(**{name: row[name] for name in KEPT} | {"install": install}, restarted=True)


KEPT: Final = ("request", "url", "retrieve", "install", "left", "wait", "certificate", "signature", "status", "digest", "cuts")
Work = Literal["download", "install", "activate", "confirm"]


@dataclass(slots=True)
class Firmware:
    """How the station takes firmware, and what it is doing about it."""

    installer: Installer | None = None
    folder: Path | None = None  # for the file until it is installed
    hosts: tuple[str, ...] = ()  # from which it is fetched; empty: the CSMS's own
    maximum: int = SIZE_MAXIMUM  # octets
    unsigned: bool = False  # take what nobody has signed, too (L02)
    update: Update | None = None  # the last one
    work: list[tuple[Work, Update]] = field(default_factory=list)  # for the shell

    @property
    def file(self) -> Path:
        """Where the file lies until it is installed."""
        assert self.folder is not None
        return self.folder / "update"

    @property
    def running(self) -> Update | None:
        """The update that is under way; None: there is none."""
        return None if self.update is None or self.update.over else self.update


# --- judging ---


def signer(text: str, roots: Sequence[bytes], now: datetime) -> x509.Certificate:
    """The one certificate in a PEM text with which a manufacturer signs firmware.

    Raises CertificateError unless one of the roots issued it, without sub-CAs, and it is valid now, for signatures, of a strong key.
    """
    found = read_pem(text.encode(), CERTIFICATE_MAXIMUM)
    if len(found) != 1:
        raise CertificateError(Kind.TOO_LONG, f"{len(found)} certificates where the one that signs firmware is expected, without sub-CAs")
    one, fact = found[0], facts(found[0])
    if now < fact.not_before:
        raise CertificateError(Kind.NOT_YET_VALID, f"{fact.name} begins {fact.not_before:%Y-%m-%d %H:%M} UTC")
    if now >= fact.not_after:
        raise CertificateError(Kind.EXPIRED, f"{fact.name} ended {fact.not_after:%Y-%m-%d %H:%M} UTC")
    if fact.authority or (fact.usage is not None and "digital_signature" not in fact.usage):
        raise CertificateError(Kind.WRONG_PROFILE, f"{fact.name} is no certificate that signs files (key usage)")
    if fact.purposes is not None and ExtendedKeyUsageOID.CODE_SIGNING not in fact.purposes:
        raise CertificateError(Kind.WRONG_PROFILE, f"{fact.name} is not for signing code (extended key usage)")
    if fact.unknown_critical:
        raise CertificateError(
            Kind.WRONG_PROFILE, f"{fact.name} has critical extensions that nobody here knows: {fact.unknown_critical[0]}"
        )
    key = fact.public_key
    if not isinstance(key, ec.EllipticCurvePublicKey) and not (isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_MINIMUM):
        raise CertificateError(Kind.WEAK_ALGORITHM, f"a {fact.key} key, where RSA of {RSA_MINIMUM} bits or an elliptic curve is needed")
    if not roots:
        raise CertificateError(Kind.UNTRUSTED_ROOT, "no ManufacturerRootCertificate is installed here: install one first")
    issuer = issuer_among(one, [read(root, CERTIFICATE_MAXIMUM) for root in roots])
    if issuer is None:
        raise CertificateError(Kind.UNTRUSTED_ROOT, f"no manufacturer's root that is installed here has issued {fact.name}")
    if not facts(issuer).not_before <= now < facts(issuer).not_after:
        raise CertificateError(Kind.EXPIRED, f"the root {facts(issuer).name} is not valid now")
    return one


def signature_of(text: str) -> bytes:
    """The octets of a signature in base64. ValueError for text that is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("the signature is no base64") from None


def signed(certificate: x509.Certificate, signature: bytes, digest: str, longer: str = "") -> bool:
    """Whether a signature is one by the key of a certificate over a file, by its SHA-256 (hex): RSA-PSS or ECDSA.

    A key of secp384r1 may have signed its SHA-384 (`longer`, hex) instead: a curve of that size is used with either [L01.FR.04].
    """
    key = certificate.public_key()
    ways: list[tuple[hashes.SHA256 | hashes.SHA384, str]] = [(hashes.SHA256(), digest)]
    if longer and isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        ways.append((hashes.SHA384(), longer))
    return any(_verified(key, signature, bytes.fromhex(octets), hash_) for hash_, octets in ways)


def _verified(key: object, signature: bytes, digest: bytes, hash_: hashes.SHA256 | hashes.SHA384) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PSS(padding.MGF1(hash_), padding.PSS.AUTO), utils.Prehashed(hash_))
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(utils.Prehashed(hash_)))
        else:
            return False
    except InvalidSignature:
        return False
    return True
