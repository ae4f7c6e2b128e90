"""The two vocabularies: every field of a message where the tables put it, and no power beyond a limit on the way."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.model import mapping
from ocpp_bridge.model.contract import PEM_MAXIMUM, chain_hash_data, pem, proof, token
from ocpp_bridge.smart.periods import Composite, Outlet, Period
from ocpp_bridge.smart.profiles import Profiles
from ocpp_bridge.wire.dialects import written
from ocpp_bridge.wire.schemas import check
from ocpp_bridge.wire.times import epoch, timestamp
from secc.station import Limits, ScheduleChosen, ServiceSelected
from tests.ocpp_bridge.ocpp_stand import LIMITS, NEEDS, WALL
from v2g.energy.needs import EnergyOffer
from v2g.energy.series import Series, Step
from v2g.iso20.services import SERVICES
from v2gkit.csms.steering import Strategy, needs_of, selling, steering


def older(action, payload):
    """A request as a link of 2.0.1 tells it, held against its schema."""
    said = written("ocpp2.0.1", action, "Request", payload)
    check("ocpp2.0.1", action, "Request", said)
    return said


def wish(service="DC_BPT", control="Dynamic", needs=NEEDS, limits=LIMITS, car=None):
    return mapping.Wish(needs, ServiceSelected(0.0, service, control, "SECC"), limits, ("DC", "DC_BPT"), car)


# --- needs ---


def test_needs_are_what_car_and_evse_can_both_do():
    said = mapping.needs_of(1, wish(limits=Limits(charge_power=7000.0, discharge_power=5000.0, charge_power_minimum=500.0)))
    check("ocpp2.1", "NotifyEVChargingNeeds", "Request", said)
    charging, v2x = said["chargingNeeds"], said["chargingNeeds"]["v2xChargingParameters"]
    assert (v2x["maxChargePower"], v2x["minChargePower"], v2x["maxDischargePower"]) == (7000.0, 500.0, 5000.0)
    assert v2x["evMinV2XEnergyRequest"] == -5000.0
    assert (charging["controlMode"], charging["mobilityNeedsMode"]) == ("DynamicControl", "EVCC_SECC")
    assert epoch(charging["departureTime"]) == NEEDS.departure
    assert said["maxScheduleTuples"] == NEEDS.max_points


CAR = Limits(charge_current=300, discharge_current=80, charge_current_minimum=2, voltage=500, voltage_minimum=200)


def test_currents_and_voltages_are_told_where_car_and_evse_meet():
    evse = Limits(50_000, 0, 50_000, 0, 125, 1, 125, 3, 920, 150)
    v2x = mapping.needs_of(1, wish(limits=evse, car=CAR))["chargingNeeds"]["v2xChargingParameters"]
    assert (v2x["minVoltage"], v2x["maxVoltage"]) == (200, 500)
    assert (v2x["minChargeCurrent"], v2x["maxChargeCurrent"]) == (2, 125)
    assert (v2x["minDischargeCurrent"], v2x["maxDischargeCurrent"]) == (3, 80)
    other = older("NotifyEVChargingNeeds", mapping.needs_of(1, wish(limits=evse, car=CAR)))["chargingNeeds"]["dcChargingParameters"]
    assert (other["evMaxCurrent"], other["evMaxVoltage"]) == (125, 500)


@pytest.mark.parametrize("service", [name for name, row in SERVICES.items() if row.mains])
def test_a_car_on_the_mains_is_told_in_watts_alone(service):
    v2x = mapping.needs_of(1, wish(service, car=CAR))["chargingNeeds"]["v2xChargingParameters"]
    assert v2x["maxChargePower"] == 11_000
    assert not [name for name in v2x if "Current" in name or "Voltage" in name]


@pytest.mark.parametrize(
    ("service", "phases", "name"),
    [("AC", 1, "AC_single_phase"), ("AC", 3, "AC_three_phase"), ("AC_BPT", 3, "AC_BPT"), ("DC", 3, "DC"), ("DC_BPT", 1, "DC_BPT")],
)
def test_every_service_has_its_energy_transfer(service, phases, name):
    assert mapping.transfers([service], phases) == [name]
    assert service in mapping.services([name, "WPT"])


def test_services_that_share_a_name_of_ocpp_are_said_once_and_come_back_together():
    assert mapping.transfers(["DC", "MCS", "DC_BPT", "MCS_BPT"], 3) == ["DC", "DC_BPT"]
    assert mapping.services(["DC"]) == ("DC", "MCS")  # leave to charge is no leave to discharge
    assert mapping.services(["DC_BPT"]) == ("DC_BPT", "MCS_BPT")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
def test_needs_of_every_service_are_valid_in_both_versions(service, version):
    check(
        version,
        "NotifyEVChargingNeeds",
        "Request",
        written(version, "NotifyEVChargingNeeds", "Request", mapping.needs_of(1, wish(service))),
    )


def test_a_field_is_told_in_watts_alone():
    limits = replace(LIMITS, charge_current=75.0, voltage=500.0)  # the current is that of the coil on the ground
    said = mapping.needs_of(1, replace(wish("WPT"), limits=limits))["chargingNeeds"]
    assert said["requestedEnergyTransfer"] == "WPT"
    assert said["v2xChargingParameters"]["maxChargePower"] == 11_000
    assert not [name for name in said["v2xChargingParameters"] if "Current" in name or "Voltage" in name]
    other = older("NotifyEVChargingNeeds", mapping.needs_of(1, replace(wish("WPT"), limits=limits)))["chargingNeeds"]
    assert other["requestedEnergyTransfer"] == "DC"  # 2.0.1 has no word for it
    assert (other["dcChargingParameters"]["evMaxPower"], other["dcChargingParameters"]["evMaxCurrent"]) == (11_000, 22)
    assert "acChargingParameters" not in other


def test_a_csms_reads_the_needs_as_the_station_meant_them():
    read = needs_of(mapping.needs_of(1, wish()))
    for name in ("departure", "energy_target", "energy_maximum", "energy_minimum", "v2x_maximum", "v2x_minimum", "charge_maximum"):
        assert getattr(read, name) == getattr(NEEDS, name)
    assert read.bidirectional


def sold(*prices, power=9_000.0, start=WALL, currency="EUR"):
    steps = tuple(Step(3600.0, price) for price in prices)
    return EnergyOffer(Series(start, (Step(10_800.0, power),) if power is not None else ()), Series(start, steps), currency)


def test_a_csms_is_told_what_a_car_offers_to_give_back():
    said = mapping.needs_of(1, wish(control="Scheduled", needs=replace(NEEDS, energy_offer=sold(0.30, 0.45))))
    check("ocpp2.1", "NotifyEVChargingNeeds", "Request", said)
    own = said["chargingNeeds"]["evEnergyOffer"]
    assert own == {
        "evPowerSchedule": {"timeAnchor": timestamp(WALL), "evPowerScheduleEntries": [{"duration": 10_800, "power": -9_000.0}]},
        "evAbsolutePriceSchedule": {
            "timeAnchor": timestamp(WALL),
            "currency": "EUR",
            "priceAlgorithm": "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
            "evAbsolutePriceScheduleEntries": [
                {"duration": 3600, "evPriceRule": [{"energyFee": 0.30, "powerRangeStart": -9_000.0}]},
                {"duration": 3600, "evPriceRule": [{"energyFee": 0.45, "powerRangeStart": -9_000.0}]},
            ],
        },
    }
    assert "evEnergyOffer" not in mapping.needs_of(1, wish())["chargingNeeds"]
    other = older("NotifyEVChargingNeeds", mapping.needs_of(1, wish(needs=replace(NEEDS, energy_offer=sold(0.30)))))
    assert "evEnergyOffer" not in other["chargingNeeds"]


@pytest.mark.parametrize("own", [sold(), sold(0.3, power=None), sold(power=None), sold(0.3, power=0.0)])
def test_an_offer_of_nothing_is_told_as_one_of_no_power(own):
    said = mapping.needs_of(1, wish(needs=replace(NEEDS, energy_offer=own)))
    check("ocpp2.1", "NotifyEVChargingNeeds", "Request", said)
    read = needs_of(said).energy_offer
    assert read.asked("EUR", [WALL], [WALL + 60])[0][0] == 0.0
    assert selling(said["chargingNeeds"]) == "sells nothing"


steps = st.lists(st.tuples(st.integers(1, 0xFFFF_FFFF), st.floats(0, 1e6).map(lambda value: round(value, 3))), max_size=1024)


@given(steps, steps, st.integers(0, 2**64 - 1), st.sampled_from(["EUR", "SEK", "X"]))
def test_any_offer_of_a_car_is_valid_and_read_as_it_was_meant(powers, prices, start, currency):
    series = [Series(float(start), tuple(Step(float(duration), value) for duration, value in each)) for each in (powers, prices)]
    own = EnergyOffer(*series, currency).joined()
    said = mapping.needs_of(1, wish(needs=replace(NEEDS, energy_offer=own)))
    check("ocpp2.1", "NotifyEVChargingNeeds", "Request", said)
    assert len(json.dumps(said)) < 40_000
    read = needs_of(said).energy_offer
    assert len(read.power.steps) <= 96
    assert max(read.power.values, default=0.0) <= max(own.power.values, default=0.0)
    if own.power.steps and own.price.steps and max(duration for duration, _ in powers + prices) < 366 * 86_400:
        assert [step.value for step in read.power.steps] == list(own.power.values)
        assert read.price.values == pytest.approx(own.price.values)
        assert read.currency == currency


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({}, ""),
        ({"evPowerSchedule": {"timeAnchor": timestamp(WALL), "evPowerScheduleEntries": [{"duration": 3600, "power": 5000}]}}, "for 0  per"),
        ({"evPowerSchedule": {"timeAnchor": "2024-06-30T23:59:60Z", "evPowerScheduleEntries": []}}, "cannot be read"),
        ({"evPowerSchedule": {"timeAnchor": timestamp(WALL), "evPowerScheduleEntries": [{"duration": 10**400, "power": -5000}]}}, "5.0 kW"),
        ({"evPowerSchedule": {"timeAnchor": timestamp(WALL), "evPowerScheduleEntries": [{"duration": -5, "power": -5000}]}}, "nothing"),
    ],
)
def test_a_csms_reads_what_any_station_says_of_an_offer(own, words):
    assert words in selling({"evEnergyOffer": own})


# --- schedules ---


def test_a_power_by_a_setpoint_of_the_csms_is_told_as_a_setpoint():
    """Where it only limits, a positive power is a limit."""
    profile = Series(WALL, (Step(60.0, 5000.0), Step(60.0, -4000.0), Step(60.0, 3000.0)))
    central = Period(setpoint=5000.0, mode="CentralSetpoint")
    periods = (WALL + 0.4, central), (WALL + 60.0, replace(central, mode="CentralFrequency")), (WALL + 120.0, Period())
    lead = Composite(WALL + 0.4, WALL + 180.0, periods)
    said = mapping.chosen_of(1, ScheduleChosen(0.0, profile, 1), 7, lead)
    check("ocpp2.1", "NotifyEVChargingSchedule", "Request", said)
    assert said["chargingSchedule"]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 5000.0, "setpoint": 5000.0, "operationMode": "CentralSetpoint"},
        {"startPeriod": 60, "limit": 0.0, "dischargeLimit": -4000.0, "setpoint": -4000.0, "operationMode": "CentralFrequency"},
        {"startPeriod": 120, "limit": 3000.0},
    ]
    old = older("NotifyEVChargingSchedule", said)
    assert [p["limit"] for p in old["chargingSchedule"]["chargingSchedulePeriod"]] == [5000.0, -4000.0, 3000.0]


def test_the_cars_profile_is_told_with_its_discharges():
    profile = Series(WALL, (Step(60.0, 5000.0), Step(30.0, -4000.0), Step(10.0, 0.0)))
    said = mapping.chosen_of(1, ScheduleChosen(0.0, profile, 2, False), 7)
    check("ocpp2.1", "NotifyEVChargingSchedule", "Request", said)
    assert (said["selectedChargingScheduleId"], said["powerToleranceAcceptance"]) == (7, False)
    periods = said["chargingSchedule"]["chargingSchedulePeriod"]
    assert [(p["startPeriod"], p["limit"], p.get("dischargeLimit")) for p in periods] == [
        (0, 5000.0, None),
        (60, 0.0, -4000.0),
        (90, 0.0, None),
    ]
    old = older("NotifyEVChargingSchedule", said)
    assert [p["limit"] for p in old["chargingSchedule"]["chargingSchedulePeriod"]] == [5000.0, -4000.0, 0.0]


def test_a_schedule_id_that_is_negative_is_not_told():
    said = mapping.chosen_of(1, ScheduleChosen(0.0, Series.constant(WALL, 60.0, 1.0), 1), -3)
    check("ocpp2.1", "NotifyEVChargingSchedule", "Request", said)
    assert "selectedChargingScheduleId" not in said


def test_a_profile_of_2048_entries_fits_the_message():
    profile = Series(WALL, tuple(Step(10.0, float(n % 7) * 100) for n in range(2048)))
    said = mapping.chosen_of(1, ScheduleChosen(0.0, profile), None)
    check("ocpp2.1", "NotifyEVChargingSchedule", "Request", said)


steps = st.lists(st.tuples(st.floats(1, 1000), st.sampled_from([0.0, 1.0, 3.5, -2.0, 9.0, -9.0])), min_size=1, max_size=40)


@given(steps, st.integers(1, 20))
def test_joining_steps_never_exceeds_what_was_there(raw, points):
    series = Series(WALL, tuple(Step(round(d, 3), v) for d, v in raw))
    made = mapping.in_fewer_steps(series, points)
    assert len(made.steps) <= max(points, 1)
    assert made.until == pytest.approx(series.until, abs=1e-5)
    for start, end, value in series.spans():
        inside = made.at((start + end) / 2)
        assert inside is not None
        assert 0 <= inside <= value or 0 >= inside >= value


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.floats(-30_000, 30_000)), min_size=1, max_size=30),
    st.integers(12, 20),
    st.floats(0, 20_000),
    st.floats(0, 20_000),
)
def test_what_the_car_is_offered_keeps_to_the_setpoints_and_the_limits_of_the_evse(raw, points, most, least):
    start, periods = 0, []
    for duration, power in raw:
        periods.append({"startPeriod": start, "operationMode": "CentralSetpoint", "setpoint": power})
        start += duration
    profiles = Profiles()
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": periods, "startSchedule": timestamp(WALL)}
    made = {
        "id": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    }
    profiles.install(1, made, WALL)
    composite = profiles.composite(Outlet(1, True), WALL, WALL + start)
    limits = Limits(charge_power=most, discharge_power=least)
    needs = type(NEEDS)(bidirectional=True, max_points=points)
    offered = mapping.tuple_of(1, composite, schedule, needs, limits)
    assert len(offered.charging.steps) <= points
    for n, (_, power) in enumerate(raw):
        end = raw[n][0] + periods[n]["startPeriod"]
        middle = WALL + (periods[n]["startPeriod"] + end) / 2
        charge = offered.charging.at(middle)
        give = offered.discharging.at(middle) if offered.discharging else 0.0
        assert 0 <= charge <= min(max(power, 0.0), most) + 1e-6
        assert max(min(power, 0.0), -least) - 1e-6 <= give <= 0


def test_prices_come_in_both_directions_with_their_taxes_beside():
    stack = {
        "duration": 3600,
        "priceRule": [
            {"energyFee": {"exponent": -2, "value": 8}, "powerRangeStart": {"exponent": 0, "value": -11_000}},
            {"energyFee": {"exponent": -2, "value": 30}, "powerRangeStart": {"exponent": 0, "value": 0}},
        ],
    }
    tax = {"taxRuleID": 1, "appliesToEnergyFee": True, "appliesToParkingFee": False, "appliesToOverstayFee": False}
    tax |= {"appliesToMinimumMaximumCost": False, "taxRate": {"exponent": 0, "value": 20}}
    said = {"timeAnchor": timestamp(WALL - 1800), "priceRuleStacks": [stack, stack], "taxRules": [tax], "currency": "EUR"}
    said |= {"priceScheduleID": 7, "language": "en", "priceAlgorithm": "x"}
    composite = Composite(WALL, WALL + 7200, ((WALL, Period()),))
    schedule = {"id": 3, "absolutePriceSchedule": said}
    made = mapping.tuple_of(1, composite, schedule, NEEDS, Limits())
    assert (made.import_prices.start, made.import_prices.until) == (WALL, WALL + 7200)  # the last price holds on
    assert made.import_prices.at(WALL) == pytest.approx(0.30)
    assert made.export_prices.at(WALL) == pytest.approx(0.08)
    assert made.tariff.energy_tax == pytest.approx(1.2)
    assert made.stated.id == 7
    bare = mapping.tuple_of(1, composite, {"id": 3}, NEEDS, Limits())
    assert (bare.import_prices, bare.export_prices, bare.stated, bare.tariff) == (None, None, None, None)


@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
@pytest.mark.parametrize("kind", ["prices", "setpoint", "none"])
@pytest.mark.parametrize("service", ["AC", "DC_BPT"])
def test_what_the_lab_csms_sends_is_valid(kind, version, service):
    payload = written(version, "NotifyEVChargingNeeds", "Request", mapping.needs_of(1, wish(service)))
    made = steering(payload, Strategy(kind, setpoint=99_000.0), WALL, "tx", 1, version)
    if kind == "none":
        assert made is None
    else:
        check(version, "SetChargingProfile", "Request", {"evseId": 1, "chargingProfile": made.profile})


# --- contracts ---


def chain(urls: bool = True, curve=ec.SECP521R1):
    """(DER leaf first without root, root DER), three deep, with OCSP addresses or without."""
    names = ["MO Root", "MO Sub 1", "MO Sub 2", "DE8AA1A2B3C4D5"]
    keys = [ec.generate_private_key(curve()) for _ in names]
    made = []
    now = datetime.now(UTC)
    for n, name in enumerate(names):
        by = max(n - 1, 0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[by])]))
            .public_key(keys[n].public_key())
            .serial_number(0x0A0B0C + n)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
        )
        if urls and n:
            where = x509.UniformResourceIdentifier("http://ocsp.example/mo")
            access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)])
            builder = builder.add_extension(access, critical=False)
        made.append(builder.sign(keys[by], hashes.SHA512()).public_bytes(Encoding.DER))
    return tuple(reversed(made[1:])), made[0]


def key_hash(der: bytes) -> str:
    """SHA-256 of the public key's bits, by way of the subject key identifier's definition rather than of OCSP's builder."""
    point = x509.load_der_x509_certificate(der).public_key()
    from cryptography.hazmat.primitives.serialization import PublicFormat

    digest = hashes.Hash(hashes.SHA256())
    digest.update(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    return digest.finalize().hex()


def test_hash_data_of_a_contract_names_every_certificate_and_its_issuer():
    certificates, root = chain()
    data = chain_hash_data(certificates, (root,))
    assert [each["serialNumber"] for each in data] == ["a0b0f", "a0b0e", "a0b0d"]
    assert [each["issuerKeyHash"] for each in data] == [key_hash(certificates[1]), key_hash(certificates[2]), key_hash(root)]
    payload = {"idToken": token("eMAID", "DE8AA1A2B3C4D5", "EVCC"), "iso15118CertificateHashData": data}
    check("ocpp2.1", "Authorize", "Request", payload)


def test_without_root_or_responder_the_certificates_themselves_go():
    certificates, root = chain()
    assert chain_hash_data(certificates, ()) is None
    sent = proof(certificates, (), centrally=True)
    assert sent["certificate"].count("BEGIN CERTIFICATE") == 3
    assert base64.b64decode(sent["certificate"].split("-----")[2]) == certificates[0]
    check("ocpp2.1", "Authorize", "Request", {"idToken": token("eMAID", "x")} | sent)
    assert proof(certificates, (), centrally=False) == {}
    silent, root = chain(urls=False)
    assert "certificate" in proof(silent, (root,), centrally=True)


def test_what_does_not_fit_or_is_no_certificate_is_not_sent():
    certificates, _ = chain()
    assert pem(certificates * 5) is None
    assert pem((b"nonsense",)) is None
    assert pem(()) is None
    assert chain_hash_data((b"nonsense",), ()) is None
    assert len(pem(certificates)) <= PEM_MAXIMUM


# --- times ---


@given(st.floats(0, 4e9))
def test_times_survive_the_wire_to_a_millisecond(seconds):
    assert epoch(timestamp(seconds)) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "text", ["2026-11-22T18:00:00Z", "2026-11-22t18:00:00z", "2026-11-22T19:00:00+01:00", "2026-11-22T18:00:00.000000Z"]
)
def test_every_spelling_of_a_time_is_read(text):
    assert epoch(text) == WALL


@pytest.mark.parametrize("text", ["2026-11-22T18:00:00", "noon", "", "2026-11-22T18:00:60Z"])
def test_what_is_no_time_is_a_value_error(text):
    with pytest.raises(ValueError):
        epoch(text)
