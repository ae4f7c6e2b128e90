"""ISO 15118-20 ACDP: automated connection devices."""

from enum import Enum

from v2g.exi.schema import Type, boolean, element, short
from v2g.messages.common_types import RationalNumberType, V2GRequestType, V2GResponseType, percentValueType, processingType

NAMESPACE = "urn:iso:std:iso:15118:-20:ACDP"
PREFIX = "acdp"
ATTRIBUTES_QUALIFIED = True


@element
class ACDP_VehiclePositioningReq(V2GRequestType):
    EVMobilityStatus: boolean
    EVPositioningSupport: boolean


@element
class ACDP_VehiclePositioningRes(V2GResponseType):
    EVSEProcessing: processingType
    EVSEPositioningSupport: boolean
    EVRelativeXDeviation: short
    EVRelativeYDeviation: short
    ContactWindowXc: short
    ContactWindowYc: short
    EVInChargePosition: boolean


class electricalChargingDeviceStatusType(Enum):
    State_A = "State_A"
    State_B = "State_B"
    State_C = "State_C"
    State_D = "State_D"


class ACDP_ConnectReqType(V2GRequestType):
    EVElectricalChargingDeviceStatus: electricalChargingDeviceStatusType


@element
class ACDP_ConnectReq(ACDP_ConnectReqType):
    pass


@element
class ACDP_DisconnectReq(ACDP_ConnectReqType):
    pass


class mechanicalChargingDeviceStatusType(Enum):
    Home = "Home"
    Moving = "Moving"
    EndPosition = "EndPosition"


class ACDP_ConnectResType(V2GResponseType):
    EVSEProcessing: processingType
    EVSEElectricalChargingDeviceStatus: electricalChargingDeviceStatusType
    EVSEMechanicalChargingDeviceStatus: mechanicalChargingDeviceStatusType


@element
class ACDP_ConnectRes(ACDP_ConnectResType):
    pass


@element
class ACDP_DisconnectRes(ACDP_ConnectResType):
    pass


class cpStatusType(Enum):
    StateA = "StateA"
    StateB = "StateB"
    StateC = "StateC"
    StateD = "StateD"
    StateE = "StateE"


class errorCodeType(Enum):
    OK_NoEVError = "OK_NoEVError"
    FAILED = "FAILED"
    FAILED_EmergencyEvent = "FAILED_EmergencyEvent"
    FAILED_Breaker = "FAILED_Breaker"
    FAILED_RESSTemperatureInhibit = "FAILED_RESSTemperatureInhibit"
    FAILED_RESS = "FAILED_RESS"
    FAILED_ChargingCurrentDifferential = "FAILED_ChargingCurrentDifferential"
    FAILED_ChargingVoltageOutOfRange = "FAILED_ChargingVoltageOutOfRange"
    FAILED_Reserved1 = "FAILED_Reserved1"
    FAILED_Reserved2 = "FAILED_Reserved2"


class EVTechnicalStatusType(Type):
    EVReadyToCharge: boolean
    EVImmobilizationRequest: boolean
    EVImmobilized: boolean | None = None
    EVWLANStrength: RationalNumberType | None = None
    EVCPStatus: cpStatusType | None = None
    EVSOC: percentValueType | None = None  # %
    EVErrorCode: errorCodeType | None = None
    EVTimeout: boolean | None = None


@element
class ACDP_SystemStatusReq(V2GRequestType):
    EVTechnicalStatus: EVTechnicalStatusType


class isolationStatusType(Enum):
    Invalid = "Invalid"
    Safe = "Safe"
    Warning = "Warning"
    Fault = "Fault"


@element
class ACDP_SystemStatusRes(V2GResponseType):
    EVSEMechanicalChargingDeviceStatus: mechanicalChargingDeviceStatusType
    EVSEReadyToCharge: boolean
    EVSEIsolationStatus: isolationStatusType
    EVSEDisabled: boolean
    EVSEUtilityInterruptEvent: boolean
    EVSEEmergencyShutdown: boolean
    EVSEMalfunction: boolean
    EVInChargePosition: boolean
    EVAssociationStatus: boolean
