"""ChargeParameterDiscovery: the mode, the limits of car and outlet, the needs of the car, and the schedules it is offered for them."""

from typing import Any

from secc.iso2.notices import ac_status, dc_status
from secc.iso2.schedule import schedules, shown_offer
from secc.iso2.selection import modes
from secc.iso2.tariff import signature
from secc.neutral.context import Context, Exchange, Reply
from secc.neutral.exchange import equal_needs, overdue, waiting_offer
from secc.station import Limits, NeedsChanged, ServiceSelected
from v2g.energy.needs import Needs
from v2g.iso2.physical import A, V, W, number, optional, physical
from v2g.iso2.sequence import State
from v2g.iso2.services import MODES, Mode
from v2g.iso2.timing import SECC_ONGOING_TIMEOUT
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryReq, ChargeParameterDiscoveryRes
from v2g.messages.iso2.msg_data_types import (
    AC_EVChargeParameterType,
    AC_EVSEChargeParameterType,
    DC_EVChargeParameterType,
    DC_EVSEChargeParameterType,
    EVChargeParameterType,
    EVSEChargeParameterType,
    EVSEProcessingType,
)
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.services import SERVICES, Selection
from v2g.session.endpoint import Event
from v2g.session.errors import Refused

POINTS = 24  # entries of a schedule for a car that does not say how many it holds: as many as its own profile may have
RIPPLE = 1.0  # A that an output may swing by: no hardware says it, and the element must be there
WRONG = "V2G2-477"


