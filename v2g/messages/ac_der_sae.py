"""ISO 15118-20 amendment 1, AC_DER_SAE: a car that feeds the grid under IEEE 1547 and SAE J3072.

The schema of the amendment is not at hand: this structure was recovered from other encoders and holds byte for byte against them. The
lengths of the inverter strings (32) and the absence of further facets are assumptions.
"""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import Occurs, String, Type, boolean, element, unsignedInt, unsignedLong, unsignedShort
from v2g.messages.ac import (
    AC_CPDReqEnergyTransferModeType,
    AC_CPDResEnergyTransferModeType,
    Dynamic_AC_CLReqControlModeType,
    Dynamic_AC_CLResControlModeType,
    Scheduled_AC_CLReqControlModeType,
    Scheduled_AC_CLResControlModeType,
)
from v2g.messages.common_types import EVSEStatusType, RationalNumberType, processingType

NAMESPACE = "urn:iso:std:iso:15118:-20:AC-DER-SAE"
PREFIX = "der"
ATTRIBUTES_QUALIFIED = True

evInverterSwVersionType = Annotated[str, String(max_length=32)]
evInverterHwVersionType = Annotated[str, String(max_length=32)]
evInverterManufacturerType = Annotated[str, String(max_length=32)]
evInverterModelType = Annotated[str, String(max_length=32)]
evInverterSerialNumberType = Annotated[str, String(max_length=32)]


class powerReferenceType(Enum):
    MaximumActivePower = "MaximumActivePower"
    MomentaryPower = "MomentaryPower"


class derUnitType(Enum):
    V = "V"
    Hz = "Hz"
    W = "W"
    s = "s"
    var = "var"
    PercentageEVMaximumConfiguredActivePower = "PercentageEVMaximumConfiguredActivePower"
    PercentageEVMaximumConfiguredReactivePower = "PercentageEVMaximumConfiguredReactivePower"
    PercentageEVMaximumConfiguredApparentPower = "PercentageEVMaximumConfiguredApparentPower"
    PercentageEVMaximumAvailableActivePower = "PercentageEVMaximumAvailableActivePower"
    PercentageEVMaximumAvailableReactivePower = "PercentageEVMaximumAvailableReactivePower"
    PercentageV = "PercentageV"


class powerFactorExcitationType(Enum):
    OverExcited = "OverExcited"
    UnderExcited = "UnderExcited"


class ieee1547NormalCategoryType(Enum):
    CategoryA = "CategoryA"
    CategoryB = "CategoryB"


class ieee1547AbnormalCategoryType(Enum):
    CategoryI = "CategoryI"
    CategoryII = "CategoryII"
    CategoryIII = "CategoryIII"


class derOperationalStateType(Enum):
    On = "On"
    Off = "Off"


class derConnectionStatusType(Enum):
    Disconnected = "Disconnected"
    Connected = "Connected"


class requiredDEROperatingModeType(Enum):
    GridFollowing = "GridFollowing"
    GridForming = "GridForming"


class gridConnectionModeType(Enum):
    GridConnected = "GridConnected"
    GridIslanded = "GridIslanded"


class DataTupleType(Type):
    xValue: RationalNumberType
    yValue: RationalNumberType


class FrequencyDroopSettingsType(Type):
    db: RationalNumberType
    DroopFactor: RationalNumberType
    DroopFactor_L2: RationalNumberType | None = None
    DroopFactor_L3: RationalNumberType | None = None
    PowerReference: powerReferenceType
    PowerReference_L2: powerReferenceType | None = None
    PowerReference_L3: powerReferenceType | None = None
    OpenLoopResponseTime: RationalNumberType


class CurveDataPointsListType(Type):
    CurveDataPoint: Annotated[tuple[DataTupleType, ...], Occurs(2, 10)]


class DERCurveType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    xUnit: derUnitType
    yUnit: derUnitType
    CurveDataPoints: CurveDataPointsListType
    CurveDataPoints_L2: CurveDataPointsListType | None = None
    CurveDataPoints_L3: CurveDataPointsListType | None = None


class ConstantPowerFactorType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    PowerFactorValue: RationalNumberType
    PowerFactorValue_L2: RationalNumberType | None = None
    PowerFactorValue_L3: RationalNumberType | None = None
    PowerFactorExcitation: powerFactorExcitationType
    PowerFactorExcitation_L2: powerFactorExcitationType | None = None
    PowerFactorExcitation_L3: powerFactorExcitationType | None = None


