"""The hardware of one outlet, as a firmware engineer sees it.

    class MyCharger(EVSE):
        evse_id = "DE*ABC*E1"

        async def limits(self) -> Limits:
            return Limits(charge_power=22_000, phases=3)

        async def close_contactor(self) -> bool:
            await gpio.write(RELAY, 1)
            return await gpio.read(FEEDBACK) == 1

Override what your hardware has; every other method has a default that does nothing and reports success. Methods are called from one
event loop and may await; the session never waits for them, it answers Ongoing or its last value meanwhile. Commands come one after the
other, in order; only `open_contactor` overtakes, and whatever it interrupts is cancelled. A method that raises ends the session and opens
the contactor. See docs/secc.md.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from secc.station import (
    Alignment,
    Arrival,
    Departure,
    EVReported,
    Fact,
    Limits,
    MeterReading,
    OutputMeasured,
    Paired,
    ParkingPlace,
    Position,
    ServiceSelected,
)
from v2g.energy.der import GridControl
from v2g.session.endpoint import Ended

EVSE_ID = "DE*V2G*E1"  # of an outlet that nobody has named


class DataLink(Protocol):
    """Reports the state of an outlet's data link, where something other than its hardware knows it: matching on the power line."""

    def linked(self) -> bool | None:
        """Whether the link to a car stands; None where that cannot be told. Must not wait."""

    def session_over(self, ended: Ended) -> None:
        """Called when a session is over and the contactor open. Unless the session is paused, its car must leave the link."""


