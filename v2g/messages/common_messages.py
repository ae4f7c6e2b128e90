"""ISO 15118-20 CommonMessages: the messages and signed elements that every energy service shares."""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import (
    ID,
    Attribute,
    Binary,
    Integer,
    Occurs,
    String,
    Type,
    abstract,
    boolean,
    byte,
    choice,
    element,
    int_,
    short,
    unsignedByte,
    unsignedInt,
    unsignedLong,
    unsignedShort,
)
from v2g.messages.common_types import (
    EVSEStatusType,
    ListOfRootCertificateIDsType,
    MeterInfoType,
    RationalNumberType,
    ReceiptType,
    V2GRequestType,
    V2GResponseType,
    descriptionType,
    identifierType,
    nameType,
    numericIDType,
    percentValueType,
    processingType,
    sessionIDType,
)

NAMESPACE = "urn:iso:std:iso:15118:-20:CommonMessages"
PREFIX = "cm"
ATTRIBUTES_QUALIFIED = True


@element
class SessionSetupReq(V2GRequestType):
    EVCCID: identifierType


@element
class SessionSetupRes(V2GResponseType):
    EVSEID: identifierType


@element
class AuthorizationSetupReq(V2GRequestType):
    pass


class authorizationType(Enum):
    EIM = "EIM"
    PnC = "PnC"


class EIM_ASResAuthorizationModeType(Type):
    pass


genChallengeType = Annotated[bytes, Binary("base64Binary", min_length=16, max_length=16)]


class SupportedProvidersListType(Type):
    ProviderID: Annotated[tuple[nameType, ...], Occurs(1, 128)]


class PnC_ASResAuthorizationModeType(Type):
    GenChallenge: genChallengeType
    SupportedProviders: SupportedProvidersListType | None = None


@element
@choice("EIM_ASResAuthorizationMode", "PnC_ASResAuthorizationMode")
class AuthorizationSetupRes(V2GResponseType):
    AuthorizationServices: Annotated[tuple[authorizationType, ...], Occurs(1, 2)]
    CertificateInstallationService: boolean
    EIM_ASResAuthorizationMode: EIM_ASResAuthorizationModeType | None = None
    PnC_ASResAuthorizationMode: PnC_ASResAuthorizationModeType | None = None


class EIM_AReqAuthorizationModeType(Type):
    pass


certificateType = Annotated[bytes, Binary("base64Binary", max_length=1600)]


class SubCertificatesType(Type):
    Certificate: Annotated[tuple[certificateType, ...], Occurs(1, 3)]


class ContractCertificateChainType(Type):
    Certificate: certificateType
    SubCertificates: SubCertificatesType


class PnC_AReqAuthorizationModeType(Type):
    Id: Attribute[ID]
    GenChallenge: genChallengeType
    ContractCertificateChain: ContractCertificateChainType


@element
@choice("EIM_AReqAuthorizationMode", "PnC_AReqAuthorizationMode")
class AuthorizationReq(V2GRequestType):
    SelectedAuthorizationService: authorizationType
    EIM_AReqAuthorizationMode: EIM_AReqAuthorizationModeType | None = None
    PnC_AReqAuthorizationMode: PnC_AReqAuthorizationModeType | None = None


@element
class AuthorizationRes(V2GResponseType):
    EVSEProcessing: processingType


serviceIDType = unsignedShort


class ServiceIDListType(Type):
    ServiceID: Annotated[tuple[serviceIDType, ...], Occurs(1, 16)]


@element
class ServiceDiscoveryReq(V2GRequestType):
    SupportedServiceIDs: ServiceIDListType | None = None


class ServiceType(Type):
    ServiceID: serviceIDType
    FreeService: boolean


class ServiceListType(Type):
    Service: Annotated[tuple[ServiceType, ...], Occurs(1, 8)]


@element
class ServiceDiscoveryRes(V2GResponseType):
    ServiceRenegotiationSupported: boolean
    EnergyTransferServiceList: ServiceListType
    VASList: ServiceListType | None = None


@element
class ServiceDetailReq(V2GRequestType):
    ServiceID: serviceIDType


