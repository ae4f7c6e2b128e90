"""ISO 15118-20 WPT: wireless power transfer."""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import Binary, Occurs, String, Type, boolean, choice, element, short, unsignedByte, unsignedShort
from v2g.messages.common_types import (
    ChargeLoopReqType,
    ChargeLoopResType,
    ChargeParameterDiscoveryReqType,
    ChargeParameterDiscoveryResType,
    RationalNumberType,
    V2GRequestType,
    V2GResponseType,
    identifierType,
    numericIDType,
    processingType,
)

NAMESPACE = "urn:iso:std:iso:15118:-20:WPT"
PREFIX = "wpt"
ATTRIBUTES_QUALIFIED = True


class WPT_FinePositioningMethodType(Enum):
    Manual = "Manual"
    LF_TxEV = "LF_TxEV"
    LF_TxPrimaryDevice = "LF_TxPrimaryDevice"
    LPE = "LPE"
    Proprietary = "Proprietary"


class WPT_FinePositioningMethodListType(Type):
    WPT_FinePositioningMethod: Annotated[tuple[WPT_FinePositioningMethodType, ...], Occurs(1, 8)]


class WPT_PairingMethodType(Enum):
    External_confirmation = "External confirmation"
    LPE = "LPE"
    LF_TxEV = "LF_TxEV"
    LF_TxPrimaryDevice = "LF_TxPrimaryDevice"
    Optical = "Optical"
    Proprietary = "Proprietary"


class WPT_PairingMethodListType(Type):
    WPT_PairingMethod: Annotated[tuple[WPT_PairingMethodType, ...], Occurs(1, 8)]


class WPT_AlignmentCheckMethodType(Enum):
    PowerCheck = "PowerCheck"
    LPE = "LPE"
    Proprietary = "Proprietary"


class WPT_AlignmentCheckMethodListType(Type):
    WPT_AlignmentCheckMethod: Annotated[tuple[WPT_AlignmentCheckMethodType, ...], Occurs(1, 8)]


WPT_DataContainerType = Annotated[bytes, Binary("base64Binary", max_length=256)]


class WPT_CoordinateXYZType(Type):
    Coord_X: short
    Coord_Y: short
    Coord_Z: short


class WPT_TxRxSpecDataType(Type):
    TxRxIdentifier: numericIDType
    TxRxPosition: WPT_CoordinateXYZType
    TxRxOrientation: WPT_CoordinateXYZType


class WPT_TxRxPulseOrderType(Type):
    IndexNumber: unsignedShort
    TxRxIdentifier: numericIDType


class WPT_TxRxPackageSpecDataType(Type):
    PulseSequenceOrder: Annotated[tuple[WPT_TxRxPulseOrderType, ...], Occurs(2, 255)]
    PulseSeparationTime: unsignedShort
    PulseDuration: unsignedShort
    PackageSeparationTime: unsignedShort


class WPT_LF_TransmitterDataType(Type):
    NumberOfTransmitters: unsignedByte
    SignalFrequency: RationalNumberType  # Hz
    TxSpecData: Annotated[tuple[WPT_TxRxSpecDataType, ...], Occurs(2, 255)]
    TxPackageSpecData: WPT_TxRxPackageSpecDataType | None = None


class WPT_LF_ReceiverDataType(Type):
    NumberOfReceivers: unsignedByte
    RxSpecData: Annotated[tuple[WPT_TxRxSpecDataType, ...], Occurs(2, 255)]


@choice("LF_TransmitterSetupData", "LF_ReceiverSetupData")
class WPT_LF_SystemSetupDataType(Type):
    LF_TransmitterSetupData: WPT_LF_TransmitterDataType | None = None
    LF_ReceiverSetupData: WPT_LF_ReceiverDataType | None = None


@element
class WPT_FinePositioningSetupReq(V2GRequestType):
    EVProcessing: processingType
    EVDeviceFinePositioningMethodList: WPT_FinePositioningMethodListType
    EVDevicePairingMethodList: WPT_PairingMethodListType
    EVDeviceAlignmentCheckMethodList: WPT_AlignmentCheckMethodListType
    NaturalOffset: unsignedShort
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()
    LF_SystemSetupData: WPT_LF_SystemSetupDataType | None = None


@element
class WPT_FinePositioningSetupRes(V2GResponseType):
    PrimaryDeviceFinePositioningMethodList: WPT_FinePositioningMethodListType
    PrimaryDevicePairingMethodList: WPT_PairingMethodListType
    PrimaryDeviceAlignmentCheckMethodList: WPT_AlignmentCheckMethodListType
    NaturalOffset: unsignedShort
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()
    LF_SystemSetupData: WPT_LF_SystemSetupDataType | None = None


class WPT_EVResultType(Enum):
    EVResultUnknown = "EVResultUnknown"
    EVResultSuccess = "EVResultSuccess"
    EVResultFailed = "EVResultFailed"


class WPT_LF_TxDataType(Type):
    TxIdentifier: numericIDType
    EIRP: RationalNumberType


class WPT_LF_TxDataListType(Type):
    WPT_LF_TxDataList: WPT_LF_TxDataType


class WPT_LF_RxRSSIType(Type):
    TxIdentifier: numericIDType
    RSSI: RationalNumberType


class WPT_LF_RxRSSIListType(Type):
    RSSIDataList: WPT_LF_RxRSSIType


class WPT_LF_RxDataType(Type):
    RxIdentifier: numericIDType
    RSSIData: WPT_LF_RxRSSIListType


class WPT_LF_RxDataListType(Type):
    WPT_LF_RxDataList: WPT_LF_RxDataType


