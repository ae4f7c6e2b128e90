"""A station's session under cars of ISO 15118-2 (`tests/secc/sessions.py` says how). `test_machine2.py` runs it, and breaks the station on
purpose."""

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from secc import station as words
from tests.secc.iso2.erratic2 import DUE, LOOPING, Car2, Trusting
from tests.secc.iso2.scripted2 import outlet, tls12
from tests.secc.iso2.witness2 import Witness2, stopped
from tests.secc.older_machine import OlderSessions
from tests.secc.sessions import DEFECTS, alive, gone
from v2g.iso2 import physical
from v2g.iso2.sequence import CHARGE_LOOPS, RECEIPTS, REQUESTS, ROWS, State, requests_in
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t

LIVE_STATES: Final = tuple(state for state in State if (state, b.PowerDeliveryReq) in ROWS)
RULED: Final = (b.SessionSetupReq, b.SessionStopReq, b.PowerDeliveryReq, b.MeteringReceiptReq, *CHARGE_LOOPS)  # by rules of their own
MODES: Final = {
    "DC": ("DC_extended", "DC_extended", "DC_core"),
    "AC": ("AC_three_phase_core", "AC_three_phase_core", "AC_single_phase_core"),
}
ARRIVALS: dict[str, st.SearchStrategy[Any]] = {
    "service": st.sampled_from(sorted(MODES)),
    "mode": st.integers(0, 2),
    "way": st.sampled_from(("ExternalPayment", "ExternalPayment", "Contract")),
    "begin": st.sampled_from(("nothing", "refused", "hasty", "authorized", "ready", "ready", *8 * ("charging",))),
    "hardware": st.sampled_from(DEFECTS),
    "share": st.sampled_from((1.0, 0.6)),
}
loops_now = precondition(lambda self: self.session.context.state in LOOPING)


class Sessions2(OlderSessions):
    """One car of ISO 15118-2 after the other at one outlet."""

    due, looping, requests, ruled, requests_in = DUE, LOOPING, REQUESTS, RULED, staticmethod(requests_in)
    units, preparing = physical, (State.DC_CABLE_CHECK, State.DC_PRE_CHARGE, State.DC_START)

    @initialize(**ARRIVALS)
    def arrive(self, service: str, mode: int, way: str, begin: str, hardware: str, share: float) -> None:
        """A car comes, and gets so far while all behave."""
        self.service, self.mode = service, MODES[service][mode]
        place = outlet(authorizations=("EIM", "PnC"), certificate_installation=True)
        self.comes(Car2(place, given={"tls": tls12(), "verifier": Trusting()}), Witness2, share)
        self.car.way = way
        self.so_far(begin, lambda: self.journey(begin), hardware)

    def journey(self, begin: str) -> None:
        """The way that a car has come."""
        match begin:
            case "refused" | "hasty":
                self.car.tries(self.mode, begin == "refused")
            case "authorized":
                self.car.authorized()
            case "ready":
                self.car.ready(self.mode)
            case "charging":
                self.car.charging(self.mode)
                self.car.loop(self.mode)

    @gone
    @rule(**ARRIVALS)
    def the_next_one_arrives(self, **arrival: Any) -> None:
        self.arrive(**arrival)

    def notified(self, answer: Any) -> bool | None:
        said = stopped(answer)
        return None if said is None else said.EVSENotification is t.EVSENotificationType.StopCharging

    # --- what a car may do ---

    @precondition(lambda self: self.session.context.state in LIVE_STATES)
    @alive
    @rule(
        progress=st.sampled_from(("Start", "Start", "Stop", "Renegotiate")),
        chosen=st.sampled_from((1, 1, 1, 9)),
        power=st.sampled_from((None, None, 0.0, 5e3, 8e3, -5e3, 1e6)),
    )
    def power_delivery(self, progress: str, chosen: int, power: float | None) -> None:
        profile = self.car.profile(power) if power is not None and progress == "Start" else None
        self.say(b.PowerDeliveryReq(ChargeProgress=t.chargeProgressType(progress), SAScheduleTupleID=chosen, ChargingProfile=profile))

    @loops_now
    @alive
    @rule(
        count=st.sampled_from((1, 2, 4, 8, 36)),
        current=st.sampled_from((12.0, -20.0, 500.0, 0.0)),
        voltage=st.sampled_from((400.0, 920.0, 1e5, 10.0, 0.0)),
        power=st.sampled_from((None, None, 3e3, 60e3, 0.0, -5e3)),
        most=st.sampled_from((None, None, 5.0, 400.0, -1.0)),
    )
    def loops(self, count: int, current: float, voltage: float, power: float | None, most: float | None) -> None:
        """So many turns of the charge loop. `power` (W) and `most` (A) are what the car says that it can take."""
        asked = b.CurrentDemandReq(DC_EVStatus=self.car.ev(), ChargingComplete=False, **self.wanted(current, voltage, power, most))
        self.turns(count, lambda: asked if self.service == "DC" else b.ChargingStatusReq())

    @alive
    @rule(way=st.sampled_from(("Terminate", "Pause")), rarely=st.integers(0, 2))
    def stops(self, way: str, rarely: int) -> None:
        if not rarely:
            self.act(lambda: self.car.stop(way))

    @precondition(lambda self: self.session.context.state in RECEIPTS)
    @alive
    @rule(known=st.sampled_from((True, True, False)))
    def signs(self, known: bool) -> None:
        """What it was shown, or something else."""
        self.act(lambda: self.car.receipt(known))

    @alive
    @rule(asks=st.booleans())
    def the_meter_is_read(self, asks: bool) -> None:
        """And a signature may be wanted for what it shows."""
        self.car.tell(words.MeterRead(words.MeterReading("M1", 1234.0, 0.0, self.car.wall)))
        if asks:
            self.car.tell(words.MeteringConfirmationAsked())
        self.look()
