"""The peer's own environment: PyPI `iso15118` with its Java codec, and certificates that both of us trust, in its layout.

    peer = ecog_setup.install(Path(".interop"))      # slow once, then instant; PeerMissing says what this machine lacks
    peer.python, peer.pki(contract=True), peer.environment(...)

The package ships a script that makes certificates with openssl. We make them with `pki` instead, on the one curve it can use, so that its
anchors and ours are one hierarchy; the names of the files, and the password of the keys, are the package's.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import create

VERSION = "0.31.2"
REQUIREMENTS = (f"iso15118=={VERSION}", "aiofile")  # it imports the second and does not require it
CURVE = "secp256r1"  # the only group it negotiates, the only key it signs with
PASSWORD = "12345"  # noqa: S105 - what the package decrypts its keys with when no file says otherwise
STALE = timedelta(days=30)  # certificates older than this are made anew: the station's own live for 90 days

STEMS = {
    Role.V2G_ROOT: "v2gRootCA",
    Role.CPO_SUB1: "cpoSubCA1",
    Role.CPO_SUB2: "cpoSubCA2",
    Role.SECC: "seccLeaf",
    Role.CPS_SUB1: "cpsSubCA1",
    Role.CPS_SUB2: "cpsSubCA2",
    Role.CPS: "cpsLeaf",
    Role.OEM_ROOT: "oemRootCA",
    Role.OEM_SUB1: "oemSubCA1",
    Role.OEM_SUB2: "oemSubCA2",
    Role.PROVISIONING: "oemLeaf",
    Role.MO_ROOT: "moRootCA",
    Role.MO_SUB1: "moSubCA1",
    Role.MO_SUB2: "moSubCA2",
    Role.CONTRACT: "contractLeaf",
}
CHAINS = {Role.SECC: "cpoCertChain.pem", Role.PROVISIONING: "oemCertChain.pem"}  # the second is what its car shows in TLS


class PeerMissing(Exception):
    """This machine cannot run the peer; the message says what is missing and how to get it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An installed peer. `home` holds its environment (`venv`), its certificates (`pki`, `pki-eim`) and ours (`certs`)."""

    home: Path

    @property
    def python(self) -> Path:
        """The interpreter of the peer's own environment."""
        return self.home / "venv" / "bin" / "python"

    @property
    def certificates(self) -> Path:
        """The folder of our store, which holds the same hierarchy in our layout."""
        return self.home / "certs"

    def pki(self, contract: bool = True) -> Path:
        """The folder of the peer's certificates; without `contract` one that lacks the contract's key, so that its car uses EIM."""
        return self.home / ("pki" if contract else "pki-eim")

    def environment(
        self, service: str, tls: bool, authorizations: str, *, contract: bool = True, interface: str = "lo", protocol: str = ""
    ) -> dict[str, str]:
        """The environment variables for the peer. `authorizations` ("EIM" or "EIM,PNC") is for its station, `contract` for its car.

        `protocol` as the peer names -2 and DIN; without, -20.
        """
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONHASHSEED": "0",  # or the order of its SupportedAppProtocolReq is random
            "PYTHONDONTWRITEBYTECODE": "1",
            "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto",  # lives for seconds: start fast
            "PKI_PATH": f"{self.pki(contract)}/",
            "NETWORK_INTERFACE": interface,
            "ENABLE_TLS_1_3": str(tls and not protocol),
            "SECC_ENFORCE_TLS": str(tls),
            "AUTH_MODES": authorizations,
            "PROTOCOLS": protocol or f"ISO_15118_20_{service[:2]}",
            "ALLOW_CERT_INSTALL_SERVICE": str(bool(protocol)),  # it offers the service and has none for -20
            "MESSAGE_LOG_JSON": "False",
            "LOG_LEVEL": "WARNING",
        }


def install(home: Path) -> Peer:
    """Make the peer's environment and certificates in a folder, as far as they are missing. Raises PeerMissing."""
    if not shutil.which("java"):
        raise PeerMissing("the foreign peer's EXI codec needs a Java runtime, and there is no `java`: apt-get install default-jre-headless")
    peer = Peer(home.resolve())
    peer.home.mkdir(parents=True, exist_ok=True)
    ready = peer.home / "venv" / f".iso15118-{VERSION}"
    if not ready.exists():
        shutil.rmtree(peer.home / "venv", ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(peer.home / "venv"))
        _run(str(peer.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS)
        ready.touch()
    equip(peer)
    return peer


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own interpreter
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise PeerMissing(f"`{' '.join(command[1:])}` failed: {last}")


def equip(peer: Peer, now: datetime | None = None) -> None:
    """Make the certificates of both sides, unless there are fresh ones."""
    now = now or datetime.now(UTC)
    made = peer.home / ".certificates"
    if made.exists() and now - datetime.fromtimestamp(made.stat().st_mtime, UTC) < STALE:
        return
    for folder in (peer.certificates, peer.pki(True), peer.pki(False)):
        shutil.rmtree(folder, ignore_errors=True)
    hierarchy = build(Plan(curves=(CURVE,)), CURVE, now)
    create(peer.certificates, [hierarchy])
    for contract in (True, False):
        write_tree(peer.pki(contract), hierarchy, contract)
    made.touch()


def write_tree(folder: Path, hierarchy: Hierarchy, contract: bool = True) -> None:
    """Write a hierarchy in the peer's layout, which has one place for the certificates of both generations."""
    certificates, keys = folder / "iso15118_2" / "certs", folder / "iso15118_2" / "private_keys"
    for directory in (certificates, keys):
        directory.mkdir(parents=True)
    for role, stem in STEMS.items():
        issued = hierarchy[role]
        for encoding, suffix in ((Encoding.DER, "der"), (Encoding.PEM, "pem")):
            (certificates / f"{stem}Cert.{suffix}").write_bytes(issued.certificate.public_bytes(encoding))
        if role is Role.CONTRACT and not contract:
            continue
        key = keys / f"{stem}.key"
        key.touch(0o600)
        key.write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())))
        (keys / f"{stem}Password.txt").write_text(PASSWORD)
    for role, name in CHAINS.items():
        (certificates / name).write_bytes(_bundle(hierarchy[role].chain))


def _bundle(chain: tuple[x509.Certificate, ...]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
