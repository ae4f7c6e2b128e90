"""The cars of ISO 15118-2 of the station's machine, and what each does next that means well."""

from collections.abc import Callable
from typing import Any

from secc.claims import Claim
from tests.secc.erratic import Erratic
from tests.secc.iso2.scripted2 import Scripted2
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso2.physical import W, physical
from v2g.iso2.sequence import POWERED, RECEIPTS, State
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t

LOOPING = tuple(state for state in POWERED if state not in RECEIPTS)
HOUR = 3600.0  # s


class Trusting:
    """A verifier to whom every contract is good: what a machine looks for is not in signatures."""

    def contract(self, request: Any, challenge: bytes, wall: float) -> Claim:
        return Claim("PnC", emaid="DEV2GC00000001G", chain=(b"leaf",))

    def provisioning(self, request: Any, wall: float) -> None:
        return None

    def metering(self, request: Any, contract: bytes) -> None:
        """Whatever came is signed."""


class Planned(Scripted2):
    """A scripted car that is offered an hour of power, one without and one with less."""

    def offer(self, needs: Any) -> Offer:
        start = float(int(self.wall))
        power = Series.from_pairs([(start + HOUR * i, each) for i, each in enumerate((11e3, 0.0, 7e3))], start + 3 * HOUR)
        return Offer((Tuple(self.tuple_id, power),), departure=needs.departure)


class Car2(Erratic, Planned):
    """A car of ISO 15118-2 that pays by `way`."""

    way = "ExternalPayment"
    challenge = bytes(16)

    def octets(self, octets: bytes) -> list[Any]:
        """Say something; what is answered is asked for by `answers`."""
        self.session.receive(octets, self.now)
        self.settle()
        return []

    def ask(self, cls: type[Type], **fields: Any) -> Any:
        self.send(cls(**fields))
        (answer,) = self.strictly(self.answers)
        if cls is b.SessionSetupReq:
            self.id = self.heard.session_id
        self.challenge = getattr(answer, "GenChallenge", self.challenge)
        return answer

    def authorized(self) -> None:
        self.setup()
        self.ask(b.ServiceDiscoveryReq)
        self.pay(self.way)
        if self.way == "Contract":
            self.details()
        self.authorize()
        assert self.authorize().EVSEProcessing is t.EVSEProcessingType.Finished

    def details(self) -> Any:
        self.send(least(b.PaymentDetailsReq))
        (answer,) = self.strictly(self.answers)
        self.challenge = getattr(answer, "GenChallenge", self.challenge)
        return answer

    def authorize(self) -> Any:
        signed = {"Id": "id1", "GenChallenge": self.challenge} if self.way == "Contract" else {}
        return self.ask(b.AuthorizationReq, **signed)

    def tries(self, mode: str, asks: bool) -> None:
        """Go all the way to power, although this car was refused, or has not even asked."""
        self.setup()
        self.ask(b.ServiceDiscoveryReq)
        self.pay("ExternalPayment")
        if asks:
            self.refuses = True
            self.authorize()
            if self.session.context.state is S.AUTHORIZATION:
                self.authorize()
        self.scheduled(mode)
        if mode.startswith("DC"):
            self.checked()
        self.deliver()

    def receipt(self, known: bool = True) -> Any:
        """Sign what was shown last, or something else."""
        shown = self.session.context.service.meters_shown if known else ()
        said = {"MeterInfo": shown[0]} if shown else {"MeterInfo": t.MeterInfoType(MeterID="other")}
        return self.ask(b.MeteringReceiptReq, SessionID=self.id, SAScheduleTupleID=1, **said)

    def profile(self, power: float) -> t.ChargingProfileType:
        """An hour at that power, then nothing."""
        entries = ((0, power), (int(HOUR), 0.0))
        return t.ChargingProfileType(
            ProfileEntry=tuple(
                t.ProfileEntryType(ChargingProfileEntryStart=at, ChargingProfileEntryMaxPower=physical(each, W)) for at, each in entries
            )
        )


S = State
Due = Callable[[Car2, str], Any]
DUE: dict[State, Due] = {  # what a car that means well does next; in a state that is not here it does nothing
    S.SUPPORTED_APP_PROTOCOL: lambda car, mode: car.sap(),
    S.SESSION_SETUP: lambda car, mode: car.ask(b.SessionSetupReq, EVCCID=bytes(6)),
    S.SERVICE_DISCOVERY: lambda car, mode: car.ask(b.ServiceDiscoveryReq),
    S.SERVICE_SELECTION: lambda car, mode: car.pay(car.way),
    S.CONTRACT: lambda car, mode: car.details(),
    S.PAYMENT_DETAILS: lambda car, mode: car.details(),
    S.AUTHORIZATION: lambda car, mode: car.authorize(),
    S.PARAMETERS: lambda car, mode: car.parameters(mode),
    S.AC_START: lambda car, mode: car.deliver(),
    S.AC_RECEIPT: lambda car, mode: car.receipt(),
    S.DC_CABLE_CHECK: lambda car, mode: car.cable_check(),
    S.DC_PRE_CHARGE: lambda car, mode: car.pre_charge(),
    S.DC_START: lambda car, mode: car.deliver(),
    S.DC_RECEIPT: lambda car, mode: car.receipt(),
    S.DC_WELDING: lambda car, mode: car.stop(),
    **{state: lambda car, mode: car.loop(mode) for state in LOOPING},
    S.SESSION_STOP: lambda car, mode: car.stop(),
}
