"""`v2g revenue`: a trace becomes books and a page; what was changed, is missing or lies is said."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from secc.ocmf import signed
from secc.station import MeterReading
from v2g.energy.ledger.books import verify
from v2g.energy.ledger.store import File
from v2gkit.cli.main import main

T = 1_790_000_100 // 900 * 900
KEY, STRANGER = (ec.derive_private_key(number, ec.SECP256R1()) for number in (7, 8))
PROVEN = importlib.util.find_spec("pyocmf") is not None
READINGS = [
    (0, 100_000.0, 5_000.0),
    (900, 102_000.0, 5_000.0),
    (1_800, 102_500.0, 5_000.0),
    (2_700, 102_500.0, 6_000.0),
    (3_000, 104_000.0, 6_000.0),
]
PRICES = {
    way: {"start": T, "steps": [{"duration": 7_200, "value": value}]} for way, value in (("import_prices", 0.4), ("export_prices", 0.2))
}
TERMS = f"""
tenant = "cpo"
hosting = 0.1
supply = "supply.csv"

[flexibility]
utilisation = 0.3
shares = {{ driver = 0.5 }}

[[calls]]
id = "dso-1"
start = "2026-09-21T{(T % 86400 + 900) // 3600:02d}:{(T % 3600 + 900) % 3600 // 60:02d}:00+00:00"
until = "2026-09-21T{(T % 86400 + 1800) // 3600:02d}:{(T % 3600 + 1800) % 3600 // 60:02d}:00+00:00"
reduction = 5000
signal = "event.json"
"""


def reading(at: int, imported: float, exported: float, key: ec.EllipticCurvePrivateKey | None = KEY) -> dict[str, Any]:
    read = MeterReading("M1", imported, exported, T + at)
    said: dict[str, Any] = {"meter_id": "M1", "imported": imported, "exported": exported, "at": T + at}
    if key is not None:
        record = signed(read, key, at)
        said["signed"] = {"record": record.record.hex(), "public_key": record.public_key.hex(), "method": record.method}
    return said


def trace(folder: Path, change: Callable[[list[dict[str, Any]]], None] = lambda records: None, *, key: Any = KEY) -> Path:
    """A station's trace of one session; `change` edits its records."""
    said: list[tuple[int, str, str, dict[str, Any]]] = [
        (0, "event", "SessionGiven", {"outlet": {"limits": {"charge_power": 8_000.0}}}),
        (0, "event", "SessionStarted", {"session_id": "a1"}),
        (0, "event", "AuthorizationWanted", {"emaid": "DEABC1"}),
        (0, "fact", "ScheduleReady", {"offer": {"tuples": [{"id": 1, **PRICES}]}}),
        (0, "event", "ScheduleChosen", {"tuple_id": 1}),
        *((at, "fact", "MeterRead", {"reading": reading(at, a, b, key)}) for at, a, b in READINGS),
        (3_000, "event", "Billed", {"bill": {"energy": 1_400_000, "parking": 500_000, "total": 2_261_000}, "currency": "EUR"}),
    ]
    base = {"connection": 1, "at": 0.0}
    records: list[dict[str, Any]] = [{"type": "trace", **base, "epoch": T, "version": 1, "side": "secc", "about": {"evse": "DE*X*E1"}}]
    records += [{"type": type_, **base, "epoch": float(T + at), "name": name, "facts": facts} for at, type_, name, facts in said]
    change(records)
    path = folder / "station.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "terms.toml").write_text(TERMS)
    (folder / "supply.csv").write_text("start,import_price,export_price\n00:00,0.2,0.1\n")
    (folder / "event.json").write_text('{"id": "dso-1"}')
    (folder / "meter.hex").write_text(signed(MeterReading("M1", 0.0, 0.0, T), KEY, 0).public_key.hex())
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    assert main(["revenue", *map(str, arguments), "--json"]) == code
    return dict(json.loads(capsys.readouterr().out))


def checks(answer: dict[str, Any]) -> dict[str, bool | None]:
    return {check["check"]: check["well"] for check in answer["checks"]}


def test_each_party_earns_what_a_pencil_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """4 kWh in at 0.40, 1 out at 0.20; parking 0.50, tax 0.361; the site buys at 0.20, sells at 0.10, gets 0.10 for hosting."""
    path = trace(tmp_path)
    answer = said(capsys, path, "--terms", tmp_path / "terms.toml", "--key", tmp_path / "meter.hex")
    flows = {one["flow"]: one["amount"] for one in answer["flows"]}
    assert flows["charging"] == pytest.approx(1.6)
    assert flows["feed-in"] == pytest.approx(0.2)
    # by itself the car charges 3 kWh with 8 kW, in 22.5 minutes: 1 kWh of them in the called quarter hour, where it drew 0.5
    assert flows["energy not drawn on call"] == pytest.approx(0.5)
    assert answer["earned"]["operator"] == pytest.approx(1.6 - 0.2 + 0.5 - 0.4)
    assert answer["earned"]["site"] == pytest.approx(0.4 - 0.8 + 0.1)
    assert answer["earned"]["state"] == pytest.approx(0.361)
    assert answer["earned"]["aggregator"] == pytest.approx(flows["utilisation"] / 2)
    assert sum(answer["earned"].values()) == pytest.approx(0)
    assert checks(answer) == {"signature": True if PROVEN else None, "balance": True, "bill": True, "books": True}
    assert {one["kind"] for one in answer["evidence"]} == {"meter", "price", "contract", "baseline", "signal"}


