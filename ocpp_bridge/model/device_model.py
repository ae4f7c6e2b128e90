"""The device model: what a CSMS may read and set, one row for each variable.

A row with `each` stands for one variable at every EVSE. Numbers, booleans and lists are strings, as on the wire; `rule` says what may be
set.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ocpp_bridge.wire.schemas import Payload
from v2g.services import PROTOCOLS

Key = tuple[str, str, str, int]  # component, variable, instance of the variable, EVSE (0: the station)

BOOLEAN: Final = r"true|false"
WHOLE: Final = r"[0-9]{1,9}"
POINTS: Final = ("ParkingBayOccupancy", "EVConnected", "Authorized", "DataSigned", "PowerPathClosed", "EnergyTransfer")
MEASURANDS: Final = (
    "Energy.Active.Import.Register", "Energy.Active.Export.Register", "Power.Active.Import", "Power.Active.Export", "SoC",
    "EnergyRequest.Target", "EnergyRequest.Minimum", "EnergyRequest.Maximum", "Power.Active.Setpoint", "Voltage",
)  # fmt: skip
METERED: Final = ",".join(MEASURANDS[:5])


def list_of(words: Iterable[str]) -> str:
    """The pattern of a comma-separated list of these words."""
    any_of = "|".join(re.escape(word) for word in words)
    return rf"(?:(?:{any_of})(?:,(?:{any_of}))*)?"


@dataclass(frozen=True, slots=True)
class Row:
    """The declaration of a variable. `rule` is the pattern of values that may be set; without it the variable is read-only."""

    component: str
    variable: str
    value: str
    type: str = "string"
    rule: str | None = None
    unit: str = ""
    instance: str = ""
    each: bool = False  # one at every EVSE
    secret: bool = False  # may be set, never read

    def at(self, evse: int) -> Key:
        """The key of the variable at an EVSE."""
        return self.component, self.variable, self.instance, evse


FLAG, NUMBER, LIST = "boolean", "integer", "MemberList"
ROWS: Final[tuple[Row, ...]] = (
    Row("ISO15118Ctrlr", "Enabled", "true", FLAG),
    Row("ISO15118Ctrlr", "PnCEnabled", "true", FLAG, BOOLEAN),
    Row("ISO15118Ctrlr", "CentralContractValidationAllowed", "true", FLAG, BOOLEAN),
    Row("ISO15118Ctrlr", "ContractValidationOffline", "true", FLAG, BOOLEAN),
    Row("ISO15118Ctrlr", "ContractCertificateInstallationEnabled", "true", FLAG, BOOLEAN),
    Row("ISO15118Ctrlr", "RequestMeteringReceipt", "false", FLAG, BOOLEAN),
    Row("ISO15118Ctrlr", "Problem", "false", FLAG),
    Row("ISO15118Ctrlr", "MaxScheduleEntries", "1024", NUMBER),
    Row("ISO15118Ctrlr", "ServiceRenegotiationSupport", "true", FLAG),
    *(Row("ISO15118Ctrlr", "ProtocolSupported", each, instance=str(number)) for number, each in enumerate(PROTOCOLS, 1)),
    Row("V2XChargingCtrlr", "Available", "true", FLAG, each=True),
    Row("V2XChargingCtrlr", "Enabled", "true", FLAG, BOOLEAN, each=True),
    Row("V2XChargingCtrlr", "SupportedEnergyTransferModes", "", LIST, each=True),
    Row("V2XChargingCtrlr", "SupportedOperationModes", "", LIST, each=True),
    Row("SmartChargingCtrlr", "Enabled", "true", FLAG),
    Row("SmartChargingCtrlr", "Entries", "0", NUMBER, instance="ChargingProfiles"),
    Row("SmartChargingCtrlr", "LimitChangeSignificance", "1", "decimal", r"[0-9]{1,3}(\.[0-9]+)?", unit="Percent"),
    Row("SmartChargingCtrlr", "PeriodsPerSchedule", "1024", NUMBER),
    Row("SmartChargingCtrlr", "ProfileStackLevel", "100", NUMBER),
    Row("SmartChargingCtrlr", "RateUnit", "W,A", LIST),
    Row("SmartChargingCtrlr", "SupportsFeature", "true", FLAG, instance="DynamicProfiles"),
    Row("SmartChargingCtrlr", "SupportsFeature", "true", FLAG, instance="MaxOfflineDuration"),
    Row("SmartChargingCtrlr", "SupportsFeature", "false", FLAG, instance="UseLocalTime"),
    Row("SmartChargingCtrlr", "SupportsFeature", "false", FLAG, instance="RandomizedDelay"),
    Row("SmartChargingCtrlr", "SupportsFeature", "false", FLAG, instance="LimitAtSoC"),
    Row("SmartChargingCtrlr", "SupportsFeature", "false", FLAG, instance="EvseSleep"),
    Row("TxCtrlr", "TxStartPoint", "EVConnected", LIST, list_of(POINTS)),
    Row("TxCtrlr", "TxStopPoint", "EVConnected,Authorized", LIST, list_of(POINTS)),
    Row("TxCtrlr", "StopTxOnInvalidId", "true", FLAG, BOOLEAN),
    Row("TxCtrlr", "StopTxOnEVSideDisconnect", "true", FLAG),
    Row("TxCtrlr", "EVConnectionTimeOut", "120", NUMBER, WHOLE, unit="s"),
    Row("AuthCtrlr", "Enabled", "true", FLAG, BOOLEAN),
    Row("AuthCtrlr", "AuthorizeRemoteStart", "true", FLAG, BOOLEAN),
    Row("AuthCtrlr", "LocalAuthorizeOffline", "true", FLAG, BOOLEAN),
    Row("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "false", FLAG, BOOLEAN),
    Row("AuthCtrlr", "Autocharge", "false", FLAG, BOOLEAN),  # ours: an EVCCID stands for a token
    Row("AuthCacheCtrlr", "Enabled", "true", FLAG, BOOLEAN),
    Row("SampledDataCtrlr", "TxStartedMeasurands", METERED, LIST, list_of(MEASURANDS)),
    Row("SampledDataCtrlr", "TxUpdatedMeasurands", METERED, LIST, list_of(MEASURANDS)),
    Row("SampledDataCtrlr", "TxEndedMeasurands", METERED, LIST, list_of(MEASURANDS)),
    Row("SampledDataCtrlr", "TxUpdatedInterval", "60", NUMBER, WHOLE, unit="s"),
    Row("OCPPCommCtrlr", "HeartbeatInterval", "86400", NUMBER, r"[1-9][0-9]{0,8}", unit="s"),
    Row("OCPPCommCtrlr", "WebSocketPingInterval", "60", NUMBER, WHOLE, unit="s"),
    Row("OCPPCommCtrlr", "MessageTimeout", "30", NUMBER, r"[1-9][0-9]{0,4}", unit="s", instance="Default"),
    Row("OCPPCommCtrlr", "MessageAttempts", "3", NUMBER, r"[1-9][0-9]?", instance="TransactionEvent"),
    Row("OCPPCommCtrlr", "MessageAttemptInterval", "30", NUMBER, r"[0-9]{1,5}", unit="s", instance="TransactionEvent"),
    Row("OCPPCommCtrlr", "RetryBackOffWaitMinimum", "2", NUMBER, r"[0-9]{1,5}", unit="s"),
    Row("OCPPCommCtrlr", "RetryBackOffRandomRange", "2", NUMBER, r"[0-9]{1,5}", unit="s"),
    Row("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "5", NUMBER, r"[0-9]{1,2}"),
    Row("OCPPCommCtrlr", "OfflineThreshold", "60", NUMBER, WHOLE, unit="s"),
    Row("OCPPCommCtrlr", "NetworkConfigurationPriority", "1", LIST),
    Row("OCPPCommCtrlr", "ItemsPerMessage", "100", NUMBER, instance="GetReport"),
    Row("DeviceDataCtrlr", "ItemsPerMessage", "100", NUMBER, instance="GetVariables"),
    Row("DeviceDataCtrlr", "ItemsPerMessage", "100", NUMBER, instance="SetVariables"),
    Row("ClockCtrlr", "TimeSource", "Heartbeat", LIST, list_of(("Heartbeat", "NTP", "RealTimeClock"))),
    Row("SecurityCtrlr", "BasicAuthPassword", "", "string", r"[\x20-\x7e]{16,64}", secret=True),
    Row("SecurityCtrlr", "SecurityProfile", "1", NUMBER),
    Row("SecurityCtrlr", "OrganizationName", ""),
    Row("SecurityCtrlr", "CertificateEntries", "0", NUMBER),
    Row("EVSE", "Available", "true", FLAG, each=True),
    Row("EVSE", "ISO15118EvseId", "", each=True),
    Row("EVSE", "SupplyPhases", "3", NUMBER, each=True),
    Row("EVSE", "Power", "0", "decimal", unit="W", each=True),
    Row("EVSE", "DischargePower", "0", "decimal", unit="W", each=True),
    Row("ConnectedEV", "Available", "false", FLAG, each=True),
    Row("ConnectedEV", "VehicleId", "", each=True),
    Row("ConnectedEV", "ProtocolAgreed", "", each=True),
    Row("ConnectedEV", "StateOfCharge", "", "decimal", unit="Percent", each=True),
    Row("ConnectedEV", "BatteryCapacity", "", "decimal", unit="Wh", each=True),
    Row("ConnectedEV", "DepartureTime", "", "dateTime", each=True),
    Row("ConnectedEV", "Power", "", "decimal", unit="W", each=True),
    Row("ConnectedEV", "DischargePower", "", "decimal", unit="W", each=True),
)  # fmt: skip


@dataclass(slots=True)
class DeviceModel:
    """The variables of a station with these EVSEs."""

    evses: tuple[int, ...]
    rows: dict[Key, Row] = field(default_factory=dict)
    values: dict[Key, str] = field(default_factory=dict)
    changed: Callable[[Key], None] = lambda key: None
    guards: dict[Key, Callable[[str], tuple[str, str] | None]] = field(default_factory=dict)
    """By variable: takes a value that the rule lets pass, or returns the reason code and the words by which it is refused."""

    def __post_init__(self) -> None:
        self.rows = {row.at(evse): row for row in ROWS for evse in (self.evses if row.each else (0,))}
        self.values = {key: row.value for key, row in self.rows.items()}

    def __getitem__(self, key: str | Key) -> str:
        """The value of a variable, by `Component.Variable`, `Component.Variable[Instance]` or its key. KeyError for an unknown one."""
        return self.values[self.key(key) if isinstance(key, str) else key]

    def __setitem__(self, key: str | Key, value: str) -> None:
        """Set a variable from within the station, without checking its `rule`."""
        place = self.key(key) if isinstance(key, str) else key
        if place not in self.rows:
            raise KeyError(place)
        self.values[place] = value

    @staticmethod
    def key(text: str, evse: int = 0) -> Key:
        """The key of a variable from the text `Component.Variable[Instance]`."""
        component, _, rest = text.partition(".")
        variable, _, instance = rest.rstrip("]").partition("[")
        return component, variable, instance, evse

    def yes(self, text: str) -> bool:
        """Whether a boolean variable is true."""
        return self[text] == "true"

    def number(self, text: str) -> float:
        """The value of a numeric variable as a float."""
        return float(self[text])

    def words(self, text: str) -> tuple[str, ...]:
        """The members of a variable that is a comma-separated list."""
        return tuple(filter(None, self[text].split(",")))

    # --- the CSMS reads and sets ---

    def read(self, asked: Payload) -> Payload:
        """The getVariableResult to one getVariableData."""
        status, key = self._found(asked)
        result = _echo(asked) | {"attributeStatus": status}
        if key is not None and self.rows[key].secret:
            return result | {"attributeStatus": "Rejected"}
        return result | {"attributeValue": self.values[key]} if key is not None else result

    def write(self, asked: Payload) -> Payload:
        """Set a variable as one setVariableData asks, and return the setVariableResult."""
        status, key = self._found(asked)
        if key is not None:
            rule = self.rows[key].rule
            value = asked["attributeValue"]
            if rule is None:
                status = "Rejected"
            elif not re.fullmatch(rule, value):
                return _echo(asked) | {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "InvalidValue"}}
            elif (refusal := self._guarded(key, value)) is not None:
                return _echo(asked) | refused(*refusal)
            else:
                if not self.rows[key].secret:  # what nobody may read is kept by whoever uses it
                    self.values[key] = value
                self.changed(key)
        return _echo(asked) | {"attributeStatus": status}

    def _guarded(self, key: Key, value: str) -> tuple[str, str] | None:
        """Why a value is not taken; a secret that nobody has use for is not, either."""
        if (guard := self.guards.get(key)) is not None:
            return guard(value)
        return ("UnsupportedParam", "nothing uses it here") if self.rows[key].secret else None

    def _found(self, asked: Payload) -> tuple[str, Key | None]:
        component, variable = asked["component"], asked["variable"]
        key = (component["name"], variable["name"], variable.get("instance", ""), component.get("evse", {}).get("id", 0))
        if asked.get("attributeType", "Actual") != "Actual":
            return "NotSupportedAttributeType", None
        if key in self.rows and "instance" not in component:
            return "Accepted", key
        known = any(other[0] == key[0] and other[3] == key[3] for other in self.rows)
        return ("UnknownVariable" if known and "instance" not in component else "UnknownComponent"), None

    def report(self, settable_only: bool) -> Iterator[Payload]:
        """The reportData of every variable, or of those alone that may be set."""
        for key, row in self.rows.items():
            if settable_only and row.rule is None:
                continue
            attribute: Payload = {
                "type": "Actual",
                "mutability": "WriteOnly" if row.secret else "ReadOnly" if row.rule is None else "ReadWrite",
            }
            if not row.secret:
                attribute["value"] = self.values[key]
            characteristics: Payload = {"dataType": row.type, "supportsMonitoring": False}
            if row.unit:
                characteristics["unit"] = row.unit
            yield _named(key) | {"variableAttribute": [attribute], "variableCharacteristics": characteristics}


def refused(reason: str, words: str) -> Payload:
    """What a setVariableResult says of a value that is not taken."""
    return {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": reason, "additionalInfo": words[:1024]}}


def _named(key: Key) -> Payload:
    component, variable, instance, evse = key
    return {
        "component": {"name": component} | ({"evse": {"id": evse}} if evse else {}),
        "variable": {"name": variable} | ({"instance": instance} if instance else {}),
    }


def _echo(asked: Payload) -> Payload:
    return {name: asked[name] for name in ("attributeType", "component", "variable") if name in asked}
