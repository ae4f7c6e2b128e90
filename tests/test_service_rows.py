"""One row per service, read everywhere: whoever speaks of services finds each row, and nobody keeps a table or a name of his own."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evcc.config import parse as car_config
from evcc.ev import Battery, Ev
from ocpp_bridge.charger import Evse
from ocpp_bridge.model.mapping import Wish, needs_of, transfers
from ocpp_bridge.model.mapping import services as permitted
from ocpp_bridge.wire.dialects import written
from ocpp_bridge.wire.schemas import check
from secc.config import limits_of, taking_contracts
from secc.config import parse as station_config
from secc.iso20.services import VALUES
from secc.simulated import LIMITS
from secc.station import EVReported, ServiceSelected
from tests.evcc.test_pair import VERIFIER, car, ended
from tests.evcc.virtual_pair import Pair, outlet
from v2g.energy.needs import Needs
from v2g.exi.derive import least
from v2g.iso20.rational import number
from v2g.iso20.services import BY_ID, NAMESPACES, SERVICES
from v2g.messages import MODULES, schema_set
from v2g.messages.common_messages import SelectedServiceType, ServiceSelectionReq
from v2g.messages.dc import DC_ChargeParameterDiscoveryRes
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameSent, Relaxed
from v2g.session.profiles import EVERYWHERE, PROFILES, let_pass
from v2g.session.service import EnergyService
from v2g.session.v2gtp import PAYLOADS, STREAM_TYPES, PayloadType
from v2g.settings.strict import table
from v2gkit.cli.main import parsed as command
from v2gkit.csms.hearing import TRANSFERS
from v2gkit.csms.steering import needs_of as needs_at_csms
from v2gkit.insight.report.reading import _choices
from v2gkit.lab.demo import Plan, _station

ROOT = Path(__file__).parent.parent
EVERY = pytest.mark.parametrize("row", SERVICES.values(), ids=list(SERVICES))
NEEDS = Needs(energy_target=20_000.0, charge_maximum=11_000.0, discharge_maximum=5_000.0, bidirectional=True)


def test_the_numbers_are_those_of_the_standard() -> None:
    assert {row.name: row.id for row in SERVICES.values()} == {
        "AC": 1,
        "DC": 2,
        "AC_BPT": 5,
        "DC_BPT": 6,
        "MCS": 8,
        "MCS_BPT": 9,
        "DC_ACDP": 4,
        "DC_ACDP_BPT": 7,
        "AC_DER_IEC": 10,
        "AC_DER_SAE": 11,
        "WPT": 3,
    }
    assert len(BY_ID) == len(SERVICES)


@EVERY
def test_a_row_fits_its_neighbours(row: EnergyService) -> None:
    assert row.connector_of(1) in row.inlets
    assert row.connector_of(3) in row.inlets  # our car takes what our station says
    assert set(row.parameters) <= set(VALUES)
    assert len(row.parameters) <= 8  # what the decoders of other stacks hold
    assert row.schema_set in NAMESPACES
    assert NAMESPACES[row.schema_set] in str(vars(schema_set(row.schema_set).modules[0])["NAMESPACE"])
    assert ("BPTChannel" in row.parameters) == row.name.endswith("BPT") == (row.bidirectional and not row.der)
    assert bool(row.der) == ("DER" in row.name) == row.schema_set.startswith("ac_der")


@EVERY
def test_a_station_offers_it_by_its_toml_and_its_flag(row: EnergyService) -> None:
    config = station_config(f"tls = false\n[offer]\nservices = ['{row.name}']\n")
    assert config.offer.services == (row.name,)
    assert limits_of(config.outlets()[0]) == LIMITS[row.plug]
    assert command(["secc", "--services", row.name]).services == [row.name]


@EVERY
def test_a_car_wants_it_by_its_toml_and_its_flag(row: EnergyService) -> None:
    config = car_config(f"[wish]\nservices = ['{row.name}']\n[{row.plug}]\ncharge_power = 7777\ncharge_power_minimum = 0\n")
    made = config.car(Clock(0.0, 0.0, 1.0), 0.0)
    assert made.wish.services == (row.name,)
    assert made.ev.inlet(row.plug).charge_power == 7777
    assert command(["ev", "--service", row.name]).service == [row.name]


@EVERY
@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_a_session_runs_with_it(row: EnergyService, control: str) -> None:
    visitor = car(row.name, control)
    every = outlet(services=tuple(SERVICES), limits=replace(LIMITS[row.plug], phases=3))
    pair = Pair(visitor, outlet=every, given=VERIFIER)
    assert ended(pair) == "Terminate"
    assert (visitor.known.service.service, visitor.loops) == (row.name, 5)
    assert [one.service for one in pair.of(ServiceSelected)] == [row.name]


@pytest.mark.parametrize("service", ["MCS", "MCS_BPT"])
def test_megawatts_survive_the_way(service: str) -> None:
    """Beyond 1 MW a power needs another exponent, and 3,000 A another than 300 (S-CPD-06)."""
    visitor = car(service, "Dynamic", loops=60)
    lorry = Battery(capacity=600_000.0, charge_power=1_200_000.0, voltage_empty=800.0, voltage_full=950.0, resistance=0.005)
    visitor.ev = Ev(battery=lorry, energy=200_000.0)
    pair = Pair(visitor, outlet=outlet(services=(service,), limits=LIMITS["mcs"]), given=VERIFIER, setpoint=1_150_000.0)
    assert ended(pair) == "Terminate"
    told = next(
        one.message for one in pair.happened if isinstance(one, FrameSent) and isinstance(one.message, DC_ChargeParameterDiscoveryRes)
    )
    stated = told.DC_CPDResEnergyTransferMode
    assert number(stated.EVSEMaximumChargePower) == 3_750_000
    assert number(stated.EVSEMaximumChargeCurrent) == 3_000
    flowed = [one.power for one in pair.of(EVReported) if one.power is not None]
    assert max(flowed) <= 1_200_000  # W, what the battery takes
    assert flowed[-1] == pytest.approx(1_150_000, rel=0.01)


@EVERY
@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
def test_the_bridge_tells_it_and_a_csms_reads_it(row: EnergyService, version: Any) -> None:
    limits = LIMITS[row.plug]
    wish = Wish(NEEDS, ServiceSelected(0.0, row.name, "Scheduled", "EVCC"), limits, (row.name,))
    payload = written(version, "NotifyEVChargingNeeds", "Request", needs_of(1, wish))
    check(version, "NotifyEVChargingNeeds", "Request", payload)
    assert needs_at_csms(payload).bidirectional == (row.bidirectional and version not in row.charges_only)
    assert row.charges_only == (("ocpp2.0.1",) if row.bidirectional else ())
    assert set(transfers((row.name,), limits.phases)) <= set(TRANSFERS)
    assert row.name in permitted(transfers((row.name,), limits.phases))
    evse = Evse(1, (row.name,), limits)
    assert (evse.in_watts, evse.gives_back) == (not row.mains, row.bidirectional)
    assert row.mains == (row.plug == "ac")


@EVERY
def test_leave_to_charge_is_no_leave_to_discharge(row: EnergyService) -> None:
    for version in row.ocpp:
        only = permitted(list(row.ocpp[version]))
        if not row.bidirectional or version in row.charges_only:
            assert not [name for name in only if SERVICES[name].bidirectional]


@EVERY
def test_the_report_names_it(row: EnergyService) -> None:
    chosen = SelectedServiceType(ServiceID=row.id, ParameterSetID=1)
    request = SimpleNamespace(message=least(ServiceSelectionReq, SelectedEnergyTransferService=chosen))
    assert _choices([(request, request)])[0] == row.name  # type: ignore[list-item]


@EVERY
def test_the_demo_shows_it(row: EnergyService, tmp_path: Path) -> None:
    assert command(["demo", "--service", row.name]).service == row.name
    plan = Plan(service=row.name, output=tmp_path)
    assert plan.bidirectional == row.bidirectional
    outlet = station_config(_station(plan).read_text(), tls=False).outlets()[0]
    assert outlet.offer is not None
    assert outlet.offer.services == (row.name,)
    assert limits_of(outlet).voltage > 0


# --- no other table, no name by hand ---

OWN = ("v2g/iso20/services.py",)
FOREIGN = (  # whose words these are, though they look the same
    "v2g/messages/",  # element and type names
    "v2gkit/peers/ecog_",  # the vocabulary of a foreign stack, run by its interpreter
    "bench/_messages.py",  # modules of messages
    "v2gkit/authorities/described.py",  # DC of a distinguished name
)
NAMES = re.compile(rf"(?:{'|'.join(sorted(SERVICES, key=len, reverse=True))}|_?BPT)")


def stray(path: str) -> list[str]:
    """String constants of a file that are the name of a service, or of its ending, docstrings aside."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMES.fullmatch(node.value):
            found.append(f"{path}:{node.lineno}: {node.value!r}")
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and ast.unparse(node).endswith("service[:2]"):
            found.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    return found


