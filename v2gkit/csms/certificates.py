"""What a laboratory's CSMS does with certificates: gives contracts to cars (M01 to M03), verifies them (C07), gives OCSP status (M06)."""

import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ocpp_bridge.wire.schemas import Payload, Version
from pki.certificate import facts, read_pem
from pki.errors import CertificateError, Kind, StoreError
from pki.keys import key_name
from pki.lapses import Lapse
from pki.profiles import ISO2, ISO20, Role
from pki.provisioners import Provisioners, is_older
from pki.store import Store, read_chain
from pki.verify import verify
from v2g.exi.codec import decode
from v2g.exi.errors import DecodeError
from v2g.messages import schema_set
from v2gkit.authorities.cps import service
from v2gkit.authorities.office import Office
from v2gkit.csms.stations import no_word

EXI_MAXIMUM: dict[Version, int] = {"ocpp2.1": 17_000, "ocpp2.0.1": 7_500}  # characters of exiResponse
FAULTS = {Kind.EXPIRED: "CertificateExpired", Kind.REVOKED: "CertificateRevoked"}  # certificateStatus; anything else is CertChainError
RULES = replace(ISO20, lapses=frozenset(Lapse))  # whether a car may come with less than strict DER is the station's to say
WORDS = {ocsp.OCSPCertStatus.GOOD: "Good", ocsp.OCSPCertStatus.REVOKED: "Revoked"}
ALGORITHMS: dict[str, hashes.HashAlgorithm] = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


@dataclass(frozen=True, slots=True)
class LabPki:
    """The provisioning service and the OCSP responders of one certificate store, as a CSMS uses them."""

    provisioning: Provisioners
    office: Office
    wall: Callable[[], float] = time.time  # epoch s

    @classmethod
    def of(cls, store: Store, wall: Callable[[], float] = time.time) -> "LabPki":
        """The services of a store. Raises StoreError where it has no credential of a provisioning service."""
        return cls(service(store), Office(store), wall)

    def contract(self, asked: Payload, version: Version) -> Payload:
        """The answer to Get15118EVCertificate: the service's response, contract or refusal, as EXI in base64."""
        try:
            exi = self.provisioning.answer_exi(base64.b64decode(asked["exiRequest"], validate=True), self._now())
        except (DecodeError, binascii.Error) as error:
            return _failed("InvalidRequest", str(error))
        text = base64.b64encode(exi).decode()
        if len(text) > EXI_MAXIMUM[version]:
            reason = f"{len(text)} characters of exiResponse, and {version} carries {EXI_MAXIMUM[version]}"
            return _failed("TooLong", reason)
        answered: Payload = {"status": "Accepted", "exiResponse": text}
        if version == "ocpp2.1" and not is_older(exi):  # -2 gives one contract, and says nothing of others
            response: Any = decode(exi, schema_set("common"))
            answered["remainingContracts"] = response.RemainingContractCertificateChains
        return answered

    def sign(self, request: str, kind: str) -> str:
        """The chain (PEM, leaf first) for a station's certificate request. Raises ValueError for one that cannot be granted.

        `kind` is OCPP's certificateType. Every kind is issued by the operator's authority on the curve of its key, with the profile of a
        station's certificate.
        """
        try:
            asked = x509.load_pem_x509_csr(request.encode())
            authority = self.office.store.credential(Role.CPO_SUB2, key_name(cast(Any, asked.public_key())))
            chain = self.office.sign(asked, Role.SECC, authority, self._now())
        except (CertificateError, StoreError, ValueError) as error:
            raise ValueError(f"{kind}: {error}") from None
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)

    def status(self, asked: Payload) -> Payload:
        """The answer to GetCertificateStatus: an OCSP response in base64."""
        try:
            response = self._response(asked["ocspRequestData"])
        except ValueError as error:
            return {"status": "Failed", "statusInfo": {"reasonCode": "InvalidRequest", "additionalInfo": str(error)[:512]}}
        return {"status": "Accepted", "ocspResult": base64.b64encode(response).decode()}

    def chain_status(self, asked: Payload) -> Payload:
        """The answer to GetCertificateChainStatus: the word of the register on each certificate, whichever source was named for it."""
        return {"certificateStatus": [self._word(each) for each in asked["certificateStatusRequests"]]}

    def _word(self, asked: Payload) -> Payload:
        try:
            said = ocsp.load_der_ocsp_response(self._response(asked["certificateHashData"]))
        except ValueError:
            return no_word(asked, self.wall())
        if said.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL or said.next_update_utc is None:
            return no_word(asked, self.wall())
        return no_word(asked, said.next_update_utc.timestamp()) | {"status": WORDS.get(said.certificate_status, "Unknown")}

    def judged(self, asked: Payload) -> str:
        """The certificateStatus for an Authorize, by its chain, which is verified, or by the hashes of its certificates."""
        if "certificate" in asked:
            try:
                chain = read_pem(asked["certificate"].encode(), ISO20.max_octets)
                rules = ISO2 if facts(chain[0]).key in ISO2.algorithms else RULES
                verify(chain, Role.CONTRACT, self.office.store.anchors, self._now(), rules=rules, status=self.office.status)
            except CertificateError as error:
                return FAULTS.get(error.kind, "CertChainError")
            return "Accepted"
        try:
            said = [ocsp.load_der_ocsp_response(self._response(data)) for data in asked["iso15118CertificateHashData"]]
        except ValueError:
            return "CertChainError"
        known = [each.certificate_status if each.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL else None for each in said]
        if ocsp.OCSPCertStatus.REVOKED in known:
            return "CertificateRevoked"
        return "Accepted" if set(known) == {ocsp.OCSPCertStatus.GOOD} else "CertChainError"

    def account(self, asked: Payload) -> str:
        """The common name of the contract certificate in an Authorize, sent whole or by its hashes; empty where it is not found."""
        if "certificate" in asked:
            try:
                return facts(read_pem(asked["certificate"].encode(), ISO20.max_octets)[0]).common_name
            except CertificateError:
                return ""
        try:
            request = _request(asked["iso15118CertificateHashData"][0])
        except ValueError:
            return ""
        store = self.office.store
        issued = (one for path in (store.path / "issued").glob(f"{request.serial_number:x}.pem") for one in read_chain(path))
        for one in (*(contract.leaf for contract in store.contracts), *issued):
            named = one.serial_number == request.serial_number
            if named and self.office.responder(self.office.issuer_of(one)).speaks_for(request):
                return facts(one).common_name
        return ""

    def _response(self, data: Payload) -> bytes:
        """DER of the OCSP response about a certificate known by its hashes. Raises ValueError for hashes that are none."""
        return self.office.answer(_request(data).public_bytes(Encoding.DER), self._now())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.wall(), UTC)


def _request(data: Payload) -> ocsp.OCSPRequest:
    names = bytes.fromhex(data["issuerNameHash"]), bytes.fromhex(data["issuerKeyHash"])
    serial, algorithm = int(data["serialNumber"], 16), ALGORITHMS[data["hashAlgorithm"]]
    return ocsp.OCSPRequestBuilder().add_certificate_by_hash(*names, serial, algorithm).build()


def _failed(code: str, reason: str) -> Payload:
    return {"status": "Failed", "exiResponse": "", "statusInfo": {"reasonCode": code, "additionalInfo": reason[:512]}}
