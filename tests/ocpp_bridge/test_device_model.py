"""The device model: what is declared, read, set, kept and reported."""

import contextlib
import re
from pathlib import Path

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model.variables import Row
from ocpp_bridge.smart.prices import prices_of
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import PayloadFault, check
from secc.neutral.facts import GENTLE_DELAY
from secc.station import AuthorizationRefused, Authorized, EVReported, PowerStarted, ServicesAllowed, StopAsked
from tests.ocpp_bridge.ocpp_stand import charger
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_profiles import profile
from v2g.messages.common_messages import PriceLevelScheduleEntryListType, PriceRuleStackListType

ROOM = Path(__file__).parents[2] / "ocpp_bridge"


def named(component: str, variable: str, instance: str = "", evse: dict | None = None) -> dict:
    return {
        "component": {"name": component} | ({"evse": evse} if evse else {}),
        "variable": {"name": variable} | ({"instance": instance} if instance else {}),
    }


def read(p: Played, *place, **more) -> dict:
    return p.ask("GetVariables", {"getVariableData": [named(*place) | more]})["getVariableResult"][0]


def write(p: Played, value: str, *place, **more) -> dict:
    return p.ask("SetVariables", {"setVariableData": [named(*place) | {"attributeValue": value} | more]})["setVariableResult"][0]


