"""A station that speaks DIN SPEC 70121: a whole charge, its order, its safety, what it refuses and how it says so, in virtual time."""

from typing import Any

import pytest

from secc import station as words
from secc.claims import Trust
from secc.din.verifier import NothingSigned
from secc.pause import PausedSessions
from tests.secc.din.scripted70121 import EVCCID, NAMESPACE, Scripted, outlet
from tests.secc.iso2.scripted2 import NAMESPACE as MINUS_2
from tests.secc.iso2.scripted2 import tls12
from v2g.din.generation import DIN
from v2g.din.physical import A, W, number, physical
from v2g.din.sequence import REQUESTS, State, response_to, row
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.din import msg_body as b
from v2g.messages.din import msg_data_types as t
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.session.endpoint import Relaxed
from v2g.session.errors import Refused, SequenceError, TimedOut, UnknownSession
from v2g.session.profiles import ZERO_UNSAID
from v2g.session.v2gtp import frame

S = State
Status = t.DC_EVSEStatusCodeType
NONE = t.EVSENotificationType.None_
REACHED = [s for s in State if s not in (S.SUPPORTED_APP_PROTOCOL, S.ENDED)]
FOREIGN = "another stranger"[:8].encode()


def until(state: State) -> Scripted:
    """A session that waits for what belongs to this state."""
    car = Scripted()
    steps: dict[State, Any] = {
        S.SESSION_SETUP: car.sap,
        S.SERVICE_DISCOVERY: car.setup,
        S.SERVICE_SELECTION: lambda: (car.setup(), car.ask(b.ServiceDiscoveryReq)),
        S.AUTHORIZATION: lambda: (car.setup(), car.ask(b.ServiceDiscoveryReq), car.pay()),
        S.PARAMETERS: car.authorized,
        S.DC_CABLE_CHECK: lambda: (car.authorized(), car.scheduled()),
        S.DC_PRE_CHARGE: lambda: (car.authorized(), car.scheduled(), car.cable_check(), car.cable_check()),
        S.DC_START: car.ready,
        S.DC_LOOP: car.charging,
        S.DC_WELDING: lambda: (car.charging(), car.deliver(False)),
    }
    steps[state]()
    assert car.session.context.state is state
    return car


@pytest.mark.parametrize("mode", ["DC_extended", "DC_core"])
def test_a_whole_charge(mode: str) -> None:
    """[V2G-DC-451] [V2G-DC-625]"""
    car = Scripted()
    setup = car.setup()
    assert (setup.ResponseCode, setup.DateTimeNow) == (Code.OK_NewSessionEstablished, int(car.session.context.wall))
    offered = car.ask(b.ServiceDiscoveryReq, ServiceCategory=t.serviceCategoryType.Internet)
    car.pay()
    car.ask(b.ContractAuthenticationReq)
    car.ask(b.ContractAuthenticationReq)
    ongoing = car.parameters(mode)
    assert ongoing.EVSEProcessing is t.EVSEProcessingType.Ongoing
    assert ongoing.SASchedules is not None  # the schema demands it, and a car ignores it [V2G-DC-493]
    (told,) = car.parameters(mode).SASchedules.SAScheduleTuple
    car.cable_check()
    car.cable_check()
    for _ in range(2):
        assert number(car.pre_charge().EVSEPresentVoltage) in (0.0, 400.0)
    assert car.deliver().ResponseCode is Code.OK
    for _ in range(3):
        assert car.demand().ResponseCode is Code.OK
        car.now += 0.2
    assert car.deliver(False).ResponseCode is Code.OK
    assert car.welding().ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert (car.session.ended.how, car.session.ended.error) == ("Terminate", None)
    (selected,) = car.wants(words.ServiceSelected)
    assert (selected.service, selected.control) == ("DC", "Dynamic")
    (started,) = car.wants(words.SessionStarted)
    assert (started.evccid, started.vehicle.agreed) == (EVCCID.hex().upper(), f"{NAMESPACE},2,0")
    assert len(car.wants(words.PowerStarted)) == len(car.wants(words.PowerStopped)) == 1
    # [V2G-DC-252] [V2G-DC-554] [V2G-DC-628] [V2G-DC-629]: no contract, no tariff, neither a name nor a scope
    assert offered.PaymentOptions.PaymentOption == (t.paymentOptionType.ExternalPayment,)
    assert (offered.ServiceList, offered.ChargeService.ServiceTag) == (
        None,
        t.ServiceTagType(ServiceID=1, ServiceCategory=t.serviceCategoryType.EVCharging),
    )
    assert (told.SalesTariff, told.PMaxSchedule.PMaxScheduleEntry[0].TimeInterval.duration) == (None, 86_400)


