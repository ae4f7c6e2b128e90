"""ISO 15118-2 MsgDataTypes: the types that the bodies and the header use."""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import (
    ID,
    Attribute,
    Binary,
    Integer,
    Local,
    Occurs,
    String,
    Text,
    Type,
    abstract,
    boolean,
    byte,
    choice,
    element,
    int_,
    long,
    short,
    string,
    unsignedByte,
    unsignedInt,
    unsignedLong,
    unsignedShort,
)
from v2g.messages.xmldsig import X509IssuerSerialType

NAMESPACE = "urn:iso:15118:2:2013:MsgDataTypes"
PREFIX = "v2gci_t"
ATTRIBUTES_QUALIFIED = True


@element("SASchedules", abstract=True)
@abstract
class SASchedulesType(Type):
    pass


SAIDType = Annotated[int, Integer(1, 255)]


@element("TimeInterval", abstract=True)
@abstract
class IntervalType(Type):
    pass


@element("Entry", abstract=True)
@abstract
class EntryType(Type):
    TimeInterval: IntervalType


unitMultiplierType = Annotated[int, Integer(-3, 3)]


class unitSymbolType(Enum):
    h = "h"
    m = "m"
    s = "s"
    A = "A"
    V = "V"
    W = "W"
    Wh = "Wh"


class PhysicalValueType(Type):
    Multiplier: unitMultiplierType
    Unit: unitSymbolType
    Value: short


@element("PMaxScheduleEntry", substitutes="Entry")
class PMaxScheduleEntryType(EntryType):
    PMax: PhysicalValueType


class PMaxScheduleType(Type):
    PMaxScheduleEntry: Annotated[tuple[PMaxScheduleEntryType, ...], Occurs(1, 1024)]


tariffDescriptionType = Annotated[str, String(max_length=32)]


class costKindType(Enum):
    relativePricePercentage = "relativePricePercentage"
    RenewableGenerationPercentage = "RenewableGenerationPercentage"
    CarbonDioxideEmission = "CarbonDioxideEmission"


class CostType(Type):
    costKind: costKindType
    amount: unsignedInt
    amountMultiplier: unitMultiplierType | None = None


class ConsumptionCostType(Type):
    startValue: PhysicalValueType
    Cost: Annotated[tuple[CostType, ...], Occurs(1, 3)]


@element("SalesTariffEntry", substitutes="Entry")
class SalesTariffEntryType(EntryType):
    EPriceLevel: unsignedByte | None = None
    ConsumptionCost: Annotated[tuple[ConsumptionCostType, ...], Occurs(0, 3)] = ()


class SalesTariffType(Type):
    Id: Attribute[ID] | None = None
    SalesTariffID: SAIDType
    SalesTariffDescription: tariffDescriptionType | None = None
    NumEPriceLevels: unsignedByte | None = None
    SalesTariffEntry: Annotated[tuple[SalesTariffEntryType, ...], Occurs(1, 1024)]


class SAScheduleTupleType(Type):
    SAScheduleTupleID: SAIDType
    PMaxSchedule: PMaxScheduleType
    SalesTariff: SalesTariffType | None = None


@element("SAScheduleList", substitutes="SASchedules")
class SAScheduleListType(SASchedulesType):
    SAScheduleTuple: Annotated[tuple[SAScheduleTupleType, ...], Occurs(1, 3)]


@element("RelativeTimeInterval", substitutes="TimeInterval")
class RelativeTimeIntervalType(IntervalType):
    start: Annotated[int, Integer(0, 16777214)]
    duration: Annotated[int, Integer(0, 86400)] | None = None


class EVSENotificationType(Enum):
    None_ = "None"
    StopCharging = "StopCharging"
    ReNegotiation = "ReNegotiation"


@element("EVSEStatus", abstract=True)
@abstract
class EVSEStatusType(Type):
    NotificationMaxDelay: unsignedShort
    EVSENotification: EVSENotificationType


@element("AC_EVSEStatus", substitutes="EVSEStatus")
class AC_EVSEStatusType(EVSEStatusType):
    RCD: boolean


@element("EVStatus", abstract=True)
@abstract
class EVStatusType(Type):
    pass


class isolationLevelType(Enum):
    Invalid = "Invalid"
    Valid = "Valid"
    Warning = "Warning"
    Fault = "Fault"
    No_IMD = "No_IMD"


