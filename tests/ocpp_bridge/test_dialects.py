"""What the bridge says in the words of 2.1 is said to a CSMS of 2.0.1 as well as that version can; nothing kept is lost by it."""

from importlib.resources import files
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ocpp_bridge
from ocpp_bridge.wire.dialects import HEARD, REPLACED, Unsayable, heard, shape, written
from ocpp_bridge.wire.schemas import actions, check
from tests.ocpp_bridge.test_bridge import Played

SHARED = sorted(actions("ocpp2.1") & actions("ocpp2.0.1"))
EVENT = {
    "eventType": "Updated",
    "timestamp": "2026-11-22T18:00:00Z",
    "triggerReason": "Trigger",
    "seqNo": 4,
    "transactionInfo": {"transactionId": "t", "operationMode": "CentralSetpoint"},
}


def raw(version: str, named: str) -> dict:
    folder = {"ocpp2.1": "v21", "ocpp2.0.1": "v201"}[version]
    return msgspec.json.decode((files("ocpp") / folder / "schemas" / f"{named}.json").read_text(encoding="utf-8-sig"))


def any_of(schema: dict, root: dict, deep: int = 0):
    """Values by a schema of OCPP, with every word of its enumerations and texts as long as it allows."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            fields = {name: each for name, each in schema.get("properties", {}).items() if name != "customData"}
            needed = {name: any_of(fields[name], root, deep + 1) for name in schema.get("required", ())}
            free = {name: any_of(each, root, deep + 1) for name, each in fields.items() if name not in needed and deep < 5}
            return st.fixed_dictionaries(needed, optional=free)
        case "array":
            low = schema.get("minItems", 0)
            return st.lists(any_of(schema["items"], root, deep + 1), min_size=low, max_size=max(low, 2))
        case "string" if schema.get("format") == "date-time":
            return st.just("2026-11-22T18:00:00Z")
        case "string":
            return st.sampled_from(["", "x", "x" * schema.get("maxLength", 3000)])
        case "integer":
            return st.integers(int(schema.get("minimum", 0)), int(min(schema.get("maximum", 3), 3)))
        case "number":
            return st.floats(max(schema.get("minimum", -9.0), -9.0), min(schema.get("maximum", 9.0), 9.0))
        case "boolean":
            return st.booleans()
    return st.just({})


@pytest.mark.parametrize("action", ["TransactionEvent", "NotifyEvent", "SecurityEventNotification"])
def test_whatever_is_kept_can_be_said_in_201(action):
    """Whatever 2.1 allows in a message that must arrive: its link of 2.0.1 sends it, with what identifies it."""
    root = raw("ocpp2.1", f"{action}Request")

    @given(any_of(root, root))
    def held(payload):
        before = msgspec.json.encode(payload)
        said = written("ocpp2.0.1", action, "Request", payload)
        check("ocpp2.0.1", action, "Request", said)
        assert msgspec.json.encode(payload) == before  # what is kept stays as it was
        for field in ("seqNo", "eventType", "timestamp"):
            assert said.get(field) == payload.get(field)
        assert written("ocpp2.1", action, "Request", payload) is payload

    held()


@pytest.mark.parametrize("direction", ["Request", "Response"])
def test_what_cannot_be_said_is_refused_and_nothing_breaks_ashape(direction):
    @given(
        st.sampled_from(SHARED).flatmap(lambda action: st.tuples(st.just(action), any_of(root := raw("ocpp2.1", action + direction), root)))
    )
    def held(made):
        action, payload = made
        try:
            said = written("ocpp2.0.1", action, direction, payload)
        except Unsayable:
            return
        check("ocpp2.0.1", action, direction, said)

    held()


def enums(schema: dict, path: str = ""):
    if "enum" in schema:
        yield path.rpartition(".")[2].removesuffix("[]"), path, schema["enum"]
    for name, each in schema.get("properties", {}).items():
        yield from enums(each, f"{path}.{name}")
    if "items" in schema:
        yield from enums(schema["items"], f"{path}[]")


def test_every_reason_of_an_event_has_its_word_in_201():
    newer, older = ({path: set(words) for _, path, words in enums(shape(v, "TransactionEventRequest"))} for v in ("ocpp2.1", "ocpp2.0.1"))
    for path in (".triggerReason", ".transactionInfo.stoppedReason"):
        field = path.rpartition(".")[2]
        assert newer[path] - older[path] == REPLACED[field].keys()
        assert set(REPLACED[field].values()) <= older[path]


def test_a_measurand_that_201_lacks_goes_without_turning_into_another():
    samples = [{"value": 1.0, "measurand": name} for name in ("Power.Active.Setpoint", "SoC")]
    said = written(
        "ocpp2.0.1", "TransactionEvent", "Request", EVENT | {"meterValue": [{"timestamp": EVENT["timestamp"], "sampledValue": samples}]}
    )
    assert said["meterValue"][0]["sampledValue"] == [{"value": 1.0, "measurand": "SoC"}]
    alone = written(
        "ocpp2.0.1", "TransactionEvent", "Request", EVENT | {"meterValue": [{"timestamp": EVENT["timestamp"], "sampledValue": samples[:1]}]}
    )
    assert "meterValue" not in alone  # the event goes all the same: its number must not be missing
    assert alone["seqNo"] == 4


def test_a_token_too_long_for_201_is_no_other_token():
    token = {"idToken": "x" * 37, "type": "Central"}
    assert "idToken" not in written("ocpp2.0.1", "TransactionEvent", "Request", EVENT | {"idToken": token})
    with pytest.raises(Unsayable, match="idToken"):
        written("ocpp2.0.1", "Authorize", "Request", {"idToken": token})
    said = written("ocpp2.0.1", "Authorize", "Request", {"idToken": {"idToken": "DEABC", "type": "EVCCID"}})
    assert said["idToken"]["type"] == "MacAddress"


def test_a_certificate_is_never_asked_for_under_another_name():
    with pytest.raises(Unsayable, match="certificateType"):
        written("ocpp2.0.1", "SignCertificate", "Request", {"csr": "x", "certificateType": "V2G20Certificate"})


def test_an_action_that_201_lacks_is_over_at_once():
    p = Played()
    p.charger.call("NotifyDERAlarm", {"controlType": "FreqDroop", "timestamp": "2026-11-22T18:00:00Z"}, kept=True)
    p.bridge.go_online("ocpp2.0.1", p.now)
    p.answers["NotifyDERAlarm"] = "Unsayable"  # what the shell says where `written` finds no words
    with pytest.raises(Unsayable, match="no action"):
        written("ocpp2.0.1", "NotifyDERAlarm", "Request", {})
    p.charger.boot.status = "Accepted"
    [call] = p.bridge.calls(p.now)
    p.bridge.take_failure(call, "Unsayable", p.now)
    assert p.charger.outbox.kept == []


def test_events_that_were_kept_under_21_arrive_under_201():
    """A whole session offline in the words of 2.1; the CSMS comes back with 2.0.1 and gets each of its events."""
    p = Played().boot()
    p.arrive(control="Dynamic")
    p.install({"startPeriod": 0, "setpoint": -8000.0, "limit": 0, "dischargeLimit": -9000.0, "operationMode": "CentralSetpoint"})
    p.bridge.go_offline(p.now)
    p.run(130.0)
    kept = [call.payload["seqNo"] for call in p.charger.outbox.kept]
    p.bridge.go_online("ocpp2.0.1", p.now)
    before = len(p.sent)
    p.run()
    got = [call.payload["seqNo"] for call in p.sent[before:] if call.action == "TransactionEvent"]
    assert kept == got[: len(kept)]
    assert p.charger.outbox.kept == []


def test_a_201_csms_that_sends_no_profile_does_not_end_the_transaction():
    assert heard("ocpp2.0.1", "NotifyEVChargingNeeds", "Response", {"status": "Rejected"}) == {"status": "NoChargingProfile"}
    assert heard("ocpp2.1", "NotifyEVChargingNeeds", "Response", {"status": "Rejected"}) == {"status": "Rejected"}
    for (named, field), words in HEARD.items():
        assert set(words) <= set(shape("ocpp2.0.1", named)["properties"][field]["enum"])
        assert set(words.values()) <= set(shape("ocpp2.1", named)["properties"][field]["enum"])


@pytest.mark.parametrize("volts", [230.0, 120.0])
@pytest.mark.parametrize("phases", [1, 3])
def test_an_alternating_transfer_that_discharges_keeps_its_phases(phases, volts):
    alternating = {"evMaxCurrent": 16.4, "evMinCurrent": 5.2, "evMaxVoltage": volts, "energyAmount": 9}
    needs = {
        "requestedEnergyTransfer": "AC_BPT",
        "acChargingParameters": alternating,
        "v2xChargingParameters": {"maxChargePower": 16.4 * volts * phases},
    }
    said = written("ocpp2.0.1", "NotifyEVChargingNeeds", "Request", {"evseId": 1, "chargingNeeds": needs})
    assert said["chargingNeeds"]["requestedEnergyTransfer"] == {1: "AC_single_phase", 3: "AC_three_phase"}[phases]
    assert said["chargingNeeds"]["acChargingParameters"] == alternating | {"evMaxCurrent": 16, "evMinCurrent": 6}
    newer = written("ocpp2.1", "NotifyEVChargingNeeds", "Request", {"evseId": 1, "chargingNeeds": needs})
    assert "acChargingParameters" not in newer["chargingNeeds"]


def test_no_block_looks_at_the_version_of_the_connection():
    room = Path(ocpp_bridge.__file__).parent
    looking = [path.name for part in ("blocks", "smart", "model") for path in (room / part).glob("*.py") if ".version" in path.read_text()]
    assert looking == []