@choice("LF_TxData", "LF_RxData")
class WPT_LF_DataPackageType(Type):
    PackageIndex: unsignedByte
    LF_TxData: WPT_LF_TxDataListType | None = None
    LF_RxData: WPT_LF_RxDataListType | None = None


class WPT_LF_DataPackageListType(Type):
    NumPackages: unsignedByte
    WPT_LF_DataPackage: WPT_LF_DataPackageType


@element
class WPT_FinePositioningReq(V2GRequestType):
    EVProcessing: processingType
    EVResultCode: WPT_EVResultType
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()
    WPT_LF_DataPackageList: WPT_LF_DataPackageListType | None = None


@element
class WPT_FinePositioningRes(V2GResponseType):
    EVSEProcessing: processingType
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()
    WPT_LF_DataPackageList: WPT_LF_DataPackageListType | None = None


@element
class WPT_PairingReq(V2GRequestType):
    EVProcessing: processingType
    ObservedIDCode: numericIDType | None = None
    EVResultCode: WPT_EVResultType
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()


bssidType = Annotated[str, String(max_length=12)]
ipaddressType = Annotated[str, String(max_length=39)]


class AlternativeSECCType(Type):
    SSID: identifierType | None = None
    BSSID: bssidType | None = None
    IPAddress: ipaddressType | None = None
    Port: unsignedShort | None = None


class AlternativeSECCListType(Type):
    AlternativeSECC: Annotated[tuple[AlternativeSECCType, ...], Occurs(1, 8)]


@element
class WPT_PairingRes(V2GResponseType):
    EVSEProcessing: processingType
    ObservedIDCode: numericIDType | None = None
    AlternativeSECCList: AlternativeSECCListType | None = None
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()


@element
class WPT_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReqType):
    EVPCMaxReceivablePower: RationalNumberType  # W
    SDMaxGroundClearence: unsignedShort
    SDMinGroundClearence: unsignedShort
    EVPCNaturalFrequency: RationalNumberType  # Hz
    EVPCDeviceLocalControl: boolean
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()


class WPT_PowerClassType(Enum):
    MF_WPT1 = "MF-WPT1"
    MF_WPT2 = "MF-WPT2"
    MF_WPT3 = "MF-WPT3"
    MF_WPT4 = "MF-WPT4"


@element
class WPT_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryResType):
    PDInputPowerClass: WPT_PowerClassType
    SDMinOutputPower: RationalNumberType  # W
    SDMaxOutputPower: RationalNumberType  # W
    SDMaxGroundClearanceSupport: unsignedShort
    SDMinGroundClearanceSupport: unsignedShort
    PDMinCoilCurrent: RationalNumberType  # A
    PDMaxCoilCurrent: RationalNumberType  # A
    SDManufacturerSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()


@element
class WPT_AlignmentCheckReq(V2GRequestType):
    EVProcessing: processingType
    TargetCoilCurrent: RationalNumberType | None = None  # A
    EVResultCode: WPT_EVResultType
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()


@element
class WPT_AlignmentCheckRes(V2GResponseType):
    EVSEProcessing: processingType
    PowerTransmitted: RationalNumberType | None = None  # W
    SupplyDeviceCurrent: RationalNumberType | None = None  # A
    VendorSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()


class WPT_EVPCChargeDiagnosticsType(Enum):
    EVPCNoIssue = "EVPCNoIssue"
    EVPCTempOverheatDetected = "EVPCTempOverheatDetected"
    EVPCPowerTransferAnomalyDetected = "EVPCPowerTransferAnomalyDetected"
    EVPCAnomalyDetected = "EVPCAnomalyDetected"


class WPT_EVPCPowerControlParameterType(Type):
    EVPCCoilCurrentRequest: RationalNumberType  # A
    EVPCCoilCurrentInformation: RationalNumberType  # A
    EVPCCurrentOutputInformation: RationalNumberType  # A
    EVPCVoltageOutputInformation: RationalNumberType  # V


@element
class WPT_ChargeLoopReq(ChargeLoopReqType):
    EVPCPowerRequest: RationalNumberType  # W
    EVPCPowerOutput: RationalNumberType  # W
    EVPCChargeDiagnostics: WPT_EVPCChargeDiagnosticsType
    EVPCOperatingFrequency: RationalNumberType | None = None  # Hz
    EVPCPowerControlParameter: WPT_EVPCPowerControlParameterType | None = None
    ManufacturerSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()


class WPT_SPCChargeDiagnosticsType(Enum):
    SPCNoIssue = "SPCNoIssue"
    SPCFODDetected = "SPCFODDetected"
    SPCLOPDetected = "SPCLOPDetected"
    SPCTempOverheatDetected = "SPCTempOverheatDetected"
    SPCPowerTransferAnomalyDetected = "SPCPowerTransferAnomalyDetected"
    SPCAnomalyDetected = "SPCAnomalyDetected"


class WPT_SPCPowerControlParameterType(Type):
    SPCPrimaryDeviceCoilCurrentInformation: RationalNumberType  # A


@element
class WPT_ChargeLoopRes(ChargeLoopResType):
    EVPCPowerRequest: RationalNumberType  # W
    SDPowerInput: RationalNumberType | None = None  # W
    SPCMaxOutputPowerLimit: RationalNumberType  # W
    SPCMinOutputPowerLimit: RationalNumberType  # W
    SPCChargeDiagnostics: WPT_SPCChargeDiagnosticsType
    SPCOperatingFrequency: RationalNumberType | None = None  # Hz
    SPCPowerControlParameter: WPT_SPCPowerControlParameterType | None = None
    ManufacturerSpecificDataContainer: Annotated[tuple[WPT_DataContainerType, ...], Occurs(0, 16)] = ()