@choice("boolValue", "byteValue", "shortValue", "intValue", "rationalNumber", "finiteString")
class ParameterType(Type):
    Name: Attribute[nameType]
    boolValue: boolean | None = None
    byteValue: byte | None = None
    shortValue: short | None = None
    intValue: int_ | None = None
    rationalNumber: RationalNumberType | None = None
    finiteString: nameType | None = None


class ParameterSetType(Type):
    ParameterSetID: serviceIDType
    Parameter: Annotated[tuple[ParameterType, ...], Occurs(1, 32)]


class ServiceParameterListType(Type):
    ParameterSet: Annotated[tuple[ParameterSetType, ...], Occurs(1, 32)]


@element
class ServiceDetailRes(V2GResponseType):
    ServiceID: serviceIDType
    ServiceParameterList: ServiceParameterListType


class SelectedServiceType(Type):
    ServiceID: serviceIDType
    ParameterSetID: serviceIDType


class SelectedServiceListType(Type):
    SelectedService: Annotated[tuple[SelectedServiceType, ...], Occurs(1, 16)]


@element
class ServiceSelectionReq(V2GRequestType):
    SelectedEnergyTransferService: SelectedServiceType
    SelectedVASList: SelectedServiceListType | None = None


@element
class ServiceSelectionRes(V2GResponseType):
    pass


maxSupportingPointsScheduleTupleType = Annotated[int, Integer(12, 1024)]


class Dynamic_SEReqControlModeType(Type):
    DepartureTime: unsignedInt
    MinimumSOC: percentValueType | None = None  # %
    TargetSOC: percentValueType | None = None  # %
    EVTargetEnergyRequest: RationalNumberType  # Wh
    EVMaximumEnergyRequest: RationalNumberType  # Wh
    EVMinimumEnergyRequest: RationalNumberType  # Wh
    EVMaximumV2XEnergyRequest: RationalNumberType | None = None  # Wh
    EVMinimumV2XEnergyRequest: RationalNumberType | None = None  # Wh


class EVPowerScheduleEntryType(Type):
    Duration: unsignedInt
    Power: RationalNumberType  # W


class EVPowerScheduleEntryListType(Type):
    EVPowerScheduleEntry: Annotated[tuple[EVPowerScheduleEntryType, ...], Occurs(1, 1024)]


class EVPowerScheduleType(Type):
    TimeAnchor: unsignedLong
    EVPowerScheduleEntries: EVPowerScheduleEntryListType


currencyType = Annotated[str, String(max_length=3)]


class EVPriceRuleType(Type):
    EnergyFee: RationalNumberType  # currency per kWh
    PowerRangeStart: RationalNumberType  # W


class EVPriceRuleStackType(Type):
    Duration: unsignedInt
    EVPriceRule: Annotated[tuple[EVPriceRuleType, ...], Occurs(1, 8)]


class EVPriceRuleStackListType(Type):
    EVPriceRuleStack: Annotated[tuple[EVPriceRuleStackType, ...], Occurs(1, 1024)]


class EVAbsolutePriceScheduleType(Type):
    TimeAnchor: unsignedLong
    Currency: currencyType
    PriceAlgorithm: identifierType
    EVPriceRuleStacks: EVPriceRuleStackListType


class EVEnergyOfferType(Type):
    EVPowerSchedule: EVPowerScheduleType
    EVAbsolutePriceSchedule: EVAbsolutePriceScheduleType


class Scheduled_SEReqControlModeType(Type):
    DepartureTime: unsignedInt | None = None
    EVTargetEnergyRequest: RationalNumberType | None = None  # Wh
    EVMaximumEnergyRequest: RationalNumberType | None = None  # Wh
    EVMinimumEnergyRequest: RationalNumberType | None = None  # Wh
    EVEnergyOffer: EVEnergyOfferType | None = None


@element
@choice("Dynamic_SEReqControlMode", "Scheduled_SEReqControlMode")
class ScheduleExchangeReq(V2GRequestType):
    MaximumSupportingPoints: maxSupportingPointsScheduleTupleType
    Dynamic_SEReqControlMode: Dynamic_SEReqControlModeType | None = None
    Scheduled_SEReqControlMode: Scheduled_SEReqControlModeType | None = None


