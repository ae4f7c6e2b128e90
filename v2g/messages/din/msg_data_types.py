"""DIN SPEC 70121 MsgDataTypes: the types that the bodies and the header use."""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import (
    IDREF,
    Attribute,
    Binary,
    Integer,
    Local,
    Occurs,
    String,
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
    unsignedShort,
)

NAMESPACE = "urn:din:70121:2012:MsgDataTypes"
PREFIX = "v2gci_t"

serviceIDType = unsignedShort
serviceNameType = Annotated[str, String(max_length=32)]


class serviceCategoryType(Enum):
    EVCharging = "EVCharging"
    Internet = "Internet"
    ContractCertificate = "ContractCertificate"
    OtherCustom = "OtherCustom"


serviceScopeType = Annotated[str, String(max_length=32)]


class ServiceTagType(Type):
    ServiceID: serviceIDType
    ServiceName: serviceNameType | None = None
    ServiceCategory: serviceCategoryType
    ServiceScope: serviceScopeType | None = None


class ServiceType(Type):
    ServiceTag: ServiceTagType
    FreeService: boolean


class EVSESupportedEnergyTransferType(Enum):
    AC_single_phase_core = "AC_single_phase_core"
    AC_three_phase_core = "AC_three_phase_core"
    DC_core = "DC_core"
    DC_extended = "DC_extended"
    DC_combo_core = "DC_combo_core"
    DC_dual = "DC_dual"
    AC_core1p_DC_extended = "AC_core1p_DC_extended"
    AC_single_DC_core = "AC_single_DC_core"
    AC_single_phase_three_phase_core_DC_extended = "AC_single_phase_three_phase_core_DC_extended"
    AC_core3p_DC_extended = "AC_core3p_DC_extended"


@element("ServiceCharge")
class ServiceChargeType(ServiceType):
    EnergyTransferType: EVSESupportedEnergyTransferType


@element("SASchedules")
@abstract
class SASchedulesType(Type):
    pass


SAIDType = short


@element("TimeInterval")
@abstract
class IntervalType(Type):
    pass


@element("Entry")
@abstract
class EntryType(Type):
    TimeInterval: IntervalType


PMaxType = short


@element("PMaxScheduleEntry", substitutes="Entry")
class PMaxScheduleEntryType(EntryType):
    PMax: PMaxType


class PMaxScheduleType(Type):
    PMaxScheduleID: SAIDType
    PMaxScheduleEntry: Annotated[tuple[PMaxScheduleEntryType, ...], Occurs(1, None)]


tariffDescriptionType = Annotated[str, String(max_length=32)]


class costKindType(Enum):
    relativePricePercentage = "relativePricePercentage"
    RenewableGenerationPercentage = "RenewableGenerationPercentage"
    CarbonDioxideEmission = "CarbonDioxideEmission"


unitMultiplierType = Annotated[int, Integer(-3, 3)]


class CostType(Type):
    costKind: costKindType
    amount: unsignedInt
    amountMultiplier: unitMultiplierType | None = None


class ConsumptionCostType(Type):
    startValue: unsignedInt
    Cost: Annotated[tuple[CostType, ...], Occurs(0, None)] = ()


@element("SalesTariffEntry", substitutes="Entry")
class SalesTariffEntryType(EntryType):
    EPriceLevel: unsignedByte
    ConsumptionCost: Annotated[tuple[ConsumptionCostType, ...], Occurs(0, None)] = ()


class SalesTariffType(Type):
    Id: Attribute[IDREF]
    SalesTariffID: SAIDType
    SalesTariffDescription: tariffDescriptionType | None = None
    NumEPriceLevels: unsignedByte
    SalesTariffEntry: Annotated[tuple[SalesTariffEntryType, ...], Occurs(1, None)]


class SAScheduleTupleType(Type):
    SAScheduleTupleID: SAIDType
    PMaxSchedule: PMaxScheduleType
    SalesTariff: SalesTariffType | None = None


