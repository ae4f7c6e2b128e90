"""DIN SPEC 70121 MsgBody: the messages."""

from v2g.exi.schema import IDREF, Attribute, Local, boolean, element, long, short
from v2g.messages.din.msg_data_types import (
    AC_EVSEStatusType,
    CertificateChainType,
    ChargingProfileType,
    DC_EVSEStatusType,
    DC_EVStatusType,
    EVChargeParameterType,
    EVPowerDeliveryParameterType,
    EVRequestedEnergyTransferType,
    EVSEChargeParameterType,
    EVSEProcessingType,
    EVSEStatusType,
    ListOfRootCertificateIDsType,
    MeterInfoType,
    PaymentOptionsType,
    PhysicalValueType,
    SAIDType,
    SASchedulesType,
    SelectedServiceListType,
    ServiceChargeType,
    ServiceParameterListType,
    ServiceTagListType,
    certificateType,
    contractIDType,
    dHParamsType,
    evccIDType,
    evseIDType,
    genChallengeType,
    paymentOptionType,
    privateKeyType,
    responseCodeType,
    serviceCategoryType,
    serviceIDType,
    serviceScopeType,
    sessionIDType,
)
from v2g.messages.din.msg_def import BodyBaseType

NAMESPACE = "urn:din:70121:2012:MsgBody"
PREFIX = "v2gci_b"


@element(substitutes="BodyElement")
class SessionSetupReq(BodyBaseType):
    EVCCID: evccIDType


@element(substitutes="BodyElement")
class SessionSetupRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEID: evseIDType
    DateTimeNow: long | None = None


@element(substitutes="BodyElement")
class ServiceDiscoveryReq(BodyBaseType):
    ServiceScope: serviceScopeType | None = None
    ServiceCategory: serviceCategoryType | None = None


@element(substitutes="BodyElement")
class ServiceDiscoveryRes(BodyBaseType):
    ResponseCode: responseCodeType
    PaymentOptions: PaymentOptionsType
    ChargeService: ServiceChargeType
    ServiceList: ServiceTagListType | None = None


@element(substitutes="BodyElement")
class ServiceDetailReq(BodyBaseType):
    ServiceID: serviceIDType


@element(substitutes="BodyElement")
class ServiceDetailRes(BodyBaseType):
    ResponseCode: responseCodeType
    ServiceID: serviceIDType
    ServiceParameterList: ServiceParameterListType | None = None


@element(substitutes="BodyElement")
class ServicePaymentSelectionReq(BodyBaseType):
    SelectedPaymentOption: paymentOptionType
    SelectedServiceList: SelectedServiceListType


@element(substitutes="BodyElement")
class ServicePaymentSelectionRes(BodyBaseType):
    ResponseCode: responseCodeType


@element(substitutes="BodyElement")
class PaymentDetailsReq(BodyBaseType):
    ContractID: contractIDType
    ContractSignatureCertChain: CertificateChainType


@element(substitutes="BodyElement")
class PaymentDetailsRes(BodyBaseType):
    ResponseCode: responseCodeType
    GenChallenge: genChallengeType
    DateTimeNow: long


@element(substitutes="BodyElement")
class ContractAuthenticationReq(BodyBaseType):
    Id: Attribute[IDREF] | None = None
    GenChallenge: genChallengeType | None = None


@element(substitutes="BodyElement")
class ContractAuthenticationRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEProcessing: EVSEProcessingType


@element(substitutes="BodyElement")
class ChargeParameterDiscoveryReq(BodyBaseType):
    EVRequestedEnergyTransferType: EVRequestedEnergyTransferType
    EVChargeParameter: EVChargeParameterType


@element(substitutes="BodyElement")
class ChargeParameterDiscoveryRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEProcessing: EVSEProcessingType
    SASchedules: SASchedulesType
    EVSEChargeParameter: EVSEChargeParameterType


@element(substitutes="BodyElement")
class PowerDeliveryReq(BodyBaseType):
    ReadyToChargeState: boolean
    ChargingProfile: ChargingProfileType | None = None
    EVPowerDeliveryParameter: EVPowerDeliveryParameterType | None = None


@element(substitutes="BodyElement")
class PowerDeliveryRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEStatus: EVSEStatusType


@element(substitutes="BodyElement")
class ChargingStatusReq(BodyBaseType):
    pass


@element(substitutes="BodyElement")
class ChargingStatusRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEID: evseIDType
    SAScheduleTupleID: SAIDType
    EVSEMaxCurrent: PhysicalValueType | None = None
    MeterInfo: MeterInfoType | None = None
    ReceiptRequired: boolean
    AC_EVSEStatus: Local[AC_EVSEStatusType]


