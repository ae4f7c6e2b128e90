"""What the bridge does about each want of a session: one function for each class of want, and the table of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from ocpp_bridge.blocks import authorization, certificates, der, resumption, transactions, vehicles
from ocpp_bridge.blocks.arrivals import note_car
from ocpp_bridge.blocks.availability import refusal
from ocpp_bridge.charger import Charger, Evse, Session
from ocpp_bridge.model import reasons
from ocpp_bridge.model.connected_ev import tell_needs, tell_session, tell_shown, tell_vehicle
from ocpp_bridge.model.mapping import present
from ocpp_bridge.model.readings import present as present_sample
from ocpp_bridge.smart import charging, chosen, steering
from ocpp_bridge.smart.periods import RanOut
from ocpp_bridge.wire.dialects import NEUTRAL
from ocpp_bridge.wire.times import timestamp
from secc.station import (
    AuthorizationWanted,
    CertificateInstallationWanted,
    EVReported,
    GridReported,
    Limits,
    MeteringConfirmed,
    NeedsChanged,
    Objected,
    PowerStarted,
    PowerStopped,
    ScheduleChosen,
    ServiceSelected,
    SessionStarted,
    StoodBy,
    StopAsked,
    TurnedAway,
    Want,
)
from v2g.energy.needs import Needs
from v2g.services import SERVICES


def _session_started(charger: Charger, evse: Evse, want: SessionStarted, now: float) -> None:
    resumption.met(charger, evse, want.evccid, now, resumed=want.resumed)
    evse.session = Session(evccid=want.evccid, ran_out=RanOut(charger.fallback))
    if not want.resumed:
        evse.allowed = None
    note_car(charger, evse, "CablePluggedIn", now)
    why = refusal(charger, evse)
    if why:  # it is refused when it asks for power, and leaves; where the outlet itself would let it charge, it leaves, too
        charger.tell(evse, StopAsked(why))
    evse.sample = replace(evse.sample, report=None, setpoint=None)
    der.begin(charger, evse, now)
    tell_session(charger.variables, evse.id, active=True)
    tell_vehicle(charger.variables, evse.id, want.evccid, want.vehicle)
    vehicles.vet(charger, evse, want.vehicle, now)


def _service_selected(charger: Charger, evse: Evse, want: ServiceSelected, now: float) -> None:
    if evse.session is not None:
        session = evse.session
        session.selected, session.asked, session.planning, session.patience = want, False, 0, None
        session.offer, session.told_needs, session.renegotiating = None, None, False  # a new service is a new negotiation
        session.reselect = not evse.may_give  # it chose from what it was offered before
        transfer = SERVICES[want.service].transfer(evse.limits.phases, NEUTRAL)
        charger.variables["ISO15118Ctrlr", "RequestedEnergyTransferMode", "", evse.id] = transfer


def _tell_needs(charger: Charger, evse: Evse, needs: Needs, car: Limits | None) -> None:
    leaving = "" if needs.departure is None else timestamp(needs.departure + charger.skew)
    services = (evse.session.selected,) if evse.session is not None else ()
    direct = any(each is not None and SERVICES[each.service].dc for each in services)
    tell_needs(charger.variables, evse.id, needs, car if direct else None, leaving)


def _needs(charger: Charger, evse: Evse, want: NeedsChanged, now: float) -> None:
    _tell_needs(charger, evse, want.needs, want.car)
    charging.take_needs(charger, evse, want, now)


def _schedule_chosen(charger: Charger, evse: Evse, want: ScheduleChosen, now: float) -> None:
    chosen.take_schedule(charger, evse, want, now)
    steering.steer(charger, evse, now)


def _power_started(charger: Charger, evse: Evse, want: PowerStarted, now: float) -> None:
    if evse.session is not None:
        evse.session.delivering = True
        authorization.reselect(charger, evse)
    transactions.begin(charger, evse, ("PowerPathClosed", "EnergyTransfer"), "ChargingStateChanged", now, "Charging")
    chosen.tell_chosen(charger, evse, now)
    steering.steer(charger, evse, now)


def _power_stopped(charger: Charger, evse: Evse, want: PowerStopped, now: float) -> None:
    if evse.session is not None and evse.session.delivering:
        stop_power(evse)
        lost = ("EnergyTransfer", "PowerPathClosed")
        transactions.end(charger, evse, lost, "ChargingStateChanged", "StoppedByEV", now, "EVConnected")


def _stood_by(charger: Charger, evse: Evse, want: StoodBy, now: float) -> None:
    """A transaction that outlives the energy goes on, suspended by its car."""
    if evse.transaction is not None:
        transactions.update(charger, evse, "ChargingStateChanged", now, "SuspendedEV")


def stop_power(evse: Evse) -> None:
    """Note that no power flows any more at an EVSE."""
    evse.metering.setpoints.power = 0.0
    if evse.session is not None:
        evse.session.delivering = False
    evse.sample = replace(evse.sample, power=0.0)


def _reported(charger: Charger, evse: Evse, want: EVReported, now: float) -> None:
    told = evse.session.steered if evse.session else ()
    evse.sample = replace(evse.sample, report=want, setpoint=told[0] if told else None)
    evse.metering.setpoints.note(present_sample(charger, evse, now).delivered or 0.0, charger.clock.wall(now))
    aim = "" if evse.sample.setpoint is None else f"{max(evse.sample.setpoint, 0.0):.0f}"
    charger.variables.attribute(("EVSE", "Power", "", evse.id), "Target", aim)
    if evse.session is not None and evse.session.needs is not None:  # in Dynamic control a car tells its needs anew in every loop
        told_anew = ("soc", "energy_target", "energy_maximum", "energy_minimum", "v2x_maximum", "v2x_minimum")
        said = {name: getattr(want, name) for name in told_anew}
        evse.session.needs = replace(evse.session.needs, **present(said))
        _tell_needs(charger, evse, evse.session.needs, evse.session.car)
    if want.display is not None:
        tell_shown(charger.variables, evse.id, want.display)
    der.look(charger, evse, now)
    if want.soc is not None:
        charger.variables["ConnectedEV", "StateOfCharge", "", evse.id] = f"{want.soc:g}"
        steering.heed_charge(charger, evse, now)


def _confirmed(charger: Charger, evse: Evse, want: MeteringConfirmed, now: float) -> None:
    if want.valid:
        context = {"context": "Other", "signed": want.exi}
        transactions.update(charger, evse, "SignedDataReceived", now, None, **context)


WANTS: Final[dict[type[Want], Callable[[Charger, Evse, Any, float], None]]] = {
    SessionStarted: _session_started,
    AuthorizationWanted: vehicles.authorization_wanted,
    CertificateInstallationWanted: certificates.installation_wanted,
    ServiceSelected: _service_selected,
    NeedsChanged: _needs,
    ScheduleChosen: _schedule_chosen,
    PowerStarted: _power_started,
    EVReported: _reported,
    GridReported: der.reported,
    MeteringConfirmed: _confirmed,
    Objected: reasons.note_objection,
    TurnedAway: reasons.turned_away,
    PowerStopped: _power_stopped,
    StoodBy: _stood_by,
}
