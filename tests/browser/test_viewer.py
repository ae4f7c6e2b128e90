"""What a person does with a report: clicks a message, reads its bits, moves the cursor, follows a failure, filters, shares a link."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opened
from v2gkit.cli.main import main


def connection(page: Any, source: str) -> None:
    """Select the connection of a trace."""
    c = page.evaluate("(source) => [...v2g.store.connections.values()].find((one) => one.about.source === source).c", source)
    page.locator(f"#connections [data-c='{c}'] button").click()


def message(page: Any, name: str) -> dict[str, Any]:
    """Click the first message of that name that is in sight; returns its number, schema set and octets, as they are shown."""
    row = page.locator("#sequence [data-n]").filter(has_text=name).first
    row.click()
    page.locator("[data-tab=octets]").click()
    octets = "".join(page.locator("#panel .dump .hex [data-o]").all_inner_texts())
    return {**frame(page, int(row.get_attribute("data-n"))), "hex": octets}


def frame(page: Any, n: int) -> dict[str, Any]:
    """A frame of the selected connection, as the viewer holds it."""
    found: dict[str, Any] = page.evaluate(
        """(n) => {
          const of = v2g.store.connections.get(Number(new URLSearchParams(location.hash.slice(1)).get("c"))), one = of.frames[n];
          return { n, name: one.name, set: one.set, code: one.code };
        }""",
        n,
    )
    return found


def hash_of(page: Any) -> dict[str, str]:
    """What the address says."""
    told: dict[str, str] = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    return told


def explained(octets: str, schema_set: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The steps of `v2g exi explain`."""
    capsys.readouterr()
    assert main(["exi", "explain", "--set", schema_set, "--json", octets]) == 0
    steps: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["steps"]
    return steps


