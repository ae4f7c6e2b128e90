"""The foreign station: a session of the package's SECC in ISO 15118-20, -2 or DIN. Run by the peer's interpreter; see `ecog_setup`.

Its surroundings come from the environment variables the package reads (PKI_PATH, ENABLE_TLS_1_3, AUTH_MODES, PROTOCOLS). Prints one line of
JSON when it listens (`{"ready": true, "port": 61851}`) and one when its session is over; exits 0 when SessionStop was reached, 1 when the
session failed.
"""

# mypy: disable-error-code="import-not-found"
# mypy: allow-subclassing-any

import argparse
import asyncio
import os
import socket
import time
from typing import Any

from ecog_session import OLDER, Watched, loops_of, older_outcome, outcome, rationals, say, stretch_timers, warm_codec
from iso15118.secc import SECCHandler, comm_session_handler
from iso15118.secc.controller.interface import ServiceStatus
from iso15118.secc.controller.simulator import SimEVSEController
from iso15118.secc.secc_settings import Config
from iso15118.shared.messages.datatypes import DCEVSEStatusCode, EVSENotification
from iso15118.shared.messages.enums import Protocol, ServiceV20
from iso15118.shared.messages.iso15118_20 import common_types, dc
from iso15118.shared.security import get_ssl_context

CONTROL = {"scheduled": 1, "dynamic": 2}
POWER, CURRENT, VOLTAGE = 60e3, 150.0, (200.0, 920.0)  # W, A, V: what the DC station can do in either direction