@pytest.mark.parametrize(
    ("state", "kind"),
    [(s, k) for s in REACHED for k in REQUESTS if row(s, k) is None],
    ids=lambda x: getattr(x, "value", getattr(x, "__name__", "")),
)
def test_what_has_no_row_is_refused_by_its_own_response_and_ends_the_session(state: State, kind: type[Type]) -> None:
    """[V2G-DC-666] [V2G-DC-665]"""
    car = until(state)
    (answer,) = car.send(least(kind))
    assert type(answer) is response_to(kind)
    assert kind is supportedAppProtocolReq or answer.ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, SequenceError)
    assert car.send(least(kind)) == []


@pytest.mark.parametrize("state", [s for s in REACHED if s is not S.SESSION_SETUP], ids=lambda s: s.value)
def test_a_foreign_session_id_is_told_so_before_anything_else_and_silence_ends_a_session(state: State) -> None:
    """[V2G-DC-391] [V2G-DC-432]"""
    car = until(state)
    car.id = FOREIGN
    (answer,) = car.send(least(b.ServiceDiscoveryReq))
    assert answer.ResponseCode is Code.FAILED_UnknownSession
    assert isinstance(car.session.ended.error if car.session.ended else None, UnknownSession)
    silent = until(state)
    silent.wait(130.0)
    assert silent.session.ended is not None
    assert isinstance(silent.session.ended.error, TimedOut) or silent.session.context.session.fault is not None


@pytest.mark.parametrize("state", REACHED, ids=lambda s: s.value)
def test_an_outlet_that_may_be_live_is_opened_whenever_a_session_breaks(state: State) -> None:
    live = state in (S.DC_PRE_CHARGE, S.DC_START, S.DC_LOOP, S.DC_WELDING)
    for end in (lambda car: car.octets(b""), lambda car: car.wait(130), lambda car: car.octets(b"GET / HTTP/1.1\r\n\r\n")):
        car = until(state)
        before = len(car.wants(words.OpenContactor))
        end(car)
        assert car.session.ended is not None
        assert not car.session.ended.well
        assert len(car.wants(words.OpenContactor)) == before + live
        assert (len(car.wants(words.PowerStopped)) == 1) == bool(car.wants(words.PowerStarted))


