"""A station with certificates in files, its bridge in virtual time, and a laboratory's CA: what the tests of certificates stand on."""

import ipaddress
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ocpp_bridge.cabinet import FileCabinet
from ocpp_bridge.wire.schemas import check
from pki.issue import build
from pki.plan import Names, Plan
from pki.profiles import Role
from pki.store import create
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_bridge import Played
from tests.starved import HANG
from v2gkit.authorities.office import Office

NOW = datetime.fromtimestamp(WALL, UTC)
URL = "http://ocsp.example/"
HIERARCHIES = {curve: build(Plan(names=Names(ocsp_url=URL)), curve, NOW) for curve in ("secp521r1", "secp256r1")}
OTHERS = build(Plan(), "secp521r1", NOW)  # the PKI of somebody else


def pem(*certificates: x509.Certificate) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


class Certified(Played):
    """A bridge with a cabinet of files, whose errands are done at once; `answers` may hold functions of the payload."""

    def __init__(self, folder: Path, *, curves: tuple[str, ...] = ("secp521r1",), tls: bool = True, trust: Path | None = None, **more):
        super().__init__(**more)
        self.folder, self.broken = folder, False
        hierarchies = [HIERARCHIES[curve] for curve in curves]
        self.store = create(folder / "pki", hierarchies)
        self.lab = Office(create(folder / "lab", [*HIERARCHIES.values()]))
        self.restarted(tls=tls, trust=trust)
        self.answers |= {"SignCertificate": {"status": "Accepted"}}

    def restarted(self, *, tls: bool = True, trust: Path | None = None) -> "Certified":
        self.charger.safe.cabinet = FileCabinet(self.folder / "pki", self.folder / "state", trust, tls=tls)
        self.charger.safe.station_id = "CS-1"
        return self

    def run(self, seconds: float = 0.0):
        super().run()
        while self.work() or seconds > 0:
            step = min(seconds, max((self.bridge.deadline() or self.now + seconds) - self.now, 0.001))
            seconds -= step if seconds > 0 else 0.0
            super().run(step)
        return self

    def leap(self, seconds: float) -> "Certified":
        """Let time pass in which nothing is looked at."""
        self.now += seconds
        return self.run()

    def work(self) -> bool:
        errands = self.bridge.errands()
        for errand in errands:
            errand.done(errand.do(), self.now)
        return bool(errands)

    def ask(self, action: str, payload: dict) -> dict:
        check("ocpp2.1", action, "Request", payload)
        answer = self.bridge.answer(action, payload, self.now)
        for errand in self.bridge.errands():
            if self.broken and errand.answers:
                answer = errand.failed("No space left on device", self.now) or answer
            else:
                errand.done(errand.do(), self.now)
        check("ocpp2.1", action, "Response", answer)
        self.run()
        return answer

    @property
    def asked(self) -> dict:
        """The last SignCertificate."""
        return self.calls("SignCertificate")[-1]

    def sign(self, *, curve: str = "secp521r1", validity: timedelta | None = None, office: Office | None = None) -> str:
        """The chain that the laboratory signs for the last request."""
        request = x509.load_pem_x509_csr(self.asked["csr"].encode())
        signer = office or self.lab
        by = signer.store.credential(Role.CPO_SUB2, curve)
        return pem(*signer.sign(request, Role.SECC, by, NOW + timedelta(seconds=self.now), validity=validity))

    def signed(self, chain: str, **more) -> dict:
        asked = {name: self.asked[name] for name in ("certificateType", "requestId")}
        return self.ask("CertificateSigned", {"certificateChain": chain} | asked | more)


class Ca:
    """The CA of a CSMS. Requests are verified by openssl before they are signed; everything is valid from a minute before `at`."""

    def __init__(self, folder: Path, name: str = "CSMS Root", at: datetime = NOW, by: "Ca | None" = None, days: float = 3000):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.root, self.at = folder, folder / "root.pem", at
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        above = by or self
        self.certificate = self._build(self.name, self.key.public_key(), days, above, x509.BasicConstraints(ca=True, path_length=None))
        self.root.write_text(self.pem)

    @property
    def pem(self) -> str:
        return pem(self.certificate)

    def sign(self, csr: str, *, purpose: str = "CLIENT_AUTH", days: float = 365, names: tuple[str, ...] = ()) -> str:
        """A certificate for a request."""
        request = self.folder / "request.pem"
        request.write_text(csr)
        subprocess.run(["openssl", "req", "-verify", "-noout", "-in", str(request)], check=True, capture_output=True, timeout=HANG)
        asked = x509.load_pem_x509_csr(csr.encode())
        more: list = [x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, purpose)])]
        more += [x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(one)) for one in names])] if names else []
        return pem(self._build(asked.subject, asked.public_key(), days, self, *more))

    def issue(self, name: str, made=None, **how) -> tuple[Path, Path]:
        """A certificate with a key of its own (`made`, or a new one), as two files."""
        chain, key = (self.folder / f"{name}.{end}" for end in ("pem", "key"))
        made = made or ec.generate_private_key(ec.SECP256R1())
        key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        csr = x509.CertificateSigningRequestBuilder().subject_name(_name(name)).sign(made, hashes.SHA256())
        chain.write_text(self.sign(csr.public_bytes(Encoding.PEM).decode(), **how))
        return chain, key

    def _build(self, subject: x509.Name, key, days: float, by: "Ca", *extensions) -> x509.Certificate:
        builder = x509.CertificateBuilder(by.name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(self.at - timedelta(minutes=1))
        builder = builder.not_valid_after(self.at + timedelta(days=days) + timedelta(seconds=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(by.key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
