"""The viewer from a phone to a wall, light and dark: nothing over anything else, nothing cut, nothing too faint; pictures are kept."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import ROOT, Opened
from tests.browser.layout import faults
from v2gkit.cli.main import main

PICTURES = ROOT / "build" / "screenshots"
SIZES = {400: 800, 1280: 800, 2560: 1440}  # px
TABS = ("tree", "xml", "json", "octets", "exi")


def judged(page: Any, name: str, width: int, scheme: str) -> list[str]:
    """The faults of what is shown, each with the name of its picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png")
    return [f"{name}: {fault}" for fault in faults(page)]


def pane(page: Any, name: str) -> None:
    """Open a pane where there is room for one only."""
    button = page.locator(f"#places [data-pane={name}]")
    if button.is_visible():
        button.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_a_report_in_every_width_and_both_schemes(width: int, scheme: str, report: Path, opened: Opened) -> None:
    page = opened(report, width, SIZES[width], scheme)
    found = judged(page, "connections", width, scheme)
    page.locator("#connections [data-c]:has(.requirement)").first.locator("button").click()
    for name in ("time", "sequence", "detail"):
        pane(page, name)
        found += judged(page, name, width, scheme)
    pane(page, "sequence")
    page.locator("#sequence [data-n]").nth(2).click()
    for tab in TABS:
        page.locator(f"#detail [data-tab={tab}]").click()
        found += judged(page, tab, width, scheme)
    pane(page, "connections")
    page.locator("#connections .requirement").first.click()
    found += judged(page, "requirement", width, scheme)
    page.locator("#help").click()
    found += judged(page, "help", width, scheme)
    page.keyboard.press("Escape")
    page.locator("#to-fleet").click()
    found += judged(page, "fleet", width, scheme)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", SIZES)
def test_a_comparison_in_every_width(width: int, recorded: Path, opened: Opened, tmp_path: Path) -> None:
    page = opened(compared(recorded, tmp_path), width, SIZES[width])
    pane(page, "sequence")
    found = judged(page, "diff", width, "light")
    page.keyboard.press("n")
    found += judged(page, "diff-detail", width, "light")
    assert "200 kW" in " ".join(page.locator("#panel .differs").all_inner_texts())
    assert not found, "\n".join(found)


def compared(traces: Path, folder: Path) -> Path:
    """The page on how two sessions differ."""
    assert main(["diff", str(traces / "station.jsonl"), str(traces / "greedy.jsonl"), "--out", str(folder / "diff.html")]) == 1
    return folder / "diff.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_the_page_without_scripts_in_every_width_and_both_schemes(width: int, scheme: str, report: Path, opened: Opened) -> None:
    page = opened(report, width, SIZES[width], scheme, scripts=False)
    found = judged(page, "static", width, scheme)
    page.locator("section h2").nth(3).scroll_into_view_if_needed()
    found += judged(page, "static-below", width, scheme)
    assert not found, "\n".join(found)


SHEET = """(text) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(text); document.adoptedStyleSheets = [sheet]; }"""


def test_what_is_judged_can_be_found(report: Path, opened: Opened) -> None:
    """Each kind of fault, made on purpose, is seen."""
    page = opened(report, 400, 800)
    assert not faults(page)
    for wrong, seen in {
        "#connections .verdict { margin-top: -20px !important; overflow: visible !important }": "over each other",
        "#connections button { height: 20px; overflow: hidden }": "cut below",
        "#connections .name { flex: none !important; width: 12px; overflow-wrap: anywhere }": "in pieces",
        "#connections .soft { color: #bbb !important }": "too faint",
        "#title { position: fixed !important; left: 380px; white-space: nowrap }": "beyond the window",
        "body { min-width: 600px }": "px wide in a window of 400",
    }.items():
        page.evaluate(SHEET, wrong)
        assert any(seen in fault for fault in faults(page)), (seen, faults(page))
        page.evaluate(SHEET, "")
    assert not faults(page)
