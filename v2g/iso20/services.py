"""The energy services of ISO 15118-20: one row each, read by station, car, bridge, report, demo, command line and tests.

What is true of a service whoever speaks of it stands here and nowhere else; a new one is a new row. What its messages are is the business
of its schema set, so that a service of known messages (MCS has those of DC) needs nothing but its row.
"""

from collections.abc import Iterable
from typing import Final, Literal

from v2g.session.sap import Protocol
from v2g.session.sdp import Coupling
from v2g.session.service import EnergyService

Control = Literal["Scheduled", "Dynamic"]  # who decides on the power: the car within a schedule, or the station
Mobility = Literal["EVCC", "SECC"]  # who states departure and SOC: the car, or the station

CONTROL: Final[dict[Control, int]] = {"Scheduled": 1, "Dynamic": 2}  # values of the parameter ControlMode
MOBILITY: Final[dict[Mobility, int]] = {"EVCC": 1, "SECC": 2}  # of MobilityNeedsMode
NAMESPACES: Final = {  # of schema sets that can be negotiated
    "ac": "urn:iso:std:iso:15118:-20:AC",
    "dc": "urn:iso:std:iso:15118:-20:DC",
    "acdp": "urn:iso:std:iso:15118:-20:ACDP",
    "wpt": "urn:iso:std:iso:15118:-20:WPT",
    "ac_der_iec": "urn:iso:std:iso:15118:-20:AC-DER-IEC",
    "ac_der_sae": "urn:iso:std:iso:15118:-20:AC-DER-SAE",
}
VERSION: Final = (1, 0)  # of those protocols: major, minor
PROTOCOLS: Final = {name: Protocol(namespace, *VERSION, name, secure=True) for name, namespace in NAMESPACES.items()}

_AC_PARAMETERS: Final = ("Connector", "ControlMode", "EVSENominalVoltage", "MobilityNeedsMode", "Pricing")
_DC_PARAMETERS: Final = ("Connector", "ControlMode", "MobilityNeedsMode", "Pricing")
_ACDP_COUPLINGS: Final = (  # devices of the station that come to the vehicle, or the vehicle's to the station
    Coupling.CROSS_RAIL, Coupling.IN_LINE, Coupling.DOME, Coupling.EV_PANTOGRAPH, Coupling.UNDERBODY, Coupling.SIDE,
    Coupling.MANIPULATOR, Coupling.EV_MANIPULATOR, Coupling.ACD_SIDE,
)  # fmt: skip
_BPT_PARAMETERS: Final = ("BPTChannel", "GeneratorMode")
_AC_PHASES: Final = ("AC_single_phase", "AC_two_phase", "AC_three_phase")  # OCPP's, by number

