"""The certificates behind a laboratory's CSMS: contracts for cars (M01 to M03), and the status of what a station shows (M06)."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from lab.pki.cps import service
from lab.pki.office import Office
from ocpp_bridge.schemas import Payload, Version
from pki.provisioning import ProvisioningService
from pki.status import answer
from pki.store import Store
from v2g.exi.codec import decode
from v2g.exi.errors import DecodeError
from v2g.messages import schema_set

EXI_MAXIMUM: dict[Version, int] = {"ocpp2.1": 17_000, "ocpp2.0.1": 7_500}  # characters of exiResponse
ALGORITHMS: dict[str, hashes.HashAlgorithm] = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


@dataclass(frozen=True, slots=True)
class LabPki:
    """The provisioning service and the responders of one certificate store."""

    provisioning: ProvisioningService
    office: Office

    @classmethod
    def of(cls, store: Store) -> "LabPki":
        """Everything that the store can answer. Raises StoreError where it has no provisioning service."""
        return cls(service(store), Office(store))

    def contract(self, asked: Payload, version: Version) -> Payload:
        """The answer to Get15118EVCertificate: what the service says, whether contract or warning, as raw EXI in base64."""
        try:
            exi = self.provisioning.answer_exi(base64.b64decode(asked["exiRequest"], validate=True), datetime.now(UTC))
        except (DecodeError, binascii.Error) as error:
            return _failed("InvalidRequest", str(error))
        text = base64.b64encode(exi).decode()
        if len(text) > EXI_MAXIMUM[version]:
            reason = f"{len(text)} characters of exiResponse, and {version} carries {EXI_MAXIMUM[version]}"
            return _failed("TooLong", reason)
        answered: Payload = {"status": "Accepted", "exiResponse": text}
        if version == "ocpp2.1":
            response: Any = decode(exi, schema_set("common"))
            answered["remainingContracts"] = response.RemainingContractCertificateChains
        return answered

    def status(self, asked: Payload) -> Payload:
        """The answer to GetCertificateStatus: an OCSP response in base64."""
        data = asked["ocspRequestData"]
        try:
            request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
                bytes.fromhex(data["issuerNameHash"]),
                bytes.fromhex(data["issuerKeyHash"]),
                int(data["serialNumber"], 16),
                ALGORITHMS[data["hashAlgorithm"]],
            )
        except ValueError as error:
            return {"status": "Failed", "statusInfo": {"reasonCode": "InvalidRequest", "additionalInfo": str(error)[:512]}}
        response = answer(self.office.responders(), request.build().public_bytes(Encoding.DER), datetime.now(UTC))
        return {"status": "Accepted", "ocspResult": base64.b64encode(response).decode()}


def _failed(code: str, reason: str) -> Payload:
    return {"status": "Failed", "exiResponse": "", "statusInfo": {"reasonCode": code, "additionalInfo": reason[:512]}}