@element("FrequencyDroop")
class FrequencyDroopType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    OverFrequencyDroop: FrequencyDroopSettingsType | None = None
    UnderFrequencyDroop: FrequencyDroopSettingsType | None = None


class VoltVarType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    xUnit: derUnitType
    yUnit: derUnitType
    CurveDataPoints: CurveDataPointsListType
    CurveDataPoints_L2: CurveDataPointsListType | None = None
    CurveDataPoints_L3: CurveDataPointsListType | None = None
    OpenLoopResponseTime: RationalNumberType
    TimeConstantPT1: unsignedInt | None = None
    ReferenceVoltage: RationalNumberType  # V
    AutonomousReferenceVoltageAdjustmentEnable: boolean
    ReferenceVoltageAdjustmentTimeConstant: unsignedInt


class VoltWattType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    xUnit: derUnitType
    yUnit: derUnitType
    CurveDataPoints: CurveDataPointsListType
    CurveDataPoints_L2: CurveDataPointsListType | None = None
    CurveDataPoints_L3: CurveDataPointsListType | None = None
    OpenLoopResponseTime: RationalNumberType
    TimeConstantPT1: unsignedInt | None = None


class WattVarType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    xUnit: derUnitType
    yUnit: derUnitType
    CurveDataPoints: CurveDataPointsListType
    CurveDataPoints_L2: CurveDataPointsListType | None = None
    CurveDataPoints_L3: CurveDataPointsListType | None = None
    OpenLoopResponseTime: RationalNumberType | None = None
    TimeConstantPT1: unsignedInt | None = None


class ConstantWattType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    WattSetpoint: RationalNumberType
    WattSetpoint_L2: RationalNumberType | None = None
    WattSetpoint_L3: RationalNumberType | None = None
    Unit: derUnitType


class ConstantVarType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    VarSetpoint: RationalNumberType  # var
    VarSetpoint_L2: RationalNumberType | None = None  # var
    VarSetpoint_L3: RationalNumberType | None = None  # var
    Unit: derUnitType


class LimitMaxDischargePowerType(Type):
    Enable: boolean
    Priority: unsignedShort | None = None
    PercentageValue: unsignedShort
    PercentageValue_L2: unsignedShort | None = None
    PercentageValue_L3: unsignedShort | None = None
    OpenLoopResponseTime: RationalNumberType | None = None


class VoltageTripType(Type):
    OverVoltageMustTripCurve: DERCurveType
    UnderVoltageMustTripCurve: DERCurveType
    OverVoltageMomentaryCessationTripCurve: DERCurveType | None = None
    UnderVoltageMomentaryCessationTripCurve: DERCurveType | None = None
    OverVoltageMayTripCurve: DERCurveType | None = None
    UnderVoltageMayTripCurve: DERCurveType | None = None


class FrequencyTripType(Type):
    OverFrequencyMustTripCurve: DERCurveType
    UnderFrequencyMustTripCurve: DERCurveType
    OverFrequencyMayTripCurve: DERCurveType | None = None
    UnderFrequencyMayTripCurve: DERCurveType | None = None


class EnterServiceCPDResType(Type):
    PermitService: boolean
    EnterServiceVoltageHigh: RationalNumberType  # V
    EnterServiceVoltageLow: RationalNumberType  # V
    EnterServiceFrequencyHigh: RationalNumberType  # Hz
    EnterServiceFrequencyLow: RationalNumberType  # Hz
    EnterServiceDelay: RationalNumberType | None = None
    EnterServiceRandomizedDelay: RationalNumberType | None = None
    EnterServiceRampTime: RationalNumberType | None = None


class EnterServiceCLResType(Type):
    PermitService: boolean
    EnterServiceVoltageHigh: RationalNumberType | None = None  # V
    EnterServiceVoltageLow: RationalNumberType | None = None  # V
    EnterServiceFrequencyHigh: RationalNumberType | None = None  # Hz
    EnterServiceFrequencyLow: RationalNumberType | None = None  # Hz
    EnterServiceDelay: RationalNumberType | None = None
    EnterServiceRandomizedDelay: RationalNumberType | None = None
    EnterServiceRampTime: RationalNumberType | None = None


class ReactivePowerSupportCPDResType(Type):
    ConstantPowerFactor: ConstantPowerFactorType
    VoltVar: VoltVarType
    WattVar: WattVarType
    ConstantVar: ConstantVarType


class ReactivePowerSupportCLResType(Type):
    ConstantPowerFactor: ConstantPowerFactorType | None = None
    VoltVar: VoltVarType | None = None
    WattVar: WattVarType | None = None
    ConstantVar: ConstantVarType | None = None


