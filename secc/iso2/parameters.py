"""ChargeParameterDiscovery: the mode, the limits of car and outlet, the needs of the car, and the schedules it is offered for them."""

from dataclasses import replace

from secc.enveloped.parameters import dc_limits, dc_needs, dc_parameters, demand_common, exchanged, power_unsaid, tested_anew, zeros
from secc.iso2.notices import ac_status
from secc.iso2.schedule import schedules, shown_offer
from secc.iso2.selection import modes
from secc.iso2.tariff import signature
from secc.iso2.words import WORDS
from secc.neutral.context import Context, Exchange, Reply
from secc.station import Limits, ServiceSelected
from v2g.energy.needs import Needs
from v2g.iso2.physical import A, V, number, physical
from v2g.iso2.sequence import State
from v2g.iso2.services import MODES, Mode
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryReq, ChargeParameterDiscoveryRes
from v2g.messages.iso2.msg_data_types import (
    AC_EVChargeParameterType,
    AC_EVSEChargeParameterType,
    DC_EVChargeParameterType,
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


def charge_parameter_discovery(request: ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """Ongoing until the backend has an offer, then the schedules. Raises Refused where car and outlet have no power in common."""
    known, chosen = _selected(request, known)
    mode = MODES[request.RequestedEnergyTransferMode]
    car, ours = car_limits(request.EVChargeParameter, mode), known.outlet.limits
    demand_common(WORDS, car, ours, mode.dc)
    known = known.with_service(power_unsaid=power_unsaid(request.EVChargeParameter))
    known, offer, asking = exchanged(WORDS, needs_of(request, car, known), car, known)
    if offer is None:
        asking = (*zeros(request.EVChargeParameter, known, asking), *asking)
        return _answered(known, mode, EVSEProcessingType.Ongoing, State.PARAMETERS, (*chosen, *asking))
    known = known.with_exchange(offer=shown_offer(offer, known))
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
        raise Refused(Reason.WRONG_PARAMETERS, f"{kind} came with {asked.value}", WORDS.wrong_parameters)
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
        return dc_limits(said)
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


def needs_of(request: ChargeParameterDiscoveryReq, car: Limits, known: Context) -> Needs:
    """The car's needs as plain numbers, its powers cut to the outlet's."""
    said, ours = request.EVChargeParameter, known.outlet.limits
    departure = known.wall + said.DepartureTime if said.DepartureTime else None  # 0 is what cars send that do not know
    points = min(max(request.MaxEntriesSAScheduleTuple or POINTS, 1), 1024)
    if isinstance(said, DC_EVChargeParameterType):
        return replace(dc_needs(said, car, known), departure=departure, max_points=points)
    assert isinstance(said, AC_EVChargeParameterType)
    return Needs(
        departure=departure,
        energy_target=number(said.EAmount),
        charge_maximum=min(car.charge_power, ours.charge_power),
        charge_minimum=max(car.charge_power_minimum, ours.charge_power_minimum),
        max_points=points,
    )


def _answered(known: Context, mode: Mode, processing: EVSEProcessingType, then: State, wants: tuple[Event, ...]) -> Reply:
    finished = processing is EVSEProcessingType.Finished
    response = ChargeParameterDiscoveryRes(
        ResponseCode=Code.OK,
        EVSEProcessing=processing,
        SASchedules=schedules(known) if finished else None,
        EVSEChargeParameter=dc_parameters(WORDS, known) if mode.dc else _ac(known, mode),
    )
    if not finished:
        return Reply(response, then, known, wants)
    fresh = tested_anew(known) if mode.dc else known
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


def again(known: Context) -> Context:
    """The context of a car that negotiates its schedule anew: its needs are asked for again, and no power is commanded meanwhile."""
    return known.with_service(exchange=Exchange(), output_wanted=None, setpoint_wanted=None)
