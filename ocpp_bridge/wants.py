"""What the bridge does about each want of a session: one function for each class of want, and the table of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from ocpp_bridge.blocks import authorization, certificates, der, resumption, transactions
from ocpp_bridge.blocks.availability import tell_status
from ocpp_bridge.charger import Charger, Evse, Session
from ocpp_bridge.model import reasons
from ocpp_bridge.model.mapping import present
from ocpp_bridge.model.readings import present as present_sample
from ocpp_bridge.smart import charging, chosen, steering
from ocpp_bridge.smart.periods import RanOut
from ocpp_bridge.wire.times import timestamp
from secc.station import (
    AuthorizationWanted,
    CertificateInstallationWanted,
    EVReported,
    GridReported,
    MeteringConfirmed,
    NeedsChanged,
    Objected,
    PowerStarted,
    PowerStopped,
    ScheduleChosen,
    ServiceSelected,
    SessionStarted,
    StoodBy,
    TurnedAway,
    Want,
)


def note_car(charger: Charger, evse: Evse, trigger: str, now: float) -> None:
    """Note that a car is there, by its cable or by its session, whichever came first."""
    if evse.interrupted is not None:
        resumption.go_on(charger, evse, now)
    if "EVConnected" not in evse.conditions or evse.transaction is None:
        transactions.begin(charger, evse, ("EVConnected",), trigger, now, "EVConnected")
        tell_status(charger, evse, "Occupied", now)


def _session_started(charger: Charger, evse: Evse, want: SessionStarted, now: float) -> None:
    resumption.met(charger, evse, want.evccid, now, resumed=want.resumed)
    evse.session = Session(evccid=want.evccid, ran_out=RanOut(charger.fallback))
    if not want.resumed:
        evse.allowed = None
    note_car(charger, evse, "CablePluggedIn", now)
    evse.sample = replace(evse.sample, report=None, setpoint=None)
    der.begin(charger, evse, now)
    for name, value in (("Available", "true"), ("VehicleId", want.evccid)):
        charger.variables["ConnectedEV", name, "", evse.id] = value


def _service_selected(charger: Charger, evse: Evse, want: ServiceSelected, now: float) -> None:
    if evse.session is not None:
        session = evse.session
        session.selected, session.asked, session.planning, session.patience = want, False, 0, None
        session.offer, session.told_needs, session.renegotiating = None, None, False  # a new service is a new negotiation
        session.reselect = not evse.may_give  # it chose from what it was offered before
        charger.variables["ConnectedEV", "ProtocolAgreed", "", evse.id] = want.protocol


def _needs(charger: Charger, evse: Evse, want: NeedsChanged, now: float) -> None:
    needs = want.needs
    facts = {
        "StateOfCharge": needs.soc,
        "BatteryCapacity": needs.capacity,
        "Power": needs.charge_maximum,
        "DischargePower": needs.discharge_maximum if needs.bidirectional else None,
    }
    for name, value in facts.items():
        charger.variables["ConnectedEV", name, "", evse.id] = "" if value is None else f"{value:g}"
    leaving = "" if needs.departure is None else timestamp(needs.departure + charger.skew)
    charger.variables["ConnectedEV", "DepartureTime", "", evse.id] = leaving
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
    if evse.session is not None and evse.session.needs is not None:  # in Dynamic control a car tells its needs anew in every loop
        told_anew = ("soc", "energy_target", "energy_maximum", "energy_minimum", "v2x_maximum", "v2x_minimum")
        said = {name: getattr(want, name) for name in told_anew}
        evse.session.needs = replace(evse.session.needs, **present(said))
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
    AuthorizationWanted: authorization.authorize,
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
