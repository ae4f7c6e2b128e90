"""The variables of the device model, one declaration (`Row`) for each, and those that belong to the station as a whole.

A block declares the rows that its own code reads (`Block.variables`); here are the others. What may be set is read by something
(`tests/ocpp_bridge/test_device_model.py`), or it would be Accepted without effect.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from v2g.services import PROTOCOLS

Key = tuple[str, str, str, int]  # component, variable, instance of the variable, EVSE (0: the station)

BOOLEAN: Final = r"true|false"
WHOLE: Final = r"[0-9]{1,9}"
DECIMAL: Final = r"-?[0-9]{1,9}(\.[0-9]{1,6})?"
POINTS: Final = ("ParkingBayOccupancy", "EVConnected", "Authorized", "DataSigned", "PowerPathClosed", "EnergyTransfer")
SUPPORTED: Final = (*PROTOCOLS, *[""] * (8 - len(PROTOCOLS)))  # by who says nothing; the places that are left are for older generations


def list_of(words: Iterable[str]) -> str:
    """The pattern of a comma-separated list of these words."""
    any_of = "|".join(re.escape(word) for word in words)
    return rf"(?:(?:{any_of})(?:,(?:{any_of}))*)?"


def one_of(words: Iterable[str]) -> str:
    """The pattern of one of these words."""
    return "|".join(re.escape(word) for word in words)


@dataclass(frozen=True, slots=True)
class Row:
    """The declaration of a variable. `rule` is the pattern of values that may be set; without it the variable is read-only.

    What was set survives a restart of the station, unless it is secret: whoever uses a secret keeps it.
    """

    component: str
    variable: str
    value: str
    type: str = "string"
    rule: str | None = None
    unit: str = ""
    instance: str = ""
    each: bool = False  # one at every EVSE
    secret: bool = False  # may be set, never read
    low: float | None = None  # the least number that may be set
    high: float | None = None  # the greatest
    values: tuple[str, ...] = ()  # what it, or each member of it, may be
    attributes: tuple[str, ...] = ("Actual",)  # those that it has of Actual, Target, MinSet and MaxSet; all but Actual are read-only
    reboot: bool = False  # what is set holds after the next reset
    connector: bool = False  # of the connector (each EVSE has one), not of the EVSE itself
    required: str = ""  # the use cases of OCPP that require it

    def at(self, evse: int) -> Key:
        """The key of the variable at an EVSE."""
        return self.component, self.variable, self.instance, evse

    def objection(self, value: str) -> str:
        """Why a value may not be set, in words; empty: it may."""
        if self.rule is None:
            return "the variable is read-only"
        if not re.fullmatch(self.rule, value):
            return f"it does not look like a value of this variable ({self.type})"
        if self.low is not None and float(value) < self.low:
            return f"{value} is below {self.low:g}, the least that is allowed"
        if self.high is not None and float(value) > self.high:
            return f"{value} is above {self.high:g}, the most that is allowed"
        return ""


FLAG, NUMBER, LIST, ORDERED, OPTION, REAL, TIME = "boolean", "integer", "MemberList", "SequenceList", "OptionList", "decimal", "dateTime"
ITEMS, OCTETS = "100", "65536"  # what one request about variables may have: as many entries as one report, a sixteenth of a frame
SETPOINT, MOST = ("Actual", "MaxSet", "Target"), ("Actual", "MaxSet")

STATION: Final[tuple[Row, ...]] = (
    Row("ISO15118Ctrlr", "Enabled", "true", FLAG),
    Row("ISO15118Ctrlr", "Active", "false", FLAG, each=True),
    Row("ISO15118Ctrlr", "Complete", "false", FLAG, each=True),  # the last session ended as it should
    Row("ISO15118Ctrlr", "Tripped", "false", FLAG, each=True),  # it did not
    Row("ISO15118Ctrlr", "PnCEnabled", "true", FLAG, BOOLEAN, required="C07"),
    Row("ISO15118Ctrlr", "CentralContractValidationAllowed", "true", FLAG, BOOLEAN),
    Row("ISO15118Ctrlr", "ContractValidationOffline", "true", FLAG, BOOLEAN, required="C07"),
    Row("ISO15118Ctrlr", "ContractCertificateInstallationEnabled", "true", FLAG, BOOLEAN),
    Row("ISO15118Ctrlr", "Problem", "false", FLAG),
    Row("ISO15118Ctrlr", "MaxScheduleEntries", "1024", NUMBER),
    Row("ISO15118Ctrlr", "MaxPriceElements", "1024", NUMBER),  # what a price schedule to a car has room for
    *(Row("ISO15118Ctrlr", name, "60", NUMBER, unit="s") for name in ("NotificationMaxDelay", "NotificationDelay")),  # sources differ
    Row("ISO15118Ctrlr", "SupportedProviders", ""),
    Row("ISO15118Ctrlr", "ServiceRenegotiationSupport", "true", FLAG),
    Row("ISO15118Ctrlr", "RequestedEnergyTransferMode", "", each=True),
    *(Row("ISO15118Ctrlr", "ProtocolSupported", each, instance=str(number)) for number, each in enumerate(SUPPORTED, 1)),
    Row("V2XChargingCtrlr", "Available", "true", FLAG, each=True),
    Row("V2XChargingCtrlr", "Enabled", "true", FLAG, BOOLEAN, each=True, required="Q01"),
    Row("V2XChargingCtrlr", "SupportedEnergyTransferModes", "", LIST, each=True),
    Row("V2XChargingCtrlr", "SupportedOperationModes", "", LIST, each=True),
    Row("SmartChargingCtrlr", "Enabled", "true", FLAG),
    Row("SmartChargingCtrlr", "Entries", "0", NUMBER, instance="ChargingProfiles", required="K01"),
    Row("SmartChargingCtrlr", "LimitChangeSignificance", "1", REAL, r"[0-9]{1,3}(\.[0-9]+)?", unit="Percent", required="K12"),
    Row("SmartChargingCtrlr", "PeriodsPerSchedule", "1024", NUMBER, required="K01"),
    Row("SmartChargingCtrlr", "ProfileStackLevel", "100", NUMBER, required="K01"),
    Row("SmartChargingCtrlr", "RateUnit", "W,A", LIST, values=("W", "A"), required="K01"),
    Row("SmartChargingCtrlr", "Phases3to1", "false", FLAG),
    Row("SmartChargingCtrlr", "ACPhaseSwitchingSupported", "false", FLAG),
    Row("SmartChargingCtrlr", "SetpointPriority", "CSMS", OPTION, values=("CSMS",)),  # an energy management leads where a profile lets it
    Row("SmartChargingCtrlr", "SupportsFeature", "true", FLAG, instance="DynamicProfiles"),
    Row("SmartChargingCtrlr", "SupportsFeature", "true", FLAG, instance="MaxOfflineDuration"),
    Row("SmartChargingCtrlr", "SupportsFeature", "true", FLAG, instance="UseLocalTime"),
    Row("SmartChargingCtrlr", "SupportsFeature", "true", FLAG, instance="RandomizedDelay"),
    Row("SmartChargingCtrlr", "SupportsFeature", "true", FLAG, instance="LimitAtSoC"),
    Row("SmartChargingCtrlr", "SupportsFeature", "false", FLAG, instance="EvseSleep"),
    Row("TxCtrlr", "TxStartPoint", "EVConnected", LIST, list_of(POINTS), values=POINTS, required="E01"),
    Row("TxCtrlr", "TxStopPoint", "EVConnected,Authorized", LIST, list_of(POINTS), values=POINTS, required="E06"),
    Row("TxCtrlr", "StopTxOnInvalidId", "true", FLAG, BOOLEAN, required="E05"),
    Row("TxCtrlr", "MaxEnergyOnInvalidId", "0", NUMBER, WHOLE, unit="Wh"),
    Row("TxCtrlr", "StopTxOnEVSideDisconnect", "true", FLAG, required="E10"),
    Row("TxCtrlr", "EVConnectionTimeOut", "120", NUMBER, WHOLE, unit="s", required="E03, F02"),
    Row("AuthCtrlr", "Enabled", "true", FLAG, BOOLEAN),
    Row("AuthCtrlr", "AuthorizeRemoteStart", "true", FLAG, BOOLEAN, required="F01"),
    Row("AuthCtrlr", "LocalAuthorizeOffline", "true", FLAG, BOOLEAN, required="C13"),
    Row("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "false", FLAG, BOOLEAN, required="C15"),
    Row("AuthCtrlr", "Autocharge", "false", FLAG, BOOLEAN),  # ours: an EVCCID stands for a token
    Row("AuthCacheCtrlr", "Available", "true", FLAG),
    Row("AuthCacheCtrlr", "Enabled", "true", FLAG, BOOLEAN, required="C10"),
    Row("OCPPCommCtrlr", "HeartbeatInterval", "86400", NUMBER, r"[1-9][0-9]{0,8}", unit="s", low=1, required="G02"),
    Row("OCPPCommCtrlr", "WebSocketPingInterval", "60", NUMBER, WHOLE, unit="s", reboot=True),
    Row("OCPPCommCtrlr", "MessageTimeout", "30", NUMBER, r"[1-9][0-9]{0,4}", unit="s", instance="Default", required="B01"),
    Row("OCPPCommCtrlr", "MessageAttempts", "3", NUMBER, r"[1-9][0-9]?", instance="TransactionEvent", required="E13"),
    Row("OCPPCommCtrlr", "MessageAttemptInterval", "30", NUMBER, r"[0-9]{1,5}", unit="s", instance="TransactionEvent", required="E13"),
    Row("OCPPCommCtrlr", "RetryBackOffWaitMinimum", "2", NUMBER, r"[0-9]{1,5}", unit="s", required="B01"),
    Row("OCPPCommCtrlr", "RetryBackOffRandomRange", "2", NUMBER, r"[0-9]{1,5}", unit="s", required="B01"),
    Row("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "5", NUMBER, r"[0-9]{1,2}", required="B01"),
    Row("OCPPCommCtrlr", "OfflineThreshold", "60", NUMBER, WHOLE, unit="s", required="B04"),
    Row("OCPPCommCtrlr", "QueueAllMessages", "false", FLAG, BOOLEAN),
    Row("OCPPCommCtrlr", "FileTransferProtocols", "", LIST, required="N01"),
    *(
        Row("DeviceDataCtrlr", limit, most, NUMBER, instance=action, required="B05, B06, B08")
        for action in ("GetVariables", "SetVariables", "GetReport")
        for limit, most in (("ItemsPerMessage", ITEMS), ("BytesPerMessage", OCTETS))
    ),
    Row("DeviceDataCtrlr", "ConfigurationValueSize", "1000", NUMBER),
    Row("DeviceDataCtrlr", "ReportingValueSize", "2500", NUMBER),
    Row("DeviceDataCtrlr", "ValueSize", "2500", NUMBER),
    Row("ClockCtrlr", "TimeSource", "Heartbeat", ORDERED, list_of(("Heartbeat", "NTP", "RealTimeClock")),
        values=("Heartbeat", "NTP", "RealTimeClock"), required="B01"),
    Row("ClockCtrlr", "DateTime", "", TIME, required="B01"),
    Row("SecurityCtrlr", "BasicAuthPassword", "", "string", r"[\x20-\x7e]{16,64}", secret=True, required="A01"),
    Row("SecurityCtrlr", "Identity", ""),
    Row("CustomizationCtrlr", "CustomImplementationEnabled", "false", FLAG, instance="v2gkit"),
    Row("ChargingStation", "Available", "true", FLAG),
    Row("ChargingStation", "AvailabilityState", "Available", OPTION, required="G03"),
    Row("ChargingStation", "Problem", "false", FLAG),
    Row("ChargingStation", "Model", ""),
    Row("ChargingStation", "VendorName", ""),
    Row("ChargingStation", "SerialNumber", ""),
    Row("ChargingStation", "FirmwareVersion", ""),
    Row("ChargingStation", "SupplyPhases", "3", NUMBER),
    Row("EVSE", "Available", "true", FLAG, each=True),
    Row("EVSE", "AvailabilityState", "Available", OPTION, each=True, required="G03"),
    Row("EVSE", "Problem", "false", FLAG, each=True),
    Row("EVSE", "AllowReset", "true", FLAG, each=True, required="B11"),
    Row("EVSE", "ISO15118EvseId", "", each=True),
    Row("EVSE", "SupplyPhases", "3", NUMBER, each=True),
    Row("EVSE", "Power", "0", REAL, unit="W", each=True, attributes=SETPOINT),
    Row("EVSE", "DischargePower", "0", REAL, unit="W", each=True, attributes=MOST),
    Row("Connector", "Available", "true", FLAG, each=True, connector=True),
    Row("Connector", "AvailabilityState", "Available", OPTION, each=True, connector=True, required="G03"),
    Row("Connector", "ConnectorType", "", each=True, connector=True),
    Row("Connector", "SupplyPhases", "3", NUMBER, each=True, connector=True),
    Row("Connector", "Problem", "false", FLAG, each=True, connector=True),
)  # fmt: skip