def test_names_of_services_stand_in_one_table() -> None:
    rooms = ("v2g", "secc", "evcc", "pki", "ocpp_bridge", "v2gkit", "bench", "fuzz")
    paths = sorted(path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).rglob("*.py"))
    assert OWN[0] in paths
    assert stray(OWN[0])  # the search finds what there is
    strays = [line for path in paths if path not in OWN and not path.startswith(FOREIGN) for line in stray(path)]
    assert not strays, "read v2g.iso20.services instead:\n" + "\n".join(strays)


def sources() -> list[str]:
    rooms = ("v2g", "secc", "evcc", "pki", "ocpp_bridge", "v2gkit")
    return sorted(path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).rglob("*.py"))


def test_payload_types_are_spelled_in_one_table() -> None:
    assert set(PAYLOADS) == set(PayloadType)
    spelled = [path for path in sources() if re.search(r"\b0x(?:8[01][01]|900)[0-9]\b", (ROOT / path).read_text())]
    assert spelled == ["v2g/session/v2gtp.py"]
    assert {each for each in PayloadType if each < PayloadType.SDP_REQUEST} == STREAM_TYPES
    for each, row in PAYLOADS.items():
        assert bool(row.schema_sets) == (row.stream != "discovery") == (not row.says), each.name
        assert set(row.schema_sets) <= set(MODULES)