class DC_EVSEStatusCodeType(Enum):
    EVSE_NotReady = "EVSE_NotReady"
    EVSE_Ready = "EVSE_Ready"
    EVSE_Shutdown = "EVSE_Shutdown"
    EVSE_UtilityInterruptEvent = "EVSE_UtilityInterruptEvent"
    EVSE_IsolationMonitoringActive = "EVSE_IsolationMonitoringActive"
    EVSE_EmergencyShutdown = "EVSE_EmergencyShutdown"
    EVSE_Malfunction = "EVSE_Malfunction"
    Reserved_8 = "Reserved_8"
    Reserved_9 = "Reserved_9"
    Reserved_A = "Reserved_A"
    Reserved_B = "Reserved_B"
    Reserved_C = "Reserved_C"


@element("DC_EVSEStatus", substitutes="EVSEStatus")
class DC_EVSEStatusType(EVSEStatusType):
    EVSEIsolationStatus: isolationLevelType | None = None
    EVSEStatusCode: DC_EVSEStatusCodeType


class DC_EVErrorCodeType(Enum):
    NO_ERROR = "NO_ERROR"
    FAILED_RESSTemperatureInhibit = "FAILED_RESSTemperatureInhibit"
    FAILED_EVShiftPosition = "FAILED_EVShiftPosition"
    FAILED_ChargerConnectorLockFault = "FAILED_ChargerConnectorLockFault"
    FAILED_EVRESSMalfunction = "FAILED_EVRESSMalfunction"
    FAILED_ChargingCurrentdifferential = "FAILED_ChargingCurrentdifferential"
    FAILED_ChargingVoltageOutOfRange = "FAILED_ChargingVoltageOutOfRange"
    Reserved_A = "Reserved_A"
    Reserved_B = "Reserved_B"
    Reserved_C = "Reserved_C"
    FAILED_ChargingSystemIncompatibility = "FAILED_ChargingSystemIncompatibility"
    NoData = "NoData"


percentValueType = Annotated[int, Integer(0, 100)]


@element("DC_EVStatus", substitutes="EVStatus")
class DC_EVStatusType(EVStatusType):
    EVReady: boolean
    EVErrorCode: DC_EVErrorCodeType
    EVRESSSOC: percentValueType  # %


@element("EVChargeParameter", abstract=True)
@abstract
class EVChargeParameterType(Type):
    DepartureTime: unsignedInt | None = None


@element("AC_EVChargeParameter", substitutes="EVChargeParameter")
class AC_EVChargeParameterType(EVChargeParameterType):
    EAmount: PhysicalValueType
    EVMaxVoltage: PhysicalValueType
    EVMaxCurrent: PhysicalValueType
    EVMinCurrent: PhysicalValueType


@element("DC_EVChargeParameter", substitutes="EVChargeParameter")
class DC_EVChargeParameterType(EVChargeParameterType):
    DC_EVStatus: Local[DC_EVStatusType]
    EVMaximumCurrentLimit: PhysicalValueType
    EVMaximumPowerLimit: PhysicalValueType | None = None
    EVMaximumVoltageLimit: PhysicalValueType
    EVEnergyCapacity: PhysicalValueType | None = None
    EVEnergyRequest: PhysicalValueType | None = None
    FullSOC: percentValueType | None = None  # %
    BulkSOC: percentValueType | None = None  # %


@element("EVSEChargeParameter", abstract=True)
@abstract
class EVSEChargeParameterType(Type):
    pass


@element("AC_EVSEChargeParameter", substitutes="EVSEChargeParameter")
class AC_EVSEChargeParameterType(EVSEChargeParameterType):
    AC_EVSEStatus: Local[AC_EVSEStatusType]
    EVSENominalVoltage: PhysicalValueType
    EVSEMaxCurrent: PhysicalValueType


@element("DC_EVSEChargeParameter", substitutes="EVSEChargeParameter")
class DC_EVSEChargeParameterType(EVSEChargeParameterType):
    DC_EVSEStatus: Local[DC_EVSEStatusType]
    EVSEMaximumCurrentLimit: PhysicalValueType
    EVSEMaximumPowerLimit: PhysicalValueType
    EVSEMaximumVoltageLimit: PhysicalValueType
    EVSEMinimumCurrentLimit: PhysicalValueType
    EVSEMinimumVoltageLimit: PhysicalValueType
    EVSECurrentRegulationTolerance: PhysicalValueType | None = None
    EVSEPeakCurrentRipple: PhysicalValueType
    EVSEEnergyToBeDelivered: PhysicalValueType | None = None