@abstract
class PriceScheduleType(Type):
    TimeAnchor: unsignedLong
    PriceScheduleID: numericIDType
    PriceScheduleDescription: descriptionType | None = None


languageType = Annotated[str, String(max_length=3)]


class TaxRuleType(Type):
    TaxRuleID: numericIDType
    TaxRuleName: nameType | None = None
    TaxRate: RationalNumberType
    TaxIncludedInPrice: boolean | None = None
    AppliesToEnergyFee: boolean
    AppliesToParkingFee: boolean
    AppliesToOverstayFee: boolean
    AppliesMinimumMaximumCost: boolean


class TaxRuleListType(Type):
    TaxRule: Annotated[tuple[TaxRuleType, ...], Occurs(1, 10)]


class PriceRuleType(Type):
    EnergyFee: RationalNumberType  # currency per kWh
    ParkingFee: RationalNumberType | None = None
    ParkingFeePeriod: unsignedInt | None = None
    CarbonDioxideEmission: unsignedShort | None = None
    RenewableGenerationPercentage: unsignedByte | None = None
    PowerRangeStart: RationalNumberType  # W


class PriceRuleStackType(Type):
    Duration: unsignedInt
    PriceRule: Annotated[tuple[PriceRuleType, ...], Occurs(1, 8)]


class PriceRuleStackListType(Type):
    PriceRuleStack: Annotated[tuple[PriceRuleStackType, ...], Occurs(1, 1024)]


class OverstayRuleType(Type):
    OverstayRuleDescription: descriptionType | None = None
    StartTime: unsignedInt
    OverstayFee: RationalNumberType
    OverstayFeePeriod: unsignedInt


class OverstayRuleListType(Type):
    OverstayTimeThreshold: unsignedInt | None = None
    OverstayPowerThreshold: RationalNumberType | None = None  # W
    OverstayRule: Annotated[tuple[OverstayRuleType, ...], Occurs(1, 5)]


class AdditionalServiceType(Type):
    ServiceName: nameType
    ServiceFee: RationalNumberType


class AdditionalServiceListType(Type):
    AdditionalService: Annotated[tuple[AdditionalServiceType, ...], Occurs(1, 5)]


class AbsolutePriceScheduleType(PriceScheduleType):
    Id: Attribute[ID] | None = None
    Currency: currencyType
    Language: languageType
    PriceAlgorithm: identifierType
    MinimumCost: RationalNumberType | None = None
    MaximumCost: RationalNumberType | None = None
    TaxRules: TaxRuleListType | None = None
    PriceRuleStacks: PriceRuleStackListType
    OverstayRules: OverstayRuleListType | None = None
    AdditionalSelectedServices: AdditionalServiceListType | None = None


class PriceLevelScheduleEntryType(Type):
    Duration: unsignedInt
    PriceLevel: unsignedByte


class PriceLevelScheduleEntryListType(Type):
    PriceLevelScheduleEntry: Annotated[tuple[PriceLevelScheduleEntryType, ...], Occurs(1, 1024)]


class PriceLevelScheduleType(PriceScheduleType):
    Id: Attribute[ID] | None = None
    NumberOfPriceLevels: unsignedByte
    PriceLevelScheduleEntries: PriceLevelScheduleEntryListType


@choice("AbsolutePriceSchedule", "PriceLevelSchedule", minimum=0)
class Dynamic_SEResControlModeType(Type):
    DepartureTime: unsignedInt | None = None
    MinimumSOC: percentValueType | None = None  # %
    TargetSOC: percentValueType | None = None  # %
    AbsolutePriceSchedule: AbsolutePriceScheduleType | None = None
    PriceLevelSchedule: PriceLevelScheduleType | None = None


class PowerScheduleEntryType(Type):
    Duration: unsignedInt
    Power: RationalNumberType  # W
    Power_L2: RationalNumberType | None = None  # W
    Power_L3: RationalNumberType | None = None  # W


