"""The table from a `Reason` to refuse, which every generation shares, to the response codes of ISO 15118-2: each ends the session."""

from typing import Final

from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason

CODES: Final[dict[Reason, Code]] = {
    Reason.OTHER: Code.FAILED,
    Reason.OUT_OF_TURN: Code.FAILED_SequenceError,
    Reason.UNKNOWN_SESSION: Code.FAILED_UnknownSession,
    Reason.SIGNATURE: Code.FAILED_SignatureError,
    Reason.WRONG_AUTHORIZATION: Code.FAILED_PaymentSelectionInvalid,
    Reason.CONTRACT_REFUSED: Code.FAILED_ContractCanceled,
    Reason.UNKNOWN_PROVIDER: Code.FAILED_CertificateNotAllowedAtThisEVSE,
    Reason.WRONG_CHALLENGE: Code.FAILED_ChallengeInvalid,
    Reason.CERTIFICATE_EXPIRED: Code.FAILED_CertificateExpired,
    Reason.CERTIFICATE_REVOKED: Code.FAILED_CertificateRevoked,
    Reason.WRONG_CERTIFICATE: Code.FAILED_CertChainError,
    Reason.NO_CERTIFICATE: Code.FAILED_NoCertificateAvailable,
    Reason.UNKNOWN_SERVICE: Code.FAILED_ServiceIDInvalid,
    Reason.WRONG_SELECTION: Code.FAILED_ServiceSelectionInvalid,
    Reason.NO_ENERGY_SERVICE: Code.FAILED_NoChargeServiceSelected,
    Reason.WRONG_MODE: Code.FAILED_WrongEnergyTransferMode,
    Reason.WRONG_PARAMETERS: Code.FAILED_WrongChargeParameter,
    Reason.WRONG_SCHEDULE: Code.FAILED_TariffSelectionInvalid,
    Reason.WRONG_PROFILE: Code.FAILED_ChargingProfileInvalid,
    Reason.NO_POWER: Code.FAILED_PowerDeliveryNotApplied,
    Reason.CONTACTOR: Code.FAILED_ContactorError,
    Reason.METER_SIGNATURE: Code.FAILED_MeteringSignatureNotValid,
}
# what has no code of its own here, and says the same as one that has
ALIKE: Final[dict[Reason, Reason]] = {
    Reason.CERTIFICATE_NOT_YET_VALID: Reason.CERTIFICATE_EXPIRED,  # out of its time, either way [V2G2-824]
    Reason.NO_CONTRACT: Reason.NO_CERTIFICATE,
}
_REASONS: Final = {code: reason for reason, code in CODES.items()}


def code_of(reason: Reason) -> Code:
    """The FAILED code for a reason; plain FAILED for one that this generation has no word for."""
    return CODES.get(ALIKE.get(reason, reason), Code.FAILED)


def reason_of(code: Code) -> Reason:
    """The `Reason` for a response code that came from elsewhere: a provisioning service."""
    return _REASONS.get(code, Reason.OTHER)
