"""ISO 15118-20 DC and DC_BPT."""

from v2g.exi.schema import Type, boolean, element
from v2g.messages.common_types import (
    ChargeLoopReqType,
    ChargeLoopResType,
    ChargeParameterDiscoveryReqType,
    ChargeParameterDiscoveryResType,
    CLReqControlModeType,
    CLResControlModeType,
    Dynamic_CLReqControlModeType,
    Dynamic_CLResControlModeType,
    RationalNumberType,
    Scheduled_CLReqControlModeType,
    Scheduled_CLResControlModeType,
    V2GRequestType,
    V2GResponseType,
    percentValueType,
    processingType,
)

NAMESPACE = "urn:iso:std:iso:15118:-20:DC"
PREFIX = "dc"
ATTRIBUTES_QUALIFIED = True


@element("DC_CPDReqEnergyTransferMode")
class DC_CPDReqEnergyTransferModeType(Type):
    EVMaximumChargePower: RationalNumberType  # W
    EVMinimumChargePower: RationalNumberType  # W
    EVMaximumChargeCurrent: RationalNumberType  # A
    EVMinimumChargeCurrent: RationalNumberType  # A
    EVMaximumVoltage: RationalNumberType  # V
    EVMinimumVoltage: RationalNumberType  # V
    TargetSOC: percentValueType | None = None  # %


@element
class DC_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReqType):
    DC_CPDReqEnergyTransferMode: DC_CPDReqEnergyTransferModeType


@element("DC_CPDResEnergyTransferMode")
class DC_CPDResEnergyTransferModeType(Type):
    EVSEMaximumChargePower: RationalNumberType  # W
    EVSEMinimumChargePower: RationalNumberType  # W
    EVSEMaximumChargeCurrent: RationalNumberType  # A
    EVSEMinimumChargeCurrent: RationalNumberType  # A
    EVSEMaximumVoltage: RationalNumberType  # V
    EVSEMinimumVoltage: RationalNumberType  # V
    EVSEPowerRampLimitation: RationalNumberType | None = None  # W


@element
class DC_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryResType):
    DC_CPDResEnergyTransferMode: DC_CPDResEnergyTransferModeType


@element
class DC_CableCheckReq(V2GRequestType):
    pass


@element
class DC_CableCheckRes(V2GResponseType):
    EVSEProcessing: processingType


@element
class DC_PreChargeReq(V2GRequestType):
    EVProcessing: processingType
    EVPresentVoltage: RationalNumberType  # V
    EVTargetVoltage: RationalNumberType  # V


@element
class DC_PreChargeRes(V2GResponseType):
    EVSEPresentVoltage: RationalNumberType  # V


@element
class DC_ChargeLoopReq(ChargeLoopReqType):
    EVPresentVoltage: RationalNumberType  # V
    CLReqControlMode: CLReqControlModeType


@element
class DC_ChargeLoopRes(ChargeLoopResType):
    EVSEPresentCurrent: RationalNumberType  # A
    EVSEPresentVoltage: RationalNumberType  # V
    EVSEPowerLimitAchieved: boolean
    EVSECurrentLimitAchieved: boolean
    EVSEVoltageLimitAchieved: boolean
    CLResControlMode: CLResControlModeType


@element
class DC_WeldingDetectionReq(V2GRequestType):
    EVProcessing: processingType


@element
class DC_WeldingDetectionRes(V2GResponseType):
    EVSEPresentVoltage: RationalNumberType  # V


@element("BPT_DC_CPDReqEnergyTransferMode", substitutes="DC_CPDReqEnergyTransferMode")
class BPT_DC_CPDReqEnergyTransferModeType(DC_CPDReqEnergyTransferModeType):
    EVMaximumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMaximumDischargeCurrent: RationalNumberType  # A
    EVMinimumDischargeCurrent: RationalNumberType  # A


@element("BPT_DC_CPDResEnergyTransferMode", substitutes="DC_CPDResEnergyTransferMode")
class BPT_DC_CPDResEnergyTransferModeType(DC_CPDResEnergyTransferModeType):
    EVSEMaximumDischargePower: RationalNumberType  # W
    EVSEMinimumDischargePower: RationalNumberType  # W
    EVSEMaximumDischargeCurrent: RationalNumberType  # A
    EVSEMinimumDischargeCurrent: RationalNumberType  # A


