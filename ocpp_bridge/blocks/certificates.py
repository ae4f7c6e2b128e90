"""Certificates that the CSMS gets for the station: contracts for cars (M01), and the status of the station's own chain (M06)."""

import base64
import binascii
from typing import Final

from ocpp_bridge.block import Block, answer_at, failure_at
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.contract import hash_data
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from pki.certificate import facts, read
from secc.station import CertificateInstallationWanted, CertificateReady, CertificateRefused

EXI_MAXIMUM: Final = 11_000  # characters of exiRequest


def installation_wanted(charger: Charger, evse: Evse, want: CertificateInstallationWanted, now: float) -> None:
    """Pass the car's request for a contract to the CSMS with its octets unchanged, since its signature is over them."""
    if evse.session is not None:
        evse.session.installation = want
    text = base64.b64encode(want.exi).decode()
    payload: Payload = {"iso15118SchemaVersion": want.namespace, "action": "Update" if want.update else "Install", "exiRequest": text}
    if want.maximum_chains is not None:
        payload["maximumContractCertificateChains"] = want.maximum_chains
    if want.prioritized_emaids:
        payload["prioritizedEMAIDs"] = [emaid[:255] for emaid in want.prioritized_emaids[:8]]
    why = _no_installation(charger, text)
    if not why and not charger.call("Get15118EVCertificate", payload, evse=evse.id, about=want, urgent=True):
        why = "the CSMS, which has the contracts, is not there"
    if why:
        charger.tell(evse, CertificateRefused(reason=why, about=want.number))


def _no_installation(charger: Charger, text: str) -> str:
    """Why a request for a contract, in base64, is not passed on; empty where it is."""
    if not charger.variables.yes("ISO15118Ctrlr.ContractCertificateInstallationEnabled"):
        return "the CSMS has switched contracts off (ISO15118Ctrlr.ContractCertificateInstallationEnabled)"
    return f"the request has {len(text)} characters in base64, and OCPP carries {EXI_MAXIMUM}" if len(text) > EXI_MAXIMUM else ""


def installation_answered(charger: Charger, evse: Evse, call: Call, response: Payload, now: float) -> None:
    """Take the CSMS's answer to the car's request: tell the session the contract, or that there is none."""
    want = evse.session.installation if evse.session is not None else None
    if want is None or call.about is not want:
        return  # another car by now, or another request
    try:
        exi = base64.b64decode(response["exiResponse"], validate=True)
    except binascii.Error:
        exi = b""
    if response["status"] == "Accepted" and exi:
        charger.tell(evse, CertificateReady(exi, response.get("remainingContracts", 0), want.number))
    else:
        charger.tell(evse, CertificateRefused(reason=f"the CSMS has no contract: {_said(response)}", about=want.number))


def _said(response: Payload) -> str:
    info = response.get("statusInfo", {})
    return " ".join(str(part) for part in (response["status"], info.get("reasonCode", ""), info.get("additionalInfo", "")) if part)


def installation_failed(charger: Charger, evse: Evse, call: Call, code: str, now: float) -> None:
    """Tell the session that there is no contract, because the CSMS did not answer."""
    want = evse.session.installation if evse.session is not None else None
    if want is not None and call.about is want:
        why = f"the CSMS does not answer the request for a contract: {code}"
        charger.tell(evse, CertificateRefused(reason=why, about=want.number))


def status_wanted(charger: Charger, certificate: bytes, issuer: bytes) -> bool:
    """Ask for the OCSP response for a certificate of the station (both DER); it comes into `Charger.staples`. False: nobody to ask."""
    urls = facts(read(certificate)).ocsp_urls
    if not urls:
        return False
    asked = hash_data(read(certificate), read(issuer), urls[0])
    return charger.call("GetCertificateStatus", {"ocspRequestData": asked}, about=certificate)


def status_answered(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """Keep the OCSP response for the station's TLS handshakes."""
    if response["status"] == "Accepted" and "ocspResult" in response:
        try:
            charger.staples[call.about] = base64.b64decode(response["ocspResult"], validate=True)
        except binascii.Error:
            charger.note("GetCertificateStatus: the ocspResult is not base64")
    else:
        charger.note(f"the CSMS has no OCSP response for {facts(read(call.about)).name}: {_said(response)}")


BLOCK: Final = Block(
    answers={"Get15118EVCertificate": answer_at(installation_answered), "GetCertificateStatus": status_answered},
    failures={"Get15118EVCertificate": failure_at(installation_failed)},
)
