"""What the device model says of the car at an EVSE, and that nothing of it outlives the car."""

from cryptography import x509

from pki.profiles import Role
from secc.station import Display, EVReported, PowerStarted, ServiceSelected, SessionStarted, Vehicle
from tests.ocpp_bridge.ocpp_certificates import HIERARCHIES, der
from tests.ocpp_bridge.test_bridge import EVCCID, Played

SHOWN = HIERARCHIES["secp521r1"][Role.VEHICLE].chain
ROOT = HIERARCHIES["secp521r1"][Role.OEM_ROOT].chain[0]
VEHICLE = Vehicle(tuple(map(der, (*SHOWN, ROOT))), ("urn:b,1,0", "urn:a,1,1"), "urn:a,1,1")


def read(p: Played, variable: str, instance: str = "") -> str:
    named = {"component": {"name": "ConnectedEV", "evse": {"id": 1}}, "variable": {"name": variable}}
    if instance:
        named["variable"]["instance"] = instance
    (result,) = p.ask("GetVariables", {"getVariableData": [named]})["getVariableResult"]
    assert result["attributeStatus"] == "Accepted", (variable, instance)
    return result["attributeValue"]


def certificates(p: Played) -> dict[str, x509.Certificate]:
    texts = {place: read(p, "VehicleCertificate", place) for place in ("Leaf", "SubCA1", "SubCA2", "Root")}
    return {place: x509.load_pem_x509_certificate(text.encode()) for place, text in texts.items() if text}


def test_the_csms_reads_the_certificates_of_the_car_each_in_its_place():
    p = Played().boot().want(SessionStarted(0.0, bytes(8), EVCCID, vehicle=VEHICLE))
    found = certificates(p)
    assert found["Leaf"] == SHOWN[0]
    assert found["Root"] == ROOT
    assert found["SubCA1"].issuer == ROOT.subject  # the one below the root, as ISO 15118 counts them
    assert found["SubCA2"] == SHOWN[1]
    assert found["SubCA2"].issuer == found["SubCA1"].subject


def test_a_chain_without_intermediates_has_a_leaf_and_a_root():
    p = Played().boot().want(SessionStarted(0.0, bytes(8), EVCCID, vehicle=Vehicle((der(SHOWN[0]), der(ROOT)))))
    assert set(certificates(p)) == {"Leaf", "Root"}


def test_the_protocols_that_the_car_offered_are_told_in_its_order_with_the_one_that_was_picked():
    p = Played().boot().want(SessionStarted(0.0, bytes(8), EVCCID, vehicle=VEHICLE))
    assert [read(p, "ProtocolSupportedByEV", place) for place in ("1", "2", "3")] == ["urn:b,1,0", "urn:a,1,1", ""]
    assert read(p, "ProtocolAgreed") == "urn:a,1,1"
    p.want(SessionStarted(0.0, bytes(8), EVCCID, vehicle=Vehicle(offered=("urn:a,1,1",), agreed="urn:a,1,1")))  # and again, with less
    assert [read(p, "ProtocolSupportedByEV", place) for place in ("1", "2")] == ["urn:a,1,1", ""]
    assert certificates(p) == {}


def test_how_long_the_car_takes_until_it_is_full_is_what_it_shows_its_driver():
    p = Played().boot().arrive("Dynamic").want(PowerStarted(0.0))
    p.want(EVReported(0.0, display=Display(to_maximum=1_800.0, complete=False)))
    assert (read(p, "RemainingTimeFull"), read(p, "ChargingCompleteFull")) == ("1800", "false")
    p.want(EVReported(0.0))  # it says nothing new
    assert read(p, "RemainingTimeFull") == "1800"
    p.want(EVReported(0.0, display=Display(complete=True)))
    assert (read(p, "RemainingTimeFull"), read(p, "ChargingCompleteFull")) == ("", "true")


def test_nothing_of_a_car_outlives_it():
    p = Played().boot().want(SessionStarted(0.0, bytes(8), EVCCID, vehicle=VEHICLE))
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    assert certificates(p) == {}
    assert read(p, "ProtocolSupportedByEV", "1") == read(p, "VehicleId") == ""
    assert read(p, "Available") == "false"


def test_the_transfer_that_a_car_asks_for_is_told_until_it_has_gone():
    def told() -> str:
        named = {"component": {"name": "ISO15118Ctrlr", "evse": {"id": 1}}, "variable": {"name": "RequestedEnergyTransferMode"}}
        (result,) = p.ask("GetVariables", {"getVariableData": [named]})["getVariableResult"]
        return result["attributeValue"]

    p = Played().boot()
    assert told() == ""
    p.arrive("Dynamic", "DC_BPT")
    assert told() == "DC_BPT"
    p.want(ServiceSelected(0.0, "DC", "Dynamic"))
    assert told() == "DC"
    p.bridge.end_session(1, p.now)
    p.bridge.unplug(1, p.now)
    assert told() == ""