class ActivePowerSupportCPDResType(Type):
    FrequencyDroop: FrequencyDroopType
    VoltWatt: VoltWattType
    ConstantWatt: ConstantWattType
    LimitMaxDischargePower: LimitMaxDischargePowerType


class ActivePowerSupportCLResType(Type):
    FrequencyDroop: FrequencyDroopType | None = None
    VoltWatt: VoltWattType | None = None
    ConstantWatt: ConstantWattType | None = None
    LimitMaxDischargePower: LimitMaxDischargePowerType | None = None


class DERControlCLResType(Type):
    VoltageTrip: VoltageTripType | None = None
    FrequencyTrip: FrequencyTripType | None = None
    EnterServiceCLRes: EnterServiceCLResType
    ReactivePowerSupportCLRes: ReactivePowerSupportCLResType | None = None
    ActivePowerSupportCLRes: ActivePowerSupportCLResType | None = None


class EVApparentPowerLimitsType(Type):
    EVMaximumApparentPowerDuringChargingAndVarAbsorption: RationalNumberType  # VA
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L3: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringChargingAndVarInjection: RationalNumberType  # VA
    EVMaximumApparentPowerDuringChargingAndVarInjection_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringChargingAndVarInjection_L3: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption: RationalNumberType  # VA
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L3: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarInjection: RationalNumberType  # VA
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L3: RationalNumberType | None = None  # VA


class DERControlCPDResType(Type):
    VoltageTrip: VoltageTripType
    FrequencyTrip: FrequencyTripType
    EnterServiceCPDRes: EnterServiceCPDResType
    ReactivePowerSupportCPDRes: ReactivePowerSupportCPDResType
    ActivePowerSupportCPDRes: ActivePowerSupportCPDResType


class EVReactivePowerLimitsType(Type):
    EVMaximumVarAbsorptionDuringCharging: RationalNumberType  # var
    EVMaximumVarAbsorptionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMaximumVarAbsorptionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringCharging: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringCharging: RationalNumberType  # var
    EVMaximumVarInjectionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringCharging: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMaximumVarAbsorptionDuringDischarging: RationalNumberType  # var
    EVMaximumVarAbsorptionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMaximumVarAbsorptionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringDischarging: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringDischarging: RationalNumberType  # var
    EVMaximumVarInjectionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringDischarging: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVReactiveSusceptance: RationalNumberType
    EVReactiveSusceptance_L2: RationalNumberType | None = None
    EVReactiveSusceptance_L3: RationalNumberType | None = None


class EVExcitationLimitsType(Type):
    EVSpecifiedOverExcitedPowerFactor: RationalNumberType
    EVSpecifiedOverExcitedPowerFactor_L2: RationalNumberType | None = None
    EVSpecifiedOverExcitedPowerFactor_L3: RationalNumberType | None = None
    EVSpecifiedOverExcitedDischargePower: RationalNumberType  # W
    EVSpecifiedOverExcitedDischargePower_L2: RationalNumberType | None = None  # W
    EVSpecifiedOverExcitedDischargePower_L3: RationalNumberType | None = None  # W
    EVSpecifiedUnderExcitedPowerFactor: RationalNumberType
    EVSpecifiedUnderExcitedPowerFactor_L2: RationalNumberType | None = None
    EVSpecifiedUnderExcitedPowerFactor_L3: RationalNumberType | None = None
    EVSpecifiedUnderExcitedDischargePower: RationalNumberType  # W
    EVSpecifiedUnderExcitedDischargePower_L2: RationalNumberType | None = None  # W
    EVSpecifiedUnderExcitedDischargePower_L3: RationalNumberType | None = None  # W


class EVInverterDetailsType(Type):
    EVInverterSwVersion: evInverterSwVersionType
    EVInverterHwVersion: evInverterHwVersionType | None = None
    EVInverterManufacturer: evInverterManufacturerType
    EVInverterModel: evInverterModelType
    EVInverterSerialNumber: evInverterSerialNumberType


class EVSEReactivePowerLimitsType(Type):
    EVSEMaximumVarAbsorptionDuringCharging: RationalNumberType  # var
    EVSEMaximumVarAbsorptionDuringCharging_L2: RationalNumberType | None = None  # var
    EVSEMaximumVarAbsorptionDuringCharging_L3: RationalNumberType | None = None  # var
    EVSEMaximumVarInjectionDuringCharging: RationalNumberType  # var
    EVSEMaximumVarInjectionDuringCharging_L2: RationalNumberType | None = None  # var
    EVSEMaximumVarInjectionDuringCharging_L3: RationalNumberType | None = None  # var
    EVSEMaximumVarAbsorptionDuringDischarging: RationalNumberType  # var
    EVSEMaximumVarAbsorptionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVSEMaximumVarAbsorptionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVSEMaximumVarInjectionDuringDischarging: RationalNumberType  # var
    EVSEMaximumVarInjectionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVSEMaximumVarInjectionDuringDischarging_L3: RationalNumberType | None = None  # var


