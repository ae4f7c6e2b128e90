"""Which messages are signed: the elements that the signature of each covers, and the chain of the signer where the message has it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pki import provisioning2
from pki.chains import octets_of
from pki.profiles import Role
from pki.signature import Element
from pki.tariff import price_schedules
from v2g.messages import common_messages as cm
from v2g.messages.iso2 import msg_body as body2


@dataclass(frozen=True, slots=True)
class Signed:
    """Where a message has its signed elements, and the chain of the signer; a message without chain needs a certificate to be given."""

    elements: Callable[[Any], Sequence[Element]]
    chain: Callable[[Any], tuple[bytes, ...]] | None = None
    role: Role | None = None


SIGNED: dict[type, Signed] = {
    cm.AuthorizationReq: Signed(
        lambda m: [m.PnC_AReqAuthorizationMode], lambda m: octets_of(m.PnC_AReqAuthorizationMode.ContractCertificateChain), Role.CONTRACT
    ),
    cm.CertificateInstallationReq: Signed(
        lambda m: [m.OEMProvisioningCertificateChain], lambda m: octets_of(m.OEMProvisioningCertificateChain), Role.PROVISIONING
    ),
    cm.CertificateInstallationRes: Signed(lambda m: [m.SignedInstallationData], lambda m: octets_of(m.CPSCertificateChain), Role.CPS),
    cm.MeteringConfirmationReq: Signed(lambda m: [m.SignedMeteringData]),
    cm.ScheduleExchangeRes: Signed(lambda m: tuple(price_schedules(m))),
    body2.AuthorizationReq: Signed(lambda m: [m]),
    body2.MeteringReceiptReq: Signed(lambda m: [m]),
    body2.CertificateInstallationReq: Signed(lambda m: [m], lambda m: (m.OEMProvisioningCert,), Role.PROVISIONING),
    body2.CertificateUpdateReq: Signed(lambda m: [m], lambda m: octets_of(m.ContractSignatureCertChain), Role.CONTRACT),
    body2.CertificateInstallationRes: Signed(provisioning2.signed_parts, lambda m: octets_of(m.SAProvisioningCertificateChain), Role.CPS),
    body2.CertificateUpdateRes: Signed(provisioning2.signed_parts, lambda m: octets_of(m.SAProvisioningCertificateChain), Role.CPS),
}
