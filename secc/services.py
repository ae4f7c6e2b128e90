"""The catalogue of services: which parameter sets an outlet offers, said once.

    rows of PARAMETERS (name, value) -> parameter sets of an outlet -> ServiceDetailRes, and back from ServiceSelectionReq

At most four sets of at most eight parameters: what the decoders of other stacks hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from secc.outlet import Outlet
from secc.station import Control, Service
from v2g.messages.common_messages import ParameterSetType, ParameterType

Mobility = Literal["EVCC", "SECC"]
IDS: dict[Service, int] = {"AC": 1, "DC": 2, "AC_BPT": 5, "DC_BPT": 6}
SCHEMA_SETS: dict[Service, str] = {"AC": "ac", "AC_BPT": "ac", "DC": "dc", "DC_BPT": "dc"}
BIDIRECTIONAL: frozenset[Service] = frozenset({"AC_BPT", "DC_BPT"})
_NAMES = {number: service for service, number in IDS.items()}
INTERNET = 65

AC_CONNECTOR = {1: 1, 3: 2}  # phases -> value; of three phases one public stack says 2, another 3
DC_CONNECTOR = 2  # Extended
CONTROL: dict[Control, int] = {"Scheduled": 1, "Dynamic": 2}
MOBILITY: dict[Mobility, int] = {"EVCC": 1, "SECC": 2}
PRICING = {"none": 0, "absolute": 1}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a car may select: one parameter set of one energy service."""

    service: Service
    parameter_set: int
    control: Control
    mobility: Mobility = "EVCC"

    @property
    def bidirectional(self) -> bool:
        return self.service in BIDIRECTIONAL

    @property
    def dc(self) -> bool:
        return SCHEMA_SETS[self.service] == "dc"


Value = Callable[[Selection, Outlet], int]
_CONTROL: tuple[str, Value] = ("ControlMode", lambda s, _: CONTROL[s.control])
_MOBILITY: tuple[str, Value] = ("MobilityNeedsMode", lambda s, _: MOBILITY[s.mobility])
_PRICING: tuple[str, Value] = ("Pricing", lambda _, outlet: PRICING[outlet.pricing])
_BPT: tuple[tuple[str, Value], ...] = (("BPTChannel", lambda *_: 1), ("GeneratorMode", lambda *_: 1))  # unified, grid following
_AC: tuple[tuple[str, Value], ...] = (
    ("Connector", lambda _, outlet: AC_CONNECTOR.get(outlet.limits.phases, 1)),
    _CONTROL,
    ("EVSENominalVoltage", lambda _, outlet: round(outlet.limits.nominal_voltage)),
    _MOBILITY,
    _PRICING,
)
_DC: tuple[tuple[str, Value], ...] = (("Connector", lambda *_: DC_CONNECTOR), _CONTROL, _MOBILITY, _PRICING)
PARAMETERS: dict[Service, tuple[tuple[str, Value], ...]] = {
    "AC": _AC,
    "AC_BPT": (*_AC, *_BPT, ("GridCodeIslandingDetectionMethod", lambda *_: 1)),
    "DC": _DC,
    "DC_BPT": (*_DC, *_BPT),
}
INTERNET_SETS = {1: ("ftp", 20), 2: ("ftp", 21), 3: ("http", 80), 4: ("https", 443)}  # the standard numbers these sets itself


def selections(service: Service, outlet: Outlet) -> dict[int, Selection]:
    """The parameter sets of an energy service at an outlet, by id from 1."""
    modes: list[tuple[Control, Mobility]] = [(control, "EVCC") for control in outlet.controls]
    if outlet.mobility_by_station and "Dynamic" in outlet.controls:
        modes.append(("Dynamic", "SECC"))  # never with Scheduled [V2G20-2663]
    return {number: Selection(service, number, *mode) for number, mode in enumerate(modes, 1)}


def parameter_sets(service_id: int, outlet: Outlet) -> tuple[ParameterSetType, ...]:
    """The sets of an offered service as they are sent."""
    if service_id == INTERNET:
        return tuple(
            ParameterSetType(
                ParameterSetID=number,
                Parameter=(ParameterType(Name="Protocol", finiteString=protocol), ParameterType(Name="Port", intValue=port)),
            )
            for number, (protocol, port) in INTERNET_SETS.items()
        )
    service = named(service_id)
    return tuple(
        ParameterSetType(
            ParameterSetID=number,
            Parameter=tuple(ParameterType(Name=name, intValue=value(selection, outlet)) for name, value in PARAMETERS[service]),
        )
        for number, selection in selections(service, outlet).items()
    )


def named(service_id: int) -> Service:
    """The energy service of an id. Raises KeyError."""
    return _NAMES[service_id]