class EVSE:
    """Base of the hardware of one outlet. Powers in W, currents in A, voltages in V; power and current are negative out of the car."""

    evse_id = EVSE_ID  # what the car hears
    grid_functions: tuple[str, ...] = ()  # DC: what its inverter follows of what a grid asks, by the names of `GridControl`
    output_period = 0.05  # s between two readings of voltage and current while they change; a few of it while they stand still

    def __init__(self) -> None:
        self._output = OutputMeasured(0.0, 0.0)

    # --- what it can do ---

    async def limits(self) -> Limits:
        """What the outlet can do now. Asked before a session and about once a second in it.

        Within a session they may fall, and rise again up to what the car was told in ChargeParameterDiscovery.
        """
        return Limits()

    def linked(self) -> bool | None:
        """Whether the data link to a car stands (SLAC has matched). Must not wait.

        Discovery sends no car to an outlet that says False. None: the outlet cannot tell; one that says True is preferred to it.
        """
        return None

    def stands(self, ev_id: str) -> bool | None:
        """Whether the vehicle that calls itself `ev_id` (EVID, empty where it says none) stands at this outlet. Must not wait.

        Asked for a vehicle that looks for its station over WLAN, where what pairs the two (PPD, P2PS) says so. None: `linked` decides.
        """
        return None

    def unserviceable(self) -> str:
        """The reason why the outlet serves nobody now; empty while it serves. Cars are then sent elsewhere or refused. Must not wait."""
        return ""

    # --- who may charge ---

    async def authorize(self, evccid: str) -> bool | None:
        """EIM (card, app, button): True or False decides whether the car may charge, None leaves it to the backend. May take minutes."""
        return None

    # --- power ---

    async def check_isolation(self, voltage: float) -> bool:
        """DC: connect the outlet, measure the isolation at `voltage` (V), switch the voltage off again; True if the isolation is sound."""
        return True

    async def set_output(self, voltage: float, current: float, power: float) -> None:
        """DC: bring the output to `voltage` (V) and `current` (A); their product must never exceed `power` (W), signed like the current.

        All three are limits: the current was computed from the present voltage, which may rise to the commanded one before the next
        command. Called with 2 A in pre-charge, with zeros to switch off, and with every change in between.
        """
        within = abs(voltage * current) <= abs(power)
        self._output = OutputMeasured(voltage, current if within else power / voltage)  # as far as nothing is measured

    async def read_position(self) -> Position | None:
        """ACDP: where the vehicle stands under the device, several times a second until the device is down; None: not observed.

        WPT: where it stands over the ground device, from its selection to the end of the session; one that cannot be reached any more
        has its power taken away.
        """
        return Position(reachable=True)

    async def connect_device(self) -> bool:
        """ACDP: bring the device down to the vehicle; True once it is in its end position. Called while the outlet is dead."""
        return True

    async def disconnect_device(self) -> bool:
        """ACDP: bring the device home; True once it is there. Called with the contactor open, at the latest after the session.

        An outlet that does not return True within 20 s after a session serves nobody; this is called again every ten seconds until it does.
        """
        return True

    async def pair(self, observed: int | None) -> Paired:
        """WPT: find out whether the vehicle over the ground device is this session's, within 55 s. `observed` is the vehicle's code.

        Called again, and the first call cancelled, where the vehicle observes a code later than it asks.
        """
        return Paired(True)

    async def check_alignment(self, current: float) -> Alignment:
        """WPT: excite the coil with `current` (A), measure, switch it off again; whether the coils are aligned. It has 55 s.

        What changes later is told by `AlignmentIs` in `notices`: coils that are no longer aligned lose their power.
        """
        return Alignment(True)

    async def read_place(self, arrival: Arrival) -> ParkingPlace | None:
        """ParkingStatus: the place of a vehicle that checks in, several times a second from then on; None leaves it to the backend.

        `arrival` is what the vehicle said last. Once it is seen there, an `occupied` of False takes its power away.
        """
        return ParkingPlace(occupied=arrival.status == "Completed")

    async def check_out(self, departure: Departure) -> bool | None:
        """ParkingStatus: let the vehicle leave, whose outlet is dead; True once it may. None leaves it to the backend. May take long."""
        return True

    async def set_power(self, power: float) -> None:
        """AC: the power (W) that the car is told to take. The car controls the power itself; an outlet may supervise it.

        WPT: the power (W) that the ground device gives from now on, and never more; 0: no field.
        """
        self._output = OutputMeasured(0.0, 0.0, power)

    async def follow_grid(self, control: GridControl) -> None:
        """DC: what the grid asks of the inverter in the charger from now on, of its `grid_functions`; what is None is asked no more.

        Called in a session where `grid_functions` names anything: before power, and with every change. What the session commands stays the
        limit: a curve may take power away and add reactive power, never give more than `set_output` allows.
        """

    async def close_contactor(self) -> bool:
        """Connect the car; True once the contactor's feedback says closed. It has 1.4 s, by when the car must be answered."""
        return True

    async def open_contactor(self) -> bool:
        """Make the outlet safe: no voltage, contactor open. True once its feedback says open. Called at the end of every session.

        An outlet that does not return True within 5 s serves nobody; this is called again every ten seconds until it does.
        """
        self._output = OutputMeasured(0.0, 0.0)
        return True

    async def lock_connector(self) -> bool:
        """Lock the connector, before the outlet becomes live; True once it is locked. False ends the session before anything is live."""
        return True

    async def unlock_connector(self) -> bool:
        """Unlock the connector, after the contactor has opened at the end of a session; True once it is unlocked."""
        return True

    async def service_selected(self, selected: ServiceSelected) -> None:
        """What the car has chosen, again after a service renegotiation: with `added` it wants, say, the Internet until the session ends."""

    async def car_reported(self, report: EVReported) -> None:
        """Called with what the car tells in each charge loop: its power, SOC, energies still wanted; for displays and supervision."""

    # --- measurement ---

    async def read_output(self) -> OutputMeasured:
        """The present voltage (V) and current (A). Called several times a second while the outlet is live."""
        return self._output

    async def read_meter(self) -> MeterReading | None:
        """A reading of the meter; None where there is no meter. Called about once a second under power."""
        return None

    # --- what happens by itself ---

    async def notices(self) -> AsyncIterator[Fact]:
        """Yields the facts that the outlet reports in a session: `StopAsked` for a button, `EmergencyStop`, `PilotIs`, `DeviceIs`, ...

        Begin with the present state (pilot, lock), which may be older than the session.
        """
        return
        yield

    async def session_began(self, evccid: str) -> None:
        """Called when a car has introduced itself by SessionSetup; `evccid` is the id it gave."""

    async def session_ended(self, ended: Ended) -> None:
        """Called when the session of the car is over and the contactor is open."""
