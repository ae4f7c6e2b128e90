"""What a car of ISO 15118-20 signs with its contract: authorizations and meter readings. The only place where the car signs."""

from evcc.credentials import Contract
from pki.signature import ISO20, sign
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    ContractCertificateChainType,
    PnC_AReqAuthorizationModeType,
    SignedMeteringDataType,
    SubCertificatesType,
)
from v2g.messages.xmldsig import SignatureType


def conforms(contract: Contract) -> bool:
    """Whether ISO 15118-20 allows signatures with the contract's key [V2G20-2674]."""
    return contract.curve in ISO20


def signed_authorization(contract: Contract, challenge: bytes) -> tuple[PnC_AReqAuthorizationModeType, SignatureType]:
    """The Plug & Charge element of AuthorizationReq for a challenge of the station, and the signature over it."""
    subs = SubCertificatesType(Certificate=contract.chain[1:])
    chain = ContractCertificateChainType(Certificate=contract.chain[0], SubCertificates=subs)
    mode = PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=challenge, ContractCertificateChain=chain)
    return mode, sign([mode], contract.key, schema_set("common"), grammar=contract.grammar)


def signed_reading(contract: Contract, data: SignedMeteringDataType) -> SignatureType:
    """The signature over a meter reading that the car confirms."""
    return sign([data], contract.key, schema_set("common"), grammar=contract.grammar)
