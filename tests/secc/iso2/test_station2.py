"""A station that speaks ISO 15118-2: whole charges, its order, its safety, pauses and renegotiations, in virtual time."""

from typing import Any

import pytest

from secc import station as words
from secc.config import parse
from secc.neutral.profile import CLOCK_SLACK, demand_held
from secc.own_services import OwnService, ParameterSet
from secc.pause import PausedSessions
from tests.secc.iso2.scripted2 import EVCCID, Scripted2, outlet, tls12
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series, Step
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, W, number, physical
from v2g.iso2.sequence import REQUESTS, State, response_to, row
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.session.endpoint import Relaxed
from v2g.session.errors import Refused, SequenceError, TimedOut, UnknownSession
from v2g.session.profiles import ZERO_UNSAID
from v2g.session.v2gtp import frame

S = State
AC = "AC_three_phase_core"


def until(state: State) -> Scripted2:
    """A session that waits for what belongs to this state."""
    car = Scripted2(outlet(authorizations=("PnC", "EIM"), certificate_installation=True))
    steps: dict[State, Any] = {
        S.SESSION_SETUP: car.sap,
        S.SERVICE_DISCOVERY: car.setup,
        S.SERVICE_SELECTION: lambda: (car.setup(), car.ask(b.ServiceDiscoveryReq)),
        S.AUTHORIZATION: lambda: (car.setup(), car.ask(b.ServiceDiscoveryReq), car.pay()),
        S.PARAMETERS: car.authorized,
        S.AC_START: lambda: car.ready(AC),
        S.AC_LOOP: lambda: car.charging(AC),
        S.SESSION_STOP: lambda: (car.charging(AC), car.deliver("Stop")),
        S.DC_CABLE_CHECK: lambda: (car.authorized(), car.scheduled()),
        S.DC_PRE_CHARGE: lambda: (car.authorized(), car.scheduled(), car.cable_check(), car.cable_check()),
        S.DC_START: car.ready,
        S.DC_LOOP: car.charging,
        S.DC_WELDING: lambda: (car.charging(), car.deliver("Stop")),
    }
    steps[state]()
    assert car.session.context.state is state
    return car


REACHED = [
    s for s in State if s not in (S.SUPPORTED_APP_PROTOCOL, S.ENDED, S.CONTRACT, S.PAYMENT_DETAILS, S.AC_RECEIPT, S.DC_RECEIPT)
]  # those: test_contract2


@pytest.mark.parametrize("mode", ["DC_extended", "DC_core", AC, "AC_single_phase_core"])
def test_a_whole_charge(mode: str) -> None:
    car = Scripted2()
    assert car.charging(mode).ResponseCode is Code.OK
    for _ in range(3):
        assert car.loop(mode).ResponseCode is Code.OK
        car.now += 0.2
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert (car.session.ended.how, car.session.ended.error) == ("Terminate", None)
    (selected,) = car.wants(words.ServiceSelected)
    assert (selected.service, selected.control) == (mode[:2], "Scheduled")
    (started,) = car.wants(words.SessionStarted)
    assert started.evccid == EVCCID.hex().upper()
    assert started.vehicle.agreed == "urn:iso:15118:2:2013:MsgDef,2,0"
    assert len(car.wants(words.PowerStarted)) == len(car.wants(words.PowerStopped)) == 1
    assert car.wants(words.OpenContactor)


@pytest.mark.parametrize(
    ("state", "kind"),
    [(s, k) for s in REACHED for k in REQUESTS if row(s, k) is None],
    ids=lambda x: getattr(x, "value", getattr(x, "__name__", "")),
)
def test_what_has_no_row_is_refused_by_its_own_response_and_ends_the_session(state: State, kind: type[Type]) -> None:
    car = until(state)
    (answer,) = car.send(least(kind))
    assert type(answer) is response_to(kind)
    assert kind is supportedAppProtocolReq or answer.ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, SequenceError)
    assert car.send(least(kind)) == []


