"""Which parameter sets of its services an outlet offers.

    parameters of a row of `v2g.iso20.services`, each with its value in VALUES -> ServiceDetailRes, and back from ServiceSelectionReq

At most four sets of at most eight parameters: what the decoders of other stacks hold.
"""

from collections.abc import Callable

from secc.outlet import Outlet
from secc.station import Service
from v2g.iso20.der import functions
from v2g.iso20.sequence import State
from v2g.iso20.services import BY_ID, CONTROL, MOBILITY, SERVICES, Control, Mobility
from v2g.messages.common_messages import ParameterSetType, ParameterType
from v2g.services import Selection
from v2g.session.service import EnergyService

PRICING = {"none": 0, "absolute": 1, "levels": 2}
CHANNELS = {"unified": 1, "separated": 2}
GENERATORS = {"following": 1, "forming": 2}
ISLANDING = {"active": 1, "passive": 2}


Value = Callable[[Selection, Outlet], int]
VALUES: dict[str, Value] = {  # parameter -> what an outlet says there
    "Connector": lambda s, outlet: s.row.connector_of(outlet.limits.phases),
    "ControlMode": lambda s, _: CONTROL[s.control],
    "EVSENominalVoltage": lambda _, outlet: round(outlet.limits.nominal_voltage),
    "MobilityNeedsMode": lambda s, _: MOBILITY[s.mobility],
    "Pricing": lambda _, outlet: PRICING[outlet.pricing],
    "BPTChannel": lambda _, outlet: CHANNELS[outlet.bpt_channel],
    "GeneratorMode": lambda _, outlet: GENERATORS[outlet.generator_mode],
    "GridCodeIslandingDetectionMethod": lambda _, outlet: ISLANDING[outlet.islanding_detection],
    "DERControlFunctions": lambda _, outlet: functions(outlet.grid_functions),
}


def parameters_of(service: EnergyService) -> State:
    """The state in which a station waits for the parameters of a service: after its selection or, of ACDP and WPT, once the vehicle is in
    its place; after a pause in any case [V2G20-1032] [V2G20-5046]."""
    if service.wireless:
        return State.WPT_PARAMETERS
    if service.dc:
        return State.DC_PARAMETERS
    return State.AC_DER_PARAMETERS if service.der else State.AC_PARAMETERS


def after_selection(service: EnergyService) -> State:
    """The state in which a station waits once a service is selected."""
    placing = {"acdp": State.ACDP_POSITIONING, "wpt": State.WPT_SETUP}
    return placing.get(service.plug) or parameters_of(service)


def selections(service: Service, outlet: Outlet) -> dict[int, Selection]:
    """The parameter sets of an energy service at an outlet, by id from 1."""
    modes: list[tuple[Control, Mobility]] = [(control, "EVCC") for control in outlet.controls]
    if outlet.mobility_by_station and "Dynamic" in outlet.controls and "MobilityNeedsMode" in SERVICES[service].parameters:
        modes.append(("Dynamic", "SECC"))  # never with Scheduled [V2G20-2663]
    return {number: Selection(service, number, *mode) for number, mode in enumerate(modes, 1)}


def parameter_sets(service_id: int, outlet: Outlet) -> tuple[ParameterSetType, ...]:
    """The parameter sets of an offered energy service, by its id, for ServiceDetailRes."""
    return tuple(
        ParameterSetType(
            ParameterSetID=number,
            Parameter=tuple(ParameterType(Name=name, intValue=VALUES[name](selection, outlet)) for name in BY_ID[service_id].parameters),
        )
        for number, selection in selections(BY_ID[service_id].name, outlet).items()
    )