AC: Final = EnergyService(
    "AC", 1, PROTOCOLS["ac"], "ac", dc=False, bidirectional=False,
    connector=1, connector_three_phase=2, inlets=(1, 2, 3),  # of three phases one public stack says 2, another 3; they fit one phase too
    parameters=_AC_PARAMETERS,
    ocpp={"ocpp2.1": _AC_PHASES, "ocpp2.0.1": _AC_PHASES},
)  # fmt: skip
AC_BPT: Final = EnergyService(
    "AC_BPT", 5, PROTOCOLS["ac"], "ac", dc=False, bidirectional=True,
    connector=1, connector_three_phase=2, inlets=(1, 2, 3),
    parameters=(*_AC_PARAMETERS, *_BPT_PARAMETERS, "GridCodeIslandingDetectionMethod"),
    ocpp={"ocpp2.1": ("AC_BPT",), "ocpp2.0.1": _AC_PHASES},
)  # fmt: skip
DC: Final = EnergyService(
    "DC", 2, PROTOCOLS["dc"], "dc", dc=True, bidirectional=False,
    connector=2, inlets=(1, 2),  # Extended; a Core connector fits the same inlet
    parameters=_DC_PARAMETERS,
    ocpp={"ocpp2.1": ("DC",), "ocpp2.0.1": ("DC",)},
)  # fmt: skip
DC_BPT: Final = EnergyService(
    "DC_BPT", 6, PROTOCOLS["dc"], "dc", dc=True, bidirectional=True,
    connector=2, inlets=(1, 2),
    parameters=(*_DC_PARAMETERS, *_BPT_PARAMETERS),
    ocpp={"ocpp2.1": ("DC_BPT",), "ocpp2.0.1": ("DC",)},
)  # fmt: skip
MCS: Final = EnergyService(
    "MCS", 8, PROTOCOLS["dc"], "mcs", dc=True, bidirectional=False,
    connector=1, inlets=(1,),
    parameters=_DC_PARAMETERS,
    ocpp={"ocpp2.1": ("DC",), "ocpp2.0.1": ("DC",)},  # no version of OCPP knows it from DC
)  # fmt: skip
MCS_BPT: Final = EnergyService(
    "MCS_BPT", 9, PROTOCOLS["dc"], "mcs", dc=True, bidirectional=True,
    connector=1, inlets=(1,),
    parameters=(*_DC_PARAMETERS, *_BPT_PARAMETERS),
    ocpp={"ocpp2.1": ("DC_BPT",), "ocpp2.0.1": ("DC",)},
)  # fmt: skip
DC_ACDP: Final = EnergyService(
    "DC_ACDP", 4, PROTOCOLS["acdp"], "acdp", dc=True, bidirectional=False,
    connector=1, inlets=(1,),  # said by no parameter
    parameters=("ControlMode", "MobilityNeedsMode"),
    ocpp={"ocpp2.1": ("DC_ACDP",), "ocpp2.0.1": ("DC",)},
    couplings=_ACDP_COUPLINGS,
)  # fmt: skip
DC_ACDP_BPT: Final = EnergyService(
    "DC_ACDP_BPT", 7, PROTOCOLS["acdp"], "acdp", dc=True, bidirectional=True,
    connector=1, inlets=(1,),
    parameters=("ControlMode", "MobilityNeedsMode", *_BPT_PARAMETERS),
    ocpp={"ocpp2.1": ("DC_ACDP_BPT",), "ocpp2.0.1": ("DC",)},
    couplings=_ACDP_COUPLINGS,
)  # fmt: skip
WPT: Final = EnergyService(
    "WPT", 3, PROTOCOLS["wpt"], "wpt", dc=False, bidirectional=False,
    connector=1, inlets=(1,),  # there is none, and no parameter says one
    parameters=("ControlMode", "Pricing"),
    ocpp={"ocpp2.1": ("WPT",), "ocpp2.0.1": ("DC",)},  # which knows no WPT, and limits only DC in W
    couplings=(Coupling.WPT,),
)  # fmt: skip

AC_DER_IEC: Final = EnergyService(
    "AC_DER_IEC", 10, PROTOCOLS["ac_der_iec"], "ac", dc=False, bidirectional=True,
    connector=1, connector_three_phase=2, inlets=(1, 2, 3),
    parameters=(*_AC_PARAMETERS, "DERControlFunctions"),
    ocpp={"ocpp2.1": ("AC_BPT_DER",), "ocpp2.0.1": _AC_PHASES},
    der="iec",
)  # fmt: skip
AC_DER_SAE: Final = EnergyService(
    "AC_DER_SAE", 11, PROTOCOLS["ac_der_sae"], "ac", dc=False, bidirectional=True,
    connector=1, connector_three_phase=2, inlets=(1, 2, 3),
    parameters=_AC_PARAMETERS,  # its functions are told in ChargeParameterDiscovery
    ocpp={"ocpp2.1": ("AC_BPT_DER",), "ocpp2.0.1": _AC_PHASES},
    der="sae",
)  # fmt: skip

SERVICES: Final[dict[str, EnergyService]] = {
    row.name: row for row in (AC, AC_BPT, DC, DC_BPT, MCS, MCS_BPT, DC_ACDP, DC_ACDP_BPT, WPT, AC_DER_IEC, AC_DER_SAE)
}
BY_ID: Final[dict[int, EnergyService]] = {row.id: row for row in SERVICES.values()}


def schema_sets(services: Iterable[str]) -> tuple[str, ...]:
    """The names of the EXI schema sets that carry these services, each once, in the order of the services."""
    return tuple(dict.fromkeys(SERVICES[name].schema_set for name in services))