@pytest.mark.parametrize("state", [s for s in REACHED if s is not S.SESSION_SETUP], ids=lambda s: s.value)
def test_a_foreign_session_id_is_told_so_before_anything_else_and_silence_ends_a_session(state: State) -> None:
    car = until(state)
    car.id = b"stranger"
    (answer,) = car.send(least(b.ServiceDiscoveryReq))
    assert answer.ResponseCode is Code.FAILED_UnknownSession
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, UnknownSession)
    silent = until(state)
    silent.wait(59.0 if state not in (S.DC_PRE_CHARGE, S.DC_START) else 11.0)
    assert silent.session.ended is None
    silent.wait(2.0)
    if state not in (S.DC_PRE_CHARGE, S.DC_START):
        assert silent.session.ended is not None
        assert isinstance(silent.session.ended.error, TimedOut) or silent.session.context.session.fault is not None


@pytest.mark.parametrize("state", [S.AC_LOOP, S.DC_LOOP, S.DC_PRE_CHARGE, S.DC_START, S.DC_WELDING], ids=lambda s: s.value)
def test_an_outlet_that_may_be_live_is_opened_whenever_a_session_breaks(state: State) -> None:
    for end in (lambda car: car.octets(b""), lambda car: car.wait(130), lambda car: car.octets(b"GET / HTTP/1.1\r\n\r\n")):
        car = until(state)
        before = len(car.wants(words.OpenContactor))
        end(car)
        assert car.session.ended is not None
        assert not car.session.ended.well
        assert len(car.wants(words.OpenContactor)) == before + 1
        assert (len(car.wants(words.PowerStopped)) == 1) == bool(car.wants(words.PowerStarted))


@pytest.mark.parametrize("mode", ["DC_extended", AC])
@pytest.mark.parametrize(
    "danger",
    [words.EmergencyStop("button"), words.ConnectorLock(False), words.PilotIs("A"), words.ContactorIs(False)],
    ids=lambda fact: type(fact).__name__,
)
def test_a_danger_takes_the_power_away_at_once_and_the_next_answer_says_so(mode: str, danger: words.Fact) -> None:
    car = Scripted2()
    car.charging(mode)
    car.loop(mode)
    car.tell(danger)
    assert car.wants(words.OpenContactor)
    assert car.wants(words.PowerStopped)
    answer = car.loop(mode)
    assert answer.ResponseCode.value.startswith("FAILED")
    status = answer.DC_EVSEStatus if mode.startswith("DC") else answer.AC_EVSEStatus
    assert status.EVSENotification is t.EVSENotificationType.StopCharging
    if mode.startswith("DC"):
        assert status.EVSEStatusCode is not t.DC_EVSEStatusCodeType.EVSE_Ready
    assert car.session.ended is not None


def test_an_output_is_within_every_limit_and_the_car_is_told_which_it_reached() -> None:
    car = Scripted2()
    car.charging()
    answer = car.loop(current=500.0)
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.current == min(125.0, 150.0)
    assert answer.EVSECurrentLimitAchieved
    assert wanted.voltage * wanted.current <= wanted.power + 1.0
    answer = car.loop(current=20.0, voltage=900.0)
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.voltage == 450.0  # the car's own limit
    assert answer.EVSEVoltageLimitAchieved
    car.tell(words.LimitsChanged(words.Limits(charge_power=4_000.0, charge_current=125, voltage=920, voltage_minimum=150)))
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.power <= 4_000.0


def test_a_limit_that_falls_reaches_a_car_on_ac_by_its_current_and_by_a_renegotiation() -> None:
    car = Scripted2()
    car.charging(AC)
    first = number(car.loop(AC).EVSEMaxCurrent)
    car.tell(words.LimitsChanged(words.Limits(charge_power=6_900.0, phases=3)))
    answer = car.loop(AC)
    assert number(answer.EVSEMaxCurrent) == pytest.approx(10.0)
    assert number(answer.EVSEMaxCurrent) < first
    assert answer.AC_EVSEStatus.EVSENotification is t.EVSENotificationType.ReNegotiation
    assert car.deliver("Renegotiate").ResponseCode is Code.OK
    assert car.session.context.delivering
    assert car.scheduled(AC).ResponseCode is Code.OK
    assert car.deliver().ResponseCode is Code.OK
    assert car.loop(AC).AC_EVSEStatus.EVSENotification is t.EVSENotificationType.None_
    assert len(car.wants(words.PowerStarted)) == 1


def test_a_car_of_ac_states_no_power_and_hardware_that_asks_for_it_is_not_told_what_its_own_meter_said() -> None:
    """A foreign car was charged nothing at a simulated outlet: the 0 W measured before the first loop was taken for the car's word."""
    car = Scripted2()
    car.charging(AC)
    car.tell(words.OutputMeasured(230.0, 0.0, 0.0))
    car.loop(AC)
    assert [report.power for report in car.wants(words.EVReported)] == [None]


