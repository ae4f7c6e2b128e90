"""A car of ISO 15118-20 at stations of every kind (`tests/evcc/visits.py` says how). `test_machine.py` runs it, and breaks the car on
purpose."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from evcc.car import Wish
from evcc.iso20.conduct import CONDUCT
from tests.evcc.scripted_station import EPOCH, Code, Station, power_schedule, restamped, schedule_tuple
from tests.evcc.visits import CARS, RESERVE, AnyVisits, Twist, alive, gone, honest, places, put, wild
from tests.evcc.witness import Witness
from tests.machines import mode_of
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.iso20.frames import SETS, message, payload_type_of
from v2g.iso20.rational import rational
from v2g.iso20.services import CONTROL, SERVICES
from v2g.messages import common_messages as cm
from v2g.messages import dc, schema_set, wpt
from v2g.messages.common_types import RationalNumberType
from v2g.session.v2gtp import FrameReader, PayloadType, frame

NOTIFICATIONS = ("Terminate", "Pause", "ScheduleRenegotiation", "ServiceRenegotiation", "MeteringConfirmation")
NUMBERS = [RationalNumberType(Exponent=e, Value=v) for e in (-128, 0, 3, 127) for v in (-32768, -1, 0, 1, 32767)]
CODES = {"failed": Code.FAILED, "warning": Code.WARNING_EVPowerProfileViolation, "refused": Code.WARNING_ScheduleRenegotiationFailed}
LIMITED = {  # what a station that states its limits in the loop says, times a share
    "EVSEMaximumChargePower": 40e3,
    "EVSEMaximumChargeCurrent": 100.0,
    "EVSEMaximumDischargePower": 20e3,
    "EVSEMaximumDischargeCurrent": 60.0,
}
ARRIVALS: dict[str, st.SearchStrategy[Any]] = {  # the cars that come
    "service": st.sampled_from(sorted(SERVICES)),
    "control": st.sampled_from(sorted(CONTROL)),
    **CARS,
}


class Wild(Station):
    """The scripted station, with an answer that may be twisted before it is sent, and measurements of its own."""

    measured: tuple[float, float] | None = None  # V, A; None: what the car asked for
    share: float | None = None  # of its limits, which it then says in every loop

    def answer(self, octets: bytes, twist: Twist) -> bytes:
        """What it says to these requests. A twist gives a message, octets, or several of them."""
        out, reader = b"", FrameReader(2**20)
        reader.feed(self.hear(octets))
        while (heard := reader.next()) is not None:
            meant = self._limiting(self._measuring(message(heard.payload_type, heard.payload)))
            said = twist(meant)
            for each in said if isinstance(said, tuple) else (said,):
                if isinstance(each, bytes):
                    out += each
                elif each is not None:
                    kind = PayloadType(heard.payload_type) if type(each) is type(meant) else payload_type_of(type(each))
                    out += frame(kind, encode(each, schema_set(SETS[kind])))
        return out

    def _limiting(self, said: Any) -> Any:
        if self.share is None or not isinstance(said, dc.DC_ChargeLoopRes):
            return said
        mode = mode_of(said)
        limits = {name: rational(most * self.share) for name, most in LIMITED.items() if name in mode.__struct_fields__}
        return msgspec.structs.replace(said, CLResControlMode=msgspec.structs.replace(mode, **limits))

    def _measuring(self, said: Any) -> Any:
        if self.measured is None:
            return said
        volts, amperes = map(rational, self.measured)
        if isinstance(said, dc.DC_ChargeLoopRes):
            return msgspec.structs.replace(said, EVSEPresentVoltage=volts, EVSEPresentCurrent=amperes)
        if isinstance(said, wpt.WPT_ChargeLoopRes):
            return msgspec.structs.replace(said, EVPCPowerRequest=rational(self.measured[0] * self.measured[1]))
        if isinstance(said, dc.DC_PreChargeRes | dc.DC_WeldingDetectionRes):
            return msgspec.structs.replace(said, EVSEPresentVoltage=volts)
        return said


class Visits(AnyVisits):
    """One station of ISO 15118-20 after the other."""

    @initialize(**ARRIVALS)
    def arrive(
        self, service: str, control: str, soc: float, scale: float, watts: float, further: int, calm: bool, broken: str
    ) -> None:  # fmt: skip
        """A car comes, and gets so far with a station that behaves."""
        wish = Wish(services=(service,), control=control, authorizations=("EIM",), bench_plain=True)
        self.calm = calm  # in calm sessions nothing ends them at once: they come further
        both = SERVICES[service].bidirectional
        station = Wild(setpoint=-5e3 if both else 5e3)
        back = power_schedule(EPOCH, (7200, watts / 2), (7200, 0.0)) if both else None
        station.tuples = (schedule_tuple(3, power_schedule(EPOCH, (600, watts / 2), (36_000, watts)), None, back),)
        self.comes(wish, station, Witness, CONDUCT, soc=soc, scale=scale, broken=broken)
        for _ in range(further):
            self.exchange(honest)

    @gone
    @rule(**ARRIVALS)
    def the_next_one_arrives(self, **arrival: Any) -> None:
        self.arrive(**arrival)

    # --- what a station of this generation may say ---

    @alive
    @rule(what=st.sampled_from(NOTIFICATIONS))
    def the_station_notifies(self, what: str) -> None:
        self.station.notify = dict.fromkeys(range(self.station.loops, self.station.loops + 30), what)
        self.exchange(honest)

    @alive
    @rule(watts=st.sampled_from((0.0, 500.0, 30e3, 300e3, -8e3)), begin=st.sampled_from((0, 40_000, -40_000)))
    def the_station_offers_something_else(self, watts: float, begin: int) -> None:
        start = int(self.car.wall) + begin
        self.station.tuples = (schedule_tuple(4, power_schedule(max(start, 0), (36_000, watts))),)

    @alive
    @rule(watts=st.floats(-80e3, 80e3))
    def the_station_wants_a_power(self, watts: float) -> None:
        self.station.setpoint = watts

    @wild
    @rule(value=st.sampled_from(NUMBERS), at=st.integers(0, 200))
    def the_station_says_an_extreme(self, value: RationalNumberType, at: int) -> None:
        def extreme(said: Any) -> Any:
            paths = places(said, RationalNumberType)
            return put(said, paths[at % len(paths)], value) if paths else said

        self.exchange(extreme)

    @wild
    @rule(how=st.sampled_from(("failed", "warning", "stranger", "another", "garbage", "unframed", "twice", "refused")))
    def the_station_misbehaves(self, how: str) -> None:
        def wrong(said: Any) -> Any:
            match how:
                case "failed" | "warning" | "refused" if hasattr(said, "Header"):
                    return msgspec.structs.replace(said, ResponseCode=CODES[how])
                case "stranger" if hasattr(said, "Header"):
                    return restamped(said, SessionID=b"\x66" * 8)
                case "another":
                    return least(cm.ServiceSelectionRes, Header=self.station.header)
                case "garbage":
                    return frame(PayloadType.DC, b"\x80\xff\x13\x37" * 9)
                case "unframed":
                    return b"HTTP/1.1 200 OK\r\n\r\n"
                case "twice":
                    return said, said
            return said

        self.exchange(wrong)


__all__ = ["ARRIVALS", "RESERVE", "Visits"]
