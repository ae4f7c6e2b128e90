"""The table from a `Reason` to refuse, which every generation shares, to the response codes of DIN SPEC 70121: each ends the session."""

from typing import Final

from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason

CODES: Final[dict[Reason, Code]] = {
    Reason.OTHER: Code.FAILED,
    Reason.OUT_OF_TURN: Code.FAILED_SequenceError,
    Reason.UNKNOWN_SESSION: Code.FAILED_UnknownSession,
    Reason.WRONG_AUTHORIZATION: Code.FAILED_PaymentSelectionInvalid,
    Reason.WRONG_SELECTION: Code.FAILED_ServiceSelectionInvalid,
    Reason.WRONG_MODE: Code.FAILED_WrongEnergyTransferType,
    Reason.WRONG_PARAMETERS: Code.FAILED_WrongChargeParameter,
    Reason.WRONG_SCHEDULE: Code.FAILED_TariffSelectionInvalid,
    Reason.WRONG_PROFILE: Code.FAILED_ChargingProfileInvalid,
    Reason.NO_POWER: Code.FAILED_PowerDeliveryNotApplied,
}
# what has no code of its own here, and says the same as one that has
ALIKE: Final[dict[Reason, Reason]] = {
    Reason.NO_ENERGY_SERVICE: Reason.WRONG_SELECTION,
    Reason.UNKNOWN_SERVICE: Reason.WRONG_SELECTION,
    Reason.CONTACTOR: Reason.NO_POWER,
}
UNUSED: Final = frozenset(  # codes of contracts, receipts and services that no session of DC with external payment has
    {
        Code.FAILED_ServiceIDInvalid,
        Code.FAILED_CertificateExpired,
        Code.FAILED_SignatureError,
        Code.FAILED_NoCertificateAvailable,
        Code.FAILED_CertChainError,
        Code.FAILED_ChallengeInvalid,
        Code.FAILED_ContractCanceled,
        Code.FAILED_EVSEPresentVoltageToLow,
        Code.FAILED_MeteringSignatureNotValid,
    }
)
_REASONS: Final = {code: reason for reason, code in CODES.items()}


def code_of(reason: Reason) -> Code:
    """The FAILED code for a reason; plain FAILED for one that this generation has no word for."""
    return CODES.get(ALIKE.get(reason, reason), Code.FAILED)


def reason_of(code: Code) -> Reason:
    """The `Reason` for a response code that a station gave."""
    return _REASONS.get(code, Reason.OTHER)