def test_only_the_table_of_deviations_tells_the_trace_of_one() -> None:
    """Who makes a `Relaxed` by hand forgets the profile, or spells name and requirement his own way."""
    makers = [path for path in sources() if re.search(r"(?<!class )(?<!case )\bRelaxed\(", (ROOT / path).read_text())]
    assert makers == ["v2g/session/profiles.py", "v2g/session/transport/pump.py"]  # the pump tells what TLS itself found


@pytest.mark.parametrize("profile", PROFILES)
def test_a_deviation_is_let_pass_and_told_in_one_call(profile: Any) -> None:
    every = {row for rows in PROFILES.values() for row in rows} | set(EVERYWHERE)
    for row in every:
        told = let_pass(row, profile, 7.0)
        assert bool(told) == (row in EVERYWHERE or row in PROFILES[profile])
        assert told in ((), (Relaxed(7.0, row.name, row.requirement),))


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("# authorizations are not said here\n", ("EIM", "PnC"), None),
        ("[offer]\nauthorizations = ['EIM']\n", ("EIM",), None),
        ("[[outlet]]\nevse_id = 'A1'\n[outlet.offer]\nauthorizations = ['EIM']\n", ("EIM", "PnC"), ("EIM",)),
        ("[[outlet]]\nevse_id = 'A1'\n[outlet.offer]\nservices = ['DC']\n", ("EIM", "PnC"), ("EIM", "PnC")),
        ("[offer]\nproviders = ['authorizations']\n", ("EIM", "PnC"), None),
    ],
)
def test_what_a_file_says_is_asked_of_its_table_and_not_of_its_text(text: str, first: Any, second: Any) -> None:
    """The word in a comment, in a value or at another outlet is not the key of this one."""
    text = f"pki = 'certs'\n{text}"
    config = taking_contracts(station_config(text), table(text))
    assert config.offer.authorizations == first
    assert [each.offer.authorizations for each in config.outlet if each.offer] == ([second] if second else [])