def charge_parameter_discovery(request: ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """Ongoing until the backend has an offer, then the schedules. Raises Refused where car and outlet have no power in common."""
    known, chosen = _selected(request, known)
    mode = MODES[request.RequestedEnergyTransferMode]
    car, ours = car_limits(request.EVChargeParameter, mode), known.outlet.limits
    _demand_common(car, ours, mode)
    announced = known.service.announced or known.station.limits.within(ours)
    known = known.with_service(car=car, announced=announced)
    needs = needs_of(request, car, known)
    if not equal_needs(needs, known.service.exchange.needs, known.wall):
        before = known.service.exchange.asked
        offer = waiting_offer(needs, known)
        asked = known.now if before is None else before  # needs that move do not begin the time anew
        known = known.with_service(exchange=Exchange(needs, asked, offer, needs.max_points, known.station.limits), coming=None)
        if offer is None:
            asking = NeedsChanged(known.now, needs, not known.delivering, car)
            return _answered(known, mode, EVSEProcessingType.Ongoing, State.PARAMETERS, (*chosen, asking))
    if known.service.exchange.offer is None:
        if overdue(known.service.exchange, known.now, SECC_ONGOING_TIMEOUT):
            raise Refused(Reason.OTHER, f"there is no schedule after {SECC_ONGOING_TIMEOUT:g} s", None)
        return _answered(known, mode, EVSEProcessingType.Ongoing, State.PARAMETERS, chosen)
    known = known.with_exchange(offer=shown_offer(known.service.exchange.offer, known))
    then = State.DC_CABLE_CHECK if mode.dc else State.AC_START
    return _answered(known, mode, EVSEProcessingType.Finished, then, chosen)


def _selected(request: ChargeParameterDiscoveryReq, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """The context with the service of the requested mode, and the want that tells it, where it is new."""
    asked = request.RequestedEnergyTransferMode
    mode, before = MODES[asked], known.agreement.selection
    told = ", ".join(each.value for each in modes(known))
    fitting = [row for name in known.outlet.services if mode.fits(row := SERVICES[name])]
    offered = any(MODES[each].plug == mode.plug and mode.phases <= known.outlet.limits.phases for each in modes(known))
    if not fitting or not offered:
        raise Refused(Reason.WRONG_MODE, f"{asked.value} was asked for, offered is {told}", "V2G2-476")
    if isinstance(request.EVChargeParameter, DC_EVChargeParameterType) is not mode.dc:
        kind = type(request.EVChargeParameter).__name__
        raise Refused(Reason.WRONG_PARAMETERS, f"{kind} came with {asked.value}", WRONG)
    selection = Selection(fitting[0].name, 1, "Scheduled", phases=mode.phases)
    if before is not None and before.service != selection.service:
        raise Refused(Reason.WRONG_MODE, f"{asked.value} was asked for, {before.service} was chosen in this session", "V2G2-476")
    if before == selection:
        return known, ()
    return known.with_agreement(selection=selection), (
        ServiceSelected(known.now, selection.service, "Scheduled", added=known.service.added),
    )


def car_limits(said: EVChargeParameterType, mode: Mode) -> Limits:
    """What the car can take by its own word: in DC of its battery, in AC of as many phases as the mode has."""
    if isinstance(said, DC_EVChargeParameterType):
        voltage, current = number(said.EVMaximumVoltageLimit), number(said.EVMaximumCurrentLimit)
        return Limits(
            charge_power=optional(said.EVMaximumPowerLimit) or voltage * current,  # some cars say 0 W where they say nothing
            charge_current=current,
            voltage=voltage,
            voltage_minimum=0.0,
            discharge_power=0.0,
            discharge_current=0.0,
        )
    assert isinstance(said, AC_EVChargeParameterType)
    most, least = number(said.EVMaxCurrent), number(said.EVMinCurrent)
    volts = Limits().nominal_voltage * mode.phases
    return Limits(
        charge_power=most * volts,
        charge_power_minimum=least * volts,
        charge_current=most,
        charge_current_minimum=least,
        discharge_power=0.0,
        discharge_current=0.0,
        phases=mode.phases,
    )


def _demand_common(car: Limits, ours: Limits, mode: Mode) -> None:
    """Raises Refused where the car takes nothing, or needs more than there is."""
    if car.charge_power <= 0 or car.charge_current <= 0:
        raise Refused(Reason.WRONG_PARAMETERS, f"the car takes {car.charge_current:g} A and {car.charge_power:g} W", WRONG)
    if mode.dc and car.voltage < ours.voltage_minimum:
        why = f"the car's voltage is up to {car.voltage:g} V, the outlet's from {ours.voltage_minimum:g} V"
        raise Refused(Reason.WRONG_PARAMETERS, why, WRONG)
    least = car.charge_power_minimum
    if least > ours.charge_power or least > car.charge_power:
        why = f"the car takes no less than {least:g} W, it can take {car.charge_power:g} W and the outlet give {ours.charge_power:g} W"
        raise Refused(Reason.WRONG_PARAMETERS, why, WRONG)


def needs_of(request: ChargeParameterDiscoveryReq, car: Limits, known: Context) -> Needs:
    """The car's needs as plain numbers, its powers cut to the outlet's."""
    said, ours = request.EVChargeParameter, known.outlet.limits
    departure = known.wall + said.DepartureTime if said.DepartureTime else None  # 0 is what cars send that do not know
    target, most, soc = None, None, None
    if isinstance(said, AC_EVChargeParameterType):
        target = number(said.EAmount)
    elif isinstance(said, DC_EVChargeParameterType):
        soc = float(said.DC_EVStatus.EVRESSSOC)
        target = optional(said.EVEnergyRequest)
        capacity = optional(said.EVEnergyCapacity)
        full = 100.0 if said.FullSOC is None else float(said.FullSOC)
        most = None if capacity is None else max(0.0, capacity * (full - soc) / 100.0)
        target = most if target is None else target
    return Needs(
        departure=departure,
        energy_target=target,
        energy_maximum=None if most is None or target is None else max(most, target),
        charge_maximum=min(car.charge_power, ours.charge_power),
        charge_minimum=max(car.charge_power_minimum, ours.charge_power_minimum),
        max_points=min(max(request.MaxEntriesSAScheduleTuple or POINTS, 1), 1024),
        soc=soc,
    )


def _answered(known: Context, mode: Mode, processing: EVSEProcessingType, then: State, wants: tuple[Event, ...]) -> Reply:
    finished = processing is EVSEProcessingType.Finished
    response = ChargeParameterDiscoveryRes(
        ResponseCode=Code.OK,
        EVSEProcessing=processing,
        SASchedules=schedules(known) if finished else None,
        EVSEChargeParameter=_dc(known) if mode.dc else _ac(known, mode),
    )
    if not finished:
        return Reply(response, then, known, wants)
    fresh = known.with_service(isolation=None, isolation_asked=None) if mode.dc else known
    return Reply(response, then, fresh, wants, signature=signature(response, known))


def _ac(known: Context, mode: Mode) -> EVSEChargeParameterType:
    ours = known.outlet.limits
    return AC_EVSEChargeParameterType(
        AC_EVSEStatus=ac_status(known),
        EVSENominalVoltage=physical(ours.nominal_voltage, V),
        EVSEMaxCurrent=physical(phase_current(ours.charge_power, known, mode.phases), A, "down"),
    )


def phase_current(power: float, known: Context, phases: int) -> float:
    """The current (A) of each phase at which so much power (W) flows over them all, within what a phase of the outlet gives."""
    ours = known.outlet.limits
    share = ours.charge_power / ours.phases * phases
    return min(min(power, share) / (ours.nominal_voltage * phases), ours.charge_current)


def _dc(known: Context) -> EVSEChargeParameterType:
    ours = known.outlet.limits
    fields: dict[str, Any] = {
        "EVSEMaximumCurrentLimit": physical(ours.charge_current, A, "down"),
        "EVSEMaximumPowerLimit": physical(ours.charge_power, W, "down"),
        "EVSEMaximumVoltageLimit": physical(ours.voltage, V, "down"),
        "EVSEMinimumCurrentLimit": physical(ours.charge_current_minimum, A, "up"),
        "EVSEMinimumVoltageLimit": physical(ours.voltage_minimum, V, "up"),
    }
    return DC_EVSEChargeParameterType(DC_EVSEStatus=dc_status(known, ready=True), EVSEPeakCurrentRipple=physical(RIPPLE, A), **fields)


def again(known: Context) -> Context:
    """The context of a car that negotiates its schedule anew: its needs are asked for again, and no power is commanded meanwhile."""
    return known.with_service(exchange=Exchange(), output_wanted=None, setpoint_wanted=None)
