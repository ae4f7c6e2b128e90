"""ISO 15118-20 AC and AC_BPT."""

from v2g.exi.schema import Type, element
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
)

NAMESPACE = "urn:iso:std:iso:15118:-20:AC"
PREFIX = "ac"
ATTRIBUTES_QUALIFIED = True


@element("AC_CPDReqEnergyTransferMode")
class AC_CPDReqEnergyTransferModeType(Type):
    EVMaximumChargePower: RationalNumberType  # W
    EVMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVMinimumChargePower: RationalNumberType  # W
    EVMinimumChargePower_L2: RationalNumberType | None = None  # W
    EVMinimumChargePower_L3: RationalNumberType | None = None  # W


@element
class AC_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReqType):
    AC_CPDReqEnergyTransferMode: AC_CPDReqEnergyTransferModeType


@element("AC_CPDResEnergyTransferMode")
class AC_CPDResEnergyTransferModeType(Type):
    EVSEMaximumChargePower: RationalNumberType  # W
    EVSEMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVSEMinimumChargePower: RationalNumberType  # W
    EVSEMinimumChargePower_L2: RationalNumberType | None = None  # W
    EVSEMinimumChargePower_L3: RationalNumberType | None = None  # W
    EVSENominalFrequency: RationalNumberType  # Hz
    MaximumPowerAsymmetry: RationalNumberType | None = None  # W
    EVSEPowerRampLimitation: RationalNumberType | None = None  # W
    EVSEPresentActivePower: RationalNumberType | None = None  # W
    EVSEPresentActivePower_L2: RationalNumberType | None = None  # W
    EVSEPresentActivePower_L3: RationalNumberType | None = None  # W


@element
class AC_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryResType):
    AC_CPDResEnergyTransferMode: AC_CPDResEnergyTransferModeType


@element
class AC_ChargeLoopReq(ChargeLoopReqType):
    CLReqControlMode: CLReqControlModeType


@element
class AC_ChargeLoopRes(ChargeLoopResType):
    EVSETargetFrequency: RationalNumberType | None = None  # Hz
    CLResControlMode: CLResControlModeType


@element("BPT_AC_CPDReqEnergyTransferMode", substitutes="AC_CPDReqEnergyTransferMode")
class BPT_AC_CPDReqEnergyTransferModeType(AC_CPDReqEnergyTransferModeType):
    EVMaximumDischargePower: RationalNumberType  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W


@element("BPT_AC_CPDResEnergyTransferMode", substitutes="AC_CPDResEnergyTransferMode")
class BPT_AC_CPDResEnergyTransferModeType(AC_CPDResEnergyTransferModeType):
    EVSEMaximumDischargePower: RationalNumberType  # W
    EVSEMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVSEMinimumDischargePower: RationalNumberType  # W
    EVSEMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVSEMinimumDischargePower_L3: RationalNumberType | None = None  # W


@element("Scheduled_AC_CLReqControlMode", substitutes="CLReqControlMode")
class Scheduled_AC_CLReqControlModeType(Scheduled_CLReqControlModeType):
    EVMaximumChargePower: RationalNumberType | None = None  # W
    EVMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVMinimumChargePower: RationalNumberType | None = None  # W
    EVMinimumChargePower_L2: RationalNumberType | None = None  # W
    EVMinimumChargePower_L3: RationalNumberType | None = None  # W
    EVPresentActivePower: RationalNumberType  # W
    EVPresentActivePower_L2: RationalNumberType | None = None  # W
    EVPresentActivePower_L3: RationalNumberType | None = None  # W
    EVPresentReactivePower: RationalNumberType | None = None  # W
    EVPresentReactivePower_L2: RationalNumberType | None = None  # W
    EVPresentReactivePower_L3: RationalNumberType | None = None  # W