@element(substitutes="BodyElement")
class MeteringReceiptReq(BodyBaseType):
    Id: Attribute[IDREF] | None = None
    SessionID: sessionIDType
    SAScheduleTupleID: SAIDType | None = None
    MeterInfo: MeterInfoType


@element(substitutes="BodyElement")
class MeteringReceiptRes(BodyBaseType):
    ResponseCode: responseCodeType
    AC_EVSEStatus: Local[AC_EVSEStatusType]


@element("SessionStopReq", substitutes="BodyElement")
class SessionStopType(BodyBaseType):
    pass


@element(substitutes="BodyElement")
class SessionStopRes(BodyBaseType):
    ResponseCode: responseCodeType


@element(substitutes="BodyElement")
class CertificateUpdateReq(BodyBaseType):
    Id: Attribute[IDREF] | None = None
    ContractSignatureCertChain: CertificateChainType
    ContractID: contractIDType
    ListOfRootCertificateIDs: ListOfRootCertificateIDsType
    DHParams: dHParamsType


@element(substitutes="BodyElement")
class CertificateUpdateRes(BodyBaseType):
    Id: Attribute[IDREF]
    ResponseCode: responseCodeType
    ContractSignatureCertChain: CertificateChainType
    ContractSignatureEncryptedPrivateKey: privateKeyType
    DHParams: dHParamsType
    ContractID: contractIDType
    RetryCounter: short


@element(substitutes="BodyElement")
class CertificateInstallationReq(BodyBaseType):
    Id: Attribute[IDREF] | None = None
    OEMProvisioningCert: certificateType
    ListOfRootCertificateIDs: ListOfRootCertificateIDsType
    DHParams: dHParamsType


@element(substitutes="BodyElement")
class CertificateInstallationRes(BodyBaseType):
    Id: Attribute[IDREF]
    ResponseCode: responseCodeType
    ContractSignatureCertChain: CertificateChainType
    ContractSignatureEncryptedPrivateKey: privateKeyType
    DHParams: dHParamsType
    ContractID: contractIDType


@element(substitutes="BodyElement")
class CableCheckReq(BodyBaseType):
    DC_EVStatus: Local[DC_EVStatusType]


@element(substitutes="BodyElement")
class CableCheckRes(BodyBaseType):
    ResponseCode: responseCodeType
    DC_EVSEStatus: Local[DC_EVSEStatusType]
    EVSEProcessing: EVSEProcessingType


@element(substitutes="BodyElement")
class PreChargeReq(BodyBaseType):
    DC_EVStatus: Local[DC_EVStatusType]
    EVTargetVoltage: PhysicalValueType
    EVTargetCurrent: PhysicalValueType


@element(substitutes="BodyElement")
class PreChargeRes(BodyBaseType):
    ResponseCode: responseCodeType
    DC_EVSEStatus: Local[DC_EVSEStatusType]
    EVSEPresentVoltage: PhysicalValueType


@element(substitutes="BodyElement")
class CurrentDemandReq(BodyBaseType):
    DC_EVStatus: Local[DC_EVStatusType]
    EVTargetCurrent: PhysicalValueType
    EVMaximumVoltageLimit: PhysicalValueType | None = None
    EVMaximumCurrentLimit: PhysicalValueType | None = None
    EVMaximumPowerLimit: PhysicalValueType | None = None
    BulkChargingComplete: boolean | None = None
    ChargingComplete: boolean
    RemainingTimeToFullSoC: PhysicalValueType | None = None
    RemainingTimeToBulkSoC: PhysicalValueType | None = None
    EVTargetVoltage: PhysicalValueType


@element(substitutes="BodyElement")
class CurrentDemandRes(BodyBaseType):
    ResponseCode: responseCodeType
    DC_EVSEStatus: Local[DC_EVSEStatusType]
    EVSEPresentVoltage: PhysicalValueType
    EVSEPresentCurrent: PhysicalValueType
    EVSECurrentLimitAchieved: boolean
    EVSEVoltageLimitAchieved: boolean
    EVSEPowerLimitAchieved: boolean
    EVSEMaximumVoltageLimit: PhysicalValueType | None = None
    EVSEMaximumCurrentLimit: PhysicalValueType | None = None
    EVSEMaximumPowerLimit: PhysicalValueType | None = None


@element(substitutes="BodyElement")
class WeldingDetectionReq(BodyBaseType):
    DC_EVStatus: Local[DC_EVStatusType]


@element(substitutes="BodyElement")
class WeldingDetectionRes(BodyBaseType):
    ResponseCode: responseCodeType
    DC_EVSEStatus: Local[DC_EVSEStatusType]
    EVSEPresentVoltage: PhysicalValueType