def test_a_renegotiation_of_dc_opens_the_contactor_and_checks_the_cable_again() -> None:
    car = Scripted2()
    car.charging()
    car.loop()
    before = len(car.wants(words.OpenContactor))
    assert car.deliver("Renegotiate").ResponseCode is Code.OK
    assert len(car.wants(words.OpenContactor)) == before + 1
    car.scheduled()
    car.checked()
    assert len(car.wants(words.CheckIsolation)) == 2
    assert car.deliver().ResponseCode is Code.OK
    assert car.loop().ResponseCode is Code.OK
    assert len(car.wants(words.PowerStarted)) == 2


def test_a_stop_is_told_and_enforced() -> None:
    car = Scripted2()
    car.charging()
    car.tell(words.StopAsked("the site needs its power"))
    answer = car.loop()
    assert answer.ResponseCode is Code.OK
    assert answer.DC_EVSEStatus.EVSENotification is t.EVSENotificationType.StopCharging
    assert answer.DC_EVSEStatus.EVSEStatusCode is t.DC_EVSEStatusCodeType.EVSE_Shutdown
    for _ in range(60):
        car.wait(0.25)
        if car.session.ended is None:
            car.send(least(b.CurrentDemandReq, DC_EVStatus=car.ev()))
    assert car.session.ended is not None
    assert "did not follow a stop" in str(car.session.ended.error)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        (((0, 50_000.0),), Code.OK),
        (((0, 10_000.0), (3600, 0.0)), Code.OK),
        (((0, 90_000.0),), Code.FAILED_ChargingProfileInvalid),
        (((60, 1_000.0),), Code.FAILED_ChargingProfileInvalid),
        (((0, 1_000.0), (0, 2_000.0)), Code.FAILED_ChargingProfileInvalid),
    ],
)
def test_a_profile_is_held_against_its_schedule(entries: tuple[tuple[int, float], ...], code: Code) -> None:
    car = Scripted2()
    car.ready()
    made = tuple(t.ProfileEntryType(ChargingProfileEntryStart=start, ChargingProfileEntryMaxPower=physical(w, W)) for start, w in entries)
    assert car.deliver(profile=t.ChargingProfileType(ProfileEntry=made)).ResponseCode is code
    assert bool(car.wants(words.PowerStarted)) == (code is Code.OK)


@pytest.mark.parametrize(("planned", "due"), [(86_400.0, 86_400), (3600.0, 3597)])
def test_a_car_that_names_no_departure_is_offered_a_day_from_when_it_is_told(planned: float, due: int) -> None:
    """[V2G2-304] holds when the offer is sent, some seconds after it was planned; a shorter plan stays what it is."""
    car = Scripted2()
    car.authorized()
    car.auto, begun = False, float(int(car.wall))
    car.parameters(DepartureTime=None)
    car.wait(2.5)
    car.tell(words.ScheduleReady(Offer((Tuple(1, Series.constant(begun, planned, 11_000.0)),))))
    (entry,) = car.parameters(DepartureTime=None).SASchedules.SAScheduleTuple[0].PMaxSchedule.PMaxScheduleEntry
    assert entry.TimeInterval.duration >= due
    assert (entry.TimeInterval.duration >= 86_400) == (due == 86_400)


@pytest.mark.parametrize(
    ("mode", "field"),
    [
        ("DC_extended", "FullSOC"),
        ("DC_extended", "EVEnergyRequest"),
        ("DC_extended", "EVMaximumPowerLimit"),
        ("DC_extended", "DepartureTime"),
        (AC, "DepartureTime"),
        ("DC_extended", "BulkSOC"),
        (AC, ""),
    ],
)
def test_a_zero_that_says_nothing_is_read_so_and_told_once(mode: str, field: str) -> None:
    zero = {"EVEnergyRequest": physical(0, t.unitSymbolType.Wh), "EVMaximumPowerLimit": physical(0, W)}
    car = Scripted2()
    car.authorized()
    car.auto = False
    for _ in range(3):
        answer = car.parameters(mode, **({field: zero.get(field, 0)} if field else {}))
        assert answer.ResponseCode is Code.OK
    (asked,) = car.wants(words.NeedsChanged)
    assert asked.needs.departure is None
    assert asked.needs.charge_maximum > 0
    told = [event.relaxation for event in car.happened if isinstance(event, Relaxed)]
    assert told == ([] if field in ("", "BulkSOC") else [ZERO_UNSAID.name])


