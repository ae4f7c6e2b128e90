"""A car of DIN SPEC 70121 at a foreign station: it does everything right up to where a script wants to be. A shell."""

import asyncio
import time
from typing import Any

from v2g.din.generation import DIN
from v2g.din.physical import number
from v2g.din.services import CHARGING
from v2g.messages.din import msg_body as mb
from v2gkit.conform import asked_din as asked
from v2gkit.conform.asked_din import WaysDin
from v2gkit.conform.guest import PACE, Guest
from v2gkit.conform.running import Unreached
from v2gkit.conform.speech import framed
from v2gkit.conform.wallet import Wallet
from v2gkit.conform.wire import Wire

STEPS = (
    "SupportedAppProtocol", "SessionSetup", "ServiceDiscovery", "ServicePaymentSelection", "ContractAuthentication",
    "ChargeParameterDiscovery", "CableCheck", "PreCharge", "PowerDelivery", "CurrentDemand", "PowerDeliveryStop", "WeldingDetection",
    "SessionStop",
)  # fmt: skip
TOLERANCE = 20.0  # V between outlet and battery at which pre-charge is over
PRE_CHARGE_PATIENCE = 10.0  # s


class VisitDin(Guest):
    """One session of a car of DIN SPEC 70121, which a script leads."""

    generation = DIN
    polls = ("ContractAuthentication", "ChargeParameterDiscovery", "CableCheck")

    def __init__(self, wire: Wire, ways: WaysDin, wallet: Wallet, slack: float, evccid: bytes):
        super().__init__(wire, wallet, slack)
        self.ways, self.evccid = ways, evccid

    @property
    def steps(self) -> tuple[str, ...]:
        """What a station waits for in a session, in order."""
        return STEPS

    def octets(self, message: Any, *, session_id: bytes | None = None, stream: str = "main") -> bytes:
        """A request as the frame that the car would send: in an envelope with the SessionID of this session, or another."""
        return framed(self.generation, message, self.heard.session_id if session_id is None else session_id, stream)

    async def longer(self, name: str) -> Any:
        """Pre-charge, which is more than a request."""
        return await self._pre_charge() if name == "PreCharge" else None

    def usual(self, step: str) -> Any:
        """The request of a step, as the car would send it."""
        ways = self.ways
        made = {
            "SupportedAppProtocol": asked.negotiation,
            "SessionSetup": lambda: asked.setup(self.evccid),
            "ServiceDiscovery": mb.ServiceDiscoveryReq,
            "ServicePaymentSelection": lambda: asked.selection(self.charging),
            "ContractAuthentication": mb.ContractAuthenticationReq,
            "ChargeParameterDiscovery": lambda: asked.parameters(ways),
            "CableCheck": asked.cable_check,
            "PreCharge": lambda: asked.pre_charge(ways.voltage),
            "PowerDelivery": lambda: asked.delivery(True),
            "CurrentDemand": lambda: asked.loop(ways),
            "PowerDeliveryStop": lambda: asked.delivery(False),
            "WeldingDetection": asked.welding,
            "SessionStop": asked.stop,
        }
        return made[step]()

    @property
    def charging(self) -> int:
        """The id of the charging service, as the station told it; the usual one before it has told any."""
        told = self.heard.responses.get("ServiceDiscoveryRes")
        return CHARGING if told is None else int(told.ChargeService.ServiceTag.ServiceID)

    async def _pre_charge(self) -> Any:
        """Pre-charge until the outlet has the voltage of the battery. Raises Unreached after 10 s."""
        until = time.monotonic() + PRE_CHARGE_PATIENCE
        while True:
            response = await self.granted(asked.pre_charge(self.ways.voltage))
            present = number(response.EVSEPresentVoltage)
            if abs(present - self.ways.voltage) <= TOLERANCE:
                return response
            if time.monotonic() > until:
                raise Unreached(f"the outlet has {present:g} V after {PRE_CHARGE_PATIENCE:g} s, asked was {self.ways.voltage:g} V")
            await asyncio.sleep(PACE)

    def learn(self, name: str, reply: Any) -> None:
        """Keep what a response teaches. Raises Unreached where the session cannot go on."""
        if name == "SupportedAppProtocol" and not reply.ResponseCode.value.startswith("OK"):
            raise Unreached("the station does not speak DIN SPEC 70121")
        if name == "SessionSetup":
            self.heard.session_id = self.told