@pytest.mark.parametrize(
    ("danger", "code"),
    [
        (words.EmergencyStop("button"), Status.EVSE_EmergencyShutdown),
        (words.ConnectorLock(False), Status.EVSE_Malfunction),
        (words.PilotIs("A"), Status.EVSE_Malfunction),
        (words.ContactorIs(False), Status.EVSE_Malfunction),
        (words.IsolationMeasured(False), Status.EVSE_Malfunction),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_danger_takes_the_power_away_at_once_and_the_next_answer_says_so(danger: words.Fact, code: Status) -> None:
    """[V2G-DC-500]: by EVSEStatusCode, never by EVSENotification."""
    car = Scripted()
    car.charging()
    car.demand()
    car.tell(danger)
    assert car.wants(words.OpenContactor)
    assert car.wants(words.PowerStopped)
    answer = car.demand()
    assert answer.ResponseCode.value.startswith("FAILED")
    assert (answer.DC_EVSEStatus.EVSEStatusCode, answer.DC_EVSEStatus.EVSENotification) == (code, NONE)
    assert car.session.ended is not None


@pytest.mark.parametrize("state", [S.DC_CABLE_CHECK, S.DC_PRE_CHARGE, S.DC_START, S.DC_LOOP, S.DC_WELDING], ids=lambda s: s.value)
def test_an_emergency_is_heard_in_every_state_and_nothing_closes_after_it(state: State) -> None:
    car = until(state)
    car.tell(words.EmergencyStop("button"))
    closed = len(car.wants(words.CloseContactor))
    (answer,) = car.send(least(row_of(state), **status_of(car, state)))
    assert answer.ResponseCode is Code.FAILED
    assert answer.DC_EVSEStatus.EVSEStatusCode is Status.EVSE_EmergencyShutdown
    assert len(car.wants(words.CloseContactor)) == closed
    assert not car.session.context.live


def row_of(state: State) -> type[Type]:
    kinds = {S.DC_CABLE_CHECK: b.CableCheckReq, S.DC_LOOP: b.CurrentDemandReq, S.DC_WELDING: b.WeldingDetectionReq}
    return kinds.get(state, b.PreChargeReq)


def status_of(car: Scripted, state: State) -> dict[str, Any]:
    return {"DC_EVStatus": car.ev()}


def test_an_isolation_that_is_faulty_ends_the_session_before_power() -> None:
    car = Scripted(auto=False)
    car.grant = lambda event: None if isinstance(event, words.CheckIsolation) else Scripted.grant(car, event)  # type: ignore[method-assign]
    car.auto = True
    car.authorized()
    car.scheduled()
    first = car.cable_check()
    assert (first.EVSEProcessing.value, first.DC_EVSEStatus.EVSEStatusCode) == ("Ongoing", Status.EVSE_IsolationMonitoringActive)
    car.tell(words.IsolationMeasured(False))
    answer = car.cable_check()
    assert answer.ResponseCode is Code.FAILED
    assert answer.DC_EVSEStatus.EVSEIsolationStatus is t.isolationLevelType.Fault
    assert not car.wants(words.PowerStarted)


def test_an_output_is_within_every_limit_and_the_car_is_told_which_it_reached() -> None:
    car = Scripted()
    car.charging()
    answer = car.demand(current=500.0)
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.current == min(125.0, 150.0)
    assert answer.EVSECurrentLimitAchieved
    answer = car.demand(current=20.0, voltage=900.0)
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.voltage == 450.0  # the car's own limit
    assert answer.EVSEVoltageLimitAchieved
    car.tell(words.LimitsChanged(words.Limits(charge_power=4_000.0, charge_current=125, voltage=920, voltage_minimum=150)))
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.power <= 4_000.0
    assert number(car.demand().EVSEMaximumPowerLimit) <= 4_000.0


def test_the_station_leads_a_car_that_cannot_negotiate_another_schedule() -> None:
    car = Scripted()
    car.charging()
    car.tell(words.SetpointChanged(5_000.0))
    answer = car.demand()
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.power == number(answer.EVSEMaximumPowerLimit) == 5_000.0
    assert (answer.EVSEPowerLimitAchieved, answer.DC_EVSEStatus.EVSENotification) == (True, NONE)
    car.tell(words.RenegotiationAsked("Schedule"))
    assert car.demand().DC_EVSEStatus.EVSENotification is NONE


@pytest.mark.parametrize("asked", [words.StopAsked("the site needs its power"), words.PauseAsked()], ids=lambda fact: type(fact).__name__)
def test_a_stop_is_told_by_the_status_code_and_enforced(asked: words.Fact) -> None:
    """[V2G-DC-500]"""
    car = Scripted()
    car.charging()
    car.tell(asked)
    answer = car.demand()
    assert answer.ResponseCode is Code.OK
    status = answer.DC_EVSEStatus
    assert (status.EVSEStatusCode, status.EVSENotification, status.NotificationMaxDelay) == (Status.EVSE_Shutdown, NONE, 0)
    for _ in range(80):
        car.wait(1.0)
        if car.session.ended is None:
            car.demand()
    assert car.session.ended is not None
    assert "did not follow a" in str(car.session.ended.error)


@pytest.mark.parametrize(
    ("tuple_id", "entries", "code"),
    [
        (1, ((0, 32_767),), Code.OK),
        (1, ((0, 10_000), (3600, 0)), Code.OK),
        (2, ((0, 10_000),), Code.FAILED_TariffSelectionInvalid),
        (1, ((60, 1_000),), Code.FAILED_ChargingProfileInvalid),
        (1, ((0, 1_000), (0, 2_000)), Code.FAILED_ChargingProfileInvalid),
        (1, ((0, 1_000), (86_400, 2_000)), Code.FAILED_ChargingProfileInvalid),
        (1, ((0, -1),), Code.FAILED_ChargingProfileInvalid),
    ],
)
def test_a_profile_is_held_against_its_schedule(tuple_id: int, entries: tuple[tuple[int, int], ...], code: Code) -> None:
    """[V2G-DC-399] [V2G-DC-400]"""
    car = Scripted()
    car.ready()
    made = tuple(t.ProfileEntryType(ChargingProfileEntryStart=start, ChargingProfileEntryMaxPower=w) for start, w in entries)
    assert car.deliver(profile=t.ChargingProfileType(SAScheduleTupleID=tuple_id, ProfileEntry=made)).ResponseCode is code
    assert bool(car.wants(words.PowerStarted)) == (code is Code.OK)


def test_what_was_not_offered_is_refused_by_its_code() -> None:
    """[V2G-DC-395] [V2G-DC-397] [V2G-DC-398] [V2G-DC-635]"""

    def refused(step: Any) -> Code:
        car = Scripted()
        answer = step(car)
        assert car.session.ended is not None
        return Code(answer.ResponseCode)

    def selecting(car: Scripted) -> None:
        car.setup()
        car.ask(b.ServiceDiscoveryReq)

    assert refused(lambda car: (selecting(car), car.pay("Contract"))[1]) is Code.FAILED_PaymentSelectionInvalid
    assert refused(lambda car: (selecting(car), car.pay(services=(1, 3)))[1]) is Code.FAILED_ServiceSelectionInvalid
    assert refused(lambda car: (selecting(car), car.pay(services=(2,)))[1]) is Code.FAILED_ServiceSelectionInvalid
    for mode in ("AC_three_phase_core", "DC_unique", "DC_combo_core"):
        assert refused(lambda car, mode=mode: (car.authorized(), car.parameters(mode))[1]) is Code.FAILED_WrongEnergyTransferType
    for wrong in ({"EVMaximumCurrentLimit": physical(0, A)}, {"EVMaximumPowerLimit": physical(-5, W)}):
        assert refused(lambda car, wrong=wrong: (car.authorized(), car.parameters(**wrong))[1]) is Code.FAILED_WrongChargeParameter
    alternating = least(t.AC_EVChargeParameterType)
    asked = {"EVRequestedEnergyTransferType": t.EVRequestedEnergyTransferType.DC_core, "EVChargeParameter": alternating}
    assert refused(lambda car: (car.authorized(), car.ask(b.ChargeParameterDiscoveryReq, **asked))[1]) is Code.FAILED_WrongChargeParameter


def test_a_card_that_is_refused_ends_the_session_and_one_that_is_waited_for_is_told() -> None:
    car = Scripted(auto=False)
    car.setup()
    car.ask(b.ServiceDiscoveryReq)
    car.pay()
    assert car.ask(b.ContractAuthenticationReq).EVSEProcessing is t.EVSEProcessingType.Ongoing
    car.tell(words.AuthorizationRefused(reason="no credit"))
    assert car.ask(b.ContractAuthenticationReq).ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert "no credit" in str(car.session.ended.error)


@pytest.mark.parametrize("said", [b"", b"\x00", bytes(6), bytes(8), b"\x05" * 8], ids=lambda said: said.hex() or "none")
def test_every_car_begins_anew_whatever_session_it_names(said: bytes) -> None:
    """Cars send zeros of one, six or eight octets; there is no pause to come back from, not even with the id of another generation's."""
    car = Scripted(given={"paused": PausedSessions()})
    car.sap()
    car.id = said
    assert car.ask(b.SessionSetupReq, EVCCID=b"\x01").ResponseCode is Code.OK_NewSessionEstablished
    assert car.id != said
    assert len(car.id) == 8


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("+49*123*456*789", bytes.fromhex("49A123A456A789")),
        ("49*1*2", bytes.fromhex("49A1A2")),
        ("DE*ABC*E1", b"DE*ABC*E1"),
        ("DE*" + "A" * 40, b"\x00"),
    ],
)
def test_an_outlets_id_goes_in_octets(given: str, told: bytes) -> None:
    assert told == Scripted(outlet(evse_id=given)).setup().EVSEID


