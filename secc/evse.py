"""The hardware of one outlet, as a firmware engineer sees it.

    class MyCharger(EVSE):
        evse_id = "DE*ABC*E1"

        async def limits(self) -> Limits:
            return Limits(charge_power=22_000, phases=3)

        async def close_contactor(self) -> bool:
            await gpio.write(RELAY, 1)
            return await gpio.read(FEEDBACK) == 1

Override what your hardware has; every method has a default that does nothing and believes itself. Methods are called from one event loop
and may await; the session with the car never waits for them, it answers Ongoing or its last value meanwhile. Commands come one after the
other, in order; only `open_contactor` overtakes, and whatever it interrupts is cancelled. A method that raises ends the session and opens
the contactor. See docs/secc.md.
"""

from collections.abc import AsyncIterator

from secc.outlet import EVSE_ID
from secc.station import EVReported, Fact, Limits, MeterReading, OutputMeasured
from v2g.session.endpoint import Ended


class EVSE:
    """One outlet. Powers in W, currents in A, voltages in V; power and current are negative out of the car."""

    evse_id = EVSE_ID  # what the car hears
    output_period = 0.05  # s between two readings of voltage and current while the outlet is live

    def __init__(self) -> None:
        self._output = OutputMeasured(0.0, 0.0)

    # --- what it can do ---

    async def limits(self) -> Limits:
        """What the outlet can do now. Asked before a session and about once a second in it.

        Within a session they may fall, and rise again up to what the car was told in ChargeParameterDiscovery.
        """
        return Limits()

    def linked(self) -> bool | None:
        """Whether the data link to a car stands (SLAC has matched), for discovery: no car is sent to an outlet without. Must not wait.

        None where the outlet cannot tell; behind one interface an outlet that says True is preferred to those.
        """
        return None

    # --- who may charge ---

    async def authorize(self, evccid: str) -> bool | None:
        """With EIM (card, app, button): may this car charge? None leaves it to the backend. May take as long as a person does."""
        return None

    # --- power ---

    async def check_isolation(self, voltage: float) -> bool:
        """DC: connect the outlet, measure the isolation at that voltage, switch the voltage off again; True if it is sound."""
        return True

    async def set_output(self, voltage: float, current: float, power: float) -> None:
        """DC: bring the output to this voltage (V) and current (A); their product must never pass `power` (W), signed like the current.

        All three bind: the current was made from the voltage that was there, and the voltage may rise to the commanded one before the next
        command. Called with 2 A to match voltages, with zeros to switch off, and with every change between.
        """
        within = abs(voltage * current) <= abs(power)
        self._output = OutputMeasured(voltage, current if within else power / voltage)  # as far as nothing is measured

    async def set_power(self, power: float) -> None:
        """AC: the power that the car is told to take. It moves the power itself; an outlet may supervise it."""
        self._output = OutputMeasured(0.0, 0.0, power)

    async def close_contactor(self) -> bool:
        """Connect the car; True once the feedback says closed. The car is answered within 1.4 s."""
        return True

    async def open_contactor(self) -> bool:
        """Make the outlet safe: no voltage, contactor open. True once the feedback says open. Called at the end of every session.

        An outlet that does not say so within 5 s serves nobody; this is called again every ten seconds until it does.
        """
        self._output = OutputMeasured(0.0, 0.0)
        return True

    async def lock_connector(self) -> bool:
        """Lock the connector, before the outlet becomes live; True once it is locked. False ends the session before anything is live."""
        return True

    async def unlock_connector(self) -> bool:
        """Unlock it, after the contactor has opened at the end of a session."""
        return True

    async def car_reported(self, report: EVReported) -> None:
        """What the car tells in each loop: its power, SOC, energies still wanted; for displays and supervision."""

    # --- measurement ---

    async def read_output(self) -> OutputMeasured:
        """Present voltage and current, several times a second while the outlet is live."""
        return self._output

    async def read_meter(self) -> MeterReading | None:
        """The meter, about once a second under power; None where there is none."""
        return None

    # --- what happens by itself ---

    async def notices(self) -> AsyncIterator[Fact]:
        """What the outlet has to say in a session: `StopAsked` for a button, `EmergencyStop`, `PilotIs`, `ConnectorLock`, `PauseAsked` ...

        State it was in before the session counts too: say it first.
        """
        return
        yield

    async def session_began(self, evccid: str) -> None:
        """A car has introduced itself."""

    async def session_ended(self, ended: Ended) -> None:
        """Its session is over, the contactor is open."""
