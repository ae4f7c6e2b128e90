"""Signed meter values (J02, J03): the record of the meter as it is, proven by openssl, with its key as often as the CSMS wants it."""

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path

from ocpp_bridge.wire.dialects import written
from ocpp_bridge.wire.schemas import check
from secc.simulated import Meter
from secc.station import MeteringConfirmationAsked, MeteringConfirmed, MeterReading, PowerStarted, PowerStopped, SignedReading
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_metering import write


def station(*settings: tuple[str, str, str]) -> tuple[Played, Meter]:
    p, meter = Played().boot(), Meter()
    for component, variable, value in settings:
        assert write(p, component, variable, value) == "Accepted"
    meter.imported, meter.exported = 123_456.0, 7_890.0
    p.bridge.take_reading(1, meter.read(WALL))
    p.arrive("Dynamic")
    return p.want(PowerStarted(0.0)), meter


SIGN = ("SampledDataCtrlr", "SignReadings", "true")
STARTED = ("SampledDataCtrlr", "SignStartedReadings", "true")
UPDATED = ("SampledDataCtrlr", "SignUpdatedReadings", "true")
RECEIPT = ("ISO15118Ctrlr", "RequestMeteringReceipt", "true")


def key(rule: str) -> tuple[str, str, str]:
    return ("OCPPCommCtrlr", "PublicKeyWithSignedMeterValue", rule)


def signed(p: Played) -> list[tuple[str, dict]]:
    """(eventType or context, signedMeterValue) of all that the CSMS was told."""
    return [
        (event["eventType"], value["signedMeterValue"])
        for event in p.events
        for of in event.get("meterValue", [])
        for value in of["sampledValue"]
        if "signedMeterValue" in value
    ]


def end(p: Played, meter: Meter) -> None:
    meter.imported += 1_500.0
    p.bridge.take_reading(1, meter.read(WALL + p.now))
    p.want(PowerStopped(0.0))
    p.bridge.unplug(1, p.now)
    p.run()


def test_openssl_proves_the_record_and_its_registers_are_those_that_are_told(tmp_path: Path):
    p, meter = station(SIGN, key("EveryMeterValue"))
    end(p, meter)
    (kind, said) = signed(p)[0]
    assert kind == "Ended"
    assert (said["encodingMethod"], said["signingMethod"]) == ("OCMF", "ECDSA-secp256r1-SHA256")
    header, payload, signature = base64.b64decode(said["signedMeterData"]).decode().split("|")
    assert header == "OCMF"
    for name, octets in (
        ("payload", payload.encode()),
        ("signature", bytes.fromhex(json.loads(signature)["SD"])),
        ("key", base64.b64decode(said["publicKey"])),
    ):
        (tmp_path / name).write_bytes(octets)
    pem = subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER", "-in", tmp_path / "key"], capture_output=True, check=True).stdout
    (tmp_path / "pem").write_bytes(pem)
    judge = ["openssl", "dgst", "-sha256", "-verify", tmp_path / "pem", "-signature", tmp_path / "signature"]
    assert subprocess.run([*judge, tmp_path / "payload"], capture_output=True, check=False).returncode == 0
    (tmp_path / "forged").write_bytes(payload.replace("124.956", "124.955").encode())
    assert (tmp_path / "forged").read_bytes() != payload.encode()
    assert subprocess.run([*judge, tmp_path / "forged"], capture_output=True, check=False).returncode != 0
    readings = {reading["RI"]: reading["RV"] for reading in json.loads(payload)["RD"]}
    assert readings == {"1-b:1.8.0": 124.956, "1-b:2.8.0": 7.89}
    assert p.charger.variables["FiscalMetering", "PublicKey", "", 1] == said["publicKey"]


def test_nothing_is_signed_that_the_csms_did_not_ask_for():
    p, meter = station()
    p.run(120.0)
    end(p, meter)
    assert signed(p) == []


def test_started_and_updated_readings_are_signed_where_wanted_and_records_are_never_the_same():
    p, meter = station(SIGN, STARTED, UPDATED)
    for _ in range(3):
        meter.imported += 10.0
        p.bridge.take_reading(1, meter.read(WALL + p.now))
        p.run(60.0)
    end(p, meter)
    kinds = [kind for kind, _ in signed(p)]
    assert kinds == ["Started", "Updated", "Updated", "Updated", "Ended"]
    assert len({said["signedMeterData"] for _, said in signed(p)}) == 5
    assert not any("publicKey" in said for _, said in signed(p))


def test_the_key_is_told_once_in_a_transaction_where_that_is_wanted():
    p, meter = station(SIGN, STARTED, UPDATED, key("OncePerTransaction"))
    p.run(60.0)
    end(p, meter)
    assert ["publicKey" in said for _, said in signed(p)] == [True, False, False]
    p.bridge.plug_in(1, p.now)
    p.run()
    assert "publicKey" in signed(p)[-1][1]


def test_with_receipts_the_car_confirms_a_reading_before_its_signed_value_is_told():
    p, meter = station(SIGN, UPDATED, RECEIPT)
    p.run(60.0)
    assert signed(p) == []
    assert p.facts(MeteringConfirmationAsked)
    p.want(MeteringConfirmed(0.0, b"fragment", valid=False))
    assert signed(p) == []
    p.want(MeteringConfirmed(0.0, b"fragment", valid=True))
    (told,) = signed(p)
    assert told[1]["encodingMethod"] == "OCMF"
    assert p.events[-1]["triggerReason"] == "SignedDataReceived"
    end(p, meter)
    assert signed(p)[-1][0] == "Ended"


def test_a_meter_that_signs_nothing_and_a_record_that_is_too_long_leave_values_as_they_are():
    p, _ = station(SIGN, UPDATED)
    plain = MeterReading("M", 200_000.0, 0.0, WALL)
    for reading in (plain, replace(plain, signed=SignedReading(bytes(40_000)))):
        p.bridge.take_reading(1, reading)
        before = len(signed(p))
        p.run(60.0)
        assert len(signed(p)) == before
        assert p.events[-1]["meterValue"][0]["sampledValue"][0]["value"] == 200_000.0


def test_2_0_1_is_told_the_same_record_with_the_fields_that_it_requires():
    p, meter = station(SIGN)
    end(p, meter)
    event = written("ocpp2.0.1", "TransactionEvent", "Request", p.events[-1])
    check("ocpp2.0.1", "TransactionEvent", "Request", event)
    said = event["meterValue"][-1]["sampledValue"][0]["signedMeterValue"]
    assert said["signedMeterData"] == signed(p)[-1][1]["signedMeterData"]
    assert said["publicKey"] == ""
