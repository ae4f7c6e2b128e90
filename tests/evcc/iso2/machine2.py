"""A car of ISO 15118-2 at stations of every kind (`tests/evcc/visits.py` says how). `test_machine2.py` runs it, and breaks the car on
purpose."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from evcc.car import Wish
from evcc.iso2.conduct import CONDUCT
from tests.evcc.iso2.wild2 import Code, Honest2, Stranger
from tests.evcc.iso2.witness2 import Witness2
from tests.evcc.older_visits import OlderVisits
from tests.evcc.visits import CARS, alive, gone, honest, wild
from v2g.iso2.physical import A, V, physical
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t

ARRIVALS: dict[str, st.SearchStrategy[Any]] = {"service": st.sampled_from(("AC", "DC")), **CARS}  # the cars that come


class Wild2(Honest2):
    """The scripted station with measurements of its own."""

    measured: tuple[float, float] | None = None  # V, A; None: what the car asked for
    share: float | None = None  # of its limits

    def meant(self, request: Any) -> Any:
        share = 1.0 if self.share is None else self.share
        usual = Honest2()
        self.amperes, self.limits = usual.amperes * share, (usual.limits[0] * share, usual.limits[1] * share, usual.limits[2])
        said = super().meant(request)
        if self.measured is None:
            return said
        volts, amperes = physical(self.measured[0], V), physical(self.measured[1], A)
        if isinstance(said, b.CurrentDemandRes):
            return msgspec.structs.replace(said, EVSEPresentVoltage=volts, EVSEPresentCurrent=amperes)
        if isinstance(said, b.PreChargeRes | b.WeldingDetectionRes):
            return msgspec.structs.replace(said, EVSEPresentVoltage=volts)
        return said


class Visits2(OlderVisits):
    """One station of ISO 15118-2 after the other."""

    quantity, codes, another = t.PhysicalValueType, Code, b.ServiceDetailRes
    station: Wild2

    @initialize(**ARRIVALS)
    def arrive(self, service: str, soc: float, scale: float, watts: float, further: int, calm: bool, broken: str) -> None:
        """A car comes, and gets so far with a station that behaves."""
        self.calm = calm  # in calm sessions nothing ends them at once: they come further
        station = Wild2(watts=((0, watts / 2), (600, watts)))
        wish = Wish(services=(service,), authorizations=("EIM",))
        self.comes(wish, station, Witness2, CONDUCT, soc=soc, scale=scale, broken=broken)
        for _ in range(further):
            self.exchange(honest)

    @gone
    @rule(**ARRIVALS)
    def the_next_one_arrives(self, **arrival: Any) -> None:
        self.arrive(**arrival)

    def of_a_stranger(self, said: Any) -> Stranger:
        return Stranger(said)

    # --- what a station of this generation may say ---

    @alive
    @rule(what=st.sampled_from(("StopCharging", "ReNegotiation", "ReNegotiation")))
    def the_station_notifies(self, what: str) -> None:
        self.station.notify = dict.fromkeys(range(self.station.loops, self.station.loops + 30), what)
        self.exchange(honest)

    @alive
    @rule(watts=st.sampled_from((0.0, 500.0, 30e3, 300e3)), begin=st.sampled_from((0, 40_000)))
    def the_station_offers_something_else(self, watts: float, begin: int) -> None:
        self.station.watts = ((begin, watts),)

    @alive
    @rule(wanted=st.booleans())
    def the_station_wants_receipts(self, wanted: bool) -> None:
        self.station.receipts = wanted

    @wild
    @rule(how=st.sampled_from(("EVSE_EmergencyShutdown", "EVSE_Malfunction", "EVSE_Shutdown", "Fault", "Invalid", "Warning", "RCD")))
    def the_station_tells_of_itself(self, how: str) -> None:
        """In its EVSEStatus, where the answer has one."""

        def told(said: Any) -> Any:
            name = next((name for name in said.__struct_fields__ if name.endswith("EVSEStatus")), None)
            status = None if name is None else getattr(said, name)
            if isinstance(status, t.AC_EVSEStatusType):
                return msgspec.structs.replace(said, **{name: msgspec.structs.replace(status, RCD=how == "RCD")})
            if not isinstance(status, t.DC_EVSEStatusType) or how == "RCD":
                return said
            changed = (
                {"EVSEStatusCode": t.DC_EVSEStatusCodeType(how)}
                if how.startswith("EVSE")
                else {"EVSEIsolationStatus": t.isolationLevelType(how)}
            )
            return msgspec.structs.replace(said, **{name: msgspec.structs.replace(status, **changed)})

        self.exchange(told)