def test_what_was_not_offered_is_refused_by_its_code() -> None:
    def refused(step: Any) -> Code:
        car = Scripted2(outlet(services=("DC",)))
        answer = step(car)
        assert car.session.ended is not None
        return Code(answer.ResponseCode)

    def selecting(car: Scripted2) -> None:
        car.setup()
        car.ask(b.ServiceDiscoveryReq)

    assert refused(lambda car: (selecting(car), car.ask(b.ServiceDetailReq, ServiceID=9))[1]) is Code.FAILED_ServiceIDInvalid
    assert refused(lambda car: (selecting(car), car.pay("Contract"))[1]) is Code.FAILED_PaymentSelectionInvalid
    assert refused(lambda car: (selecting(car), car.pay(services=(1, 3)))[1]) is Code.FAILED_ServiceSelectionInvalid
    assert refused(lambda car: (car.authorized(), car.parameters(AC))[1]) is Code.FAILED_WrongEnergyTransferMode
    none = {"EVMaximumCurrentLimit": physical(0, t.unitSymbolType.A)}
    assert refused(lambda car: (car.authorized(), car.parameters(**none))[1]) is Code.FAILED_WrongChargeParameter
    assert refused(lambda car: (car.ready(), car.deliver(tuple_id=77))[1]) is Code.FAILED_TariffSelectionInvalid


def test_a_card_that_is_refused_ends_the_session_and_one_that_is_waited_for_is_told() -> None:
    car = Scripted2(auto=False)
    car.setup()
    car.ask(b.ServiceDiscoveryReq)
    car.pay()
    answer = car.ask(b.AuthorizationReq)
    assert answer.EVSEProcessing is t.EVSEProcessingType.Ongoing_WaitingForCustomerInteraction
    car.tell(words.AuthorizationRefused(reason="no credit"))
    assert car.ask(b.AuthorizationReq).ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert "no credit" in str(car.session.ended.error)


def test_a_paused_session_is_joined_by_its_car_alone() -> None:
    paused = PausedSessions()
    car = Scripted2(given={"paused": paused})
    car.charging(AC)
    car.deliver("Stop")
    assert car.stop("Pause").ResponseCode is Code.OK
    assert len(paused) == 1
    kept = car.id

    def back(evccid: bytes) -> Scripted2:
        again = Scripted2(given={"paused": paused})
        again.sap()
        again.id = kept
        again.told = again.ask(b.SessionSetupReq, EVCCID=evccid)  # type: ignore[attr-defined]
        return again

    assert back(bytes(6)).told.ResponseCode is Code.OK_NewSessionEstablished  # type: ignore[attr-defined]
    again = back(EVCCID)
    assert again.told.ResponseCode is Code.OK_OldSessionJoined  # type: ignore[attr-defined]
    assert again.id == kept
    assert len(paused) == 0
    again.ask(b.ServiceDiscoveryReq)
    again.pay()
    again.ask(b.AuthorizationReq)
    again.ask(b.AuthorizationReq)
    assert again.scheduled(AC).ResponseCode is Code.OK
    assert again.deliver().ResponseCode is Code.OK


def test_an_outlet_speaks_what_it_is_told_to_speak() -> None:
    assert Scripted2(outlet(generations=("20",))).sap().ResponseCode.value == "Failed_NoNegotiation"
    assert Scripted2(outlet(generations=("2",))).sap().ResponseCode.value == "OK_SuccessfulNegotiation"
    only_two_way = Scripted2(outlet(services=("DC_BPT",)))
    assert only_two_way.sap().ResponseCode.value == "Failed_NoNegotiation"


def test_broken_octets_of_a_known_request_are_answered_before_the_end() -> None:
    car = until(S.DC_LOOP)
    sent = ISO2.write(least(b.CurrentDemandReq, DC_EVStatus=car.ev()), car.id)
    answers = car.octets(frame(sent.payload_type, sent.exi[:-6]))
    assert car.session.ended is not None
    assert [type(each) for each in answers] in ([], [b.CurrentDemandRes])
    assert all(each.ResponseCode is Code.FAILED for each in answers)


