"""Cars that come and go, as cables and sessions tell: what begins for them, and for whom nothing does."""

from typing import Final

from ocpp_bridge.block import Block
from ocpp_bridge.blocks import authorization, resumption, transactions
from ocpp_bridge.blocks.availability import refusal, tell_status
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.connected_ev import ROWS
from secc.station import StopAsked

EVERYTHING: Final = ("EVConnected", "Authorized", "PowerPathClosed", "EnergyTransfer", "DataSigned")  # that ends when a car has left


def note_car(charger: Charger, evse: Evse, trigger: str, now: float) -> None:
    """Note that a car is there, by its cable or by its session, whichever came first; an EVSE that serves nobody begins nothing for it."""
    if evse.interrupted is not None:
        resumption.go_on(charger, evse, now)
    evse.unwelcome = bool(refusal(charger, evse))
    if not evse.unwelcome and ("EVConnected" not in evse.conditions or evse.transaction is None):
        transactions.begin(charger, evse, ("EVConnected",), trigger, now, "EVConnected")
        tell_status(charger, evse, "Occupied", now)


def note_cable(charger: Charger, evse: Evse, now: float) -> None:
    """Note that a cable was plugged in."""
    evse.plugged = True
    note_car(charger, evse, "CablePluggedIn", now)


def admit(charger: Charger, evse: Evse, now: float) -> None:
    """Note that the outlet itself let the car charge (its own card reader); where it is to serve nobody, the car is asked to stop."""
    if why := refusal(charger, evse):
        charger.tell(evse, StopAsked(why))
    else:
        transactions.begin(charger, evse, ("Authorized",), "Authorized", now, token=authorization.NOBODY)


def note_departure(charger: Charger, evse: Evse, now: float) -> None:
    """Note that the cable is out: session and transaction are over."""
    evse.session, evse.plugged, evse.unwelcome = None, False, False
    resumption.give_up(charger, evse, now)
    transactions.end(charger, evse, EVERYTHING, "EVDeparted", "EVDisconnected", now, "Idle")
    tell_status(charger, evse, evse.resting, now)
    charger.variables.empty("ConnectedEV", evse.id)
    charger.variables["ISO15118Ctrlr", "RequestedEnergyTransferMode", "", evse.id] = ""


def _welcome(charger: Charger) -> list[Evse]:
    """The EVSEs with a car that was not served when it came, and now is."""
    waiting = (evse for evse in charger.evses.values() if evse.unwelcome and evse.plugged and evse.transaction is None)
    return [evse for evse in waiting if not refusal(charger, evse)]


def due(charger: Charger) -> float | None:
    """At once, where a car waits that may be served now."""
    return 0.0 if _welcome(charger) else None


def tick(charger: Charger, now: float) -> None:
    """Begin what nothing stands in the way of any more."""
    for evse in _welcome(charger):
        note_car(charger, evse, "CablePluggedIn", now)


BLOCK: Final = Block(due=due, tick=tick, variables=ROWS)