def reported(p: Played, action: str, **asked) -> list[dict]:
    before = len(p.calls("NotifyReport"))
    assert p.ask(action, {"requestId": 7} | asked) == {"status": "Accepted"}
    pages = p.calls("NotifyReport")[before:]
    assert [page["seqNo"] for page in pages] == list(range(len(pages)))
    assert [page["tbc"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert {page["requestId"] for page in pages} == {7}
    return [item for page in pages for item in page["reportData"]]


def names(items: list[dict]) -> set[str]:
    return {f"{item['component']['name']}.{item['variable']['name']}" for item in items}


def test_every_variable_that_can_be_set_is_read_by_something():
    """A value that is Accepted has its effect: beside its declaration the name of each stands where it is read."""
    code = "\n".join(path.read_text() for path in ROOM.rglob("*.py") if path.name != "variables.py")
    code = re.sub(r"^ *Row\(.*$", "", code, flags=re.MULTILINE)  # a declaration in a block reads nothing
    model = Bridge(charger()).charger.variables
    unread = [
        key
        for key, row in model.rows.items()
        if row.rule is not None and f"{key[0]}.{key[1]}" not in code and f'"{key[0]}", "{key[1]}"' not in code and f'.{key[1]}"' not in code
    ]
    of_samples = ("SampledDataCtrlr", "AlignedDataCtrlr", "V2XChargingCtrlr")  # whose names are put together where they are read
    measured = {key for key in unread if key[0] in of_samples and (f'"{key[1]}"' in code or f"'{key[1]}'" in code)}
    assert set(unread) - measured == set()


def test_a_second_declaration_of_a_variable_must_say_the_same():
    model = Bridge(charger()).charger.variables
    model.declare([Row("TxCtrlr", "StopTxOnEVSideDisconnect", "true", "boolean", required="E10")])
    with pytest.raises(AssertionError, match="declared twice"):
        model.declare([Row("TxCtrlr", "StopTxOnEVSideDisconnect", "false", "boolean")])


def test_a_value_says_why_it_is_not_taken():
    p = Played().boot()
    assert write(p, "60", "OCPPCommCtrlr", "HeartbeatInterval")["attributeStatus"] == "Accepted"
    for value, place, reason in (
        ("0", ("OCPPCommCtrlr", "HeartbeatInterval"), "InvalidValue"),
        ("5", ("SmartChargingCtrlr", "ProfileStackLevel"), "ReadOnly"),
        ("EVConnected,Whim", ("TxCtrlr", "TxStartPoint"), "InvalidValue"),
    ):
        said = write(p, value, *place)
        assert (said["attributeStatus"], said["attributeStatusInfo"]["reasonCode"]) == ("Rejected", reason)
        assert said["attributeStatusInfo"]["additionalInfo"]
    assert Row("A", "B", "5", "integer", r"[0-9]+", low=1, high=9).objection("10") == "10 is above 9, the most that is allowed"


def test_unknown_names_and_attributes_have_their_own_statuses():
    p = Played().boot()
    evse, connector = {"id": 1}, {"id": 1, "connectorId": 1}
    for place, more, status in (
        (("Toaster", "Heat"), {}, "UnknownComponent"),
        (("TxCtrlr", "Heat"), {}, "UnknownVariable"),
        (("TxCtrlr", "EVConnectionTimeOut", "Third"), {}, "UnknownVariable"),
        (("txctrlr", "evconnectiontimeout"), {}, "Accepted"),  # names are compared without regard to case
        (("EVSE", "Power", "", {"id": 9}), {}, "UnknownComponent"),
        (("EVSE", "Power", "", evse), {"attributeType": "MaxSet"}, "Accepted"),
        (("EVSE", "Power", "", evse), {"attributeType": "MinSet"}, "NotSupportedAttributeType"),
        (("EVSE", "Power", "", connector), {}, "UnknownComponent"),
        (("Connector", "AvailabilityState", "", connector), {}, "Accepted"),
        (("Connector", "AvailabilityState", "", evse), {}, "UnknownComponent"),
        (("SecurityCtrlr", "BasicAuthPassword"), {}, "Rejected"),
    ):
        assert read(p, *place, **more)["attributeStatus"] == status, (place, more)
    assert write(p, "1", "EVSE", "Power", "", evse, attributeType="MinSet")["attributeStatus"] == "NotSupportedAttributeType"
    assert write(p, "1", "EVSE", "Power", "", evse, attributeType="MaxSet")["attributeStatus"] == "Rejected"
    assert read(p, "ClockCtrlr", "DateTime")["attributeValue"].startswith("2026-11-22T18:00")


def test_requests_larger_than_the_device_model_says_are_refused():
    p = Played().boot()
    asked = named("TxCtrlr", "EVConnectionTimeOut")
    assert len(p.ask("GetVariables", {"getVariableData": [asked] * 100})["getVariableResult"]) == 100
    for action, items, one in (
        ("GetVariables", "getVariableData", asked),
        ("SetVariables", "setVariableData", asked | {"attributeValue": "5"}),
        ("GetReport", "componentVariable", asked),
    ):
        with pytest.raises(Refusal) as refusal:
            p.bridge.answer(action, {"requestId": 1, items: [one] * 101}, p.now)
        assert refusal.value.code == "OccurrenceConstraintViolation"
        with pytest.raises(Refusal) as refusal:
            p.bridge.answer(action, {"requestId": 1, items: [one | {"x": "y" * 70_000}]}, p.now)
        assert refusal.value.code == "FormatViolation"
    assert p.charger.variables["TxCtrlr.EVConnectionTimeOut"] == "120"


def test_what_was_set_survives_a_restart_and_what_is_no_longer_valid_is_told():
    p = Played().boot()
    write(p, "15", "TxCtrlr", "EVConnectionTimeOut")
    write(p, "7", "OCPPCommCtrlr", "MessageAttempts", "TransactionEvent")
    write(p, "false", "V2XChargingCtrlr", "Enabled", "", {"id": 1})
    kept = p.bridge.changes()
    again = Bridge(charger())
    again.restore(kept | {"variable/0/TxCtrlr.Gone": "1", "variable/0/AuthCtrlr.Enabled": "perhaps"})
    assert again.charger.variables["TxCtrlr.EVConnectionTimeOut"] == "15"
    assert again.charger.outbox.attempts == 7
    assert not again.charger.evses[1].v2x
    assert again.charger.variables.yes("AuthCtrlr.Enabled")
    notes = again.notes()
    assert any("TxCtrlr.Gone" in note for note in notes)
    assert any("'perhaps'" in note for note in notes)


def test_a_value_that_needs_a_reset_is_read_at_once_and_used_afterwards():
    p = Played().boot()
    place = "OCPPCommCtrlr", "WebSocketPingInterval"
    assert write(p, "33", *place)["attributeStatus"] == "RebootRequired"
    assert read(p, *place)["attributeValue"] == "33"
    assert p.charger.variables["OCPPCommCtrlr.WebSocketPingInterval"] == "60"
    kept = p.bridge.changes()
    p.bridge.restart(p.now)
    assert p.charger.variables["OCPPCommCtrlr.WebSocketPingInterval"] == "33"
    again = Bridge(charger())
    again.restore(kept)
    assert again.charger.variables["OCPPCommCtrlr.WebSocketPingInterval"] == "33"


def test_a_heartbeat_that_is_set_shorter_comes_sooner():
    p = Played().boot()
    write(p, "10", "OCPPCommCtrlr", "HeartbeatInterval")
    p.run(31.0)
    assert len(p.calls("Heartbeat")) == 3


def test_reports_of_a_base():
    p = Played(evses=2).boot()
    full = reported(p, "GetBaseReport", reportBase="FullInventory")
    settable = reported(p, "GetBaseReport", reportBase="ConfigurationInventory")
    assert len(full) == len(p.charger.variables.rows)
    assert names(settable) < names(full)
    for item in settable:
        assert item["variableAttribute"][0]["mutability"] in ("ReadWrite", "WriteOnly")
        assert item["variableAttribute"][0]["persistent"] is True
    summary = reported(p, "GetBaseReport", reportBase="SummaryInventory")
    assert names(summary) == {"ChargingStation.AvailabilityState", "EVSE.AvailabilityState", "Connector.AvailabilityState"}
    power = next(item for item in full if item["component"]["name"] == "EVSE" and item["variable"]["name"] == "Power")
    assert [each["type"] for each in power["variableAttribute"]] == ["Actual", "MaxSet", "Target"]
    assert power["variableCharacteristics"] == {"dataType": "decimal", "supportsMonitoring": True, "unit": "W"}


def test_reports_by_names_and_criteria():
    p = Played(evses=2).boot()
    one = reported(p, "GetReport", componentVariable=[named("TxCtrlr", "TxStartPoint")])
    assert names(one) == {"TxCtrlr.TxStartPoint"}
    assert one[0]["variableCharacteristics"]["valuesList"].startswith("ParkingBayOccupancy,")
    both = reported(p, "GetReport", componentVariable=[{"component": {"name": "EVSE"}, "variable": {"name": "Power"}}])
    assert [item["component"]["evse"]["id"] for item in both] == [1, 2]
    all_of_it = reported(p, "GetReport", componentVariable=[{"component": {"name": "Connector", "evse": {"id": 2, "connectorId": 1}}}])
    assert {item["component"]["evse"]["id"] for item in all_of_it} == {2}
    tries = reported(
        p, "GetReport", componentVariable=[{"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage"}}]
    )
    assert len(tries) == 3  # all instances
    asked = [{"component": {"name": "ConnectedEV"}}, named("TxCtrlr", "TxStartPoint")]
    available = reported(p, "GetReport", componentCriteria=["Available"], componentVariable=asked)
    assert names(available) == {"TxCtrlr.TxStartPoint"}  # no car is there, and what lacks Available counts as available
    nothing = p.ask("GetReport", {"requestId": 8, "componentCriteria": ["Problem"]})
    assert nothing == {"status": "EmptyResultSet"}


def test_a_csms_that_asks_for_reports_without_taking_them_is_refused_before_it_fills_the_memory():
    p = Played().boot()
    asked = {"requestId": 1, "reportBase": "FullInventory"}
    answers = [p.bridge.answer("GetBaseReport", asked, p.now) for _ in range(200)]
    assert answers[0] == {"status": "Accepted"}
    assert answers[-1]["statusInfo"]["reasonCode"] == "TooManyElements"
    assert len(p.charger.outbox.waiting) < 50


def test_switching_v2x_off_ends_discharging_and_switching_it_on_lets_the_next_car():
    p = Played().boot()
    p.arrive()
    assert p.facts(Authorized)[0].energy_transfer == ("DC", "DC_BPT")
    assert write(p, "false", "V2XChargingCtrlr", "Enabled", "", {"id": 1})["attributeStatus"] == "Accepted"
    assert p.facts(ServicesAllowed)[-1].energy_transfer == ("DC",)
    assert not p.charger.evses[1].may_give
    p = Played().boot()
    write(p, "false", "V2XChargingCtrlr", "Enabled", "", {"id": 1})
    assert p.arrive().facts(Authorized)[0].energy_transfer == ("DC",)


def test_an_outlet_that_can_but_discharge_serves_nobody_without_leave():
    p = Played(services=("DC_BPT",)).boot()
    p.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
    p.arrive()
    assert not p.facts(Authorized)
    assert "discharge" in p.facts(AuthorizationRefused)[0].reason
    p = Played(services=("DC_BPT",)).boot().arrive()
    write(p, "false", "V2XChargingCtrlr", "Enabled", "", {"id": 1})
    assert p.facts(StopAsked)


def test_what_a_car_states_is_told_with_its_limits_until_it_leaves():
    p = Played().boot().arrive()
    car = {"id": 1}
    for variable, kind, value in (
        ("StateOfCharge", "Actual", "40"),
        ("Power", "MaxSet", "11000"),
        ("DischargePower", "MaxSet", "11000"),
        ("EnergyImport", "Target", "30000"),
        ("EnergyImport", "MinSet", "-5000"),
        ("ChargingState", "Actual", "EVConnected"),
    ):
        assert read(p, "ConnectedEV", variable, "", car, attributeType=kind)["attributeValue"] == value, variable
    assert read(p, "ConnectedEV", "EnergyImport", "", car)["attributeStatus"] == "NotSupportedAttributeType"
    assert read(p, "ISO15118Ctrlr", "Active", "", car)["attributeValue"] == "true"
    p.want(EVReported(0.0, soc=41.0, energy_target=29_000.0))
    assert read(p, "ConnectedEV", "EnergyImport", "", car, attributeType="Target")["attributeValue"] == "29000"
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    assert read(p, "ConnectedEV", "EnergyImport", "", car, attributeType="Target")["attributeValue"] == ""
    assert read(p, "ConnectedEV", "Available", "", car)["attributeValue"] == "false"
    assert read(p, "ISO15118Ctrlr", "Active", "", car)["attributeValue"] == "false"


def test_plug_and_charge_can_be_switched_off():
    p = Played().boot()
    write(p, "false", "ISO15118Ctrlr", "PnCEnabled")
    p.arrive()
    assert "PnCEnabled" in p.facts(AuthorizationRefused)[0].reason


def test_a_session_is_active_then_complete_or_tripped_and_a_paused_one_is_neither():
    p = Played().boot()

    def flags() -> str:
        said = (read(p, "ISO15118Ctrlr", name, "", {"id": 1})["attributeValue"] for name in ("Active", "Complete", "Tripped"))
        return " ".join(said)

    assert flags() == "false false false"
    for how, well, expected in (
        ("Terminate", True, "false true false"),
        ("timed out", False, "false false true"),
        ("Pause", True, "false false false"),
    ):
        p.arrive()
        assert flags() == "true false false"
        p.bridge.end_session(1, p.now, how=how, well=well)
        assert flags() == expected
        p.bridge.unplug(1, p.now)
        assert flags() == expected  # of the last session, until another begins
    p.arrive()
    p.bridge.unplug(1, p.now)  # the cable goes first
    p.bridge.end_session(1, p.now, how="lost", well=False)
    assert flags() == "false false true"


def test_what_the_station_cannot_do_is_said_and_cannot_be_set():
    p = Played().boot()
    for component, name, value in (
        ("SmartChargingCtrlr", "Phases3to1", "false"),
        ("SmartChargingCtrlr", "ACPhaseSwitchingSupported", "false"),
        ("SmartChargingCtrlr", "SetpointPriority", "CSMS"),
        ("ISO15118Ctrlr", "NotificationMaxDelay", str(GENTLE_DELAY)),
        ("ISO15118Ctrlr", "NotificationDelay", str(GENTLE_DELAY)),
        ("ISO15118Ctrlr", "SupportedProviders", ""),
    ):
        assert read(p, component, name)["attributeValue"] == value, name
        assert write(p, value or "DE8AA", component, name)["attributeStatusInfo"]["reasonCode"] == "ReadOnly"


def test_MaxPriceElements_is_what_messages_to_cars_and_of_the_csms_have_room_for():
    most = int(read(Played().boot(), "ISO15118Ctrlr", "MaxPriceElements")["attributeValue"])
    for place in (
        PriceRuleStackListType.__annotations__["PriceRuleStack"],
        PriceLevelScheduleEntryListType.__annotations__["PriceLevelScheduleEntry"],
    ):
        assert place.__metadata__[0].maximum == most
    stack = {"duration": 60, "priceRule": [{"energyFee": {"exponent": -4, "value": 3000}, "powerRangeStart": {"exponent": 0, "value": 0}}]}
    for count in (most, most + 1):
        made = profile({"startPeriod": 0, "limit": 5_000.0})
        made["chargingSchedule"][0]["absolutePriceSchedule"] = {
            "timeAnchor": "2026-11-22T18:00:00Z", "priceScheduleID": 1, "currency": "EUR", "language": "en",
            "priceAlgorithm": "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power", "priceRuleStacks": [stack] * count,
        }  # fmt: skip
        with contextlib.nullcontext() if count == most else pytest.raises(PayloadFault):
            check("ocpp2.1", "SetChargingProfile", "Request", {"evseId": 1, "chargingProfile": made})
        assert count > most or len(prices_of(made["chargingSchedule"][0]).steps) == most


def test_SetpointPriority_is_as_setpoints_rank():
    p = Played().boot().arrive("Dynamic")
    session = p.charger.evses[1].session
    p.install({"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": 5_000.0})
    p.want(PowerStarted(0.0))
    p.bridge.take_setpoint(1, 3_000.0, p.now, 600.0)
    p.run(1.0)
    assert session.steered[0] == 5_000.0  # the CSMS's own leads
    p.install({"startPeriod": 0, "operationMode": "ExternalSetpoint"})
    p.run(1.0)
    assert session.steered[0] == 3_000.0  # where its profile says so, the energy management does
