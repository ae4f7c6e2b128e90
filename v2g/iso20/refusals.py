"""The tables from a `Reason` to refuse, which every generation shares, to the response codes of ISO 15118-20.

With a code of `CODES` the session ends. With one of `WARNINGS` it goes on: the car may try again, or do without. A reason that stands in
both is first a warning; `code_of` and `warning_of` read the tables.
"""

from typing import Final

from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason

CODES: Final[dict[Reason, Code]] = {
    Reason.OTHER: Code.FAILED,
    Reason.OUT_OF_TURN: Code.FAILED_SequenceError,
    Reason.UNKNOWN_SESSION: Code.FAILED_UnknownSession,
    Reason.SIGNATURE: Code.FAILED_SignatureError,
    Reason.UNKNOWN_SERVICE: Code.FAILED_ServiceIDInvalid,
    Reason.WRONG_SELECTION: Code.FAILED_ServiceSelectionInvalid,
    Reason.NO_ENERGY_SERVICE: Code.FAILED_NoEnergyTransferServiceSelected,
    Reason.NO_SERVICE_RENEGOTIATION: Code.FAILED_NoServiceRenegotiationSupported,
    Reason.WRONG_PARAMETERS: Code.FAILED_WrongChargeParameter,
    Reason.WRONG_SCHEDULE: Code.FAILED_ScheduleSelectionInvalid,
    Reason.SCHEDULE_RENEGOTIATION: Code.FAILED_ScheduleRenegotiation,
    Reason.WRONG_PROFILE: Code.FAILED_EVPowerProfileInvalid,
    Reason.PROFILE_LEFT: Code.FAILED_EVPowerProfileViolation,
    Reason.NO_TOLERANCE: Code.FAILED_PowerToleranceNotConfirmed,
    Reason.NO_POWER: Code.FAILED_PowerDeliveryNotApplied,
    Reason.CONTACTOR: Code.FAILED_ContactorError,
    Reason.NO_PAUSE: Code.FAILED_PauseNotAllowed,
    Reason.METER_SIGNATURE: Code.FAILED_MeteringSignatureNotValid,
    Reason.ASSOCIATION: Code.FAILED_AssociationError,
}
WARNINGS: Final[dict[Reason, Code]] = {
    Reason.WRONG_AUTHORIZATION: Code.WARNING_AuthorizationSelectionInvalid,
    Reason.CARD_REFUSED: Code.WARNING_EIMAuthorizationFailure,
    Reason.CONTRACT_REFUSED: Code.WARNING_GeneralPnCAuthorizationError,
    Reason.UNKNOWN_PROVIDER: Code.WARNING_eMSPUnknown,
    Reason.WRONG_CHALLENGE: Code.WARNING_ChallengeInvalid,
    Reason.CERTIFICATE_EXPIRED: Code.WARNING_CertificateExpired,
    Reason.CERTIFICATE_NOT_YET_VALID: Code.WARNING_CertificateNotYetValid,
    Reason.CERTIFICATE_REVOKED: Code.WARNING_CertificateRevoked,
    Reason.WRONG_CERTIFICATE: Code.WARNING_CertificateValidationError,
    Reason.NO_CONTRACT: Code.WARNING_NoContractMatchingPCIDFound,
    Reason.NO_CERTIFICATE: Code.WARNING_NoCertificateAvailable,
    Reason.SCHEDULE_RENEGOTIATION: Code.WARNING_ScheduleRenegotiationFailed,
    Reason.PROFILE_LEFT: Code.WARNING_EVPowerProfileViolation,
    Reason.NO_TOLERANCE: Code.WARNING_PowerToleranceNotConfirmed,
    Reason.NO_STANDBY: Code.WARNING_StandbyNotAllowed,
    Reason.FIELD: Code.WARNING_WPT,
}
_REASONS: Final = {code: reason for table in (CODES, WARNINGS) for reason, code in table.items()}


def code_of(reason: Reason) -> Code:
    """The FAILED code for a reason that ends the session; plain FAILED for a reason that is otherwise a warning."""
    return CODES.get(reason, Code.FAILED)


def warning_of(reason: Reason) -> Code | None:
    """The WARNING code for a reason after which the session goes on; None for a reason that must end it."""
    return WARNINGS.get(reason)


def reason_of(code: Code) -> Reason:
    """The `Reason` for a response code that came from elsewhere: a backend, a provisioning service."""
    return _REASONS.get(code, Reason.OTHER)
