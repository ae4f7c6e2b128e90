"""AC_ChargeParameterDiscovery: the limits of car and outlet, in total or phase by phase, and what a grid asks of a car that feeds it."""

from dataclasses import replace
from typing import Any

from secc.iso20.grid import settle
from secc.iso20.notices import header
from secc.iso20.parameters import both_ways, demand, demand_common, demand_plausible, learnt
from secc.neutral.context import Context, Reply, ServiceSession
from secc.station import Limits, PhasePowers
from v2g.exi.schema import Type
from v2g.iso20.modes import ac_modes
from v2g.iso20.phases import PHASES, each, spread, within_phases
from v2g.iso20.rational import rational, with_discharge_sign
from v2g.iso20.sequence import State
from v2g.messages.ac import AC_ChargeParameterDiscoveryReq, AC_ChargeParameterDiscoveryRes
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import SequenceError

WRONG = "V2G20-1619"
PHASED = {
    "charge": "MaximumChargePower",
    "charge_minimum": "MinimumChargePower",
    "discharge": "MaximumDischargePower",
    "discharge_minimum": "MinimumDischargePower",
}


def ac_parameters(request: AC_ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """Exchange limits with a car that takes AC; the mode is that of the service. A car that speaks of each phase is answered so."""
    mode, selection = request.AC_CPDReqEnergyTransferMode, known.agreement.selected
    modes = ac_modes(selection.row)
    demand(type(mode) is modes.asks, f"{type(mode).__name__} under service {selection.service}", WRONG)
    if known.service.exchange.asked is not None:
        raise SequenceError("the parameters come again while a schedule is exchanged for them", "V2G20-3151")
    ours = known.outlet.limits  # what the hardware can do: what a backend leaves of it now may rise again, what is announced may not
    car = _limits(mode, ours)
    demand_plausible(car, ("charge_power", "discharge_power"), WRONG)
    demand_common(car, ours, both_ways(selection.bidirectional, ("charge_power",)), WRONG)
    _demand_common_per_phase(mode, ours)
    known = learnt(known, car).with_service(phases=_phases(mode))
    fields: dict[str, Any] = _powers(ours, spoken(known), selection.bidirectional, bool(selection.row.der))
    then = State.AC_SCHEDULE
    if selection.row.der:
        known, settings = settle(mode, known)
        fields, then = fields | settings, State.AC_DER_SETTLING
    said = modes.says(**with_discharge_sign(fields, known.outlet.negative_discharge))
    return Reply(AC_ChargeParameterDiscoveryRes(Header=header(known), ResponseCode=Code.OK, AC_CPDResEnergyTransferMode=said), then, known)


def declined(known: Context) -> Context:
    """A car that does not take what the grid asks is where it was before it selected; authorization holds [V2G20-3154]."""
    return replace(known, service=ServiceSession()).with_agreement(selection=None, tuple_id=None)


def spoken(known: Context) -> int:
    """How many phases a power is said of one by one: as the car does, and no more than the outlet has. One: the total alone."""
    return min(known.outlet.limits.phases, known.service.car.phases) if known.service.car is not None else 1


def _limits(mode: Type, ours: Limits) -> Limits:
    charge, discharge = ours.charge_power / ours.phases, ours.discharge_power / ours.phases
    return Limits(
        charge_power=within_phases(mode, "EVMaximumChargePower", charge),
        charge_power_minimum=within_phases(mode, "EVMinimumChargePower", float("inf")),
        discharge_power=within_phases(mode, "EVMaximumDischargePower", discharge),
        discharge_power_minimum=within_phases(mode, "EVMinimumDischargePower", float("inf")),
        phases=max(1, len(each(mode, "EVMaximumChargePower"))),
    )


def _phases(mode: Type) -> PhasePowers:
    """What the car says phase by phase, as it said it; nothing of a power of which it says the total alone."""
    said = {name: tuple(map(abs, each(mode, f"EV{element}"))) for name, element in PHASED.items()}
    return PhasePowers(**{name: powers for name, powers in said.items() if len(powers) > 1})


def _powers(ours: Limits, phases: int, bidirectional: bool, der: bool) -> dict[str, Any]:
    """What the outlet can do. A car that speaks of fewer phases than there are hears of those that it can use."""
    of_all = phases / ours.phases if phases > 1 else 1.0

    def power(name: str, value: float, least: bool = False) -> dict[str, Any]:
        return spread(f"EVSE{name}", value * of_all, phases, "up" if least else "down")

    fields = power("MaximumChargePower", ours.charge_power) | power("MinimumChargePower", ours.charge_power_minimum, least=True)
    fields["EVSENominalFrequency"] = rational(ours.nominal_frequency)
    if bidirectional:
        fields |= power("MaximumDischargePower", ours.discharge_power)
    if bidirectional and not der:
        fields |= power("MinimumDischargePower", ours.discharge_power_minimum, least=True)
    if der:
        fields |= power("NominalChargePower", ours.charge_power) | power("NominalDischargePower", ours.discharge_power)
    return fields


def _demand_common_per_phase(mode: Type, ours: Limits) -> None:
    """Where a car speaks of its phases one by one, none may need more than a phase of the outlet has."""
    if len(each(mode, "EVMaximumChargePower")) < 2:
        return
    for name, most in (("EVMinimumChargePower", ours.charge_power), ("EVMinimumDischargePower", ours.discharge_power)):
        has = most / ours.phases
        for phase, least in zip(PHASES, each(mode, name), strict=False):
            demand(abs(least) <= has, f"{name}{phase} is {least:g} W, a phase of the outlet has {has:g} W", WRONG)
