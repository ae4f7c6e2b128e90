"""A charging contract as its car uses it: to authorize with, and to confirm meter readings. The only place where the car signs."""

from dataclasses import dataclass, field

from pki.keys import PrivateKey, key_name
from pki.signature import ISO20, Grammar, sign
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    ContractCertificateChainType,
    PnC_AReqAuthorizationModeType,
    SignedMeteringDataType,
    SubCertificatesType,
)
from v2g.messages.xmldsig import SignatureType


@dataclass(frozen=True, slots=True)
class Contract:
    """`chain` is DER: the contract certificate, then its sub CAs, without the root. `key` signs and never leaves this object's methods."""

    chain: tuple[bytes, ...]
    key: PrivateKey = field(repr=False)
    emaid: str = ""
    grammar: Grammar = "xmldsig"  # of SignedInfo; most stacks verify this one, ours both

    def __post_init__(self) -> None:
        if not 2 <= len(self.chain) <= 4:
            raise ValueError(f"a contract chain has 2 to 4 certificates (contract, then 1 to 3 sub CAs), this one {len(self.chain)}")

    @property
    def curve(self) -> str:
        """Name of the key's algorithm."""
        return key_name(self.key)

    @property
    def conforms(self) -> bool:
        """True when -20 lets this key sign [V2G20-2674]."""
        return self.curve in ISO20

    def authorization(self, challenge: bytes) -> tuple[PnC_AReqAuthorizationModeType, SignatureType]:
        """The mode element of AuthorizationReq for a challenge, and the signature over it."""
        subs = SubCertificatesType(Certificate=self.chain[1:])
        chain = ContractCertificateChainType(Certificate=self.chain[0], SubCertificates=subs)
        mode = PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=challenge, ContractCertificateChain=chain)
        return mode, sign([mode], self.key, schema_set("common"), grammar=self.grammar)

    def metering(self, data: SignedMeteringDataType) -> SignatureType:
        """The signature over a meter reading that the car confirms."""
        return sign([data], self.key, schema_set("common"), grammar=self.grammar)
