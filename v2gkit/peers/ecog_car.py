"""The foreign car: one ISO 15118-20 session of the package's EVCC, headless. Run by the peer's interpreter; see `ecog_setup`.

Its surroundings come from the environment variables the package reads (PKI_PATH, ENABLE_TLS_1_3, NETWORK_INTERFACE), the session from the
arguments. Prints one line of JSON; exits 0 when SessionStop was reached, 1 when the session failed, 2 when there was none.
"""

# mypy: disable-error-code="import-not-found"
# mypy: allow-subclassing-any

import argparse
import asyncio
import math
import os
import signal
import socket
import ssl
import time
from typing import Any

from ecog_session import Watched, outcome, rational, rationals, say, stretch_timers, warm_codec
from iso15118.evcc import EVCCHandler, comm_session_handler
from iso15118.evcc.controller.simulator import SimEVController
from iso15118.evcc.evcc_config import EVCCConfig
from iso15118.evcc.states.iso15118_20_states import DCChargeLoop, DCChargeParameterDiscovery
from iso15118.shared.messages.enums import ControlMode, ServiceV20
from iso15118.shared.messages.iso15118_20 import ac, common_messages, dc
from iso15118.shared.security import get_ssl_context
from iso15118.shared.settings import load_shared_settings

BATTERY = 400  # V
SOC = 50  # %; the package's car begins at 10 and says MinimumSOC 30: nobody may discharge that one
V2X = {"ev_max_v2x_energy_request": 20e3, "ev_min_v2x_energy_request": -20e3}  # Wh: within these the station may trade
WAYS = ("scheduled", "dynamic", "bpt_scheduled", "bpt_dynamic")
CONTROL = {"scheduled": 1, "dynamic": 2}


