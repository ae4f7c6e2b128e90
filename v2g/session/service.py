"""The class of a row in a generation's table of energy services."""

from dataclasses import dataclass
from typing import Literal

from v2g.session.sap import Protocol

Plug = Literal["ac", "dc", "mcs", "acdp", "wpt"]  # what cable and hardware must be, at both ends
OcppVersion = Literal["ocpp2.1", "ocpp2.0.1"]
InternetProtocol = Literal["ftp", "http", "https"]  # of the value-added service Internet
Intended = Literal["VehicleCheckIn", "VehicleCheckOut"]  # of the value-added service ParkingStatus
ParkingType = Literal["AutoInternal", "AutoExternal", "ManualInternal", "ManualExternal"]  # of that
DerRules = Literal["", "iec", "sae"]  # whose grid codes a car that feeds the grid follows; empty: none


@dataclass(frozen=True, slots=True)
class EnergyService:
    """One energy service. `protocol` is negotiated for it, and its schema set has the messages; `dc`: the station converts AC to DC.

    `connector` is the value of the parameter Connector that a station says, with `connector_three_phase` where three phases have another;
    `inlets` are the values that fit a car's inlet of this `plug`. `parameters` are those of a parameter set, in their order.
    `ocpp` are OCPP's names of this energy transfer in each version, one for each number of phases or one for all. A service with `der`
    gives back under grid codes: its messages carry them. `couplings` are the values of `sdp.Coupling` with which a car may look for the
    service over WLAN; none: cars come to it by cable alone.
    """

    name: str
    id: int
    protocol: Protocol
    plug: Plug
    dc: bool
    bidirectional: bool
    connector: int
    inlets: tuple[int, ...]
    parameters: tuple[str, ...]
    ocpp: dict[OcppVersion, tuple[str, ...]]
    connector_three_phase: int | None = None
    der: DerRules = ""
    couplings: tuple[int, ...] = ()

    @property
    def schema_set(self) -> str:
        """The name of the EXI schema set that has the service's messages."""
        return self.protocol.schema_set

    @property
    def docked(self) -> bool:
        """Whether a device of the station comes to the vehicle and leaves it, with messages of its own around those of DC (ACDP)."""
        return self.plug == "acdp"

    @property
    def wireless(self) -> bool:
        """Whether a field of the station's ground device carries the energy, bounded in W alone, with messages of its own (WPT)."""
        return self.plug == "wpt"

    @property
    def mains(self) -> bool:
        """Whether the vehicle takes the current of the mains, phase by phase, so that amperes say its power (AC)."""
        return not (self.dc or self.wireless)

    def connector_of(self, phases: int) -> int:
        """The value of the parameter Connector for an outlet with so many phases (1 or 3)."""
        return self.connector_three_phase if phases == 3 and self.connector_three_phase is not None else self.connector

    def transfer(self, phases: int, version: OcppVersion) -> str:
        """The name of this energy transfer in a version of OCPP, for so many phases (1 or 3) where OCPP distinguishes them."""
        names = self.ocpp[version]
        return names[min(phases, len(names)) - 1]

    @property
    def charges_only(self) -> tuple[OcppVersion, ...]:
        """The versions of OCPP whose name for this service says charging alone, though it discharges as well."""
        both = self.ocpp["ocpp2.1"]
        return tuple(version for version, names in self.ocpp.items() if self.bidirectional and names != both)
