"""A car of ISO 15118-2 at a foreign station: it does everything right up to where a script wants to be. A shell."""

import asyncio
import time
from typing import Any

from pki.profiles import Role
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import number
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import Sealed, Ways2
from v2gkit.conform.guest import PACE, Guest
from v2gkit.conform.running import Unreached
from v2gkit.conform.speech import framed
from v2gkit.conform.wallet import Wallet
from v2gkit.conform.wire import Wire

HEAD = ("SupportedAppProtocol", "SessionSetup", "ServiceDiscovery", "PaymentServiceSelection")
PROOF = {"EIM": ("Authorization",), "PnC": ("PaymentDetails", "Authorization")}
ENERGY = {  # by whether the station converts: what it waits for, in order
    True: (
        "ChargeParameterDiscovery", "CableCheck", "PreCharge", "PowerDelivery", "CurrentDemand", "PowerDeliveryStop", "WeldingDetection",
        "SessionStop",
    ),
    False: ("ChargeParameterDiscovery", "PowerDelivery", "ChargingStatus", "PowerDeliveryStop", "SessionStop"),
}  # fmt: skip
TOLERANCE = 20.0  # V between outlet and battery at which pre-charge is over
PRE_CHARGE_PATIENCE = 10.0  # s


class Visit2(Guest):
    """One session of a car of -2, which a script leads."""

    generation = ISO2
    polls = ("Authorization", "ChargeParameterDiscovery", "CableCheck")

    def __init__(self, wire: Wire, ways: Ways2, wallet: Wallet, slack: float, evccid: bytes):
        super().__init__(wire, wallet, slack)
        self.ways, self.evccid = ways, evccid

    @property
    def steps(self) -> tuple[str, ...]:
        """What a station waits for in a session of this kind, in order."""
        return (*HEAD, *PROOF[self.ways.authorization], *ENERGY[self.ways.dc])

    @property
    def loop(self) -> str:
        """The step in which power flows."""
        return "CurrentDemand" if self.ways.dc else "ChargingStatus"

    def octets(self, message: Any, *, session_id: bytes | None = None, stream: str = "main") -> bytes:
        """A request as the frame that the car would send: in an envelope with the SessionID of this session, or another."""
        said, signature = message if isinstance(message, Sealed) else (message, None)
        return framed(self.generation, said, self.heard.session_id if session_id is None else session_id, stream, signature)

    async def longer(self, name: str) -> Any:
        """Pre-charge, which is more than a request."""
        return await self._pre_charge() if name == "PreCharge" else None

    def usual(self, step: str) -> Any:
        """The request of a step, as the car would send it with what it knows. Raises Unreached where it knows too little."""
        try:
            return self._head(step) or self._energy(step)
        except KeyError as missing:
            raise Unreached(f"the car cannot ask for {step}: there was no {missing.args[0]}") from None

    def _head(self, step: str) -> Any:
        match step:
            case "SupportedAppProtocol":
                return asked2.negotiation()
            case "SessionSetup":
                return asked2.setup(self.evccid)
            case "ServiceDiscovery":
                return mb.ServiceDiscoveryReq()
            case "ServiceDetail":
                return mb.ServiceDetailReq(ServiceID=self.charging)
            case "PaymentServiceSelection":
                return asked2.selection(self.ways.authorization, self.charging)
            case "PaymentDetails":
                return asked2.contract(self.wallet.credential(Role.CONTRACT))
            case "Authorization":
                return self.authorization()
        return None

    def _energy(self, step: str) -> Any:
        ways = self.ways
        match step:
            case "ChargeParameterDiscovery":
                return asked2.parameters(ways)
            case "CableCheck":
                return asked2.cable_check()
            case "PreCharge":
                return asked2.pre_charge(ways.voltage)
            case "PowerDelivery":
                return asked2.delivery(Progress.Start, self.tuple.SAScheduleTupleID, asked2.profile(ways, self.tuple))
            case "CurrentDemand" | "ChargingStatus":
                return asked2.loop(ways)
            case "PowerDeliveryStop":
                return asked2.delivery(Progress.Stop, self.tuple.SAScheduleTupleID)
            case "WeldingDetection":
                return asked2.welding()
        return asked2.stop()

    @property
    def charging(self) -> int:
        """The id of the charging service, as the station told it."""
        return int(self.heard.of("ServiceDiscoveryRes").ChargeService.ServiceID)

    @property
    def tuple(self) -> Any:
        """The first schedule that the station offers. Raises Unreached where there is none."""
        schedules = self.heard.of("ChargeParameterDiscoveryRes").SASchedules
        if schedules is None:
            raise Unreached("ChargeParameterDiscoveryRes has no SASchedules")
        return schedules.SAScheduleTuple[0]

    def authorization(self) -> Any:
        """The authorization that the car wants. Raises Unreached where a contract has nothing to sign."""
        if self.ways.authorization == "EIM":
            return mb.AuthorizationReq()
        return asked2.sealed(asked2.challenged(self.challenge), self.wallet.credential(Role.CONTRACT).key)

    @property
    def challenge(self) -> bytes:
        """What the station gave the contract to sign."""
        return bytes(self.heard.of("PaymentDetailsRes").GenChallenge)

    async def _pre_charge(self) -> Any:
        """Pre-charge until the outlet has the voltage of the battery. Raises Unreached after 10 s."""
        until = time.monotonic() + PRE_CHARGE_PATIENCE
        while True:
            response = await self.granted(asked2.pre_charge(self.ways.voltage))
            present = number(response.EVSEPresentVoltage)
            if abs(present - self.ways.voltage) <= TOLERANCE:
                return response
            if time.monotonic() > until:
                why = f"the outlet has {present:g} V after {PRE_CHARGE_PATIENCE:g} s of pre-charge, asked was {self.ways.voltage:g} V"
                raise Unreached(why)
            await asyncio.sleep(PACE)

    def learn(self, name: str, reply: Any) -> None:
        """Keep what a response teaches. Raises Unreached where the session cannot go on as wanted."""
        if name == "SupportedAppProtocol" and not reply.ResponseCode.value.startswith("OK"):
            raise Unreached("the station does not speak ISO 15118-2")
        if name == "SessionSetup":
            self.heard.session_id = self.told
        if name == "ServiceDiscovery":
            offered = reply.ChargeService.SupportedEnergyTransferMode.EnergyTransferMode
            if self.ways.mode not in offered:
                raise Unreached(f"{self.ways.mode.value} is not offered, but {', '.join(each.value for each in offered)}")
            ways = reply.PaymentOptionList.PaymentOption
            if asked2.OPTIONS[self.ways.authorization] not in ways:
                raise Unreached(f"{self.ways.authorization} is not offered, but {', '.join(each.value for each in ways)}")
