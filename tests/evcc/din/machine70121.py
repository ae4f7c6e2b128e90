"""A car of DIN SPEC 70121 at stations of every kind (`tests/evcc/visits.py` says how). `test_machine70121.py` runs it."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from evcc.car import Wish
from evcc.din.conduct import CONDUCT
from tests.evcc.din.witness70121 import Witness70121
from tests.evcc.early.scripted_early import SESSION, Station
from tests.evcc.older_visits import OlderVisits
from tests.evcc.visits import CARS, alive, gone, honest, wild
from v2g.din.generation import DIN
from v2g.messages.din import msg_body as b
from v2g.messages.din import msg_data_types as t
from v2g.session.v2gtp import frame

ARRIVALS: dict[str, st.SearchStrategy[Any]] = {**CARS}  # the cars that come


class Wild(Station):
    """The scripted station with measurements, limits and states of its own."""

    measured: tuple[float, float] | None = None  # V, A; None: what the car asked for
    share: float | None = None  # of its limits
    code = "EVSE_Ready"

    def answer(self, octets: bytes, twist: Callable[[Any], Any]) -> bytes:
        """What it says to these requests. A twist gives a message, octets, nothing, or several of them."""
        out = b""
        self.reader.feed(octets)
        while (heard := self.reader.next()) is not None:
            request = DIN.read(heard.payload_type, heard.payload).reading.message
            self.requests.append(request)
            said = twist(self.meant(request))
            for each in said if isinstance(said, tuple) else (said,):
                out += each if isinstance(each, bytes) else b"" if each is None else written(each)
        return out

    def meant(self, request: Any) -> Any:
        """The answer before it is twisted."""
        share = 1.0 if self.share is None else self.share
        said = getattr(type(self), f"on_{type(request).__name__}", type(self).ok)(self, request)
        if isinstance(said, b.CurrentDemandRes):
            limits = {"EVSEMaximumPowerLimit": (self.limit * share, "W"), "EVSEMaximumCurrentLimit": (150 * share, "A")}
            said = msgspec.structs.replace(said, **{name: self.says(*value) for name, value in limits.items()})
        status = next((name for name in said.__struct_fields__ if name.endswith("EVSEStatus")), None)
        if status is not None:
            said = msgspec.structs.replace(said, **{status: self.status(self.code)})
        if self.measured is None or not hasattr(said, "EVSEPresentVoltage"):
            return said
        measured = {"EVSEPresentVoltage": self.says(self.measured[0], "V")}
        if hasattr(said, "EVSEPresentCurrent"):
            measured["EVSEPresentCurrent"] = self.says(self.measured[1], "A")
        return msgspec.structs.replace(said, **measured)


def written(said: Any, session: bytes = SESSION) -> bytes:
    """A message in its frame."""
    sent = DIN.write(said, session, "main", None)
    return frame(sent.payload_type, sent.exi)


class Visits70121(OlderVisits):
    """One station of DIN SPEC 70121 after the other."""

    quantity, codes, another = t.PhysicalValueType, t.responseCodeType, b.ServiceDetailRes
    station: Wild

    @initialize(**ARRIVALS)
    def arrive(self, soc: float, scale: float, watts: float, further: int, calm: bool, broken: str) -> None:
        """A car comes, and gets so far with a station that behaves."""
        self.calm = calm  # in calm sessions nothing ends them at once: they come further
        station = Wild("DIN", pmax=((0, int(min(watts, 32e3) / 2)), (600, int(min(watts, 32e3)))))
        wish = Wish(services=("DC",), authorizations=("EIM",), bench_plain=True)
        self.comes(wish, station, Witness70121, CONDUCT, soc=soc, scale=scale, broken=broken)
        for _ in range(further):
            self.exchange(honest)

    @gone
    @rule(**ARRIVALS)
    def the_next_one_arrives(self, **arrival: Any) -> None:
        self.arrive(**arrival)

    def of_a_stranger(self, said: Any) -> bytes:
        return written(said, b"\x66" * 8)

    # --- what a station of this generation may say ---

    @alive
    @rule(code=st.sampled_from(("EVSE_Ready", "EVSE_Ready", "EVSE_NotReady", "EVSE_UtilityInterruptEvent", "EVSE_Shutdown")))
    def the_station_tells_how_it_is(self, code: str) -> None:
        self.station.code = code
        self.exchange(honest)

    @wild
    @rule(how=st.sampled_from(("EVSE_EmergencyShutdown", "EVSE_Malfunction", "Fault", "Invalid", "Warning")))
    def the_station_tells_of_itself(self, how: str) -> None:
        """In its EVSEStatus, where the answer has one."""

        def told(said: Any) -> Any:
            name = next((name for name in said.__struct_fields__ if name.endswith("EVSEStatus")), None)
            if name is None:
                return said
            danger = how.startswith("EVSE")
            status = self.station.status(how) if danger else self.station.status(isolation=how)
            return msgspec.structs.replace(said, **{name: status})

        self.exchange(told)