class GridLimitsType(Type):
    GridNominalFrequency: RationalNumberType  # Hz
    GridNominalVoltage: RationalNumberType  # V
    GridNominalVoltageOffset: RationalNumberType  # V
    GridMinFrequency: RationalNumberType | None = None  # Hz
    GridMaxFrequency: RationalNumberType | None = None  # Hz
    GridMaximumVoltage: RationalNumberType  # V
    GridMinimumVoltage: RationalNumberType  # V


class EVApparentPowerType(Type):
    EVMaximumApparentPowerDuringChargingAndVarAbsorption: RationalNumberType  # VA
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L3: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringChargingAndVarInjection: RationalNumberType  # VA
    EVMaximumApparentPowerDuringChargingAndVarInjection_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringChargingAndVarInjection_L3: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption: RationalNumberType  # VA
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L3: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarInjection: RationalNumberType  # VA
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L2: RationalNumberType | None = None  # VA
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L3: RationalNumberType | None = None  # VA


class EVReactivePowerType(Type):
    EVMaximumVarAbsorptionDuringCharging: RationalNumberType  # var
    EVMaximumVarAbsorptionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMaximumVarAbsorptionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringCharging: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringCharging: RationalNumberType  # var
    EVMaximumVarInjectionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringCharging: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringCharging_L2: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringCharging_L3: RationalNumberType | None = None  # var
    EVMaximumVarAbsorptionDuringDischarging: RationalNumberType  # var
    EVMaximumVarAbsorptionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMaximumVarAbsorptionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringDischarging: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMinimumVarAbsorptionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringDischarging: RationalNumberType  # var
    EVMaximumVarInjectionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMaximumVarInjectionDuringDischarging_L3: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringDischarging: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringDischarging_L2: RationalNumberType | None = None  # var
    EVMinimumVarInjectionDuringDischarging_L3: RationalNumberType | None = None  # var


class EVExcitationType(Type):
    EVSpecifiedOverExcitedPowerFactor: RationalNumberType | None = None
    EVSpecifiedOverExcitedPowerFactor_L2: RationalNumberType | None = None
    EVSpecifiedOverExcitedPowerFactor_L3: RationalNumberType | None = None
    EVSpecifiedOverExcitedDischargePower: RationalNumberType  # W
    EVSpecifiedOverExcitedDischargePower_L2: RationalNumberType | None = None  # W
    EVSpecifiedOverExcitedDischargePower_L3: RationalNumberType | None = None  # W
    EVSpecifiedUnderExcitedPowerFactor: RationalNumberType | None = None
    EVSpecifiedUnderExcitedPowerFactor_L2: RationalNumberType | None = None
    EVSpecifiedUnderExcitedPowerFactor_L3: RationalNumberType | None = None
    EVSpecifiedUnderExcitedDischargePower: RationalNumberType  # W
    EVSpecifiedUnderExcitedDischargePower_L2: RationalNumberType | None = None  # W
    EVSpecifiedUnderExcitedDischargePower_L3: RationalNumberType | None = None  # W


@element("DER_AC_CPDReqEnergyTransferMode", substitutes="AC_CPDReqEnergyTransferMode")
class DER_AC_CPDReqEnergyTransferModeType(AC_CPDReqEnergyTransferModeType):
    EVProcessing: processingType
    EVMaximumDischargePower: RationalNumberType  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W
    EVSessionTotalDischargeEnergyAvailable: RationalNumberType | None = None  # Wh
    EVApparentPowerLimits: EVApparentPowerLimitsType
    EVReactivePowerLimits: EVReactivePowerLimitsType
    EVExcitationLimits: EVExcitationLimitsType
    EVInverterDetails: EVInverterDetailsType
    IEEE1547NormalCategory: ieee1547NormalCategoryType
    IEEE1547AbnormalCategory: ieee1547AbnormalCategoryType
    EVNominalVoltage: RationalNumberType  # V
    EVMaximumVoltage: RationalNumberType  # V
    EVMinimumVoltage: RationalNumberType  # V
    EVNominalVoltageOffset: RationalNumberType  # V
    J3072Certified: boolean
    J3072CertificationDate: unsignedLong
    EVUseableWattHours: unsignedInt
    EVUpdateTime: unsignedLong
    SupportedModes: unsignedInt
    EnabledModes: unsignedInt


