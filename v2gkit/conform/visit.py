"""A car at a foreign station: it does everything right up to where a script wants to be, and from there what the script says. A shell.

visit = await bench.visit()                       # connected, nothing sent
await visit.upto("Authorization")                 # the station now waits for AuthorizationReq
reply = await visit.ask(asked.discovery())        # whatever one likes
reply = await visit.ask(visit.due())              # what the station waits for, as the car would send it
"""

import asyncio
import time
from typing import Any

from pki.profiles import Role
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.rational import number
from v2g.iso20.services import SERVICES
from v2g.iso20.timing import EVCC_ONGOING_TIMEOUT, timing
from v2g.messages import common_messages as cm
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_types import processingType
from v2gkit.conform import asked
from v2gkit.conform.asked import Heard, Ways
from v2gkit.conform.running import Unreached
from v2gkit.conform.wallet import Wallet
from v2gkit.conform.wire import Reply, Wire

HEAD = (
    "SupportedAppProtocol", "SessionSetup", "AuthorizationSetup", "Authorization", "ServiceDiscovery", "ServiceDetail", "ServiceSelection",
    "ChargeParameterDiscovery", "ScheduleExchange",
)  # fmt: skip
STEPS = {  # by whether the station converts: what it waits for, in order
    True: (*HEAD, "CableCheck", "PreCharge", "PowerDelivery", "ChargeLoop", "PowerDeliveryStop", "WeldingDetection", "SessionStop"),
    False: (*HEAD, "PowerDelivery", "ChargeLoop", "PowerDeliveryStop", "SessionStop"),
}
PACE = 0.1  # s between two polls
TOLERANCE = 20.0  # V between outlet and battery at which pre-charge is over
POLLS = ("Authorization", "ScheduleExchange", "CableCheck")
Progress = cm.chargeProgressType


