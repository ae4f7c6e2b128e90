"""The cases that judge a station, against our own in a process of its own: nothing fails, and nothing is left open."""

import asyncio
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.conformance.harness import NOW
from tests.starved import again, heed
from tests.v2gkit.conform.faulty_shared import SHARED
from tests.v2gkit.conform.faulty_station import FAULTS
from tests.v2gkit.conform.station_mutants import NARROW, NOT_YET, judged, played, without
from tests.v2gkit.conform.stations import CLAIMS, QUICK, Own, bad, station
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases import loop
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Verdict

LONG = 10.0  # s that a case may last to be played here; `make conform` plays all
FAMILIES = sorted({case.family for case in catalogue().values() if case.role == "station" and case.generation == "20"} - {"SDP", "OCP"})


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conform") / "certs"
    create(path, [build(Plan(), "secp521r1", NOW)])
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Own]:
    with station(tmp_path_factory.mktemp("own"), certs, outlets=8) as outlets:
        yield Own(outlets, certs)


def quick(family: str) -> list[Case]:
    """The cases of a family that do not wait for a timer of a minute, each with its first and last part."""
    cases = [case for case in catalogue().values() if case.role == "station" and case.generation == "20" and case.family == family]
    short = [
        case for case in cases if case.lasts < LONG or (case.kind is Kind.ROBUSTNESS and case.claim == "outlet" and "many" in case.stimulus)
    ]
    return [replace(case, parts=tuple(dict.fromkeys((case.parts[0], case.parts[-1])))) for case in short]


@pytest.mark.parametrize("family", FAMILIES)
@again
def test_nothing_of_our_own_station_fails(own: Own, family: str) -> None:
    results = own.judged(quick(family))
    assert not bad(results)
    assert family == "MTR" or any(each.verdict is Verdict.PASS for each in results.values())
    assert all(each.seen for each in results.values())


@again
def test_a_reading_is_confirmed(tmp_path: Path, certs: Path) -> None:
    with station(tmp_path, certs, more="[metering]\nconfirm_every = 1.0") as outlets:
        results = Own(outlets, certs, replace(CLAIMS, metering_confirmation=True)).judged(quick("MTR"))
    assert not bad(results)
    assert [each.verdict for each in results.values()] == [Verdict.PASS] * len(results)


def test_a_station_that_serves_nobody_fails_no_case_about_what_it_bears(certs: Path) -> None:
    """Where no good car gets a session before anything was done, nothing that was done is to blame."""
    robust = [case for family in FAMILIES for case in quick(family) if case.kind is Kind.ROBUSTNESS]
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as deaf:
        address = deaf.getsockname()[:2]
    found = Own((address,), certs, pixit=replace(QUICK, recovery=0.3)).judged(robust)
    verdicts = {each.verdict for each in found.values()}
    assert len(found) > 10
    assert verdicts <= {Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE, Verdict.BLOCKED}
    assert any("before anything was done no good car is served" in each.seen for each in found.values())


@again
def test_a_tester_drives_an_outlet(certs: Path, tmp_path: Path) -> None:
    """Pilot, contactor and button of an outlet whose hardware is the suite's; the link, which takes 19 s, `make conform` drives."""
    driven = dict.fromkeys(("S-DCS-02", "S-STP-03", "S-PWD-02", "S-LOP-14"), Verdict.PASS)
    results = played(certs, tmp_path, "", "driven", [catalogue()[each] for each in driven], 1)
    assert not bad(results)
    assert {id_: each.verdict for id_, each in results.items()} == driven


@again
def test_what_nothing_drives_is_blocked(own: Own) -> None:
    results = replace(own, claims=replace(CLAIMS, hal=True)).judged([catalogue()["S-STP-03"]])
    assert results["S-STP-03"].verdict is Verdict.BLOCKED
    assert "'pilot_b'" in results["S-STP-03"].seen


@again
def test_a_revoked_vehicle_is_refused(certs: Path, tmp_path: Path) -> None:
    results = played(certs, tmp_path, "", "a vehicle is revoked", [catalogue()["S-TLS-16"]], 1)
    assert not bad(results)
    assert results["S-TLS-16"].verdict is Verdict.PASS


@pytest.mark.parametrize("fault", ["S-SAP-03", "S-SSU-06", "S-TP-08", "S-SEL-03"])
@again
def test_a_fault_fails_its_case(certs: Path, tmp_path: Path, fault: str) -> None:
    """A few of them; `python -m tests.v2gkit.conform.station_mutants` plays them all, and their neighbours."""
    (found,) = judged(certs, tmp_path, fault, neighbours=False).values()
    heed(found.seen)
    assert (found.id, found.verdict) == (fault, Verdict.FAIL), found.seen


class Stalling:
    """`asyncio` for a script, whose first sleeps let nobody else run and last too long."""

    def __init__(self, times: int):
        self.left, self.count = times, 0

    async def sleep(self, seconds: float) -> None:
        self.count += 1
        if self.left:
            self.left -= 1
            time.sleep(0.9)  # noqa: ASYNC251 - as a machine without a processor to spare does
        else:
            await asyncio.sleep(seconds)


@again
def test_a_bench_that_stalls_under_power_blames_nobody(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    """The station leaves a car that is silent for 0.5 s, rightly: the case is made again, and passes."""
    stalling = Stalling(1)
    monkeypatch.setattr(loop, "asyncio", stalling)
    found = own.judged([catalogue()["S-LOP-12"]])["S-LOP-12"]
    heed(found.seen)
    assert (stalling.left, found.verdict) == (0, Verdict.PASS), found.seen
    assert stalling.count > 8  # the sleeps of one whole run, and the one before it


def test_each_case_has_a_fault_or_a_reason() -> None:
    known = {case.id for case in catalogue().values() if case.role == "station" and case.generation == "20"}
    assert set(FAULTS) <= known
    assert set(NOT_YET) <= known - set(FAULTS)
    assert set(NARROW) <= set(FAULTS)
    kept = (Path(__file__).parent / "station_mutants.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in kept if line.startswith("| S-")]
    assert {row[0]: row[1] for row in rows if row[0] in FAULTS} == dict.fromkeys(FAULTS, "fail")
    assert {row[0]: row[1] for row in rows if row[0] not in FAULTS} == without()
    others = {row[0]: set(row[2].split(", ")) - {"none"} for row in rows if row[0] in FAULTS}
    assert {fault: failed for fault, failed in others.items() if failed} == {fault: set(found) for fault, (found, _) in SHARED.items()}
    assert all(row[-1] == SHARED[row[0]][1] for row in rows if row[0] in SHARED)


def test_every_case_is_told_whole() -> None:
    for case in catalogue().values():
        assert case.purpose
        assert case.stimulus
        assert case.expected, case.id
        assert case.script is not None
        assert case.kind is Kind.POSITIVE or case.control or case.kind is Kind.TIMING or case.lasts, case.id