@element("EVPowerDeliveryParameter", abstract=True)
@abstract
class EVPowerDeliveryParameterType(Type):
    pass


@element("DC_EVPowerDeliveryParameter", substitutes="EVPowerDeliveryParameter")
class DC_EVPowerDeliveryParameterType(EVPowerDeliveryParameterType):
    DC_EVStatus: Local[DC_EVStatusType]
    BulkChargingComplete: boolean | None = None
    ChargingComplete: boolean


serviceIDType = unsignedShort
serviceNameType = Annotated[str, String(max_length=32)]


class serviceCategoryType(Enum):
    EVCharging = "EVCharging"
    Internet = "Internet"
    ContractCertificate = "ContractCertificate"
    OtherCustom = "OtherCustom"


serviceScopeType = Annotated[str, String(max_length=64)]


class ServiceType(Type):
    ServiceID: serviceIDType
    ServiceName: serviceNameType | None = None
    ServiceCategory: serviceCategoryType
    ServiceScope: serviceScopeType | None = None
    FreeService: boolean


class ServiceListType(Type):
    Service: Annotated[tuple[ServiceType, ...], Occurs(1, 8)]


class SelectedServiceType(Type):
    ServiceID: serviceIDType
    ParameterSetID: short | None = None


class SelectedServiceListType(Type):
    SelectedService: Annotated[tuple[SelectedServiceType, ...], Occurs(1, 16)]


@choice("boolValue", "byteValue", "shortValue", "intValue", "physicalValue", "stringValue")
class ParameterType(Type):
    Name: Attribute[string]
    boolValue: boolean | None = None
    byteValue: byte | None = None
    shortValue: short | None = None
    intValue: int_ | None = None
    physicalValue: PhysicalValueType | None = None
    stringValue: string | None = None


class ParameterSetType(Type):
    ParameterSetID: short
    Parameter: Annotated[tuple[ParameterType, ...], Occurs(1, 16)]


class ServiceParameterListType(Type):
    ParameterSet: Annotated[tuple[ParameterSetType, ...], Occurs(1, 255)]


class EnergyTransferModeType(Enum):
    AC_single_phase_core = "AC_single_phase_core"
    AC_three_phase_core = "AC_three_phase_core"
    DC_core = "DC_core"
    DC_extended = "DC_extended"
    DC_combo_core = "DC_combo_core"
    DC_unique = "DC_unique"


class SupportedEnergyTransferModeType(Type):
    EnergyTransferMode: Annotated[tuple[EnergyTransferModeType, ...], Occurs(1, 6)]


class ChargeServiceType(ServiceType):
    SupportedEnergyTransferMode: SupportedEnergyTransferModeType


privateKeyType = Annotated[bytes, Binary("base64Binary", max_length=48)]


class ContractSignatureEncryptedPrivateKeyType(Type):
    Id: Attribute[ID]
    value: Text[privateKeyType]


dHpublickeyType = Annotated[bytes, Binary("base64Binary", max_length=65)]


class DiffieHellmanPublickeyType(Type):
    Id: Attribute[ID]
    value: Text[dHpublickeyType]


eMAIDType = Annotated[str, String(min_length=14, max_length=15)]


class EMAIDType(Type):
    Id: Attribute[ID]
    value: Text[eMAIDType]


certificateType = Annotated[bytes, Binary("base64Binary", max_length=800)]


class SubCertificatesType(Type):
    Certificate: Annotated[tuple[certificateType, ...], Occurs(1, 4)]


class CertificateChainType(Type):
    Id: Attribute[ID] | None = None
    Certificate: certificateType
    SubCertificates: SubCertificatesType | None = None


class ListOfRootCertificateIDsType(Type):
    RootCertificateID: Annotated[tuple[X509IssuerSerialType, ...], Occurs(1, 20)]


meterIDType = Annotated[str, String(max_length=32)]
sigMeterReadingType = Annotated[bytes, Binary("base64Binary", max_length=64)]
meterStatusType = short