class Visit:
    """One session of a car, which a script leads."""

    def __init__(self, wire: Wire, ways: Ways, wallet: Wallet, slack: float, evccid: str):
        self.wire, self.ways, self.wallet, self.slack, self.evccid = wire, ways, wallet, slack, evccid
        self.heard = Heard()
        self.at = 0  # the place of the step that the station waits for
        self.present = 0.0  # V at the outlet, as it said last

    @property
    def steps(self) -> tuple[str, ...]:
        """What a station waits for in a session of this kind, in order."""
        return STEPS[self.ways.dc]

    # --- whatever a script likes ---

    async def ask(self, message: Any, within: float | None = None, *, session_id: bytes | None = None, stream: str = "main") -> Reply:
        """Send a request, stamped as the session has it, and hear what follows within the time of the standard and the slack (s)."""
        await self.tell(message, session_id=session_id, stream=stream)
        return await self.reply(type(message), within)

    async def tell(self, message: Any, *, session_id: bytes | None = None, stream: str = "main") -> None:
        """Send a request, stamped as the session has it."""
        await self.wire.send(self.octets(message, session_id=session_id, stream=stream))

    async def reply(self, kind: type[Type], within: float | None = None) -> Reply:
        """What follows within the time that a car waits for the response to a request of that class, and the slack (s)."""
        limit = within if within is not None else timing(kind).msg_timeout + self.slack
        reply = await self.wire.reply(limit)
        if reply.message is not None:
            self.heard.responses[reply.name] = reply.message
        return reply

    def octets(self, message: Any, *, session_id: bytes | None = None, stream: str = "main") -> bytes:
        """A request as the frame that the car would send."""
        return frames.framed(self.stamped(message, session_id), stream)

    def stamped(self, message: Any, session_id: bytes | None = None) -> Any:
        """A request with the SessionID of this session, or another, and the time of now; the negotiation has neither."""
        if isinstance(message, supportedAppProtocolReq):
            return message
        return asked.stamped(message, self.heard.session_id if session_id is None else session_id, time.time())

    async def granted(self, message: Any) -> Any:
        """Send a request that must be granted; the response. Raises Unreached where it is not."""
        reply = await self.ask(message)
        if not reply.ok:
            raise Unreached(f"{type(message).__name__} was answered by {reply}")
        return reply.message

    # --- what a car does that does everything right ---

    async def upto(self, step: str) -> "Visit":
        """Do everything right until the station waits for that step. Raises Unreached where it does not get so far."""
        end = self.steps.index(step)
        while self.at < end:
            await self.step()
        return self

    async def through(self, step: str) -> "Visit":
        """Do everything right until the station has answered that step."""
        await self.upto(step)
        await self.step()
        return self

    async def step(self) -> Any:
        """Do the step that the station waits for, polls included; the last response. Raises Unreached."""
        name = self.steps[self.at]
        response: Any = None
        if name == "PreCharge":
            response = await self._pre_charge()
        elif name == "WeldingDetection":
            await self.granted(asked.welding())
            response = await self.granted(asked.welding(finished=True))
        else:
            response = await self.granted(self.due())
            if name in POLLS:
                response = await self.finished(response)
        self._learn(name, response)
        self.at += 1
        return response

    async def finished(self, response: Any, limit: float = EVCC_ONGOING_TIMEOUT) -> Any:
        """Ask again while the station is busy, for at most `limit` s; the response that says Finished. Raises Unreached."""
        until = time.monotonic() + limit
        while response.EVSEProcessing is not processingType.Finished:
            if time.monotonic() > until:
                raise Unreached(f"{type(response).__name__} says {response.EVSEProcessing.value} after {limit:g} s")
            await asyncio.sleep(PACE)
            response = await self.granted(self.due())
        return response

    def due(self) -> Any:
        """The request that the station waits for, as the car would send it now."""
        return self.usual(self.steps[self.at])

    def usual(self, step: str) -> Any:
        """The request of a step, as the car would send it with what it knows. Raises Unreached where it knows too little."""
        ways, heard = self.ways, self.heard
        try:
            match step:
                case "SupportedAppProtocol":
                    return asked.negotiation(ways)
                case "SessionSetup":
                    return asked.setup(self.evccid)
                case "AuthorizationSetup":
                    return asked.authorization_setup()
                case "Authorization":
                    return self.authorization()
                case "ServiceDiscovery":
                    return asked.discovery()
                case "ServiceDetail":
                    return asked.detail(SERVICES[ways.service].id)
                case "ServiceSelection":
                    return asked.selection(SERVICES[ways.service].id, heard.parameter_set)
                case "ChargeParameterDiscovery":
                    return asked.charge_parameters(ways)
                case "ScheduleExchange":
                    return asked.schedule(ways)
                case "CableCheck":
                    return asked.cable_check()
                case "PreCharge":
                    return asked.pre_charge(ways.voltage, self.present, False)
                case "PowerDelivery":
                    return asked.delivery(Progress.Start, asked.profile(ways, heard.of("ScheduleExchangeRes"), time.time()))
                case "ChargeLoop":
                    return asked.loop(ways)
                case "PowerDeliveryStop":
                    return asked.delivery(Progress.Stop)
                case "WeldingDetection":
                    return asked.welding()
        except KeyError as missing:
            raise Unreached(f"the car cannot ask for {step}: there was no {missing.args[0]}") from None
        return asked.stop()

    def authorization(self) -> cm.AuthorizationReq:
        """The authorization that the car wants. Raises Unreached where a contract has nothing to sign."""
        if self.ways.authorization == "EIM":
            return asked.external()
        return asked.plug_and_charge(self.wallet.credential(Role.CONTRACT), self.challenge)

    @property
    def challenge(self) -> bytes:
        """What the station gave a contract to sign. Raises Unreached where it gave nothing."""
        mode = self.heard.of("AuthorizationSetupRes").PnC_ASResAuthorizationMode
        if mode is None:
            raise Unreached("AuthorizationSetupRes has no challenge for a contract")
        return bytes(mode.GenChallenge)

    async def _pre_charge(self) -> Any:
        """Pre-charge until the outlet has the voltage of the battery, and say so. Raises Unreached after 10 s."""
        until = time.monotonic() + 10.0
        while True:
            response = await self.granted(asked.pre_charge(self.ways.voltage, self.present, False))
            self.present = number(response.EVSEPresentVoltage)
            if abs(self.present - self.ways.voltage) <= TOLERANCE:
                return await self.granted(asked.pre_charge(self.ways.voltage, self.present, True))
            if time.monotonic() > until:
                raise Unreached(f"the outlet has {self.present:g} V after 10 s of pre-charge, asked was {self.ways.voltage:g} V")
            await asyncio.sleep(PACE)

    def _learn(self, name: str, response: Any) -> None:
        """What a response teaches. Raises Unreached where the session cannot go on as wanted."""
        if name == "SupportedAppProtocol" and not response.ResponseCode.value.startswith("OK"):
            raise Unreached(f"the station does not speak {self.ways.service}")
        if name == "SessionSetup":
            self.heard.session_id = response.Header.SessionID
        if name == "ServiceDiscovery":
            offered = [each.ServiceID for each in response.EnergyTransferServiceList.Service]
            if SERVICES[self.ways.service].id not in offered:
                raise Unreached(f"{self.ways.service} is not offered, but services {offered}")
        if name == "ServiceDetail":
            found = asked.fitting(response, self.ways.control)
            if found is None:
                raise Unreached(f"{self.ways.service} is not offered in {self.ways.control} control")
            self.heard.parameter_set = found