@element("SAScheduleList", substitutes="SASchedules")
class SAScheduleListType(SASchedulesType):
    SAScheduleTuple: Annotated[tuple[SAScheduleTupleType, ...], Occurs(1, None)]


@element("RelativeTimeInterval", substitutes="TimeInterval")
class RelativeTimeIntervalType(IntervalType):
    start: unsignedInt
    duration: unsignedInt | None = None


@element("EVSEStatus")
@abstract
class EVSEStatusType(Type):
    pass


class EVSENotificationType(Enum):
    None_ = "None"
    StopCharging = "StopCharging"
    ReNegotiation = "ReNegotiation"


@element("AC_EVSEStatus", substitutes="EVSEStatus")
class AC_EVSEStatusType(EVSEStatusType):
    PowerSwitchClosed: boolean
    RCD: boolean
    NotificationMaxDelay: unsignedInt
    EVSENotification: EVSENotificationType


@element("EVStatus")
@abstract
class EVStatusType(Type):
    pass


class isolationLevelType(Enum):
    Invalid = "Invalid"
    Valid = "Valid"
    Warning = "Warning"
    Fault = "Fault"


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
    NotificationMaxDelay: unsignedInt
    EVSENotification: EVSENotificationType


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
    EVCabinConditioning: boolean | None = None
    EVRESSConditioning: boolean | None = None
    EVErrorCode: DC_EVErrorCodeType
    EVRESSSOC: percentValueType  # %


@element("EVChargeParameter")
@abstract
class EVChargeParameterType(Type):
    pass


class unitSymbolType(Enum):
    h = "h"
    m = "m"
    s = "s"
    A = "A"
    Ah = "Ah"
    V = "V"
    VA = "VA"
    W = "W"
    W_s = "W/s"
    Wh = "Wh"


class PhysicalValueType(Type):
    Multiplier: unitMultiplierType
    Unit: unitSymbolType | None = None
    Value: short


@element("AC_EVChargeParameter", substitutes="EVChargeParameter")
class AC_EVChargeParameterType(EVChargeParameterType):
    DepartureTime: unsignedInt
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


@element("EVSEChargeParameter")
@abstract
class EVSEChargeParameterType(Type):
    pass


@element("AC_EVSEChargeParameter", substitutes="EVSEChargeParameter")
class AC_EVSEChargeParameterType(EVSEChargeParameterType):
    AC_EVSEStatus: Local[AC_EVSEStatusType]
    EVSEMaxVoltage: PhysicalValueType
    EVSEMaxCurrent: PhysicalValueType
    EVSEMinCurrent: PhysicalValueType


@element("DC_EVSEChargeParameter", substitutes="EVSEChargeParameter")
class DC_EVSEChargeParameterType(EVSEChargeParameterType):
    DC_EVSEStatus: Local[DC_EVSEStatusType]
    EVSEMaximumCurrentLimit: PhysicalValueType
    EVSEMaximumPowerLimit: PhysicalValueType | None = None
    EVSEMaximumVoltageLimit: PhysicalValueType
    EVSEMinimumCurrentLimit: PhysicalValueType
    EVSEMinimumVoltageLimit: PhysicalValueType
    EVSECurrentRegulationTolerance: PhysicalValueType | None = None
    EVSEPeakCurrentRipple: PhysicalValueType
    EVSEEnergyToBeDelivered: PhysicalValueType | None = None


@element("EVPowerDeliveryParameter")
@abstract
class EVPowerDeliveryParameterType(Type):
    pass


@element("DC_EVPowerDeliveryParameter", substitutes="EVPowerDeliveryParameter")
class DC_EVPowerDeliveryParameterType(EVPowerDeliveryParameterType):
    DC_EVStatus: Local[DC_EVStatusType]
    BulkChargingComplete: boolean | None = None
    ChargingComplete: boolean