class Car(SimEVController):
    """The package's simulated car, with a battery of 400 V instead of 20 kV, the wishes of the arguments, and nothing random."""

    def __init__(self, config: EVCCConfig, wish: argparse.Namespace):
        super().__init__(config)
        self.wish, self.loops, self._soc = wish, 0, SOC
        self.limits: dict[str, float] = {}  # of the station, by the package's names
        self.power = -11e3 if wish.service.endswith("_BPT") else 11e3  # W: what flows, until a schedule says otherwise

    async def select_energy_service_v20(self, services: list[Any]) -> Any:
        for offer in services:
            for parameters in offer.parameter_sets if offer.service.name == self.wish.service else ():
                values = {parameter.name: parameter.int_value for parameter in parameters.parameters}
                if values.get("ControlMode") == CONTROL[self.wish.control] and values.get("MobilityNeedsMode", 1) == self.wish.mobility:
                    return common_messages.SelectedEnergyService(service=offer.service, is_free=offer.is_free, parameter_set=parameters)
        return None  # the package answers with SessionStop

    async def get_charge_params_v20(self, selected_service: Any) -> Any:
        if selected_service.service in (ServiceV20.AC, ServiceV20.AC_BPT):
            return await super().get_charge_params_v20(selected_service)
        limits = rationals(
            ev_max_charge_power=150e3,  # W
            ev_min_charge_power=0,
            ev_max_charge_current=375,  # A
            ev_min_charge_current=0,
            ev_max_voltage=450,  # V
            ev_min_voltage=300,
        )
        if selected_service.service == ServiceV20.DC:
            return dc.DCChargeParameterDiscoveryReqParams(**limits)
        back = rationals(ev_max_discharge_power=60e3, ev_min_discharge_power=0, ev_max_discharge_current=150, ev_min_discharge_current=0)
        return dc.BPTDCChargeParameterDiscoveryReqParams(**limits, **back)

    async def get_scheduled_se_params(self, selected_energy_service: Any) -> Any:
        needs = rationals(ev_target_energy_request=10e3, ev_max_energy_request=20e3, ev_min_energy_request=-20e3)  # Wh
        return common_messages.ScheduledScheduleExchangeReqParams(departure_time=7200, **needs)

    async def get_dynamic_se_params(self, selected_energy_service: Any) -> Any:
        back = V2X if self.wish.service.endswith("_BPT") else {}
        needs = rationals(ev_target_energy_request=10e3, ev_max_energy_request=20e3, ev_min_energy_request=-20e3, **back)  # Wh
        return common_messages.DynamicScheduleExchangeReqParams(departure_time=7200, min_soc=30, target_soc=80, **needs)

    async def process_scheduled_se_params(self, scheduled_params: Any, pause: bool) -> Any:
        """Follow the first tuple: its discharging schedule if that begins with power, else its charging schedule."""
        offer = scheduled_params.schedule_tuples[0]
        schedule = offer.charging_schedule.power_schedule
        back = self.wish.service.endswith("_BPT") and offer.discharging_schedule
        if back and back.power_schedule.schedule_entry_list.entries[0].power.value:
            schedule = back.power_schedule
        self.power = schedule.schedule_entry_list.entries[0].power.get_decimal_value()
        entries = [
            common_messages.EVPowerScheduleEntry(duration=entry.duration, power=entry.power)
            for entry in schedule.schedule_entry_list.entries
        ]
        chosen = common_messages.ScheduledEVPowerProfile(
            selected_schedule_tuple_id=offer.schedule_tuple_id,
            power_tolerance_acceptance=common_messages.PowerToleranceAcceptance.CONFIRMED,  # optional in the schema, not in the package
        )
        return self._profile(schedule.time_anchor, entries, pause, scheduled_profile=chosen)

    async def process_dynamic_se_params(self, dynamic_params: Any, pause: bool) -> Any:
        entries = [common_messages.EVPowerScheduleEntry(duration=3600, power=rational(11e3))]
        return self._profile(int(time.time()), entries, pause, dynamic_profile=common_messages.DynamicEVPowerProfile())

    def _profile(self, anchor: int, entries: list[Any], pause: bool, **mode: Any) -> Any:
        listed = common_messages.EVPowerScheduleEntryList(entries=entries)
        progress = common_messages.ChargeProgress.STOP if pause else common_messages.ChargeProgress.START
        return common_messages.EVPowerProfile(time_anchor=anchor, entry_list=listed, **mode), progress

    async def get_present_voltage(self) -> Any:
        return rational(BATTERY)

    async def get_target_voltage(self) -> Any:
        return rational(BATTERY)

    async def is_precharged(self, present_voltage_evse: Any) -> bool:
        return bool(abs(present_voltage_evse.get_decimal_value() - BATTERY) <= 20)

    def hear(self, message: Any) -> None:
        """Keep the station's limits, as it stated them or states them now: of two for one thing the later."""
        modes = ("dc_params", "bpt_dc_params", *(f"{way}_dc_charge_loop_res" for way in WAYS))
        for said in (mode for mode in (getattr(message, each, None) for each in modes) if mode is not None):
            for name in said.__fields__:
                if (value := getattr(said, name)) is not None and name.startswith("evse_m"):
                    self.limits[name.replace("maximum", "max").replace("minimum", "min")] = value.get_decimal_value()

    def current(self) -> float:
        """What the schedule asks for, within the station's limits, plus is into the car (A); none where they leave the battery out."""
        limits, wanted = self.limits, self.power / BATTERY
        way = "charge" if wanted >= 0 else "discharge"
        most, power = limits.get(f"evse_max_{way}_current", math.inf), limits.get(f"evse_max_{way}_power", math.inf)
        amperes = min(abs(wanted), most, power / BATTERY)
        within = limits.get("evse_min_voltage", 0.0) <= BATTERY <= limits.get("evse_max_voltage", math.inf)
        return math.copysign(amperes, wanted) if within and amperes >= limits.get(f"evse_min_{way}_current", 0.0) else 0.0

    async def get_scheduled_dc_charge_loop_params(self) -> Any:
        current = self.current()
        return dc.ScheduledDCChargeLoopReqParams(ev_target_current=rational(current), ev_target_voltage=rational(BATTERY))

    async def get_dynamic_dc_charge_loop_params(self) -> Any:
        needs = rationals(
            ev_target_energy_request=10e3,  # Wh
            ev_max_energy_request=20e3,
            ev_min_energy_request=-20e3,
            ev_max_charge_power=150e3,  # W
            ev_min_charge_power=0,
            ev_max_charge_current=375,  # A
            ev_max_voltage=450,  # V
            ev_min_voltage=300,
        )
        return dc.DynamicDCChargeLoopReqParams(**needs)

    async def get_bpt_dynamic_dc_charge_loop_params(self) -> Any:
        both = (await self.get_dynamic_dc_charge_loop_params()).dict()
        back = rationals(ev_max_discharge_power=60e3, ev_min_discharge_power=0, ev_max_discharge_current=150, **V2X)
        return dc.BPTDynamicDCChargeLoopReqParams(**both, **back)

    async def get_ac_charge_loop_params_v20(self, control_mode: ControlMode, selected_service: ServiceV20) -> Any:
        bidirectional = selected_service == ServiceV20.AC_BPT
        if control_mode == ControlMode.SCHEDULED:
            kind = ac.BPTScheduledACChargeLoopReqParams if bidirectional else ac.ScheduledACChargeLoopReqParams
            return kind(ev_present_active_power=rational(self.power))
        needs = rationals(
            ev_target_energy_request=10e3,  # Wh
            ev_max_energy_request=20e3,
            ev_min_energy_request=-20e3,
            ev_max_charge_power=11e3,  # W
            ev_min_charge_power=0,
            ev_present_active_power=self.power,
            ev_present_reactive_power=0,
        )
        if not bidirectional:
            return ac.DynamicACChargeLoopReqParams(**needs)
        return ac.BPTDynamicACChargeLoopReqParams(**needs, **rationals(ev_max_discharge_power=11e3, ev_min_discharge_power=0, **V2X))

    async def continue_charging(self) -> bool:
        """Whether to go on with the charge loop; called by the package after every response of it."""
        self.loops += 1
        self._soc = min(99, SOC + self.loops)
        return self.loops < int(self.wish.loops)

    async def charge_loop_delay(self) -> Any:
        return self.wish.pace


