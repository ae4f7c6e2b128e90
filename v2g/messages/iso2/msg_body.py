"""ISO 15118-2 MsgBody: the messages."""

from v2g.exi.schema import ID, Attribute, Local, Type, abstract, boolean, element, long, short, unsignedShort
from v2g.messages.iso2.msg_data_types import (
    AC_EVSEStatusType,
    CertificateChainType,
    ChargeServiceType,
    ChargingProfileType,
    ContractSignatureEncryptedPrivateKeyType,
    DC_EVSEStatusType,
    DC_EVStatusType,
    DiffieHellmanPublickeyType,
    EMAIDType,
    EnergyTransferModeType,
    EVChargeParameterType,
    EVPowerDeliveryParameterType,
    EVSEChargeParameterType,
    EVSEProcessingType,
    EVSEStatusType,
    ListOfRootCertificateIDsType,
    MeterInfoType,
    PaymentOptionListType,
    PhysicalValueType,
    SAIDType,
    SASchedulesType,
    SelectedServiceListType,
    ServiceListType,
    ServiceParameterListType,
    certificateType,
    chargeProgressType,
    chargingSessionType,
    eMAIDType,
    evccIDType,
    evseIDType,
    genChallengeType,
    paymentOptionType,
    responseCodeType,
    serviceCategoryType,
    serviceIDType,
    serviceScopeType,
    sessionIDType,
)

NAMESPACE = "urn:iso:15118:2:2013:MsgBody"
PREFIX = "v2gci_b"
ATTRIBUTES_QUALIFIED = True


@element("BodyElement", abstract=True)
@abstract
class BodyBaseType(Type):
    pass


@element(substitutes="BodyElement")
class SessionSetupReq(BodyBaseType):
    EVCCID: evccIDType


@element(substitutes="BodyElement")
class SessionSetupRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEID: evseIDType
    EVSETimeStamp: long | None = None


@element(substitutes="BodyElement")
class ServiceDiscoveryReq(BodyBaseType):
    ServiceScope: serviceScopeType | None = None
    ServiceCategory: serviceCategoryType | None = None


@element(substitutes="BodyElement")
class ServiceDiscoveryRes(BodyBaseType):
    ResponseCode: responseCodeType
    PaymentOptionList: PaymentOptionListType
    ChargeService: ChargeServiceType
    ServiceList: ServiceListType | None = None


@element(substitutes="BodyElement")
class ServiceDetailReq(BodyBaseType):
    ServiceID: serviceIDType


@element(substitutes="BodyElement")
class ServiceDetailRes(BodyBaseType):
    ResponseCode: responseCodeType
    ServiceID: serviceIDType
    ServiceParameterList: ServiceParameterListType | None = None


@element(substitutes="BodyElement")
class PaymentServiceSelectionReq(BodyBaseType):
    SelectedPaymentOption: paymentOptionType
    SelectedServiceList: SelectedServiceListType


@element(substitutes="BodyElement")
class PaymentServiceSelectionRes(BodyBaseType):
    ResponseCode: responseCodeType


@element(substitutes="BodyElement")
class PaymentDetailsReq(BodyBaseType):
    eMAID: eMAIDType
    ContractSignatureCertChain: CertificateChainType


@element(substitutes="BodyElement")
class PaymentDetailsRes(BodyBaseType):
    ResponseCode: responseCodeType
    GenChallenge: genChallengeType
    EVSETimeStamp: long


@element(substitutes="BodyElement")
class AuthorizationReq(BodyBaseType):
    Id: Attribute[ID] | None = None
    GenChallenge: genChallengeType | None = None


@element(substitutes="BodyElement")
class AuthorizationRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEProcessing: EVSEProcessingType


@element(substitutes="BodyElement")
class ChargeParameterDiscoveryReq(BodyBaseType):
    MaxEntriesSAScheduleTuple: unsignedShort | None = None
    RequestedEnergyTransferMode: EnergyTransferModeType
    EVChargeParameter: EVChargeParameterType


@element(substitutes="BodyElement")
class ChargeParameterDiscoveryRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEProcessing: EVSEProcessingType
    SASchedules: SASchedulesType | None = None
    EVSEChargeParameter: EVSEChargeParameterType


@element(substitutes="BodyElement")
class PowerDeliveryReq(BodyBaseType):
    ChargeProgress: chargeProgressType
    SAScheduleTupleID: SAIDType
    ChargingProfile: ChargingProfileType | None = None
    EVPowerDeliveryParameter: EVPowerDeliveryParameterType | None = None


@element(substitutes="BodyElement")
class PowerDeliveryRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEStatus: EVSEStatusType


@element(substitutes="BodyElement")
class MeteringReceiptReq(BodyBaseType):
    Id: Attribute[ID] | None = None
    SessionID: sessionIDType
    SAScheduleTupleID: SAIDType | None = None
    MeterInfo: MeterInfoType


@element(substitutes="BodyElement")
class MeteringReceiptRes(BodyBaseType):
    ResponseCode: responseCodeType
    EVSEStatus: EVSEStatusType


@element(substitutes="BodyElement")
class SessionStopReq(BodyBaseType):
    ChargingSession: chargingSessionType


@element(substitutes="BodyElement")
class SessionStopRes(BodyBaseType):
    ResponseCode: responseCodeType


@element(substitutes="BodyElement")
class CertificateUpdateReq(BodyBaseType):
    Id: Attribute[ID]
    ContractSignatureCertChain: CertificateChainType
    eMAID: eMAIDType
    ListOfRootCertificateIDs: ListOfRootCertificateIDsType


@element(substitutes="BodyElement")
class CertificateUpdateRes(BodyBaseType):
    ResponseCode: responseCodeType
    SAProvisioningCertificateChain: CertificateChainType
    ContractSignatureCertChain: CertificateChainType
    ContractSignatureEncryptedPrivateKey: ContractSignatureEncryptedPrivateKeyType
    DHpublickey: DiffieHellmanPublickeyType
    eMAID: EMAIDType
    RetryCounter: short | None = None


@element(substitutes="BodyElement")
class CertificateInstallationReq(BodyBaseType):
    Id: Attribute[ID]
    OEMProvisioningCert: certificateType
    ListOfRootCertificateIDs: ListOfRootCertificateIDsType


@element(substitutes="BodyElement")
class CertificateInstallationRes(BodyBaseType):
    ResponseCode: responseCodeType
    SAProvisioningCertificateChain: CertificateChainType
    ContractSignatureCertChain: CertificateChainType
    ContractSignatureEncryptedPrivateKey: ContractSignatureEncryptedPrivateKeyType
    DHpublickey: DiffieHellmanPublickeyType
    eMAID: EMAIDType


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
    ReceiptRequired: boolean | None = None
    AC_EVSEStatus: Local[AC_EVSEStatusType]


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
    EVSEID: evseIDType
    SAScheduleTupleID: SAIDType
    MeterInfo: MeterInfoType | None = None
    ReceiptRequired: boolean | None = None


@element(substitutes="BodyElement")
class WeldingDetectionReq(BodyBaseType):
    DC_EVStatus: Local[DC_EVStatusType]


@element(substitutes="BodyElement")
class WeldingDetectionRes(BodyBaseType):
    ResponseCode: responseCodeType
    DC_EVSEStatus: Local[DC_EVSEStatusType]
    EVSEPresentVoltage: PhysicalValueType


class BodyType(Type):
    BodyElement: BodyBaseType | None = None