@element("Scheduled_AC_CLResControlMode", substitutes="CLResControlMode")
class Scheduled_AC_CLResControlModeType(Scheduled_CLResControlModeType):
    EVSETargetActivePower: RationalNumberType | None = None  # W
    EVSETargetActivePower_L2: RationalNumberType | None = None  # W
    EVSETargetActivePower_L3: RationalNumberType | None = None  # W
    EVSETargetReactivePower: RationalNumberType | None = None  # W
    EVSETargetReactivePower_L2: RationalNumberType | None = None  # W
    EVSETargetReactivePower_L3: RationalNumberType | None = None  # W
    EVSEPresentActivePower: RationalNumberType | None = None  # W
    EVSEPresentActivePower_L2: RationalNumberType | None = None  # W
    EVSEPresentActivePower_L3: RationalNumberType | None = None  # W


@element("BPT_Scheduled_AC_CLReqControlMode", substitutes="Scheduled_AC_CLReqControlMode")
class BPT_Scheduled_AC_CLReqControlModeType(Scheduled_AC_CLReqControlModeType):
    EVMaximumDischargePower: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W


@element("BPT_Scheduled_AC_CLResControlMode", substitutes="Scheduled_AC_CLResControlMode")
class BPT_Scheduled_AC_CLResControlModeType(Scheduled_AC_CLResControlModeType):
    pass


@element("Dynamic_AC_CLReqControlMode", substitutes="CLReqControlMode")
class Dynamic_AC_CLReqControlModeType(Dynamic_CLReqControlModeType):
    EVMaximumChargePower: RationalNumberType  # W
    EVMaximumChargePower_L2: RationalNumberType | None = None  # W
    EVMaximumChargePower_L3: RationalNumberType | None = None  # W
    EVMinimumChargePower: RationalNumberType  # W
    EVMinimumChargePower_L2: RationalNumberType | None = None  # W
    EVMinimumChargePower_L3: RationalNumberType | None = None  # W
    EVPresentActivePower: RationalNumberType  # W
    EVPresentActivePower_L2: RationalNumberType | None = None  # W
    EVPresentActivePower_L3: RationalNumberType | None = None  # W
    EVPresentReactivePower: RationalNumberType  # W
    EVPresentReactivePower_L2: RationalNumberType | None = None  # W
    EVPresentReactivePower_L3: RationalNumberType | None = None  # W


@element("Dynamic_AC_CLResControlMode", substitutes="CLResControlMode")
class Dynamic_AC_CLResControlModeType(Dynamic_CLResControlModeType):
    EVSETargetActivePower: RationalNumberType  # W
    EVSETargetActivePower_L2: RationalNumberType | None = None  # W
    EVSETargetActivePower_L3: RationalNumberType | None = None  # W
    EVSETargetReactivePower: RationalNumberType | None = None  # W
    EVSETargetReactivePower_L2: RationalNumberType | None = None  # W
    EVSETargetReactivePower_L3: RationalNumberType | None = None  # W
    EVSEPresentActivePower: RationalNumberType | None = None  # W
    EVSEPresentActivePower_L2: RationalNumberType | None = None  # W
    EVSEPresentActivePower_L3: RationalNumberType | None = None  # W


@element("BPT_Dynamic_AC_CLReqControlMode", substitutes="Dynamic_AC_CLReqControlMode")
class BPT_Dynamic_AC_CLReqControlModeType(Dynamic_AC_CLReqControlModeType):
    EVMaximumDischargePower: RationalNumberType  # W
    EVMaximumDischargePower_L2: RationalNumberType | None = None  # W
    EVMaximumDischargePower_L3: RationalNumberType | None = None  # W
    EVMinimumDischargePower: RationalNumberType  # W
    EVMinimumDischargePower_L2: RationalNumberType | None = None  # W
    EVMinimumDischargePower_L3: RationalNumberType | None = None  # W
    EVMaximumV2XEnergyRequest: RationalNumberType | None = None  # Wh
    EVMinimumV2XEnergyRequest: RationalNumberType | None = None  # Wh


@element("BPT_Dynamic_AC_CLResControlMode", substitutes="Dynamic_AC_CLResControlMode")
class BPT_Dynamic_AC_CLResControlModeType(Dynamic_AC_CLResControlModeType):
    pass