@pytest.mark.parametrize("name", ["SessionSetupReq", "DC_ChargeParameterDiscoveryRes", "ScheduleExchangeRes"])
def test_the_exi_of_a_message_is_explained_as_the_command_explains_it(
    name: str, report: Path, opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    page = opened(report, 1280, 3000)
    connection(page, "car.jsonl")
    chosen = message(page, name)
    page.locator("[data-tab=exi]").click()
    cells = page.locator("#panel table.steps tbody tr").evaluate_all("(rows) => rows.map((r) => [...r.cells].map((c) => c.textContent))")
    steps = explained(chosen["hex"], chosen["set"], capsys)
    assert len(cells) == len(steps) > 10
    for (bit, width, bits, what, value), step in zip(cells, steps, strict=True):
        assert (int(bit), int(width), what.strip()) == (step["bit"], step["width"], step["what"])
        assert value == step["value"] or not value or value.strip("'…") in str(step["value"]), (value, step)
        assert bits.rstrip("…") == f"{int(chosen['hex'], 16):0{4 * len(chosen['hex'])}b}"[step["bit"] :][: len(bits.rstrip("…"))]
    page.locator("#panel table.steps tbody tr").nth(5).click()
    assert page.locator("#panel .dump .on").count() >= 1  # the octets of that step are marked


def test_json_and_xml_are_those_of_the_commands(report: Path, opened: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    page = opened(report, 1280, 3000)
    connection(page, "car.jsonl")
    for name in ("SessionSetupRes", "ScheduleExchangeRes", "PowerDeliveryReq"):
        chosen = message(page, name)
        for tab, verb in (("json", "json"), ("xml", "decode")):
            page.locator(f"[data-tab={tab}]").click()
            shown = page.locator("#panel pre").inner_text()
            capsys.readouterr()
            assert main(["exi", verb, "--set", chosen["set"], chosen["hex"]]) == 0
            told = capsys.readouterr().out
            if tab == "json":
                assert json.loads(shown) == json.loads(told)
            else:
                assert "".join(shown.split()) == "".join(told.split())


def test_a_message_is_a_tree_with_units(report: Path, opened: Opened) -> None:
    page = opened(report, 1280, 3000)
    connection(page, "car.jsonl")
    message(page, "DC_ChargeParameterDiscoveryRes")
    page.locator("[data-tab=tree]").click()
    tree = page.locator("#panel").inner_text()
    assert "EVSEMaximumChargePower" in tree
    assert "50 kW" in tree
    assert "140 A" in tree


def test_the_cursor_moves_over_all_curves_by_pointer_and_by_key(report: Path, opened: Opened) -> None:
    page = opened(report)
    connection(page, "car.jsonl")
    chart, readout = page.locator("#chart"), page.locator("#cursor")
    box, told = chart.bounding_box(), list[str]()
    for share in (0.6, 0.68, 0.76):  # power flows in the second half; the last fifth is what was planned
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        page.wait_for_timeout(100)
        told.append(readout.inner_text())
    assert len(set(told)) == 3
    assert all("kW" in text and "%" in text for text in told), told
    chart.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(100)
    assert readout.inner_text() != told[-1]
    assert page.locator("#sequence .near").count() <= 1


def test_a_failure_leads_to_its_requirement_and_back_to_its_message(report: Path, opened: Opened) -> None:
    page = opened(report)
    failed = page.locator("#connections [data-c]").filter(has_text="EVPowerProfile leaves its schedule")
    assert failed.locator(".verdict").inner_text()
    link = failed.locator("a.requirement")
    assert link.inner_text() == "V2G20-1864"
    link.click()
    panel = page.locator("#panel")
    panel.get_by_text("V2G20-1864").first.wait_for()
    assert hash_of(page)["tab"] == "requirement"
    assert "PowerDeliveryRes" in panel.inner_text()
    panel.locator("a").filter(has_text="PowerDeliveryRes").first.click()
    page.locator("#detail-head").get_by_text("FAILED_EVPowerProfileInvalid").wait_for()
    assert frame(page, int(hash_of(page)["n"]))["code"] == "FAILED_EVPowerProfileInvalid"


def test_a_search_finds_messages_codes_and_requirements(report: Path, opened: Opened) -> None:
    page = opened(report)
    connection(page, "greedy.jsonl")
    search, rows = page.locator("#search"), page.locator("#sequence [data-n], #sequence [data-m]")
    for words, every in (("code:FAILED", "FAILED_"), ("msg:ServiceDetail", "ServiceDetail"), ("welding", None), ("req:V2G20-1864", None)):
        search.fill(words)
        page.wait_for_timeout(200)
        texts = rows.all_inner_texts()
        found = page.locator("#found").inner_text()
        assert found.split()[0] == str(len(texts)) or len(texts) > 20, (words, found, texts)
        assert texts or every is None, words
        assert all(every in text for text in texts if every), (words, texts)
    search.fill("code:FAILED")
    page.locator("#found").get_by_text("1 found").wait_for()
    page.keyboard.press("Enter")
    page.locator("#detail-head").get_by_text("FAILED_EVPowerProfileInvalid").wait_for()
    search.fill("")
    page.wait_for_timeout(200)
    assert rows.count() > 5


def test_everything_is_reached_by_the_keyboard(report: Path, opened: Opened) -> None:
    page = opened(report)
    connection(page, "greedy.jsonl")
    page.locator("#sequence").focus()
    page.keyboard.press("j")
    first = hash_of(page)
    page.keyboard.press("j")
    assert hash_of(page) != first
    page.keyboard.press("k")
    assert hash_of(page) == first
    page.keyboard.press("n")
    failed = hash_of(page)
    assert failed != first
    page.locator("#detail-head .bad, #sequence .bad[aria-selected=true]").first.wait_for()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "panel"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")
    page.keyboard.press("]")
    after = hash_of(page)["c"]
    page.keyboard.press("[")
    assert hash_of(page)["c"] != after
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.keyboard.press("+")
    assert {"t0", "t1"} <= hash_of(page).keys()
    page.keyboard.press("0")
    assert not {"t0", "t1"} & hash_of(page).keys()


def test_a_link_restores_what_was_seen(report: Path, opened: Opened) -> None:
    page = opened(report)
    connection(page, "greedy.jsonl")
    page.locator("#search").fill("ServiceDetail")
    chosen = message(page, "ServiceDetailRes")
    page.locator("[data-tab=json]").click()
    page.locator("body").press("+")
    link = page.url
    again = opened(link)
    assert again.url == link
    assert again.locator("#search").input_value() == "ServiceDetail"
    assert again.locator("[data-tab=json]").get_attribute("aria-selected") == "true"
    assert again.locator("#sequence [aria-selected=true]").get_attribute("data-n") == str(chosen["n"])
    assert "ServiceDetailRes" in again.locator("#panel").inner_text()
    assert again.locator("#connections [aria-current=true]").count() == 1


def test_the_report_of_a_demo(demo: Path, opened: Opened) -> None:
    page = opened(demo / "report.html", 1280, 1200)
    rows = page.locator("#connections [data-c]")
    assert rows.count() >= 1
    assert all(text.strip() for text in rows.locator(".verdict").all_inner_texts())
    message(page, "SessionSetupReq")
    page.locator("[data-tab=exi]").click()
    assert page.locator("#panel table.steps tbody tr").count() > 10
    page.locator("[data-tab=certificates]").click()
    assert "CN=" in page.locator("#panel").inner_text()
    page.locator("#search").fill("msg:AuthorizationReq")
    page.wait_for_timeout(200)
    page.locator("#search").press("Enter")
    page.locator("[data-tab=signature]").click()
    assert "✓" in page.locator("#panel").inner_text()