@element("DER_AC_CPDResEnergyTransferMode", substitutes="AC_CPDResEnergyTransferMode")
class DER_AC_CPDResEnergyTransferModeType(AC_CPDResEnergyTransferModeType):
    EVSEProcessing: processingType
    EVSEStatus: EVSEStatusType | None = None
    DERControlCPDRes: DERControlCPDResType
    EVSENominalChargePower: RationalNumberType | None = None  # W
    EVSENominalChargePower_L2: RationalNumberType | None = None  # W
    EVSENominalChargePower_L3: RationalNumberType | None = None  # W
    EVSENominalDischargePower: RationalNumberType | None = None  # W
    EVSENominalDischargePower_L2: RationalNumberType | None = None  # W
    EVSENominalDischargePower_L3: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower: RationalNumberType  # W
    EVSEMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVSEReactivePowerLimits: EVSEReactivePowerLimitsType
    GridLimits: GridLimitsType
    RequiredDEROperatingMode: requiredDEROperatingModeType
    GridConnectionMode: gridConnectionModeType
    EVSEUpdateTime: unsignedLong


@element("DER_Scheduled_AC_CLReqControlMode", substitutes="Scheduled_AC_CLReqControlMode")
class DER_Scheduled_AC_CLReqControlModeType(Scheduled_AC_CLReqControlModeType):
    EVPresentVoltage: RationalNumberType  # V
    EVPresentFrequency: RationalNumberType  # Hz
    EVMaximumDischargePower: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W
    DEROperationalState: derOperationalStateType
    DERConnectionStatus: derConnectionStatusType
    EVApparentPower: EVApparentPowerType | None = None
    EVReactivePower: EVReactivePowerType | None = None
    EVExcitation: EVExcitationType | None = None
    EVUpdateTime: unsignedLong
    EVMinimumChargingDuration: unsignedInt | None = None
    EVDurationMaximumChargeRate: unsignedInt | None = None
    EVDurationMaximumDischargeRate: unsignedInt | None = None
    DERAlarmStatus: unsignedInt
    EnabledModes: unsignedInt


@element("DER_Scheduled_AC_CLResControlMode", substitutes="Scheduled_AC_CLResControlMode")
class DER_Scheduled_AC_CLResControlModeType(Scheduled_AC_CLResControlModeType):
    DERControlCLRes: DERControlCLResType
    EVSEMaximumChargePower: RationalNumberType | None = None  # W
    EVSEMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L3: RationalNumberType | None = None  # W
    RequiredDEROperatingMode: requiredDEROperatingModeType | None = None
    GridConnectionMode: gridConnectionModeType | None = None


@element("DER_Dynamic_AC_CLReqControlMode", substitutes="Dynamic_AC_CLReqControlMode")
class DER_Dynamic_AC_CLReqControlModeType(Dynamic_AC_CLReqControlModeType):
    EVMaximumDischargePower: RationalNumberType  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W
    EVPresentVoltage: RationalNumberType  # V
    EVPresentFrequency: RationalNumberType  # Hz
    EVSessionTotalDischargeEnergyAvailable: RationalNumberType | None = None  # Wh
    EVApparentPower: EVApparentPowerType | None = None
    EVReactivePower: EVReactivePowerType | None = None
    EVExcitation: EVExcitationType | None = None
    EVMaximumV2XEnergyRequest: RationalNumberType | None = None  # Wh
    EVMinimumV2XEnergyRequest: RationalNumberType | None = None  # Wh
    DEROperationalState: derOperationalStateType
    DERConnectionStatus: derConnectionStatusType
    EVUpdateTime: unsignedLong
    EVMinimumChargingDuration: unsignedInt
    EVDurationMaximumChargeRate: unsignedInt
    EVDurationMaximumDischargeRate: unsignedInt
    DERAlarmStatus: unsignedInt
    EnabledModes: unsignedInt


@element("DER_Dynamic_AC_CLResControlMode", substitutes="Dynamic_AC_CLResControlMode")
class DER_Dynamic_AC_CLResControlModeType(Dynamic_AC_CLResControlModeType):
    DERControlCLRes: DERControlCLResType
    EVSEMaximumChargePower: RationalNumberType | None = None  # W
    EVSEMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L3: RationalNumberType | None = None  # W
    RequiredDEROperatingMode: requiredDEROperatingModeType | None = None
    GridConnectionMode: gridConnectionModeType | None = None
