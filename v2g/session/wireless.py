"""What the two devices of a wireless transfer are: the ground device of an outlet and the vehicle's device above it."""

from dataclasses import dataclass
from typing import Literal, get_args

# Methods whose course needs no data of a manufacturer or of an LF antenna: what both ends can do by these messages alone.
Positioning = Literal["Manual", "LPE"]
Pairing = Literal["External confirmation", "LPE", "Optical"]
AlignmentCheck = Literal["PowerCheck", "LPE"]
PowerClass = Literal["MF-WPT1", "MF-WPT2", "MF-WPT3", "MF-WPT4"]
Condition = Literal[  # of a ground device, as SPCChargeDiagnostics says it
    "NoIssue", "FODDetected", "LOPDetected", "TempOverheatDetected", "PowerTransferAnomalyDetected", "AnomalyDetected"
]
PASSING: tuple[Condition, ...] = ("FODDetected", "LOPDetected", "TempOverheatDetected")  # a field that is off waits until they are gone


@dataclass(frozen=True, slots=True)
class WirelessDevice:
    """The methods of a device, in order of preference, and its geometry: whole numbers, passed to the other side as they are.

    ValueError for what no message can carry.
    """

    positioning: tuple[Positioning, ...] = ("Manual",)
    pairing: tuple[Pairing, ...] = ("External confirmation",)
    alignment_check: tuple[AlignmentCheck, ...] = ("PowerCheck",)
    natural_offset: int = 0
    clearance: int = 250  # ground clearance, the greatest and the least
    clearance_minimum: int = 100

    def __post_init__(self) -> None:
        for name, known in (("positioning", Positioning), ("pairing", Pairing), ("alignment_check", AlignmentCheck)):
            said = getattr(self, name)
            if not said or len(set(said)) != len(said) or not set(said) <= set(get_args(known)):
                raise ValueError(f"{name} is {said}; name at least one of {', '.join(get_args(known))}, none twice")
        for name in ("natural_offset", "clearance", "clearance_minimum"):
            if not 0 <= getattr(self, name) <= 65_535:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 to 65535")
        if self.clearance_minimum > self.clearance:
            raise ValueError(f"clearance_minimum is {self.clearance_minimum}; give at most {self.clearance}, which is clearance")


@dataclass(frozen=True, slots=True)
class GroundDevice(WirelessDevice):
    """The ground device of an outlet."""

    power_class: PowerClass = "MF-WPT3"


@dataclass(frozen=True, slots=True)
class VehicleDevice(WirelessDevice):
    """The vehicle's device above it."""

    frequency: float = 85_000.0  # Hz, its natural frequency
    local_control: bool = False  # EVPCDeviceLocalControl

    def __post_init__(self) -> None:
        WirelessDevice.__post_init__(self)
        if not 0 < self.frequency < 1e9:
            raise ValueError(f"frequency is {self.frequency}; give Hz above 0, below 1e9")