@pytest.mark.parametrize(("pilot", "begins"), [("C", True), ("D", True), ("B", False), ("E", False)])
def test_power_begins_for_a_car_whose_pilot_asks_for_it(pilot: str, begins: bool) -> None:
    car = Scripted2()
    car.ready()
    car.tell(words.PilotIs(pilot))  # type: ignore[arg-type]
    assert (car.deliver().ResponseCode is Code.OK) == begins  # [V2G2-847]
    assert bool(car.wants(words.PowerStarted)) == begins


@pytest.mark.parametrize(("pilot", "code"), [("B", Code.OK), ("C", Code.FAILED), ("D", Code.FAILED)])
def test_welding_is_looked_for_at_a_car_that_asks_for_no_energy(pilot: str, code: Code) -> None:
    car = until(S.DC_WELDING)
    car.tell(words.PilotIs(pilot))  # type: ignore[arg-type]
    state = t.DC_EVStatusType(EVReady=False, EVErrorCode=t.DC_EVErrorCodeType.NO_ERROR, EVRESSSOC=50)
    answers = car.send(b.WeldingDetectionReq(DC_EVStatus=state))
    if not answers:  # the pilot has 1.5 s to follow the request
        car.wait(1.45)
        answers = car.answers()
    assert [each.ResponseCode for each in answers] == [code]  # [V2G2-920]


def test_a_pilot_that_follows_its_request_late_is_waited_for() -> None:
    car = until(S.DC_WELDING)
    car.tell(words.PilotIs("C"))
    state = t.DC_EVStatusType(EVReady=False, EVErrorCode=t.DC_EVErrorCodeType.NO_ERROR, EVRESSSOC=50)
    assert car.send(b.WeldingDetectionReq(DC_EVStatus=state)) == []
    car.wait(0.5)
    car.tell(words.PilotIs("B"))
    assert [each.ResponseCode for each in car.answers()] == [Code.OK]  # [V2G2-920]


def test_a_profile_may_count_its_times_from_the_offer() -> None:
    hour = (Step(3600.0, 0.0), Step(3600.0, 10_000.0))
    offered = Tuple(1, Series(0.0, hour))
    late = Series(75.0, hour)  # as a car has it that was a minute at the cable check, and counts from the offer
    with pytest.raises(Refused):
        demand_held(late, offered, "ChargingProfile", "V2G2-478")
    demand_held(late, offered, "ChargingProfile", "V2G2-478", CLOCK_SLACK + 75.0)
    greedy = Series(0.0, (Step(3000.0, 0.0), Step(3600.0, 10_000.0)))
    with pytest.raises(Refused):
        demand_held(greedy, offered, "ChargingProfile", "V2G2-478", CLOCK_SLACK + 75.0)


# --- services beside charging ---

WASH = OwnService(60_000, "Wash", "depot", False, (ParameterSet(1, {"programme": "short", "minutes": 20, "wax": False}),))


def offering() -> Scripted2:
    verifier: Any = object()
    own = (WASH, OwnService(4, "Fleet"))
    place = outlet(value_added=own, internet=("https",), authorizations=("EIM", "PnC"), certificate_installation=True)
    car = Scripted2(place, given={"tls": tls12(), "verifier": verifier})
    car.setup()
    return car


@pytest.mark.parametrize(
    ("category", "ids"),
    [(None, [2, 3, 60_000, 4]), ("ContractCertificate", [2]), ("Internet", [3]), ("OtherCustom", [60_000, 4]), ("EVCharging", [])],
)
def test_services_are_listed_by_the_category_that_a_car_asks_for(category: str | None, ids: list[int]) -> None:
    asked = None if category is None else t.serviceCategoryType(category)
    car = offering()
    answer = car.ask(b.ServiceDiscoveryReq, ServiceCategory=asked)
    listed = () if answer.ServiceList is None else answer.ServiceList.Service
    assert [each.ServiceID for each in listed] == ids
    assert answer.ChargeService.ServiceID == 1  # it is there whatever is asked for
    for each in ids:
        assert car.ask(b.ServiceDetailReq, ServiceID=each).ResponseCode is Code.OK
    if 3 not in ids:  # what was not listed was not offered
        assert car.ask(b.ServiceDetailReq, ServiceID=3).ResponseCode is Code.FAILED_ServiceIDInvalid