class PowerScheduleEntryListType(Type):
    PowerScheduleEntry: Annotated[tuple[PowerScheduleEntryType, ...], Occurs(1, 1024)]


class PowerScheduleType(Type):
    TimeAnchor: unsignedLong
    AvailableEnergy: RationalNumberType | None = None  # Wh
    PowerTolerance: RationalNumberType | None = None  # W
    PowerScheduleEntries: PowerScheduleEntryListType


@choice("AbsolutePriceSchedule", "PriceLevelSchedule", minimum=0)
class ChargingScheduleType(Type):
    PowerSchedule: PowerScheduleType
    AbsolutePriceSchedule: AbsolutePriceScheduleType | None = None
    PriceLevelSchedule: PriceLevelScheduleType | None = None


class ScheduleTupleType(Type):
    ScheduleTupleID: numericIDType
    ChargingSchedule: ChargingScheduleType
    DischargingSchedule: ChargingScheduleType | None = None


class Scheduled_SEResControlModeType(Type):
    ScheduleTuple: Annotated[tuple[ScheduleTupleType, ...], Occurs(1, 3)]


@element
@choice("Dynamic_SEResControlMode", "Scheduled_SEResControlMode")
class ScheduleExchangeRes(V2GResponseType):
    EVSEProcessing: processingType
    GoToPause: boolean | None = None
    Dynamic_SEResControlMode: Dynamic_SEResControlModeType | None = None
    Scheduled_SEResControlMode: Scheduled_SEResControlModeType | None = None


class chargeProgressType(Enum):
    Start = "Start"
    Stop = "Stop"
    Standby = "Standby"
    ScheduleRenegotiation = "ScheduleRenegotiation"


class Dynamic_EVPPTControlModeType(Type):
    pass


class powerToleranceAcceptanceType(Enum):
    PowerToleranceNotConfirmed = "PowerToleranceNotConfirmed"
    PowerToleranceConfirmed = "PowerToleranceConfirmed"


class Scheduled_EVPPTControlModeType(Type):
    SelectedScheduleTupleID: numericIDType
    PowerToleranceAcceptance: powerToleranceAcceptanceType | None = None


class EVPowerProfileEntryListType(Type):
    EVPowerProfileEntry: Annotated[tuple[PowerScheduleEntryType, ...], Occurs(1, 2048)]


@choice("Dynamic_EVPPTControlMode", "Scheduled_EVPPTControlMode")
class EVPowerProfileType(Type):
    TimeAnchor: unsignedLong
    Dynamic_EVPPTControlMode: Dynamic_EVPPTControlModeType | None = None
    Scheduled_EVPPTControlMode: Scheduled_EVPPTControlModeType | None = None
    EVPowerProfileEntries: EVPowerProfileEntryListType


class channelSelectionType(Enum):
    Charge = "Charge"
    Discharge = "Discharge"


@element
class PowerDeliveryReq(V2GRequestType):
    EVProcessing: processingType
    ChargeProgress: chargeProgressType
    EVPowerProfile: EVPowerProfileType | None = None
    BPT_ChannelSelection: channelSelectionType | None = None


@element
class PowerDeliveryRes(V2GResponseType):
    EVSEStatus: EVSEStatusType | None = None


class Dynamic_SMDTControlModeType(Type):
    pass


class Scheduled_SMDTControlModeType(Type):
    SelectedScheduleTupleID: numericIDType


@element("SignedMeteringData")
@choice("Dynamic_SMDTControlMode", "Scheduled_SMDTControlMode")
class SignedMeteringDataType(Type):
    Id: Attribute[ID]
    SessionID: sessionIDType
    MeterInfo: MeterInfoType
    Receipt: ReceiptType | None = None
    Dynamic_SMDTControlMode: Dynamic_SMDTControlModeType | None = None
    Scheduled_SMDTControlMode: Scheduled_SMDTControlModeType | None = None


@element
class MeteringConfirmationReq(V2GRequestType):
    SignedMeteringData: SignedMeteringDataType


