"""The foreign car of ISO 15118-2 or DIN: one session of the package's EVCC, headless. Run by the peer's interpreter; see `ecog_setup`.

Prints one line of JSON; exits 0 when SessionStop was reached, 1 when the session failed, 2 when there was none.
"""

# mypy: disable-error-code="import-not-found"
# mypy: allow-subclassing-any

import argparse
import asyncio
import math
import os
import time
from typing import Any

from ecog_car import connect, discover, hears, warmed
from ecog_session import Watched, loops_of, older_outcome, say, stretch_timers
from iso15118.evcc.controller.simulator import SimEVController
from iso15118.evcc.evcc_config import EVCCConfig
from iso15118.evcc.states import din_spec_states, iso15118_2_states
from iso15118.shared.messages.datatypes import DCEVChargeParams, PVEVMaxVoltageLimit, PVEVTargetCurrent, PVEVTargetVoltage
from iso15118.shared.messages.enums import UnitSymbol
from iso15118.shared.security import CertPath, KeyEncoding, KeyPasswordPath, KeyPath, load_cert, load_priv_key
from iso15118.shared.settings import load_shared_settings

BATTERY = 400  # V
CURRENT = 20  # A
PACE = 0.1  # s between a response of the loop and the next request: after ten of them whole watt-hours are to have flowed


class Car(SimEVController):
    """The package's simulated car with a battery of 400 V, which leaves after so many loops, and looks at a contract that it is given."""

    def __init__(self, config: EVCCConfig, wish: argparse.Namespace):
        super().__init__(config)
        self.wish, self.installed, self._soc = wish, 0, 50
        self.limits: dict[str, float] = {}  # of the station: "current" (A), "power" (W), "voltage" (V)

    def hear(self, message: Any) -> None:
        """Keep the station's limits, as it stated them or states them now: of two for one thing the later."""
        stated = getattr(getattr(message.body, "charge_parameter_discovery_res", None), "dc_charge_parameter", None)
        for said in (stated, getattr(message.body, "current_demand_res", None)):
            for what in ("current", "power", "voltage"):
                for name in (f"evse_maximum_{what}_limit", f"evse_max_{what}_limit"):
                    if (value := getattr(said, name, None)) is not None:
                        self.limits[what] = value.get_decimal_value()

    async def get_dc_charge_params(self) -> DCEVChargeParams:
        volts = min(BATTERY, self.limits.get("voltage", BATTERY))
        amperes = min(CURRENT, self.limits.get("current", CURRENT), self.limits.get("power", math.inf) / BATTERY)
        changed = {
            "dc_max_voltage_limit": PVEVMaxVoltageLimit(multiplier=0, value=450, unit=UnitSymbol.VOLTAGE),
            "dc_target_voltage": PVEVTargetVoltage(multiplier=0, value=int(volts), unit=UnitSymbol.VOLTAGE),
            "dc_target_current": PVEVTargetCurrent(multiplier=0, value=int(amperes), unit=UnitSymbol.AMPERE),
        }
        return self.dc_ev_charge_params.copy(update=changed)

    async def is_precharged(self, present_voltage_evse: Any) -> bool:
        return bool(abs(present_voltage_evse.get_decimal_value() - BATTERY) <= 20)

    async def continue_charging(self) -> bool:
        """Whether to go on with the charge loop; the package asks in other places as well."""
        return bool(loops_of("Req") < self.wish.loops and Watched.met["PowerDeliveryReq"] < 2)  # the second one of DIN was its stop

    async def store_contract_cert_and_priv_key(self, contract_cert: bytes, priv_key: bytes) -> None:
        """Count the contract that was installed, where it is the one that the package's own folder has: the package keeps none."""
        own = load_priv_key(KeyPath.CONTRACT_LEAF_PEM, KeyEncoding.PEM, KeyPasswordPath.CONTRACT_LEAF_KEY_PASSWORD)
        key = own.private_numbers().private_value
        self.installed += contract_cert == load_cert(CertPath.CONTRACT_LEAF_DER) and int.from_bytes(priv_key, "big") == key

    async def ready_to_charge(self) -> bool:
        return True

    async def charge_loop_delay(self) -> Any:
        return PACE


async def run(wish: argparse.Namespace) -> int:
    """Visit one station with the foreign car; the exit code."""
    Watched.over = asyncio.Event()
    load_shared_settings()
    stretch_timers(wish.timeout_factor)
    hears(
        *(
            getattr(states, name)
            for states in (din_spec_states, iso15118_2_states)
            for name in ("ChargeParameterDiscovery", "CurrentDemand")
        )
    )
    codec = warmed(wish, wish.protocol)
    config = EVCCConfig(
        supportedProtocols=[wish.protocol],
        supportedEnergyServices=[wish.service],
        energyTransferMode={"AC": "AC_three_phase_core", "DC": "DC_extended"}[wish.service],
        isCertInstallNeeded=wish.install,
        useTls=wish.tls,
        enforceTls=wish.tls,
        chargeLoopCycle=wish.loops,
    )
    config.load_raw_values()
    car, started = Car(config, wish), time.monotonic()
    await (connect(wish.connect, wish.tls, config, car) if wish.connect else discover(config, car, codec))
    session = Watched.latest
    if session is None:
        return 2
    say(**older_outcome(session, "Req", wish.service, started) | {"installed": car.installed})
    return 0 if session.stop_reason and session.stop_reason.successful else 1


def arguments() -> argparse.Namespace:
    """What the command line says the foreign car shall do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", metavar="HOST,PORT", help="the station's address; without it, SDP on NETWORK_INTERFACE")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--service", default="DC", choices=["AC", "DC"])
    parser.add_argument("--protocol", default="ISO_15118_2", choices=["ISO_15118_2", "DIN_SPEC_70121"])
    parser.add_argument("--loops", type=int, default=10, help="charge-loop requests to send")
    parser.add_argument("--install", action="store_true", help="have the contract installed, and look whether it is the expected one")
    parser.add_argument("--timeout-factor", type=float, default=1.0, help="stretch the package's own timers")
    parser.add_argument("--warm", type=int, default=6, help="codec rounds before the session")
    return parser.parse_args()


if __name__ == "__main__":
    os._exit(asyncio.run(run(arguments())))  # the Java gateway's threads would outlive a plain exit
