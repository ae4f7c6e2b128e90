"""The account of what a session's CPU goes into: every function once, nothing twice, everything put back."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import pki.keys
import pki.signature
import pki.verify
import secc.trust
from evcc.client import Visit
from evcc.trust import vehicle_tls
from pki.keys import ALGORITHMS
from tests.conformance.harness import pki as made
from tests.conformance.harness import run, station
from v2g.generations import GENERATIONS
from v2g.session.trace import Trace, TraceWriter
from v2gkit.insight import cpu
from v2gkit.insight.cpu import CRYPTOGRAPHY, WORK, Meter
from v2gkit.insight.report.page import page
from v2gkit.insight.report.reading import stories
from v2gkit.insight.witness import Tracer


def test_everything_is_put_back() -> None:
    before = (pki.verify.verify, secc.trust.verify, pki.keys.sign)
    with Meter():
        assert pki.verify.verify is not before[0]
        assert secc.trust.verify is pki.verify.verify  # also where it was imported by name
    assert (pki.verify.verify, secc.trust.verify, pki.keys.sign) == before


def test_what_is_called_inside_is_charged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = 0.0  # s; what a machine really takes for a piece of work depends on its neighbours

    def busy(seconds: float) -> None:
        nonlocal spent
        spent += seconds

    def inner(*_: object) -> None:
        busy(0.02)

    def outer(*_: object) -> None:
        busy(0.01)
        pki.keys.sign(None, b"")  # type: ignore[arg-type]

    monkeypatch.setattr(cpu, "time", SimpleNamespace(thread_time=lambda: spent, process_time=lambda: spent))
    monkeypatch.setattr(pki.keys, "sign", inner)
    monkeypatch.setattr(pki.verify, "verify", outer)
    with Meter() as meter:
        pki.verify.verify((), None, None, None)  # type: ignore[arg-type]
    account = meter.account()
    assert account["signatures"] == pytest.approx(0.02)
    assert account["certificate chains"] == pytest.approx(0.01)
    assert account["cryptography"] == account["total"] == pytest.approx(0.03)


def test_an_error_is_charged_too() -> None:
    with Meter() as meter, pytest.raises(ValueError):
        pki.keys.sign(ALGORITHMS, b"")  # type: ignore[arg-type]
    assert meter.spent["signatures"] > 0


def test_a_session_is_accounted_for_in_its_trace_and_its_report(tmp_path: Path) -> None:
    own, path = made(tmp_path / "certs"), tmp_path / "trace.jsonl"

    async def story_of() -> None:
        async with station(own) as at:
            with Meter() as meter, path.open("w") as lines:
                observe = [lambda *_: Tracer(TraceWriter(Trace("evcc", at.clock.wall, GENERATIONS), lines.write), meter)]
                car = at.car(loops=3)
                result = await Visit(car, tls=vehicle_tls(own.store), observe=observe).at(*at.station.addresses[0])
                assert result.ended.well

    run(story_of)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    (spent,) = [r["facts"] for r in records if r["type"] == "note" and r["topic"] == "cpu"]
    assert records[-1]["type"] == "end"
    assert spent["total"] == pytest.approx(sum(spent[kind] for kind in WORK) + spent["rest"], abs=1e-4)
    assert spent["cryptography"] == pytest.approx(sum(spent[kind] for kind in CRYPTOGRAPHY), abs=1e-4)
    assert 0.02 < spent["fraction"] < 1
    assert min(spent[kind] for kind in ("TLS handshake", "TLS records", "certificate chains", "signatures", "EXI")) > 0
    assert "% cryptography" in page(*stories(path))
