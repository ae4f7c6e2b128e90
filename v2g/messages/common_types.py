"""ISO 15118-20 CommonTypes: headers, response codes, numbers, the parts that every energy service shares."""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import (
    Binary,
    Integer,
    Occurs,
    String,
    Type,
    abstract,
    boolean,
    byte,
    element,
    short,
    unsignedInt,
    unsignedLong,
    unsignedShort,
)
from v2g.messages.xmldsig import SignatureType, X509IssuerSerialType

NAMESPACE = "urn:iso:std:iso:15118:-20:CommonTypes"
PREFIX = "ct"
ATTRIBUTES_QUALIFIED = True


@element("CLReqControlMode")
@abstract
class CLReqControlModeType(Type):
    pass


@element("CLResControlMode")
@abstract
class CLResControlModeType(Type):
    pass


sessionIDType = Annotated[bytes, Binary("hexBinary", min_length=8, max_length=8)]


class MessageHeaderType(Type):
    SessionID: sessionIDType
    TimeStamp: unsignedLong
    Signature: SignatureType | None = None


@abstract
class V2GMessageType(Type):
    Header: MessageHeaderType


@abstract
class V2GRequestType(V2GMessageType):
    pass


class responseCodeType(Enum):
    OK = "OK"
    OK_CertificateExpiresSoon = "OK_CertificateExpiresSoon"
    OK_NewSessionEstablished = "OK_NewSessionEstablished"
    OK_OldSessionJoined = "OK_OldSessionJoined"
    OK_PowerToleranceConfirmed = "OK_PowerToleranceConfirmed"
    WARNING_AuthorizationSelectionInvalid = "WARNING_AuthorizationSelectionInvalid"
    WARNING_CertificateExpired = "WARNING_CertificateExpired"
    WARNING_CertificateNotYetValid = "WARNING_CertificateNotYetValid"
    WARNING_CertificateRevoked = "WARNING_CertificateRevoked"
    WARNING_CertificateValidationError = "WARNING_CertificateValidationError"
    WARNING_ChallengeInvalid = "WARNING_ChallengeInvalid"
    WARNING_EIMAuthorizationFailure = "WARNING_EIMAuthorizationFailure"
    WARNING_eMSPUnknown = "WARNING_eMSPUnknown"
    WARNING_EVPowerProfileViolation = "WARNING_EVPowerProfileViolation"
    WARNING_GeneralPnCAuthorizationError = "WARNING_GeneralPnCAuthorizationError"
    WARNING_NoCertificateAvailable = "WARNING_NoCertificateAvailable"
    WARNING_NoContractMatchingPCIDFound = "WARNING_NoContractMatchingPCIDFound"
    WARNING_PowerToleranceNotConfirmed = "WARNING_PowerToleranceNotConfirmed"
    WARNING_ScheduleRenegotiationFailed = "WARNING_ScheduleRenegotiationFailed"
    WARNING_StandbyNotAllowed = "WARNING_StandbyNotAllowed"
    WARNING_WPT = "WARNING_WPT"
    FAILED = "FAILED"
    FAILED_AssociationError = "FAILED_AssociationError"
    FAILED_ContactorError = "FAILED_ContactorError"
    FAILED_EVPowerProfileInvalid = "FAILED_EVPowerProfileInvalid"
    FAILED_EVPowerProfileViolation = "FAILED_EVPowerProfileViolation"
    FAILED_MeteringSignatureNotValid = "FAILED_MeteringSignatureNotValid"
    FAILED_NoEnergyTransferServiceSelected = "FAILED_NoEnergyTransferServiceSelected"
    FAILED_NoServiceRenegotiationSupported = "FAILED_NoServiceRenegotiationSupported"
    FAILED_PauseNotAllowed = "FAILED_PauseNotAllowed"
    FAILED_PowerDeliveryNotApplied = "FAILED_PowerDeliveryNotApplied"
    FAILED_PowerToleranceNotConfirmed = "FAILED_PowerToleranceNotConfirmed"
    FAILED_ScheduleRenegotiation = "FAILED_ScheduleRenegotiation"
    FAILED_ScheduleSelectionInvalid = "FAILED_ScheduleSelectionInvalid"
    FAILED_SequenceError = "FAILED_SequenceError"
    FAILED_ServiceIDInvalid = "FAILED_ServiceIDInvalid"
    FAILED_ServiceSelectionInvalid = "FAILED_ServiceSelectionInvalid"
    FAILED_SignatureError = "FAILED_SignatureError"
    FAILED_UnknownSession = "FAILED_UnknownSession"
    FAILED_WrongChargeParameter = "FAILED_WrongChargeParameter"