class Station(SimEVSEController):
    """The package's simulated station, with an output that follows its commands, where the package's always shows 1 V and 1 A."""

    def __init__(self, control: str, tell_after: int, tell: str, renegotiation: bool):
        super().__init__()
        self.control, self.tell_after, self.tell, self.renegotiation = control, tell_after, tell, renegotiation
        self.loops = self.details = self.visits = 0  # requests of the charge loop, of ServiceDetail; connections
        limits = self.evse_data_context.session_limits.ac_limits
        for name in vars(limits):
            setattr(limits, name, None)
        limits.max_charge_reactive_power = limits.max_discharge_reactive_power = 0
        present = self.evse_data_context
        present.present_active_power, present.present_active_power_l2, present.present_active_power_l3 = 11e3, None, None
        present.present_voltage = present.present_current = 0
        self.gives = self.limited = False  # whether current may flow back, and whether the car asks for more than there is

    def afresh(self) -> "Station":
        """A station of the same settings that no car has been at."""
        return Station(self.control, self.tell_after, self.tell, self.renegotiation)

    async def get_service_parameter_list(self, service_id: int) -> Any:
        self.details += 1
        offer = await super().get_service_parameter_list(service_id)
        wanted = CONTROL[self.control]
        offer.parameter_sets = [
            parameters
            for parameters in offer.parameter_sets
            if any(parameter.name == "ControlMode" and parameter.int_value == wanted for parameter in parameters.parameters)
        ]
        return offer

    async def get_ac_charge_params_v20(self, energy_service: ServiceV20) -> Any:
        """The AC limits of the station; the package takes the targets of the loop from them, of which only one may be set."""
        limits, back = self.evse_data_context.session_limits.ac_limits, energy_service == ServiceV20.AC_BPT
        limits.max_charge_power, limits.max_discharge_power = (0, 11e3) if back else (11e3, 0)  # W
        return await super().get_ac_charge_params_v20(energy_service)

    async def get_dc_charge_params_v20(self, energy_service: ServiceV20) -> Any:
        self.gives = energy_service is ServiceV20.DC_BPT
        limits = rationals(
            evse_max_charge_power=POWER,
            evse_min_charge_power=0,
            evse_max_charge_current=CURRENT,
            evse_min_charge_current=0,
            evse_max_voltage=VOLTAGE[1],
            evse_min_voltage=VOLTAGE[0],
        )
        if energy_service == ServiceV20.DC:
            return dc.DCChargeParameterDiscoveryResParams(**limits)
        back = rationals(
            evse_max_discharge_power=POWER,
            evse_min_discharge_power=0,
            evse_max_discharge_current=CURRENT,
            evse_min_discharge_current=0,
        )
        return dc.BPTDCChargeParameterDiscoveryResParams(**limits, **back)

    async def get_dc_charge_parameters(self) -> Any:
        """The DC limits in -2 and DIN, where the package's are those of 40 A at 40 V."""
        parameters = await super().get_dc_charge_parameters()
        limits = {
            "evse_maximum_power_limit": (1, POWER / 10),
            "evse_maximum_current_limit": (0, CURRENT),
            "evse_maximum_voltage_limit": (0, VOLTAGE[1]),
            "evse_minimum_current_limit": (0, 0),
            "evse_minimum_voltage_limit": (0, VOLTAGE[0]),
        }
        for name, (multiplier, value) in limits.items():
            setattr(parameters, name, getattr(parameters, name).copy(update={"multiplier": multiplier, "value": round(value)}))
        return parameters

    async def send_charging_command(
        self, ev_target_voltage: float | None, ev_target_current: float | None, *flags: bool, **named: bool
    ) -> None:
        """Set the output to the car's targets; without (Dynamic control) to its voltage and half its current, out of it in BPT alone."""
        present = self.evse_data_context
        wanted = ev_target_voltage or self.ev_data_context.present_voltage or 0
        present.present_voltage = max(0, min(VOLTAGE[1], wanted))
        half = -CURRENT / 2 if any(flags) else CURRENT / 2  # the package tells the direction in the third place
        asked = half if ev_target_current is None else ev_target_current
        present.present_current = max(-CURRENT if self.gives else 0, min(CURRENT, asked))
        self.limited = asked > CURRENT or asked < -CURRENT

    async def is_evse_current_limit_achieved(self) -> bool:
        return self.limited

    async def stop_charger(self) -> None:
        self.evse_data_context.present_voltage = self.evse_data_context.present_current = 0

    async def start_cable_check(self) -> None:
        """The cable is checked without output, also before a renegotiated schedule."""
        await self.stop_charger()
        await super().start_cable_check()

    async def get_evse_status(self) -> Any:
        """The status in a response of the charge loop: after so many loops the car is asked to leave."""
        if not 0 < self.tell_after <= self.loops:
            return None
        return common_types.EVSEStatus(notification_max_delay=0, evse_notification=common_types.EVSENotification.TERMINATE)

    async def get_ac_evse_status(self) -> Any:
        return self._older_status(await super().get_ac_evse_status())

    async def get_dc_evse_status(self) -> Any:
        return self._older_status(await super().get_dc_evse_status())

    def _older_status(self, status: Any) -> Any:
        """The status in -2 and DIN: after so many loops the car is asked to leave (in DIN by a code), or, once, for another schedule."""
        loops, renegotiate = loops_of("Res"), self.tell == "renegotiate"
        if not 0 < self.tell_after <= loops or (renegotiate and loops > self.tell_after):
            return status
        if Watched.latest.protocol is Protocol.DIN_SPEC_70121:
            return status.copy(update={"evse_status_code": DCEVSEStatusCode.EVSE_SHUTDOWN})
        asked = EVSENotification.RE_NEGOTIATION if renegotiate else EVSENotification.STOP_CHARGING
        return status.copy(update={"evse_notification": asked})

    async def service_renegotiation_supported(self) -> bool:
        return self.renegotiation

    async def set_status(self, status: ServiceStatus) -> None:
        """Called by the package once its SDP server answers; announces that the station is ready."""
        say(ready=status == ServiceStatus.READY, port=15118)

    async def send_display_params(self) -> None:
        """Called by the package at every request of the charge loop; counts the loops."""
        self.loops += 1


class Session(Watched, comm_session_handler.SECCCommunicationSession):
    """A session of the foreign station, which reports when it is over."""