def test_an_outlet_speaks_what_it_is_told_to_speak_and_the_car_ranks() -> None:
    """[V2G-DC-436] [V2G-DC-618]: DIN has no TLS."""

    def agreed(*namespaces: str, given: dict[str, Any] | None = None, **changes: Any) -> str | None:
        car = Scripted(outlet(**changes), given=given or {})
        answer = car.sap(*namespaces)
        number = answer.SchemaID
        return None if number is None else namespaces[number - 1]

    assert agreed(NAMESPACE, MINUS_2) == NAMESPACE
    assert agreed(MINUS_2, NAMESPACE) == MINUS_2
    assert agreed(MINUS_2, NAMESPACE, generations=("20", "DIN")) == NAMESPACE
    assert agreed(NAMESPACE, MINUS_2, generations=("20", "2")) == MINUS_2
    assert agreed("urn:tesla:din:2018:MsgDef", NAMESPACE) == NAMESPACE
    for none in ({"generations": ("20", "2")}, {"services": ("AC",)}, {"services": ("DC_BPT",)}, {"authorizations": ("PnC",)}):
        assert agreed(NAMESPACE, **none) is None  # type: ignore[arg-type]
    assert agreed(NAMESPACE, given={"tls": tls12()}) is None
    assert agreed(MINUS_2, NAMESPACE, given={"tls": tls12()}) == MINUS_2


