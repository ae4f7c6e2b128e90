"""A station's session under cars of DIN SPEC 70121 (`tests/secc/sessions.py` says how). `test_machine70121.py` runs it."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.secc.din.scripted70121 import Scripted
from tests.secc.din.witness70121 import Witness70121, shut_down
from tests.secc.erratic import Erratic
from tests.secc.older_machine import OlderSessions
from tests.secc.sessions import DEFECTS, alive, gone
from v2g.din import physical
from v2g.din.sequence import CHARGE_LOOPS, REQUESTS, ROWS, State, requests_in
from v2g.exi.schema import Type
from v2g.messages.din import msg_body as b
from v2g.messages.din import msg_data_types as t

LIVE_STATES: Final = tuple(state for state in State if (state, b.PowerDeliveryReq) in ROWS)
MODES: Final = ("DC_extended", "DC_extended", "DC_core")
ARRIVALS: dict[str, st.SearchStrategy[Any]] = {
    "mode": st.integers(0, 2),
    "begin": st.sampled_from(("nothing", "refused", "hasty", "authorized", "ready", "ready", *8 * ("charging",))),
    "hardware": st.sampled_from(DEFECTS),
    "share": st.sampled_from((1.0, 0.6)),
}


class Car70121(Erratic, Scripted):
    """A car of DIN SPEC 70121; what it is answered is asked for by `answers`."""

    reads = False

    def octets(self, octets: bytes) -> list[Any]:
        self.session.receive(octets, self.now)
        self.settle()
        return []

    def ask(self, cls: type[Type], **fields: Any) -> Any:
        self.send(cls(**fields))
        (answer,) = self.strictly(self.answers)
        if cls is b.SessionSetupReq:
            self.id = self.heard.session_id
        return answer

    def tries(self, mode: str, asks: bool) -> None:
        """Go all the way to power, although this car was refused, or has not even asked."""
        self.setup()
        self.ask(b.ServiceDiscoveryReq)
        self.pay()
        if asks:
            self.refuses = True
            self.ask(b.ContractAuthenticationReq)
            if self.session.context.state is State.AUTHORIZATION:
                self.ask(b.ContractAuthenticationReq)
        self.scheduled(mode=mode)
        self.cable_check()
        self.cable_check()
        self.pre_charge()
        self.deliver()

    def profile(self, power: float) -> t.ChargingProfileType:
        """An hour at that power (W), then nothing."""
        entries = ((0, power), (3600, 0.0))
        each = tuple(t.ProfileEntryType(ChargingProfileEntryStart=at, ChargingProfileEntryMaxPower=int(value)) for at, value in entries)
        return t.ChargingProfileType(SAScheduleTupleID=1, ProfileEntry=each)


S = State
DUE: dict[Any, Callable[[Any, str], Any]] = {  # what a car that means well does next; in a state that is not here it does nothing
    S.SUPPORTED_APP_PROTOCOL: lambda car, mode: car.sap(),
    S.SESSION_SETUP: lambda car, mode: car.ask(b.SessionSetupReq, EVCCID=bytes(6)),
    S.SERVICE_DISCOVERY: lambda car, mode: car.ask(b.ServiceDiscoveryReq),
    S.SERVICE_SELECTION: lambda car, mode: car.pay(),
    S.AUTHORIZATION: lambda car, mode: car.ask(b.ContractAuthenticationReq),
    S.PARAMETERS: lambda car, mode: car.parameters(mode),
    S.DC_CABLE_CHECK: lambda car, mode: car.cable_check(),
    S.DC_PRE_CHARGE: lambda car, mode: car.pre_charge(),
    S.DC_START: lambda car, mode: car.deliver(),
    S.DC_LOOP: lambda car, mode: car.demand(20.0),
    S.DC_WELDING: lambda car, mode: car.stop(),
}


class Sessions70121(OlderSessions):
    """One car of DIN SPEC 70121 after the other at one outlet."""

    due, looping, requests, requests_in = DUE, (S.DC_LOOP,), REQUESTS, staticmethod(requests_in)
    units, preparing = physical, (S.DC_CABLE_CHECK, S.DC_PRE_CHARGE, S.DC_START)
    ruled: ClassVar = (b.SessionSetupReq, b.SessionStopType, b.PowerDeliveryReq, *CHARGE_LOOPS)

    @initialize(**ARRIVALS)
    def arrive(self, mode: int, begin: str, hardware: str, share: float) -> None:
        """A car comes, and gets so far while all behave."""
        self.mode = MODES[mode]
        self.comes(Car70121(), Witness70121, share)
        self.so_far(begin, lambda: self.journey(begin), hardware)

    def journey(self, begin: str) -> None:
        """The way that a car has come."""
        match begin:
            case "refused" | "hasty":
                self.car.tries(self.mode, begin == "refused")
            case "authorized":
                self.car.authorized()
            case "ready":
                self.car.ready()
            case "charging":
                self.car.charging()
                self.car.demand(20.0)

    @gone
    @rule(**ARRIVALS)
    def the_next_one_arrives(self, **arrival: Any) -> None:
        self.arrive(**arrival)

    def notified(self, answer: Any) -> bool | None:
        said = shut_down(answer)
        if said is None or isinstance(answer, b.PowerDeliveryRes):
            return None
        return said.EVSEStatusCode not in (t.DC_EVSEStatusCodeType.EVSE_Ready, t.DC_EVSEStatusCodeType.EVSE_NotReady)

    # --- what a car may do ---

    @precondition(lambda self: self.session.context.state in LIVE_STATES)
    @alive
    @rule(ready=st.sampled_from((True, True, False)), power=st.sampled_from((None, None, 0.0, 5e3, 8e3, -5e3, 32e3)))
    def power_delivery(self, ready: bool, power: float | None) -> None:
        profile = self.car.profile(power) if power is not None and ready else None
        said = t.DC_EVPowerDeliveryParameterType(DC_EVStatus=self.car.ev(), ChargingComplete=False)
        self.say(b.PowerDeliveryReq(ReadyToChargeState=ready, ChargingProfile=profile, EVPowerDeliveryParameter=said))

    @precondition(lambda self: self.session.context.state is S.DC_LOOP)
    @alive
    @rule(
        count=st.sampled_from((1, 2, 4, 8, 36)),
        current=st.sampled_from((12.0, -20.0, 500.0, 0.0)),
        voltage=st.sampled_from((400.0, 920.0, 1e5, 10.0, 0.0)),
        power=st.sampled_from((None, None, 3e3, 60e3, 0.0, -5e3)),
        most=st.sampled_from((None, None, 5.0, 400.0, -1.0)),
        wrong=st.sampled_from((*20 * ("NO_ERROR",), "FAILED_RESSTemperatureInhibit")),
    )
    def loops(self, count: int, current: float, voltage: float, power: float | None, most: float | None, wrong: str) -> None:
        """So many turns of the charge loop. `power` (W) and `most` (A) are what the car says that it can take."""
        self.turns(
            count,
            lambda: b.CurrentDemandReq(
                DC_EVStatus=self.car.ev(wrong), ChargingComplete=False, **self.wanted(current, voltage, power, most)
            ),
        )

    @alive
    @rule(rarely=st.integers(0, 2))
    def stops(self, rarely: int) -> None:
        if not rarely:
            self.act(self.car.stop)