async def listen(address: str, tls: bool, visits: int, config: Config, station: Station) -> None:
    """Serve the first cars that connect to a fixed address without SDP; with `visits` 0 all of them, until somebody ends the program."""
    host, _, port = address.rpartition(",")
    evse = await station.get_evse_id(Protocol.UNKNOWN)

    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        station.visits += 1
        if station.visits == visits:
            server.close()
        paused = Watched.latest.ev_session_context if Watched.latest else None  # as the package itself hands it on
        outlet = station if visits else station.afresh()  # what flowed is over with its car
        session = Session((reader, writer), asyncio.Queue(), config, outlet, evse, paused)
        await session.start(comm_session_handler.Timeouts.V2G_EVCC_COMMUNICATION_SETUP_TIMEOUT)

    server = await asyncio.start_server(arrived, host, int(port), family=socket.AF_INET6, ssl=get_ssl_context(True) if tls else None)
    say(ready=True, port=server.sockets[0].getsockname()[1])
    if not visits:
        await asyncio.Event().wait()  # which nobody sets, whatever comes of the visits
    await Watched.over.wait()
    while station.visits < visits and Watched.latest.stop_reason and Watched.latest.stop_reason.successful:
        Watched.over.clear()
        await Watched.over.wait()


async def announce(config: Config, station: Station, codec: Any) -> None:
    """Run the package unchanged, with SDP, on the interface that it was given, until its first session is over."""
    comm_session_handler.SECCCommunicationSession = Session
    handler = SECCHandler(codec, station, config)
    serving = asyncio.create_task(handler.start(config.iface))
    await asyncio.wait([serving, asyncio.create_task(Watched.over.wait())], return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()


async def run(wish: argparse.Namespace) -> int:
    """Serve one car with the foreign station; the exit code."""
    Watched.over = asyncio.Event()
    config = Config()
    config.load_envs()
    stretch_timers(wish.timeout_factor)
    older = os.environ["PROTOCOLS"] if os.environ["PROTOCOLS"] in OLDER else ""
    codec = warm_codec(wish.current, wish.warm, older)
    station, started = Station(wish.control, wish.tell_after, wish.tell, wish.renegotiation), time.monotonic()
    await (listen(wish.listen, wish.tls, wish.visits, config, station) if wish.listen else announce(config, station, codec))
    session = Watched.latest
    if session is None:
        return 2
    chosen = session.selected_auth_option
    said = (
        older_outcome(session, "Res", wish.current, started)
        if older
        else outcome(session, station.loops, started) | {"auth": chosen.value.lower() if chosen else None}
    )
    say(**said, details=station.details, visits=station.visits)
    return 0 if session.stop_reason and session.stop_reason.successful else 1


def arguments() -> argparse.Namespace:
    """What the command line says the foreign station shall do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", metavar="HOST,PORT", help="address to serve, port 0 for any; without it, SDP on NETWORK_INTERFACE")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--current", default="DC", choices=["AC", "DC"], help="whose grammars to warm the codec with")
    parser.add_argument("--control", default="scheduled", choices=list(CONTROL), help="the control mode to offer")
    parser.add_argument("--tell-after", type=int, default=0, metavar="N", help="ask the car to leave after N charge loops (default: never)")
    parser.add_argument("--tell", default="stop", choices=["stop", "renegotiate"], help="what the car is asked for then, in -2")
    parser.add_argument("--renegotiation", action="store_true", help="say that the service can be renegotiated, and do it")
    parser.add_argument("--visits", type=int, default=1, metavar="N", help="connections to serve, 0 for all; a car that pauses comes back")
    parser.add_argument("--timeout-factor", type=float, default=1.0, help="stretch the package's own timers")
    parser.add_argument("--warm", type=int, default=6, help="codec rounds before listening")
    return parser.parse_args()


if __name__ == "__main__":
    os._exit(asyncio.run(run(arguments())))  # the Java gateway's threads would outlive a plain exit