class ServiceTagListType(Type):
    Service: Annotated[tuple[ServiceType, ...], Occurs(1, None)]


class SelectedServiceType(Type):
    ServiceID: serviceIDType
    ParameterSetID: short | None = None


class SelectedServiceListType(Type):
    SelectedService: Annotated[tuple[SelectedServiceType, ...], Occurs(1, None)]


class valueType(Enum):
    bool = "bool"
    byte = "byte"
    short = "short"
    int = "int"
    physicalValue = "physicalValue"
    string = "string"


@choice("boolValue", "byteValue", "shortValue", "intValue", "physicalValue", "stringValue")
class ParameterType(Type):
    Name: Attribute[string]
    ValueType: Attribute[valueType]
    boolValue: boolean | None = None
    byteValue: byte | None = None
    shortValue: short | None = None
    intValue: int_ | None = None
    physicalValue: PhysicalValueType | None = None
    stringValue: string | None = None


class ParameterSetType(Type):
    ParameterSetID: short
    Parameter: Annotated[tuple[ParameterType, ...], Occurs(1, None)]


class ServiceParameterListType(Type):
    ParameterSet: Annotated[tuple[ParameterSetType, ...], Occurs(1, None)]


certificateType = Annotated[bytes, Binary("base64Binary", max_length=1200)]


class SubCertificatesType(Type):
    Certificate: Annotated[tuple[certificateType, ...], Occurs(1, None)]


class CertificateChainType(Type):
    Certificate: certificateType
    SubCertificates: SubCertificatesType | None = None


rootCertificateIDType = Annotated[str, String(max_length=40)]


class ListOfRootCertificateIDsType(Type):
    RootCertificateID: Annotated[tuple[rootCertificateIDType, ...], Occurs(1, None)]


meterIDType = Annotated[str, String(max_length=32)]
sigMeterReadingType = Annotated[bytes, Binary("base64Binary", max_length=32)]
meterStatusType = short


class MeterInfoType(Type):
    MeterID: meterIDType
    MeterReading: PhysicalValueType | None = None
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


class ProfileEntryType(Type):
    ChargingProfileEntryStart: unsignedInt
    ChargingProfileEntryMaxPower: PMaxType


class ChargingProfileType(Type):
    SAScheduleTupleID: SAIDType
    ProfileEntry: Annotated[tuple[ProfileEntryType, ...], Occurs(1, None)]


class paymentOptionType(Enum):
    Contract = "Contract"
    ExternalPayment = "ExternalPayment"


class PaymentOptionsType(Type):
    PaymentOption: Annotated[tuple[paymentOptionType, ...], Occurs(1, None)]


class EVSEProcessingType(Enum):
    Finished = "Finished"
    Ongoing = "Ongoing"


class EVRequestedEnergyTransferType(Enum):
    AC_single_phase_core = "AC_single_phase_core"
    AC_three_phase_core = "AC_three_phase_core"
    DC_core = "DC_core"
    DC_extended = "DC_extended"
    DC_combo_core = "DC_combo_core"
    DC_unique = "DC_unique"


genChallengeType = string
dHParamsType = Annotated[bytes, Binary("base64Binary", max_length=256)]
privateKeyType = Annotated[bytes, Binary("base64Binary", max_length=128)]
sessionIDType = Annotated[bytes, Binary("hexBinary", max_length=8)]
evccIDType = Annotated[bytes, Binary("hexBinary", max_length=8)]
evseIDType = Annotated[bytes, Binary("hexBinary", max_length=32)]
contractIDType = Annotated[str, String(max_length=24)]


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
    FAILED_EVSEPresentVoltageToLow = "FAILED_EVSEPresentVoltageToLow"
    FAILED_MeteringSignatureNotValid = "FAILED_MeteringSignatureNotValid"
    FAILED_WrongEnergyTransferType = "FAILED_WrongEnergyTransferType"
