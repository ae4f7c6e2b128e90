"""ISO 15118-20 amendment 1, AC_DER_IEC: a car that feeds the grid under European grid codes.

The schema of the amendment is not at hand: this structure was recovered from other encoders and holds byte for byte against them.
"""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import Occurs, Type, boolean, choice, element, unsignedByte, unsignedInt, unsignedShort
from v2g.messages.ac import (
    AC_CPDReqEnergyTransferModeType,
    AC_CPDResEnergyTransferModeType,
    Dynamic_AC_CLReqControlModeType,
    Dynamic_AC_CLResControlModeType,
    Scheduled_AC_CLReqControlModeType,
    Scheduled_AC_CLResControlModeType,
)
from v2g.messages.common_types import RationalNumberType, processingType

NAMESPACE = "urn:iso:std:iso:15118:-20:AC-DER-IEC"
PREFIX = "der"
ATTRIBUTES_QUALIFIED = True


class powerFactorExcitationType(Enum):
    OverExcited = "OverExcited"
    UnderExcited = "UnderExcited"


class curveDataPointsUnitType(Enum):
    V = "V"
    Hz = "Hz"
    W = "W"
    s = "s"
    var = "var"


class lockValueUnitType(Enum):
    V = "V"
    Hz = "Hz"
    W = "W"
    s = "s"
    var = "var"


class powerReferenceType(Enum):
    MaximumDischargePower = "MaximumDischargePower"
    MomentaryPower = "MomentaryPower"


class evOperatingModeType(Enum):
    GridFollowing = "GridFollowing"
    GridForming = "GridForming"


class gridConnectionModeType(Enum):
    GridConnected = "GridConnected"
    GridIslanded = "GridIslanded"


class SetpointExcitationType(Type):
    SetpointValue: RationalNumberType
    Excitation: powerFactorExcitationType | None = None


class DataTupleType(Type):
    xValue: RationalNumberType
    yValue: SetpointExcitationType


class CurveDataPointsListType(Type):
    CurveDataPoint: Annotated[tuple[DataTupleType, ...], Occurs(2, 10)]


class DERCurveType(Type):
    xUnit: curveDataPointsUnitType
    yUnit: curveDataPointsUnitType
    CurveDataPoints: CurveDataPointsListType
    MinCosPhi: RationalNumberType | None = None
    LockValueUnit: lockValueUnitType | None = None
    LockInValue: RationalNumberType | None = None
    LockOutValue: RationalNumberType | None = None
    PT1ResponseReactivePower: boolean
    StepResponseTimeConstantReactivePower: RationalNumberType
    IntentionalDelay: RationalNumberType | None = None


class FrequencyWattType(Type):
    Fstart: RationalNumberType
    Fstop: RationalNumberType
    IntentionalDelayFstop: unsignedShort | None = None
    Slope: RationalNumberType
    DeactivationTime: unsignedShort | None = None
    IntentionalDelayPowerControl: unsignedShort | None = None
    PowerReference: powerReferenceType
    HysteresisControl: boolean
    PowerUpRamp: unsignedShort | None = None
    PT1ResponseActivePower: boolean
    StepResponseTimeConstantActivePower: RationalNumberType


class VoltWattType(Type):
    PowerReference: powerReferenceType
    UStart: RationalNumberType
    UStop: RationalNumberType
    PT1ResponseActivePower: boolean
    StepResponseTimeConstantActivePower: RationalNumberType
    IntentionalDelayPowerControl: unsignedInt | None = None


class FaultRideThroughType(Type):
    VoltageLimitStartFRT: RationalNumberType  # V
    VoltageLimitStopFRT: RationalNumberType | None = None  # V
    VoltageRecoveryLimit: RationalNumberType | None = None  # V
    VoltageRideThroughPositiveCurveKFactor: RationalNumberType | None = None
    VoltageRideThroughNegativeCurveKFactor: RationalNumberType | None = None
    PT1ResponseActivePower: boolean
    StepResponseTimeConstantActivePower: RationalNumberType
    PT1ResponseReactivePower: boolean
    StepResponseTimeConstantReactivePower: RationalNumberType


class ZeroCurrentType(Type):
    OverVoltageLimit: RationalNumberType | None = None  # V
    UnderVoltageLimit: RationalNumberType | None = None  # V
    OverVoltageRecoveryLimit: RationalNumberType | None = None  # V
    UnderVoltageRecoveryLimit: RationalNumberType | None = None  # V
    PT1ResponseActivePower: boolean
    StepResponseTimeConstantActivePower: RationalNumberType
    PT1ResponseReactivePower: boolean
    StepResponseTimeConstantReactivePower: RationalNumberType


@choice("VoltVar", "WattVar", "WattCosPhi")
class ReactivePowerSupportType(Type):
    VoltVar: DERCurveType | None = None
    WattVar: DERCurveType | None = None
    WattCosPhi: DERCurveType | None = None


class ActivePowerSupportType(Type):
    UnderFrequencyWatt: FrequencyWattType | None = None
    OverFrequencyWatt: FrequencyWattType | None = None
    VoltWatt: VoltWattType | None = None


class EVReactivePowerLimitsType(Type):
    EVMaximumChargeReactivePower: RationalNumberType  # var
    EVMaximumChargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMaximumChargeReactivePower_L3: RationalNumberType | None = None  # var
    EVMinimumChargeReactivePower: RationalNumberType | None = None  # var
    EVMinimumChargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMinimumChargeReactivePower_L3: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower: RationalNumberType  # var
    EVMaximumDischargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower_L3: RationalNumberType | None = None  # var
    EVMinimumDischargeReactivePower: RationalNumberType | None = None  # var
    EVMinimumDischargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMinimumDischargeReactivePower_L3: RationalNumberType | None = None  # var


