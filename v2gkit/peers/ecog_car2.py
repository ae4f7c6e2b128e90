"""The foreign car of ISO 15118-2 or DIN: one session of the package's EVCC, headless, on plain TCP. Run by the peer's interpreter.

Prints one line of JSON; exits 0 when SessionStop was reached, 1 when the session failed, 2 when there was none.
"""

# mypy: disable-error-code="import-not-found"
# mypy: allow-subclassing-any

import argparse
import asyncio
import os
import time
from typing import Any

from ecog_car import connect
from ecog_session import Watched, say, stretch_timers
from iso15118.evcc.controller.simulator import SimEVController
from iso15118.evcc.evcc_config import EVCCConfig
from iso15118.shared.exi_codec import EXI
from iso15118.shared.exificient_exi_codec import ExificientEXICodec
from iso15118.shared.messages.datatypes import DCEVChargeParams, PVEVMaxVoltageLimit, PVEVTargetCurrent, PVEVTargetVoltage
from iso15118.shared.messages.enums import UnitSymbol
from iso15118.shared.settings import load_shared_settings

BATTERY = 400  # V
CURRENT = 20  # A


class Car(SimEVController):
    """The package's simulated car with a battery of 400 V, which counts its loops."""

    def __init__(self, config: EVCCConfig, wish: argparse.Namespace):
        super().__init__(config)
        self.wish, self.loops, self._soc = wish, 0, 50

    async def get_dc_charge_params(self) -> DCEVChargeParams:
        changed = {
            "dc_max_voltage_limit": PVEVMaxVoltageLimit(multiplier=0, value=450, unit=UnitSymbol.VOLTAGE),
            "dc_target_voltage": PVEVTargetVoltage(multiplier=0, value=BATTERY, unit=UnitSymbol.VOLTAGE),
            "dc_target_current": PVEVTargetCurrent(multiplier=0, value=CURRENT, unit=UnitSymbol.AMPERE),
        }
        return self.dc_ev_charge_params.copy(update=changed)

    async def is_precharged(self, present_voltage_evse: Any) -> bool:
        return bool(abs(present_voltage_evse.get_decimal_value() - BATTERY) <= 20)

    async def continue_charging(self) -> bool:
        """Whether to go on with the charge loop; called by the package after every response of it."""
        self.loops += 1
        return self.loops < int(self.wish.loops)

    async def get_dc_ev_power_delivery_parameter(self) -> Any:
        before = self.loops
        made = await super().get_dc_ev_power_delivery_parameter()  # which asks whether to go on, and is no loop
        self.loops = before
        return made

    async def ready_to_charge(self) -> bool:
        return True

    async def charge_loop_delay(self) -> Any:
        return 0.02


async def run(wish: argparse.Namespace) -> int:
    """Visit one station with the foreign car; the exit code."""
    Watched.over = asyncio.Event()
    load_shared_settings()
    stretch_timers(wish.timeout_factor)
    EXI().set_exi_codec(ExificientEXICodec())
    config = EVCCConfig(
        supportedProtocols=[wish.protocol],
        supportedEnergyServices=[wish.mode[:2]],
        energyTransferMode=wish.mode,
        useTls=False,
        enforceTls=False,
        chargeLoopCycle=wish.loops,
    )
    config.load_raw_values()
    car, started = Car(config, wish), time.monotonic()
    await connect(wish.connect, False, config, car)
    session = Watched.latest
    if session is None:
        return 2
    reason = session.stop_reason
    say(
        ok=bool(reason and reason.successful),
        reason=reason.reason if reason else "the other side closed the connection",
        state=str(session.current_state),
        protocol=session.protocol.name,
        loops=car.loops,
        seconds=round(time.monotonic() - started, 3),
    )
    return 0 if reason and reason.successful else 1


def arguments() -> argparse.Namespace:
    """What the command line says the foreign car shall do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", metavar="HOST,PORT", required=True, help="the station's address")
    parser.add_argument("--mode", default="DC_extended", choices=["DC_extended", "AC_three_phase_core", "AC_single_phase_core"])
    parser.add_argument("--protocol", default="ISO_15118_2", choices=["ISO_15118_2", "DIN_SPEC_70121"])
    parser.add_argument("--loops", type=int, default=5, help="charge-loop requests to send")
    parser.add_argument("--timeout-factor", type=float, default=20.0, help="stretch the package's own timers")
    return parser.parse_args()


if __name__ == "__main__":
    os._exit(asyncio.run(run(arguments())))  # the Java gateway's threads would outlive a plain exit