def warmed(wish: argparse.Namespace, generation: str = "") -> Any:
    """The package's codec, warm. From then on SIGTERM is the driver's wish to leave: the car ends its charge at the next turn of the loop.

    The Java runtime of the codec, which belongs to the same group of processes, does not hear it: the session needs it to its end.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as a program has it that is started meanwhile
    codec = warm_codec(wish.service[:2], wish.warm, generation)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, wish, "loops", 0)
    return codec


def hears(*states: Any) -> None:
    """From now on the car hears a response before one of these states of the package takes it, which tells its controller no limits."""
    for state in states:

        async def heard(self: Any, message: Any, *more: Any, take: Any = state.process_message) -> None:
            self.comm_session.ev_controller.hear(message)
            await take(self, message, *more)

        state.process_message = heard


class Session(Watched, comm_session_handler.EVCCCommunicationSession):
    """A session of the foreign car, which reports when it is over."""


async def connect(address: str, tls: bool, config: EVCCConfig, car: Car) -> None:
    """Run a session against a station whose address is known, without SDP."""
    host, _, port = address.rpartition(",")
    context = get_ssl_context(False) if tls else None
    try:
        stream = await asyncio.open_connection(host, int(port), family=socket.AF_INET6, ssl=context)
    except (OSError, ssl.SSLError) as error:
        say(ok=False, reason=f"no connection: {error}")
        return
    session = Session(stream, asyncio.Queue(), config, os.environ["NETWORK_INTERFACE"], car)
    session.is_tls = tls
    await session.send_sap()
    await session.start(comm_session_handler.Timeouts.SUPPORTED_APP_PROTOCOL_REQ)


async def discover(config: EVCCConfig, car: Car, codec: Any) -> None:
    """Run the package unchanged, with SDP, on the interface that it was given."""
    comm_session_handler.EVCCCommunicationSession = Session
    handler = EVCCHandler(config, os.environ["NETWORK_INTERFACE"], codec, car)
    searching = asyncio.create_task(handler.start())
    await asyncio.wait([searching, asyncio.create_task(Watched.over.wait())], return_when=asyncio.FIRST_COMPLETED)
    searching.cancel()


async def run(wish: argparse.Namespace) -> int:
    """Visit one station with the foreign car; the exit code."""
    Watched.over = asyncio.Event()
    load_shared_settings()
    stretch_timers(wish.timeout_factor)
    hears(DCChargeParameterDiscovery, DCChargeLoop)
    codec = warmed(wish)
    config = EVCCConfig(
        supportedProtocols=[f"ISO_15118_20_{wish.service[:2]}"],
        supportedEnergyServices=[wish.service],
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
    request = session.authorization_req_message
    say(**outcome(session, car.loops, started), auth=request.selected_auth_service.value.lower() if request else None)
    return 0 if session.stop_reason and session.stop_reason.successful else 1


def arguments() -> argparse.Namespace:
    """What the command line says the foreign car shall do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", metavar="HOST,PORT", help="the station's address; without it, SDP on NETWORK_INTERFACE")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--service", default="DC", choices=["AC", "AC_BPT", "DC", "DC_BPT"])
    parser.add_argument("--control", default="scheduled", choices=list(CONTROL))
    parser.add_argument("--mobility", type=int, default=1, choices=[1, 2], help="MobilityNeedsMode to choose")
    parser.add_argument("--loops", type=int, default=10, help="charge-loop requests to send")
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between a charge-loop response and the next request")
    parser.add_argument("--timeout-factor", type=float, default=1.0, help="stretch the package's own timers")
    parser.add_argument("--warm", type=int, default=6, help="codec rounds before the session")
    return parser.parse_args()


if __name__ == "__main__":
    os._exit(asyncio.run(run(arguments())))  # the Java gateway's threads would outlive a plain exit
