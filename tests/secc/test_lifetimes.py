"""What outlives what: every field of a context, filled, through a renegotiation of the schedule, one of the service, and a pause."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from secc import station as words
from secc.claims import Claim
from secc.intent import Intent, Notice, Wish
from secc.iso20.power import power_delivery
from secc.iso20.setup import session_setup, session_stop
from secc.neutral.context import Agreement, Aside, Context, Exchange, Given, Moment, Pending, ServiceSession
from secc.neutral.fault import Fault
from secc.neutral.feeding import Feeding
from secc.neutral.questions import Questions
from secc.neutral.report import StationReport
from secc.reserve import Reserve
from tests.secc.scripted import LIMITS, outlet, secure
from v2g.energy.der import GridControl, Shares
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.energy.tab import Tab
from v2g.exi.derive import least
from v2g.iso20.sequence import State
from v2g.messages.common_messages import PowerDeliveryReq, SessionSetupReq, SessionStopReq, chargeProgressType, chargingSessionType
from v2g.messages.common_types import MeterInfoType, ReceiptType
from v2g.services import Selection
from v2g.session.errors import StationFailed

OFFER = Offer((Tuple(1, charging=Series.constant(0.0, 60.0, 1.0)),))
NEEDS = Needs(departure=7.0)
NOTHING, SCHEDULE, SERVICE, PAUSE = "", "schedule", "schedule, service", "schedule, service, pause"
FIELDS: dict[str, tuple[Any, str]] = {  # a value that is not the default, and what it survives
    "session.id": (b"12345678", PAUSE),
    "session.schema_set": ("dc", PAUSE),  # negotiated anew after a pause, and only the same is come back to
    "session.offered": (("urn:a,1,0",), SERVICE),  # likewise
    "session.agreement.evccid": ("WMIV1", PAUSE),
    "session.agreement.authorization": ("PnC", PAUSE),
    "session.agreement.expires_soon": (True, PAUSE),
    "session.agreement.permitted": (("DC",), PAUSE),
    "session.agreement.contract": (b"DER", PAUSE),
    "session.agreement.emaid": ("DE1", PAUSE),
    "session.agreement.selection": (Selection("DC", 1, "Scheduled"), "schedule, pause"),
    "session.agreement.parking": (("VehicleCheckIn",), "schedule, pause"),
    "session.agreement.tuple_id": (1, "schedule, pause"),
    "session.agreement.tab": (Tab(5.0), PAUSE),  # a car that comes back goes on with its bill
    "session.agreement.cost": (words.CostTold(2.5, 5.0), PAUSE),
    "session.claims": (Questions(2, 1), SERVICE),
    "session.installations": (Questions(1, 0), SERVICE),
    "session.intent": (Intent((Notice(Wish.SCHEDULE, 5.0),)), NOTHING),  # it is what the car follows
    "session.fault": (Fault(StationFailed("why", None)), SERVICE),  # the engine answers it, or forgets it with the step
    "station.limits": (replace(LIMITS, charge_power=7.0), SERVICE),
    "station.taken": (True, SERVICE),
    "station.unserviceable": ("broken", SERVICE),
    "station.emergency": ("button", SERVICE),
    "station.pilot": ("C", SERVICE),
    "station.locked": (True, SERVICE),
    "station.contactor": (False, SERVICE),
    "station.contactor_wanted": (False, SERVICE),
    "station.welded": (True, SERVICE),
    "station.output": (words.OutputMeasured(400.0, 1.0), SERVICE),
    "station.position": (words.Position(1, 2), SERVICE),
    "station.pairing": (words.Paired(True), SERVICE),
    "station.unassociated": ("it was towed", SERVICE),
    "station.alignment": (words.Alignment(True), SERVICE),
    "station.ground": ("FODDetected", SERVICE),
    "station.ground_since": (5.0, SERVICE),
    "station.device": ("EndPosition", SERVICE),
    "station.place": (words.ParkingPlace(1, 2, 3), SERVICE),
    "station.meter": (words.MeterReading("M", 1.0, 0.0, 0.0), SERVICE),
    "station.setpoint": (5.0, SERVICE),
    "station.reactive": (6.0, SERVICE),
    "station.mobility": (words.MobilityNeedsSet(target_soc=5.0), SERVICE),
    "station.grid": (GridControl(var=5.0), SERVICE),
    "station.grid_shares": (Shares(var=0.5), SERVICE),
    "service.arrival": (words.Arrival("Completed", "Manual"), SCHEDULE),
    "service.place_heard": (True, SCHEDULE),
    "service.departure": (words.Departure("CheckOut", 5), SCHEDULE),
    "service.departure_told": (words.Departure("CheckOut", 5), SCHEDULE),
    "service.released": (True, SCHEDULE),
    "service.challenge": (bytes(16), SCHEDULE),
    "service.attempt.claim": (Claim("EIM"), SCHEDULE),
    "service.attempt.asked": (1.0, SCHEDULE),
    "service.attempt.number": (2, SCHEDULE),
    "service.attempt.verdict": (words.Authorized(), SCHEDULE),
    "service.installation.request": (b"DER", SCHEDULE),
    "service.installation.asked": (1.0, SCHEDULE),
    "service.installation.number": (1, SCHEDULE),
    "service.installation.outcome": (words.CertificateReady(b"EXI"), SCHEDULE),
    "service.offered": ((2,), SCHEDULE),
    "service.added": ((words.Added("InternetAccess"),), SCHEDULE),
    "service.sets": (frozenset({(2, 1)}), SCHEDULE),
    "service.announced": (LIMITS, SCHEDULE),
    "service.car": (LIMITS, SCHEDULE),
    "service.power_unsaid": (True, SCHEDULE),
    "service.phases": (words.PhasePowers((1.0, 2.0)), SCHEDULE),
    "service.exchange.needs": (NEEDS, NOTHING),
    "service.exchange.asked": (2.0, NOTHING),
    "service.exchange.offer": (OFFER, NOTHING),
    "service.exchange.max_points": (12, NOTHING),
    "service.exchange.limits": (LIMITS, NOTHING),
    "service.aside": (
        Aside(exchange=Exchange(needs=NEEDS), wanted=True, shown=3.0),
        NOTHING,
    ),  # what is negotiated instead is on the main stream
    "service.questioned": (3.0, SCHEDULE),
    "service.coming": ((OFFER, NEEDS), SCHEDULE),  # it is for the exchange that follows
    "service.profile": (Series.constant(0.0, 60.0, 1.0), SCHEDULE),  # the one that is followed until there is another
    "service.pause_proposed": (True, SCHEDULE),
    "service.may_pause": (True, SCHEDULE),
    "service.isolation_asked": (3.0, SCHEDULE),
    "service.isolation": (True, SCHEDULE),
    "service.output_wanted": (words.SetOutput(1.0, 400.0, 1.0, 400.0), NOTHING),  # so that it is commanded again
    "service.target_voltage": (400.0, SCHEDULE),
    "service.device_asked": (("EndPosition", 3.0), SCHEDULE),
    "service.vehicle_fault": ("a reason", SCHEDULE),
    "service.pairing_asked": ((5, 3.0), SCHEDULE),
    "service.alignment_asked": (3.0, SCHEDULE),
    "service.obstruction_told": (3.0, SCHEDULE),
    "service.delivering": (True, SCHEDULE),
    "service.impaired": ("a reason", SCHEDULE),
    "service.looped": (4.0, SCHEDULE),
    "service.violating": ((("the outlet can", 4.0),), SCHEDULE),
    "service.metered": (True, SCHEDULE),
    "service.meters_shown": ((MeterInfoType(MeterID="M", ChargedEnergyReadingWh=1),), SCHEDULE),
    "service.receipts_shown": ((ReceiptType(TimeAnchor=1),), SCHEDULE),
    "service.reserve": (Reserve(energy=1.0), SCHEDULE),
    "service.setpoint_wanted": (9.0, NOTHING),  # so that it is commanded again
    "service.feeding": (Feeding(amended=True), SCHEDULE),
    "step.state": (State.DC_LOOP, SERVICE),  # the row of the answer says where it leads, and the engine puts it there
    "step.polled": (4.0, SERVICE),
    "step.told": (b"12345678", SERVICE),  # of the request that is answered
    "step.signature": ("signed", SERVICE),
}
OF_ITS_OWN = {"given", "moment"}  # never changed, and never kept


def leaves(part: Any, path: str = "") -> dict[str, Any]:
    """Every field of the parts of a context, and of the values in it that are parts themselves."""
    found: dict[str, Any] = {}
    for each in fields(part):
        where, value = f"{path}{each.name}", getattr(part, each.name)
        nested = is_dataclass(value) and where in {"session", "station", "service", "step", "session.agreement", *_nested()}
        found |= leaves(value, f"{where}.") if nested else {where: value}
    return {name: value for name, value in found.items() if name.split(".")[0] not in OF_ITS_OWN}


def _nested() -> set[str]:
    """The parts of a service session: what is made anew as a whole in it."""
    module = ServiceSession.__module__
    return {f"service.{each.name}" for each in fields(ServiceSession) if type(getattr(ServiceSession(), each.name)).__module__ == module}


def blank(**moment: Any) -> Context:
    given = Given(outlet=outlet(services=("DC",)), entropy=bytes, tls=secure())
    return Context(given, StationReport(limits=LIMITS), moment=Moment(now=10.0, wall=100.0, received=10.0, **moment))


def filled() -> Context:
    known = blank()
    for path, (value, _) in FIELDS.items():
        known = _put(known, path.split("."), value)
    return known


def _put(part: Any, path: list[str], value: Any) -> Any:
    return replace(part, **{path[0]: _put(getattr(part, path[0]), path[1:], value) if path[1:] else value})


def schedule_renegotiated(known: Context) -> Context:
    return power_delivery(least(PowerDeliveryReq, ChargeProgress=chargeProgressType.ScheduleRenegotiation), known).known


def service_renegotiated(known: Context) -> Context:
    return session_stop(least(SessionStopReq, ChargingSession=chargingSessionType.ServiceRenegotiation), known).known


def paused_and_resumed(known: Context) -> Context:
    """What another connection knows once the car has come back to a session."""
    answer = session_stop(least(SessionStopReq, ChargingSession=chargingSessionType.Pause), known)
    assert not isinstance(answer, Pending)
    assert answer.paused is not None
    other = blank(former=answer.paused).with_session(schema_set="dc")
    return session_setup(least(SessionSetupReq, EVCCID="WMIV1"), other).known


def test_every_field_has_a_value_here_that_is_not_its_default_and_says_what_it_survives() -> None:
    default, full = leaves(blank()), leaves(filled())
    assert set(FIELDS) == set(default)
    assert [path for path in FIELDS if full[path] == default[path]] == []
    assert {f.name for f in fields(Context)} == {path.split(".")[0] for path in FIELDS} | OF_ITS_OWN
    assert {f.name for f in fields(Agreement)} == {path.split(".")[2] for path in FIELDS if path.startswith("session.agreement.")}


@pytest.mark.parametrize(
    ("what", "happens"),
    [("schedule", schedule_renegotiated), ("service", service_renegotiated), ("pause", paused_and_resumed)],
)
def test_a_field_outlives_exactly_what_its_life_says(what: str, happens: Any) -> None:
    before, after = leaves(filled()), leaves(happens(filled()))
    survived = {path for path in FIELDS if after[path] == before[path]}
    assert survived == {path for path, (_, survives) in FIELDS.items() if what in survives.split(", ")}


def test_a_part_is_changed_by_what_it_is_made_of_and_by_nothing_else() -> None:
    known = blank().with_service(isolation=True).with_exchange(max_points=3).with_station(pilot="C").with_agreement(emaid="DE1")
    assert (known.service.isolation, known.service.exchange.max_points, known.station.pilot, known.agreement.emaid) == (True, 3, "C", "DE1")
    with pytest.raises(TypeError, match="pilot"):
        known.with_service(pilot="C")  # type: ignore[call-arg]