def test_the_parameters_of_an_own_service_reach_the_car_and_its_choice_the_backend() -> None:
    car = offering()
    answer = car.ask(b.ServiceDiscoveryReq)
    wash = next(each for each in answer.ServiceList.Service if each.ServiceID == 60_000)
    assert (wash.ServiceName, wash.ServiceScope, wash.FreeService, wash.ServiceCategory.value) == ("Wash", "depot", False, "OtherCustom")
    (told,) = car.ask(b.ServiceDetailReq, ServiceID=60_000).ServiceParameterList.ParameterSet
    values = {each.Name: (each.stringValue, each.intValue, each.boolValue) for each in told.Parameter}
    assert values == {"programme": ("short", None, None), "minutes": (None, 20, None), "wax": (None, None, False)}
    assert car.ask(b.ServiceDetailReq, ServiceID=4).ServiceParameterList is None
    chosen = ((1, None), (60_000, 1), (3, 4), (4, None))
    listed = t.SelectedServiceListType(
        SelectedService=tuple(t.SelectedServiceType(ServiceID=service, ParameterSetID=number) for service, number in chosen)
    )
    car.ask(b.PaymentServiceSelectionReq, SelectedPaymentOption=t.paymentOptionType.ExternalPayment, SelectedServiceList=listed)
    car.ask(b.AuthorizationReq)
    car.ask(b.AuthorizationReq)
    car.scheduled()
    (selected,) = car.wants(words.ServiceSelected)
    wash_taken, internet, fleet = selected.added
    assert (wash_taken.service, wash_taken.parameter_set) == ("Wash", 1)
    assert (internet.service, internet.protocol, internet.port, internet.parameter_set) == ("InternetAccess", "https", 443, None)
    assert (fleet.service, fleet.parameter_set) == ("Fleet", None)


def test_a_parameter_set_that_a_service_has_not_is_refused() -> None:
    car = offering()
    car.ask(b.ServiceDiscoveryReq)
    chosen = (t.SelectedServiceType(ServiceID=1), t.SelectedServiceType(ServiceID=60_000, ParameterSetID=2))
    listed = t.SelectedServiceListType(SelectedService=chosen)
    answer = car.ask(b.PaymentServiceSelectionReq, SelectedPaymentOption=t.paymentOptionType.ExternalPayment, SelectedServiceList=listed)
    assert answer.ResponseCode is Code.FAILED_ServiceSelectionInvalid


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: OwnService(5, "x"),
        lambda: OwnService(60_000, "x" * 33),
        lambda: OwnService(60_000, "x", "y" * 65),
        lambda: OwnService(60_000, "x", sets=(ParameterSet(1, {"a": 1}), ParameterSet(1, {"a": 2}))),
        lambda: ParameterSet(1, {}),
        lambda: ParameterSet(40_000, {"a": 1}),
        lambda: ParameterSet(1, {"a": 2**31}),
        lambda: ParameterSet(1, {"a": "x" * 101}),
        lambda: outlet(value_added=(WASH, WASH)),
        lambda: outlet(value_added=tuple(OwnService(60_000 + n, "x") for n in range(7))),
    ],
)
def test_a_service_that_no_message_can_carry_is_refused_where_it_is_configured(wrong: Any) -> None:
    with pytest.raises(ValueError, match="give"):
        wrong()


def test_a_file_names_own_services() -> None:
    text = "tls = false\n[[offer.value_added]]\nid = 60000\nname = \"Wash\"\nfree = false\nscope = \"depot\"\n" \
        "sets = [{ id = 1, parameters = { programme = \"short\", minutes = 20, wax = false } }]\n"  # fmt: skip
    assert parse(text).offer.value_added == (WASH,)


def test_a_car_that_takes_no_power_any_more_is_given_none() -> None:
    car = Scripted2()
    car.charging()
    car.loop(EVMaximumCurrentLimit=physical(5, A))
    car.loop(EVMaximumPowerLimit=physical(0, W))
    assert car.wants(words.SetOutput)[-1].power == 0.0


def test_a_car_that_began_with_0_W_goes_on_with_it() -> None:
    car = Scripted2()
    car.authorized()
    car.scheduled(EVMaximumPowerLimit=physical(0, W))
    car.checked()
    car.deliver()
    car.loop(EVMaximumPowerLimit=physical(0, W))
    assert car.wants(words.SetOutput)[-1].power > 0.0
