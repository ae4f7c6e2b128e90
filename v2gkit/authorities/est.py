"""Enrolment over Secure Transport [RFC 7030] for station certificates: a laboratory's server, and a client that renews.

    with Site(routes(store, Door(secrets)), tls=server_tls(store, now)) as site:
        renewed = renew(station_store, site.url, ("DE*ABC*E1", "password"), now)

The server knows its clients by HTTP authentication over TLS, the second way the RFC offers: a station's certificate is one for servers,
and a TLS library refuses it from a client.
"""

import asyncio
import base64
import binascii
import ipaddress
import math
import ssl
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import NameOID

from pki import keys
from pki.certificate import PARSE_ERRORS, facts, read
from pki.errors import CertificateError, Kind, StoreError
from pki.files import replace as replace_file
from pki.issue import extensions_of, issue
from pki.keys import ALGORITHMS
from pki.plan import Names
from pki.profiles import ISO20, PROFILES, Role, Rules
from pki.request import attributes, read_attributes, read_request, renewal
from pki.store import Credential, Store
from pki.verify import verify
from v2g.address import demand_address
from v2gkit.authorities.asking import NotAnswered, ask, tls_client
from v2gkit.authorities.office import Office
from v2gkit.authorities.passwords import Door, TooSoon, basic
from v2gkit.authorities.register import issued_by
from v2gkit.authorities.route import Answer, Asked, Route

BASE = "/.well-known/est"
PROOF = "V2G-Renewal-Proof"  # header of a re-enrolment
PROOF_OF = b"v2gkit est simplereenroll\0"  # what stands before the request that is signed: such a signature proves nothing elsewhere
CERTIFICATES = "application/pkcs7-mime; smime-type=certs-only"
MAX_ANSWER = 65_536  # octets


# --- server ---


def routes(store: Store, door: Door, by: Role = Role.CPO_SUB2) -> list[Route]:
    """The server's routes (cacerts, csrattrs, simpleenroll, simplereenroll), for certificates issued by the CA of role `by`.

    A user is a station: it gets certificates for its own name alone. Re-enrolment needs the certificate that it renews.
    """
    office, authority = Office(store), store.credential(by)

    def enrolled(asked: Asked, user: str, again: bool) -> Answer:
        try:
            request = read_request(base64.b64decode(asked.body))
            _demand_own_name(request, user)
            if again:
                _demand_proof(asked.headers.get(PROOF, ""), request, office, authority)
            chain = office.sign(request, Role.SECC, authority, datetime.now(UTC))
        except (CertificateError, StoreError, ValueError) as error:
            return Answer(f"{error}\n".encode(), "text/plain", 400)
        return _certificates(chain[:1])

    async def asked_by(asked: Asked, again: bool) -> Answer:
        user, password = basic(asked.headers.get("Authorization", ""))
        try:
            if not await door.opens(user, password, asked.source):
                return Answer(b"", status=401, headers=(("WWW-Authenticate", 'Basic realm="est"'),))
        except TooSoon as error:
            return Answer(f"{error}\n".encode(), "text/plain", 429, (("Retry-After", str(math.ceil(error.after))),))
        return await asyncio.to_thread(enrolled, asked, user, again)

    async def enroll(asked: Asked) -> Answer:
        return await asked_by(asked, again=False)

    async def enroll_again(asked: Asked) -> Answer:
        return await asked_by(asked, again=True)

    def authorities(_: Asked) -> Answer:
        roots = [root for root in store.anchors.v2g if root.subject == authority.chain[-1].issuer]
        return _certificates((*authority.chain, *roots))

    def wanted(_: Asked) -> Answer:
        return Answer(base64.encodebytes(attributes(authority.curve)), "application/csrattrs", headers=_TRANSFER)

    return [
        ("GET", f"{BASE}/cacerts", authorities),
        ("GET", f"{BASE}/csrattrs", wanted),
        ("POST", f"{BASE}/simpleenroll", enroll),
        ("POST", f"{BASE}/simplereenroll", enroll_again),
    ]