def test_the_books_go_by_the_prices_that_the_car_was_shown_and_by_the_stations_clock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message holds fewer steps than an offer has; a reading is billed when the station has it, whatever its own clock says."""
    shown = {
        way: {"start": T, "steps": [{"duration": 9_000, "value": price}]} for way, price in (("import_prices", 0.5), ("export_prices", 0.3))
    }

    def coarser(records: list[dict[str, Any]]) -> None:
        for one in records:
            if one.get("name") == "ScheduleChosen":
                one["facts"] |= {**shown, "currency": "EUR"}
            if one.get("name") == "MeterRead":
                one["facts"]["reading"]["at"] -= 86_400 * 365
            if one.get("name") == "Billed":
                one["facts"]["bill"]["energy"] = 1_700_000

    answer = said(capsys, trace(tmp_path, coarser))
    flows = {one["flow"]: one["amount"] for one in answer["flows"]}
    assert (flows["charging"], flows["feed-in"]) == (pytest.approx(2.0), pytest.approx(0.3))
    assert checks(answer)["bill"] is True


def test_settled_again_nothing_is_posted_and_settled_otherwise_the_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    books = tmp_path / "books.sqlite"
    first = said(capsys, trace(tmp_path), "--terms", tmp_path / "terms.toml", "--books", books)
    assert first["posted"] == first["periods"] == 4
    assert said(capsys, tmp_path / "station.jsonl", "--terms", tmp_path / "terms.toml", "--books", books, "--run", "R1")["posted"] == 0
    (tmp_path / "supply.csv").write_text("start,import_price,export_price\n00:00,0.3,0.1\n")
    again = said(capsys, tmp_path / "station.jsonl", "--terms", tmp_path / "terms.toml", "--books", books, "--run", "R1")
    assert again["posted"] == 3  # the quarter hours in which something was imported
    assert again["earned"]["site"] == pytest.approx(first["earned"]["site"] - 0.4)
    with File(books) as kept:
        assert verify(kept.transactions("cpo")) == 7


def test_both_halves_of_a_paused_session_are_booked_though_they_share_a_quarter_hour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def resumed(records: list[dict[str, Any]]) -> None:
        again = json.loads(json.dumps(records))
        for one in again:
            one["connection"] = 2
            one["epoch"] += 100
        records += again

    assert main(["revenue", str(trace(tmp_path, resumed)), "--books", str(tmp_path / "b.sqlite"), "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["session"] == second["session"] == "a1"
    assert first["posted"] == second["posted"] == 4
    with File(tmp_path / "b.sqlite") as kept:
        assert {t.revision for t in kept.transactions("own")} == {0}


def test_one_page_shows_the_four_and_what_was_written_by_strangers_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def hostile(records: list[dict[str, Any]]) -> None:
        records[3]["facts"]["emaid"] = "<script>alert(1)</script>"

    path = trace(tmp_path, hostile)
    out, csv = tmp_path / "page.html", tmp_path / "books.csv"
    assert main(["revenue", str(path), "--out", str(out), "--csv", str(csv), "--beancount", str(tmp_path / "b.bean")]) == 0
    text = out.read_text()
    assert all(f"<td>{party}</td>" in text for party in ("driver", "site", "operator", "aggregator"))
    assert "<script" not in text
    assert "http" not in text
    assert csv.read_text().startswith("tenant,number")
    assert "open Income:Driver:Charging" in (tmp_path / "b.bean").read_text()


@pytest.mark.skipif(not PROVEN, reason="pyocmf is not installed: pip install v2gkit[ocmf]")
def test_a_reading_that_its_meter_did_not_sign_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = said(capsys, trace(tmp_path, key=STRANGER), "--key", tmp_path / "meter.hex", code=1)
    assert checks(answer)["signature"] is False
    answer = said(capsys, trace(tmp_path, key=STRANGER))  # with the key that the record brings along nobody is wrong, and nothing is known
    assert checks(answer)["signature"] is None

    def inflated(records: list[dict[str, Any]]) -> None:
        """The register that OCPP would tell is not what the meter signed: the signed one is billed."""
        records[10]["facts"]["reading"]["imported"] = 199_000.0

    answer = said(capsys, trace(tmp_path, inflated), "--key", tmp_path / "meter.hex")
    assert {one["flow"]: one["amount"] for one in answer["flows"]}["energy imported"] == pytest.approx(4.0)


def test_a_bill_that_is_not_what_was_metered_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def dearer(records: list[dict[str, Any]]) -> None:
        records[-1]["facts"]["bill"]["energy"] += 50_000

    assert checks(said(capsys, trace(tmp_path, dearer), code=1))["bill"] is False


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        (lambda records: records.__delitem__(slice(6, None)), "no session with two meter readings"),
        (lambda records: records[6]["facts"].update(reading={"at": 1}), "is none that a station writes"),
        (lambda records: records[6]["facts"]["reading"].update(imported="many"), "is none that a station writes"),
        (lambda records: records[6]["facts"]["reading"].update(signed={"record": "zz"}), "is none that a station writes"),
        (
            lambda records: records[4]["facts"]["offer"]["tuples"][0].update(
                import_prices={"start": 0, "steps": [{"duration": -1, "value": 1}]}
            ),
            "",
        ),
    ],
)
def test_a_trace_that_is_none_is_one_line(
    change: Callable[[list[dict[str, Any]]], None], cure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["revenue", str(trace(tmp_path, change))]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert cure in told.err
    assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize(
    "wrong", ['tenent = "x"', "[flexibility]\nutilisation = -1", '[[calls]]\nid = "x"\nstart = "now"\nuntil = "then"\nreduction = 1']
)
def test_terms_that_are_wrong_are_refused_with_their_key(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trace(tmp_path)
    (tmp_path / "terms.toml").write_text(wrong)
    assert main(["revenue", str(path), "--terms", str(tmp_path / "terms.toml")]) == 2
    assert "terms.toml" in capsys.readouterr().err
