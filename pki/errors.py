"""The errors by which certificates, signatures, encrypted keys, identifiers and stores are refused."""

import enum


class Kind(enum.Enum):
    """What is wrong with a certificate or its chain. The value is stable: scripts and the JSON views read it."""

    MALFORMED = "malformed"  # not a DER certificate this profile can carry
    OVERSIZE = "oversize"  # more octets than the message can hold
    TOO_LONG = "too long"  # more certificates than the profile allows
    WEAK_ALGORITHM = "weak algorithm"  # key or signature algorithm outside the profile
    BROKEN_CHAIN = "broken chain"  # a certificate is not issued by the next one
    UNTRUSTED_ROOT = "untrusted root"  # the chain is sound but ends at nobody we trust for this role
    WRONG_PROFILE = "wrong profile"  # usage, path length, constraints or names do not fit the role
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    STATUS_UNKNOWN = "status unknown"  # revocation had to be checked and could not be


class CertificateError(Exception):
    """A chain is refused: `kind` says why, `depth` at which certificate (0 is the leaf, None the chain as a whole)."""

    def __init__(self, kind: Kind, reason: str, *, depth: int | None = None, requirement: str | None = None) -> None:
        self.kind = kind
        self.reason = reason
        self.depth = depth
        self.requirement = requirement
        where = "" if depth is None else f" (certificate {depth})"
        cited = f" [{requirement}]" if requirement else ""
        self.words = f"{kind.value}{where}: {reason}"  # without the requirement, which is a field of its own
        super().__init__(f"{self.words}{cited}")


class Flaw(enum.Enum):
    """What is wrong with a signature."""

    MISSING = "missing signature"
    MALFORMED_VALUE = "malformed signature value"
    ALGORITHM = "algorithm not allowed"
    WRONG_KEY = "key does not fit the algorithm"
    REFERENCES = "wrong references"
    TRANSFORM = "transform not allowed"
    DIGEST = "digest differs"
    SIGNATURE = "signature does not verify"


class SignatureError(Exception):
    """A signature is refused: `flaw` says why."""

    def __init__(self, flaw: Flaw, reason: str, *, requirement: str | None = None) -> None:
        self.flaw = flaw
        self.reason = reason
        self.requirement = requirement
        cited = f" [{requirement}]" if requirement else ""
        self.words = f"{flaw.value}: {reason}"  # without the requirement, which is a field of its own
        super().__init__(f"{self.words}{cited}")


class EnvelopeError(Exception):
    """An encrypted contract key cannot be opened, or does not belong to the certificate beside it."""


class IdentifierError(ValueError):
    """A text does not have the form of the eMAID, PCID, EVCCID or EVSEID that it should be."""


class PlanError(ValueError):
    """A plan for `create` names something that does not exist or cannot be built."""


class StoreError(Exception):
    """A certificate store directory lacks something, or holds something that cannot be used."""