class DSOQSetpointType(Type):
    DSOQSetpointValue: RationalNumberType
    DSOQSetpointValue_L2: RationalNumberType | None = None
    DSOQSetpointValue_L3: RationalNumberType | None = None
    PT1ResponseReactivePower: boolean
    StepResponseTimeConstantReactivePower: RationalNumberType


class DERControlType(Type):
    OvervoltageFaultRideThrough: FaultRideThroughType | None = None
    UndervoltageFaultRideThrough: FaultRideThroughType | None = None
    ZeroCurrent: ZeroCurrentType | None = None
    ReactivePowerSupport: ReactivePowerSupportType | None = None
    ActivePowerSupport: ActivePowerSupportType | None = None
    MaximumLevelDCInjection: RationalNumberType | None = None


class DSOCosPhiSetpointType(Type):
    DSOCosPhiSetpointValue: RationalNumberType
    DSOCosPhiSetpointValue_L2: RationalNumberType | None = None
    DSOCosPhiSetpointValue_L3: RationalNumberType | None = None
    Excitation: powerFactorExcitationType
    PT1ResponseReactivePower: boolean
    StepResponseTimeConstantReactivePower: RationalNumberType


@element("DER_AC_CPDReqEnergyTransferMode", substitutes="AC_CPDReqEnergyTransferMode")
class DER_AC_CPDReqEnergyTransferModeType(AC_CPDReqEnergyTransferModeType):
    EVProcessing: processingType
    EVMaximumDischargePower: RationalNumberType  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W
    EVSessionTotalDischargeEnergyAvailable: RationalNumberType | None = None  # Wh
    EVReactivePowerLimits: EVReactivePowerLimitsType | None = None


@element("DER_AC_CPDResEnergyTransferMode", substitutes="AC_CPDResEnergyTransferMode")
class DER_AC_CPDResEnergyTransferModeType(AC_CPDResEnergyTransferModeType):
    EVSENominalChargePower: RationalNumberType  # W
    EVSENominalChargePower_L2: RationalNumberType | None = None  # W
    EVSENominalChargePower_L3: RationalNumberType | None = None  # W
    EVSENominalDischargePower: RationalNumberType  # W
    EVSENominalDischargePower_L2: RationalNumberType | None = None  # W
    EVSENominalDischargePower_L3: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower: RationalNumberType  # W
    EVSEMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVOperatingMode: evOperatingModeType
    GridConnectionMode: gridConnectionModeType
    DERControl: DERControlType


@element("DER_Dynamic_AC_CLReqControlMode", substitutes="Dynamic_AC_CLReqControlMode")
class DER_Dynamic_AC_CLReqControlModeType(Dynamic_AC_CLReqControlModeType):
    EVMaximumDischargePower: RationalNumberType  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W
    EVMaximumChargeReactivePower: RationalNumberType | None = None  # var
    EVMaximumChargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMaximumChargeReactivePower_L3: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower_L3: RationalNumberType | None = None  # var
    GridEventCondition: unsignedByte
    EVMaximumV2XEnergyRequest: RationalNumberType | None = None  # Wh
    EVMinimumV2XEnergyRequest: RationalNumberType | None = None  # Wh
    EVSessionTotalDischargeEnergyAvailable: RationalNumberType | None = None  # Wh


@element("DER_Dynamic_AC_CLResControlMode", substitutes="Dynamic_AC_CLResControlMode")
class DER_Dynamic_AC_CLResControlModeType(Dynamic_AC_CLResControlModeType):
    EVSEMaximumChargePower: RationalNumberType  # W
    EVSEMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower: RationalNumberType  # W
    EVSEMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L3: RationalNumberType | None = None  # W
    DSOMaximumDischargePower: RationalNumberType | None = None  # W
    DSOMaximumDischargePower_L2: RationalNumberType | None = None  # W
    DSOMaximumDischargePower_L3: RationalNumberType | None = None  # W
    DSOQSetpoint: DSOQSetpointType | None = None
    DSOCosPhiSetpoint: DSOCosPhiSetpointType | None = None


@element("DER_Scheduled_AC_CLReqControlMode", substitutes="Scheduled_AC_CLReqControlMode")
class DER_Scheduled_AC_CLReqControlModeType(Scheduled_AC_CLReqControlModeType):
    EVMaximumDischargePower: RationalNumberType  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W
    EVMaximumChargeReactivePower: RationalNumberType | None = None  # var
    EVMaximumChargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMaximumChargeReactivePower_L3: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower_L2: RationalNumberType | None = None  # var
    EVMaximumDischargeReactivePower_L3: RationalNumberType | None = None  # var
    GridEventCondition: unsignedByte


@element("DER_Scheduled_AC_CLResControlMode", substitutes="Scheduled_AC_CLResControlMode")
class DER_Scheduled_AC_CLResControlModeType(Scheduled_AC_CLResControlModeType):
    EVSEMaximumChargePower: RationalNumberType  # W
    EVSEMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower: RationalNumberType  # W
    EVSEMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L3: RationalNumberType | None = None  # W
    DSOMaximumDischargePower: RationalNumberType | None = None  # W
    DSOMaximumDischargePower_L2: RationalNumberType | None = None  # W
    DSOMaximumDischargePower_L3: RationalNumberType | None = None  # W
    DSOQSetpoint: DSOQSetpointType | None = None
    DSOCosPhiSetpoint: DSOCosPhiSetpointType | None = None