@element("Scheduled_DC_CLReqControlMode", substitutes="CLReqControlMode")
class Scheduled_DC_CLReqControlModeType(Scheduled_CLReqControlModeType):
    EVTargetCurrent: RationalNumberType  # A
    EVTargetVoltage: RationalNumberType  # V
    EVMaximumChargePower: RationalNumberType | None = None  # W
    EVMinimumChargePower: RationalNumberType | None = None  # W
    EVMaximumChargeCurrent: RationalNumberType | None = None  # A
    EVMaximumVoltage: RationalNumberType | None = None  # V
    EVMinimumVoltage: RationalNumberType | None = None  # V


@element("Scheduled_DC_CLResControlMode", substitutes="CLResControlMode")
class Scheduled_DC_CLResControlModeType(Scheduled_CLResControlModeType):
    EVSEMaximumChargePower: RationalNumberType | None = None  # W
    EVSEMinimumChargePower: RationalNumberType | None = None  # W
    EVSEMaximumChargeCurrent: RationalNumberType | None = None  # A
    EVSEMaximumVoltage: RationalNumberType | None = None  # V


@element("BPT_Scheduled_DC_CLReqControlMode", substitutes="Scheduled_DC_CLReqControlMode")
class BPT_Scheduled_DC_CLReqControlModeType(Scheduled_DC_CLReqControlModeType):
    EVMaximumDischargePower: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType | None = None  # W
    EVMaximumDischargeCurrent: RationalNumberType | None = None  # A


@element("BPT_Scheduled_DC_CLResControlMode", substitutes="Scheduled_DC_CLResControlMode")
class BPT_Scheduled_DC_CLResControlModeType(Scheduled_DC_CLResControlModeType):
    EVSEMaximumDischargePower: RationalNumberType | None = None  # W
    EVSEMinimumDischargePower: RationalNumberType | None = None  # W
    EVSEMaximumDischargeCurrent: RationalNumberType | None = None  # A
    EVSEMinimumVoltage: RationalNumberType | None = None  # V


@element("Dynamic_DC_CLReqControlMode", substitutes="CLReqControlMode")
class Dynamic_DC_CLReqControlModeType(Dynamic_CLReqControlModeType):
    EVMaximumChargePower: RationalNumberType  # W
    EVMinimumChargePower: RationalNumberType  # W
    EVMaximumChargeCurrent: RationalNumberType  # A
    EVMaximumVoltage: RationalNumberType  # V
    EVMinimumVoltage: RationalNumberType  # V


@element("Dynamic_DC_CLResControlMode", substitutes="CLResControlMode")
class Dynamic_DC_CLResControlModeType(Dynamic_CLResControlModeType):
    EVSEMaximumChargePower: RationalNumberType  # W
    EVSEMinimumChargePower: RationalNumberType  # W
    EVSEMaximumChargeCurrent: RationalNumberType  # A
    EVSEMaximumVoltage: RationalNumberType  # V


@element("BPT_Dynamic_DC_CLReqControlMode", substitutes="Dynamic_DC_CLReqControlMode")
class BPT_Dynamic_DC_CLReqControlModeType(Dynamic_DC_CLReqControlModeType):
    EVMaximumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMaximumDischargeCurrent: RationalNumberType  # A
    EVMaximumV2XEnergyRequest: RationalNumberType | None = None  # Wh
    EVMinimumV2XEnergyRequest: RationalNumberType | None = None  # Wh


@element("BPT_Dynamic_DC_CLResControlMode", substitutes="Dynamic_DC_CLResControlMode")
class BPT_Dynamic_DC_CLResControlModeType(Dynamic_DC_CLResControlModeType):
    EVSEMaximumDischargePower: RationalNumberType  # W
    EVSEMinimumDischargePower: RationalNumberType  # W
    EVSEMaximumDischargeCurrent: RationalNumberType  # A
    EVSEMinimumVoltage: RationalNumberType  # V