def _demand_own_name(request: x509.CertificateSigningRequest, user: str) -> None:
    names = [str(one.value) for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [user]:
        raise CertificateError(Kind.WRONG_PROFILE, f"{user} asks for {', '.join(names) or 'nobody'}; a station gets its own name alone")


def proof(request: x509.CertificateSigningRequest, old: Credential) -> str:
    """The header by which a client proves that it has the certificate it renews: the certificate, and its key's signature over the request.

    This replaces the TLS client certificate of RFC 7030 3.3.2: a station's certificate is for servers, and TLS refuses it from a client.
    """
    leaf = old.leaf.public_bytes(Encoding.DER)
    signed = keys.sign(old.key, PROOF_OF + request.public_bytes(Encoding.DER))
    return f"{base64.b64encode(leaf).decode()} {base64.b64encode(signed).decode()}"


def _demand_proof(said: str, request: x509.CertificateSigningRequest, office: Office, authority: Credential) -> None:
    """Raises CertificateError unless the request renews a certificate of this authority that is in force, by who has its key."""
    try:
        leaf, signed = (base64.b64decode(part, validate=True) for part in said.split(" "))
    except (ValueError, binascii.Error):
        raise CertificateError(Kind.WRONG_PROFILE, f"re-enrolment needs the certificate that it renews, in {PROOF}") from None
    old = read(leaf)
    fact = facts(old)
    key: Any = fact.public_key
    if not issued_by(old, authority.leaf) or office.register.lookup(authority.leaf)(old.serial_number) != "good":
        raise CertificateError(Kind.REVOKED, f"{fact.name} is not in force: this authority did not issue it, or has revoked it")
    if not fact.not_before <= datetime.now(UTC) <= fact.not_after:
        raise CertificateError(Kind.EXPIRED, f"{fact.name} has ended; enrol anew")
    if request.subject != old.subject:
        raise CertificateError(Kind.WRONG_PROFILE, f"the request names another than {fact.name} [RFC 7030 4.2.2]")
    if not keys.verify(key, signed, PROOF_OF + request.public_bytes(Encoding.DER)):
        raise CertificateError(Kind.BROKEN_CHAIN, f"the proof is not by the key of {fact.name}")


_TRANSFER = (("Content-Transfer-Encoding", "base64"),)


def _certificates(chain: tuple[x509.Certificate, ...]) -> Answer:
    der = pkcs7.serialize_certificates(list(chain), Encoding.DER)
    return Answer(base64.encodebytes(der), CERTIFICATES, headers=_TRANSFER)


def server_tls(store: Store, now: datetime, host: str = "::1", by: Role = Role.CPO_SUB2) -> ssl.SSLContext:
    """A TLS context for the server, with a certificate for `host` that the CA of role `by` issues for this run."""
    authority = store.credential(by)
    key = ALGORITHMS[authority.curve].generate()
    names = Names(evse_id="EST server")
    place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host)), x509.DNSName("localhost")])
    extensions = [*extensions_of(PROFILES[Role.SECC], authority, names, key.public_key()), (place, False)]
    leaf = issue(PROFILES[Role.SECC], authority, names, key.public_key(), now, validity=timedelta(days=7), extensions=extensions)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "server.pem")
        pem = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
        pem += [one.public_bytes(Encoding.PEM) for one in (leaf, *authority.chain)]
        replace_file(path, b"".join(pem), 0o600)
        context.load_cert_chain(path)
    return context


# --- client ---


def renew(store: Store, url: str, user: tuple[str, str], now: datetime, *, name: str | None = None, rules: Rules = ISO20) -> Credential:
    """Get a certificate for the station's name on a fresh key, verify it, and put it in the place of the old one in the store.

    Running sessions keep the old one. Raises CertificateError for an answer that fails verification, StoreError where the server does not
    answer; then nothing is replaced.
    """
    old = next((one for one in store.credentials(Role.SECC) if name in (None, one.name)), None)
    if old is None:
        raise StoreError(f"{store.path} holds no secc credential {name or ''} to renew")
    client = _Client(url, user, store.anchors.v2g)
    wanted = read_attributes(client.fetch("csrattrs"))
    key = ALGORITHMS[wanted.curve or old.curve].generate()
    asking = renewal(old.leaf, key)
    body = base64.encodebytes(asking.public_bytes(Encoding.DER))
    leaf, *_ = client.certificates("simplereenroll", body, {PROOF: proof(asking, old)})
    subs = tuple(one for one in client.certificates("cacerts") if one.subject != one.issuer)
    verified = verify((leaf, *subs), Role.SECC, store.anchors, now, rules=rules)
    if facts(leaf).subject != facts(old.leaf).subject:
        raise CertificateError(Kind.WRONG_PROFILE, f"the server certified {verified.common_name} where {old.common_name} asked")
    return store.save(Role.SECC, old.name, verified.chain, key)


class _Client:
    """One server, trusted by the roots of the store and by nothing else."""

    def __init__(self, url: str, user: tuple[str, str], roots: tuple[x509.Certificate, ...]) -> None:
        try:
            demand_address(url, "https")  # [RFC 7030 3.3]
        except ValueError as error:
            raise StoreError(f"enrolment goes over https only: {error}") from None
        self._base = url.rstrip("/") + BASE
        self._authorization = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        self._tls = tls_client(b"".join(root.public_bytes(Encoding.PEM) for root in roots).decode())

    def fetch(self, operation: str, body: bytes | None = None, more: Mapping[str, str] = MappingProxyType({})) -> bytes:
        headers = {
            **more,
            "Authorization": self._authorization,
            "Content-Type": "application/pkcs10",
            "Content-Transfer-Encoding": "base64",
        }
        try:
            octets = ask(f"{self._base}/{operation}", body, headers, timeout=10, limit=MAX_ANSWER, tls=self._tls)
            return base64.b64decode(octets)
        except (NotAnswered, binascii.Error) as error:
            raise StoreError(f"{operation}: {error}") from None

    def certificates(
        self, operation: str, body: bytes | None = None, more: Mapping[str, str] = MappingProxyType({})
    ) -> list[x509.Certificate]:
        try:
            found = pkcs7.load_der_pkcs7_certificates(self.fetch(operation, body, more))
        except PARSE_ERRORS as error:
            raise CertificateError(Kind.MALFORMED, f"{operation}: no certificates in the answer: {error}") from None
        if not found:
            raise CertificateError(Kind.MALFORMED, f"{operation}: the answer holds no certificate")
        return found