@abstract
class V2GResponseType(V2GMessageType):
    ResponseCode: responseCodeType


@abstract
class ChargeParameterDiscoveryReqType(V2GRequestType):
    pass


@abstract
class ChargeParameterDiscoveryResType(V2GResponseType):
    pass


percentValueType = Annotated[int, Integer(0, 100)]


class RationalNumberType(Type):
    Exponent: byte
    Value: short


class DisplayParametersType(Type):
    PresentSOC: percentValueType | None = None  # %
    MinimumSOC: percentValueType | None = None  # %
    TargetSOC: percentValueType | None = None  # %
    MaximumSOC: percentValueType | None = None  # %
    RemainingTimeToMinimumSOC: unsignedInt | None = None
    RemainingTimeToTargetSOC: unsignedInt | None = None
    RemainingTimeToMaximumSOC: unsignedInt | None = None
    ChargingComplete: boolean | None = None
    BatteryEnergyCapacity: RationalNumberType | None = None  # Wh
    InletHot: boolean | None = None


@abstract
class ChargeLoopReqType(V2GRequestType):
    DisplayParameters: DisplayParametersType | None = None
    MeterInfoRequested: boolean


class evseNotificationType(Enum):
    Pause = "Pause"
    ExitStandby = "ExitStandby"
    Terminate = "Terminate"
    ScheduleRenegotiation = "ScheduleRenegotiation"
    ServiceRenegotiation = "ServiceRenegotiation"
    MeteringConfirmation = "MeteringConfirmation"


class EVSEStatusType(Type):
    NotificationMaxDelay: unsignedShort
    EVSENotification: evseNotificationType


meterIDType = Annotated[str, String(max_length=32)]
meterSignatureType = Annotated[bytes, Binary("base64Binary", max_length=64)]


class MeterInfoType(Type):
    MeterID: meterIDType
    ChargedEnergyReadingWh: unsignedLong
    BPT_DischargedEnergyReadingWh: unsignedLong | None = None
    CapacitiveEnergyReadingVARh: unsignedLong | None = None
    BPT_InductiveEnergyReadingVARh: unsignedLong | None = None
    MeterSignature: meterSignatureType | None = None
    MeterStatus: short | None = None
    MeterTimestamp: unsignedLong | None = None


class DetailedCostType(Type):
    Amount: RationalNumberType
    CostPerUnit: RationalNumberType


numericIDType = Annotated[int, Integer(1, 2**32 - 1)]


class DetailedTaxType(Type):
    TaxRuleID: numericIDType
    Amount: RationalNumberType


class ReceiptType(Type):
    TimeAnchor: unsignedLong
    EnergyCosts: DetailedCostType | None = None
    OccupancyCosts: DetailedCostType | None = None
    AdditionalServicesCosts: DetailedCostType | None = None
    OverstayCosts: DetailedCostType | None = None
    TaxCosts: Annotated[tuple[DetailedTaxType, ...], Occurs(0, 10)] = ()


@abstract
class ChargeLoopResType(V2GResponseType):
    EVSEStatus: EVSEStatusType | None = None
    MeterInfo: MeterInfoType | None = None
    Receipt: ReceiptType | None = None


@abstract
class Scheduled_CLReqControlModeType(CLReqControlModeType):
    EVTargetEnergyRequest: RationalNumberType | None = None  # Wh
    EVMaximumEnergyRequest: RationalNumberType | None = None  # Wh
    EVMinimumEnergyRequest: RationalNumberType | None = None  # Wh


@abstract
class Scheduled_CLResControlModeType(CLResControlModeType):
    pass


@abstract
class Dynamic_CLReqControlModeType(CLReqControlModeType):
    DepartureTime: unsignedInt | None = None
    EVTargetEnergyRequest: RationalNumberType  # Wh
    EVMaximumEnergyRequest: RationalNumberType  # Wh
    EVMinimumEnergyRequest: RationalNumberType  # Wh


@abstract
class Dynamic_CLResControlModeType(CLResControlModeType):
    DepartureTime: unsignedInt | None = None
    MinimumSOC: percentValueType | None = None  # %
    TargetSOC: percentValueType | None = None  # %
    AckMaxDelay: unsignedShort | None = None


class ListOfRootCertificateIDsType(Type):
    RootCertificateID: Annotated[tuple[X509IssuerSerialType, ...], Occurs(1, 20)]


class processingType(Enum):
    Finished = "Finished"
    Ongoing = "Ongoing"
    Ongoing_WaitingForCustomerInteraction = "Ongoing_WaitingForCustomerInteraction"


identifierType = Annotated[str, String(max_length=255)]
nameType = Annotated[str, String(max_length=80)]
descriptionType = Annotated[str, String(max_length=160)]
