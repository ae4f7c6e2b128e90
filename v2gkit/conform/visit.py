"""A car of ISO 15118-20 at a foreign station: it does everything right up to where a script wants to be. A shell."""

import asyncio
import time
from typing import Any

from pki.profiles import Role
from v2g.iso20.generation import ISO20
from v2g.iso20.rational import number
from v2g.iso20.services import SERVICES
from v2g.messages import common_messages as cm
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2gkit.conform import asked
from v2gkit.conform.asked import Ways
from v2gkit.conform.guest import PACE, Guest
from v2gkit.conform.running import Unreached
from v2gkit.conform.speech import framed
from v2gkit.conform.wallet import Wallet
from v2gkit.conform.wire import Wire

HEAD = (
    "SupportedAppProtocol", "SessionSetup", "AuthorizationSetup", "Authorization", "ServiceDiscovery", "ServiceDetail", "ServiceSelection",
    "ChargeParameterDiscovery", "ScheduleExchange",
)  # fmt: skip
STEPS = {  # by whether the station converts: what it waits for, in order
    True: (*HEAD, "CableCheck", "PreCharge", "PowerDelivery", "ChargeLoop", "PowerDeliveryStop", "WeldingDetection", "SessionStop"),
    False: (*HEAD, "PowerDelivery", "ChargeLoop", "PowerDeliveryStop", "SessionStop"),
}
TOLERANCE = 20.0  # V between outlet and battery at which pre-charge is over
Progress = cm.chargeProgressType


class Visit(Guest):
    """One session of a car, which a script leads."""

    generation = ISO20
    polls = ("Authorization", "ScheduleExchange", "CableCheck")

    def __init__(self, wire: Wire, ways: Ways, wallet: Wallet, slack: float, evccid: str):
        super().__init__(wire, wallet, slack)
        self.ways, self.evccid = ways, evccid
        self.present = 0.0  # V at the outlet, as it said last

    @property
    def steps(self) -> tuple[str, ...]:
        """What a station waits for in a session of this kind, in order."""
        return STEPS[self.ways.dc]

    def octets(self, message: Any, *, session_id: bytes | None = None, stream: str = "main") -> bytes:
        """A request as the frame that the car would send."""
        return framed(self.generation, self.stamped(message, session_id), stream=stream)

    def stamped(self, message: Any, session_id: bytes | None = None) -> Any:
        """A request with the SessionID of this session, or another, and the time of now; the negotiation has neither."""
        if isinstance(message, supportedAppProtocolReq):
            return message
        return asked.stamped(message, self.heard.session_id if session_id is None else session_id, time.time())

    async def longer(self, name: str) -> Any:
        """Pre-charge and welding detection, which are more than a request."""
        if name == "PreCharge":
            return await self._pre_charge()
        if name == "WeldingDetection":
            await self.granted(asked.welding())
            return await self.granted(asked.welding(finished=True))
        return None

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

    def learn(self, name: str, reply: Any) -> None:
        """Keep what a response teaches. Raises Unreached where the session cannot go on as wanted."""
        if name == "SupportedAppProtocol" and not reply.ResponseCode.value.startswith("OK"):
            raise Unreached(f"the station does not speak {self.ways.service}")
        if name == "SessionSetup":
            self.heard.session_id = reply.Header.SessionID
        if name == "ServiceDiscovery":
            offered = [each.ServiceID for each in reply.EnergyTransferServiceList.Service]
            if SERVICES[self.ways.service].id not in offered:
                raise Unreached(f"{self.ways.service} is not offered, but services {offered}")
        if name == "ServiceDetail":
            found = asked.fitting(reply, self.ways.control)
            if found is None:
                raise Unreached(f"{self.ways.service} is not offered in {self.ways.control} control")
            self.heard.parameter_set = found
