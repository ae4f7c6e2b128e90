"""Where a station reaches its CSMS, and how each proves to the other who it is."""

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ocpp_bridge.wire.schemas import Version
from v2g.address import demand_address

SUITES: Final = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
CERTIFICATE_ALERTS: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR", "HANDSHAKE_FAILURE")
CIPHERS: Final = ("CIPHER", "HANDSHAKE_FAILURE")  # an alert of a server that shares none of our suites is the latter
REFUSALS: Final = (401, 403)  # HTTP
CAUSES: Final = 8  # errors behind an error that are looked at


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the CSMS and the credentials there. They decide the security profile: ws:// is 1, wss:// 2, with a certificate 3.

    ValueError for a station id that no CSMS takes, or credentials that do not fit the transport.
    """

    url: str  # the station id is appended to its path
    station_id: str
    password: str | None = field(default=None, repr=False)  # Basic authentication
    trust: Path | None = None  # PEM: the CSMS root; None: the system's
    certificate: Path | None = None  # PEM: the station's chain
    key: Path | None = None  # PEM
    versions: tuple[Version, ...] = ("ocpp2.1", "ocpp2.0.1")  # in order of preference
    roots: tuple[bytes, ...] = ()  # DER: CSMS roots that are trusted besides

    def __post_init__(self) -> None:
        if not 1 <= len(self.station_id) <= 48 or ":" in self.station_id:
            raise ValueError(f"the station id {self.station_id!r} is refused by OCPP: give 1 to 48 characters without a colon")
        demand_address(self.url, "ws", "wss")
        if self.password == "":
            raise ValueError("the password is empty; leave it out where the CSMS asks for none")
        if (self.certificate or self.trust) and not self.secure:
            raise ValueError("certificates need wss://")

    @property
    def secure(self) -> bool:
        """Whether the connection uses TLS."""
        return self.url.startswith("wss://")

    @property
    def profile(self) -> int:
        """OCPP's security profile, 1 to 3; 0: no authentication at all, for a bench."""
        if not self.secure:
            return 1 if self.password is not None else 0
        return 3 if self.certificate is not None else 2

    @property
    def address(self) -> str:
        """The URL of the WebSocket, with the station id."""
        return f"{self.url.rstrip('/')}/{quote(self.station_id, safe='')}"

    def headers(self) -> dict[str, str]:
        """The HTTP headers: Basic authentication where there is a password; none where a certificate authenticates."""
        if self.password is None or self.profile == 3:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.station_id}:{self.password}".encode()).decode()}

    def tls(self) -> ssl.SSLContext | None:
        """A fresh context for TLS to the CSMS (`context`); None for ws://."""
        return self.context() if self.secure else None

    def context(self) -> ssl.SSLContext:
        """A fresh context for TLS 1.2 or 1.3 that verifies a server of the CSMS and its host name. Files are read anew each time.

        Raises OSError for a file that cannot be read or used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one would log its secrets wherever SSLKEYLOGFILE points
        if self.trust is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(self.trust)
        for root in self.roots:
            context.load_verify_locations(cadata=root)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a root that came from the one before it (M05) is an anchor of its own
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(SUITES)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


def security_event(error: BaseException) -> tuple[str, str] | None:
    """The security event of a TLS handshake that failed, by OCPP's name, with the words of the library; None for every other error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "InvalidCsmsCertificate", error.verify_message
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if "VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        return "InvalidTLSVersion", reason
    return ("InvalidTLSCipherSuite", reason) if any(word in reason for word in CIPHERS) else None


def refuses_certificate(error: BaseException, status: int | None) -> bool:
    """Whether a failed attempt says that the CSMS does not take the certificate: by a TLS alert, or by an HTTP status."""
    found: BaseException | None = error
    for _ in range(CAUSES):
        if found is None:
            break
        if isinstance(found, ssl.SSLError) and not isinstance(found, ssl.SSLCertVerificationError):
            said = f"{found.reason or ''} {found}".upper().replace(" ", "_")
            if "ALERT" in said and any(alert in said for alert in CERTIFICATE_ALERTS):
                return True
        found = found.__cause__ or found.__context__
    return status in REFUSALS