class MeterInfoType(Type):
    MeterID: meterIDType
    MeterReading: unsignedLong | None = None
    SigMeterReading: sigMeterReadingType | None = None
    MeterStatus: meterStatusType | None = None
    TMeter: long | None = None


class faultCodeType(Enum):
    ParsingError = "ParsingError"
    NoTLSRootCertificatAvailable = "NoTLSRootCertificatAvailable"
    UnknownError = "UnknownError"


faultMsgType = Annotated[str, String(max_length=64)]


class NotificationType(Type):
    FaultCode: faultCodeType
    FaultMsg: faultMsgType | None = None


maxNumPhasesType = Annotated[int, Integer(1, 3)]


class ProfileEntryType(Type):
    ChargingProfileEntryStart: unsignedInt
    ChargingProfileEntryMaxPower: PhysicalValueType
    ChargingProfileEntryMaxNumberOfPhasesInUse: maxNumPhasesType | None = None


class ChargingProfileType(Type):
    ProfileEntry: Annotated[tuple[ProfileEntryType, ...], Occurs(1, 24)]


class paymentOptionType(Enum):
    Contract = "Contract"
    ExternalPayment = "ExternalPayment"


class PaymentOptionListType(Type):
    PaymentOption: Annotated[tuple[paymentOptionType, ...], Occurs(1, 2)]


class EVSEProcessingType(Enum):
    Finished = "Finished"
    Ongoing = "Ongoing"
    Ongoing_WaitingForCustomerInteraction = "Ongoing_WaitingForCustomerInteraction"


class chargeProgressType(Enum):
    Start = "Start"
    Stop = "Stop"
    Renegotiate = "Renegotiate"


class chargingSessionType(Enum):
    Terminate = "Terminate"
    Pause = "Pause"


class valueType(Enum):
    bool = "bool"
    byte = "byte"
    short = "short"
    int = "int"
    physicalValue = "physicalValue"
    string = "string"


genChallengeType = Annotated[bytes, Binary("base64Binary", min_length=16, max_length=16)]
sessionIDType = Annotated[bytes, Binary("hexBinary", max_length=8)]
evccIDType = Annotated[bytes, Binary("hexBinary", max_length=6)]
evseIDType = Annotated[str, String(min_length=7, max_length=37)]


class responseCodeType(Enum):
    OK = "OK"
    OK_NewSessionEstablished = "OK_NewSessionEstablished"
    OK_OldSessionJoined = "OK_OldSessionJoined"
    OK_CertificateExpiresSoon = "OK_CertificateExpiresSoon"
    FAILED = "FAILED"
    FAILED_SequenceError = "FAILED_SequenceError"
    FAILED_ServiceIDInvalid = "FAILED_ServiceIDInvalid"
    FAILED_UnknownSession = "FAILED_UnknownSession"
    FAILED_ServiceSelectionInvalid = "FAILED_ServiceSelectionInvalid"
    FAILED_PaymentSelectionInvalid = "FAILED_PaymentSelectionInvalid"
    FAILED_CertificateExpired = "FAILED_CertificateExpired"
    FAILED_SignatureError = "FAILED_SignatureError"
    FAILED_NoCertificateAvailable = "FAILED_NoCertificateAvailable"
    FAILED_CertChainError = "FAILED_CertChainError"
    FAILED_ChallengeInvalid = "FAILED_ChallengeInvalid"
    FAILED_ContractCanceled = "FAILED_ContractCanceled"
    FAILED_WrongChargeParameter = "FAILED_WrongChargeParameter"
    FAILED_PowerDeliveryNotApplied = "FAILED_PowerDeliveryNotApplied"
    FAILED_TariffSelectionInvalid = "FAILED_TariffSelectionInvalid"
    FAILED_ChargingProfileInvalid = "FAILED_ChargingProfileInvalid"
    FAILED_MeteringSignatureNotValid = "FAILED_MeteringSignatureNotValid"
    FAILED_NoChargeServiceSelected = "FAILED_NoChargeServiceSelected"
    FAILED_WrongEnergyTransferMode = "FAILED_WrongEnergyTransferMode"
    FAILED_ContactorError = "FAILED_ContactorError"
    FAILED_CertificateNotAllowedAtThisEVSE = "FAILED_CertificateNotAllowedAtThisEVSE"
    FAILED_CertificateRevoked = "FAILED_CertificateRevoked"