def test_a_car_that_says_what_is_wrong_with_it_gets_no_power_and_is_asked_to_stop_for_that_reason() -> None:
    car = Scripted()
    car.charging()
    assert car.demand().DC_EVSEStatus.EVSEStatusCode is Status.EVSE_Ready
    for _ in range(2):
        answer = car.demand(error="FAILED_EVRESSMalfunction")
        assert (answer.ResponseCode, answer.DC_EVSEStatus.EVSEStatusCode) == (Code.OK, Status.EVSE_Shutdown)
    (*_, wanted) = car.wants(words.SetOutput)
    assert wanted.current == 0.0
    (told,) = car.wants(words.Objected)
    assert (told.request, told.objection.reason) == ("CurrentDemandReq", "the car says FAILED_EVRESSMalfunction")
    assert car.deliver(False, error="FAILED_EVRESSMalfunction").ResponseCode is Code.OK
    assert car.welding().ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well
    assert "FAILED_EVRESSMalfunction" in car.session.ended.asked


def test_a_car_that_says_zero_where_it_says_nothing_is_charged() -> None:
    car = Scripted()
    car.authorized()
    zero = physical(0, t.unitSymbolType.Wh)
    said = {"EVEnergyRequest": zero, "EVEnergyCapacity": zero, "FullSOC": 0, "BulkSOC": 0, "EVMaximumPowerLimit": physical(0, W)}
    car.scheduled(**said)
    (asked,) = car.wants(words.NeedsChanged)
    assert (asked.needs.energy_target, asked.needs.energy_maximum) == (None, None)
    assert asked.needs.charge_maximum == min(150 * 450.0, car.outlet.limits.charge_power)
    assert [event.relaxation for event in car.happened if isinstance(event, Relaxed)] == [ZERO_UNSAID.name]


@pytest.mark.parametrize(("pilot", "late", "code"), [("B", "C", Code.OK), ("B", None, Code.FAILED), ("E", None, Code.FAILED)])
def test_a_cable_is_checked_once_the_pilot_asks_for_energy(pilot: str, late: str | None, code: Code) -> None:
    """[V2G-DC-967]: it has 1.5 s from the request."""
    car = Scripted()
    car.authorized()
    car.scheduled()
    car.tell(words.PilotIs(pilot))  # type: ignore[arg-type]
    answers = car.send(b.CableCheckReq(DC_EVStatus=car.ev()))
    answers += car.wait(0.5)
    if late is not None:
        assert answers == []
        answers += car.tell(words.PilotIs(late))  # type: ignore[arg-type]
    answers += car.wait(0.95)
    assert [each.ResponseCode for each in answers] == [code]


@pytest.mark.parametrize(("late", "code"), [("B", Code.OK), (None, Code.FAILED)])
def test_welding_is_looked_for_once_the_pilot_asks_for_no_energy(late: str | None, code: Code) -> None:
    """[V2G-DC-988]"""
    car = until(S.DC_WELDING)
    car.tell(words.PilotIs("C"))
    answers = car.send(b.WeldingDetectionReq(DC_EVStatus=car.ev()))
    assert answers + car.wait(0.5) == []
    if late is not None:
        answers += car.tell(words.PilotIs(late))  # type: ignore[arg-type]
    answers += car.wait(0.95)
    assert [each.ResponseCode for each in answers] == [code]


@pytest.mark.parametrize(("state", "seconds"), [(S.DC_START, 20.0), (S.DC_WELDING, 20.0)], ids=lambda x: getattr(x, "value", ""))
def test_a_car_that_does_not_finish_is_ended(state: State, seconds: float) -> None:
    """[V2G-DC-969] [V2G-DC-926]"""
    car = until(state)
    began = car.now
    while car.session.ended is None and car.now < began + 60:
        (answer,) = [car.pre_charge() if state is S.DC_START else car.welding()]
        car.wait(0.25)
    assert "FAILED" in answer.ResponseCode.value
    assert seconds <= car.now - began <= seconds + 1.0
    assert isinstance(car.session.ended.error if car.session.ended else None, Refused)


def test_broken_octets_of_a_known_request_are_answered_before_the_end() -> None:
    car = until(S.DC_LOOP)
    sent = DIN.write(least(b.CurrentDemandReq, DC_EVStatus=car.ev()), car.id)
    answers = car.octets(frame(sent.payload_type, sent.exi[:-6]))
    assert car.session.ended is not None
    assert [type(answer) for answer in answers] in ([], [b.CurrentDemandRes])
    assert car.wants(words.OpenContactor)


def test_nothing_is_signed() -> None:
    nothing = NothingSigned(Trust.__new__(Trust))
    for call in (lambda: nothing.contract(None, b"", 0.0), lambda: nothing.provisioning(None, 0.0), lambda: nothing.metering(None, b"")):
        with pytest.raises(Refused, match="in DIN SPEC 70121"):
            call()