@element
class MeteringConfirmationRes(V2GResponseType):
    pass


class chargingSessionType(Enum):
    Pause = "Pause"
    Terminate = "Terminate"
    ServiceRenegotiation = "ServiceRenegotiation"


@element
class SessionStopReq(V2GRequestType):
    ChargingSession: chargingSessionType
    EVTerminationCode: nameType | None = None
    EVTerminationExplanation: descriptionType | None = None


@element
class SessionStopRes(V2GResponseType):
    pass


class SignedCertificateChainType(Type):
    Id: Attribute[ID]
    Certificate: certificateType
    SubCertificates: SubCertificatesType | None = None


class EMAIDListType(Type):
    EMAID: Annotated[tuple[identifierType, ...], Occurs(1, 8)]


@element
class CertificateInstallationReq(V2GRequestType):
    OEMProvisioningCertificateChain: SignedCertificateChainType
    ListOfRootCertificateIDs: ListOfRootCertificateIDsType
    MaximumContractCertificateChains: unsignedByte
    PrioritizedEMAIDs: EMAIDListType | None = None


class CertificateChainType(Type):
    Certificate: certificateType
    SubCertificates: SubCertificatesType | None = None


class ecdhCurveType(Enum):
    SECP521 = "SECP521"
    X448 = "X448"


dhPublicKeyType = Annotated[bytes, Binary("base64Binary", min_length=133, max_length=133)]
secp521_EncryptedPrivateKeyType = Annotated[bytes, Binary("base64Binary", min_length=94, max_length=94)]
x448_EncryptedPrivateKeyType = Annotated[bytes, Binary("base64Binary", min_length=84, max_length=84)]
tpm_EncryptedPrivateKeyType = Annotated[bytes, Binary("base64Binary", min_length=206, max_length=206)]


@element("SignedInstallationData")
@choice("SECP521_EncryptedPrivateKey", "X448_EncryptedPrivateKey", "TPM_EncryptedPrivateKey")
class SignedInstallationDataType(Type):
    Id: Attribute[ID]
    ContractCertificateChain: ContractCertificateChainType
    ECDHCurve: ecdhCurveType
    DHPublicKey: dhPublicKeyType
    SECP521_EncryptedPrivateKey: secp521_EncryptedPrivateKeyType | None = None
    X448_EncryptedPrivateKey: x448_EncryptedPrivateKeyType | None = None
    TPM_EncryptedPrivateKey: tpm_EncryptedPrivateKeyType | None = None


@element
class CertificateInstallationRes(V2GResponseType):
    EVSEProcessing: processingType
    CPSCertificateChain: CertificateChainType
    SignedInstallationData: SignedInstallationDataType
    RemainingContractCertificateChains: unsignedByte


class evCheckInStatusType(Enum):
    CheckIn = "CheckIn"
    Processing = "Processing"
    Completed = "Completed"


class parkingMethodType(Enum):
    AutoParking = "AutoParking"
    MVGuideManual = "MVGuideManual"
    Manual = "Manual"


@element
class VehicleCheckInReq(V2GRequestType):
    EVCheckInStatus: evCheckInStatusType
    ParkingMethod: parkingMethodType
    VehicleFrame: short | None = None
    DeviceOffset: short | None = None
    VehicleTravel: short | None = None


@element
class VehicleCheckInRes(V2GResponseType):
    ParkingSpace: short | None = None
    DeviceLocation: short | None = None
    TargetDistance: short | None = None


class evCheckOutStatusType(Enum):
    CheckOut = "CheckOut"
    Processing = "Processing"
    Completed = "Completed"


@element
class VehicleCheckOutReq(V2GRequestType):
    EVCheckOutStatus: evCheckOutStatusType
    CheckOutTime: unsignedLong


class evseCheckOutStatusType(Enum):
    Scheduled = "Scheduled"
    Completed = "Completed"


@element
class VehicleCheckOutRes(V2GResponseType):
    EVSECheckOutStatus: evseCheckOutStatusType


class TargetPositionType(Type):
    TargetOffsetX: unsignedShort
    TargetOffsetY: unsignedShort
