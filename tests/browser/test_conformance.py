"""The report of a conformance run in Chromium: nothing cut or over anything else from a phone to a screen, hostile text stays text."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.browser.conftest import Opened
from tests.browser.layout import faults
from tests.browser.test_hostile import HOSTILE, innocent, poisoned
from tests.v2gkit.conform.runs import CAMPAIGN_OF_RUN, RUN, of_catalogue, written
from tests.v2gkit.insight.viewer.traces import of_station, pair
from v2gkit.conform.published import publish
from v2gkit.conform.report.comparison import compared, comparison

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
HEIGHT = 1400  # px: what is beyond is scrolled to


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_a_report_in_every_width(width: int, scheme: str, opened: Opened, tmp_path: Path) -> None:
    page = opened(publish(written(tmp_path, (*RUN, *of_catalogue()))), width, HEIGHT, scheme, scripts=False)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"conformance-{width}-{scheme}.png", full_page=True)
    found = []
    for section in page.locator("header, section").all():
        section.scroll_into_view_if_needed()
        section.evaluate("one => one.scrollIntoView()")
        found += [f"{section.get_attribute('id') or 'cover'}: {fault}" for fault in faults(page)]
    assert not found, "\n".join(dict.fromkeys(found))


@pytest.mark.parametrize("width", [400, 1280])
def test_a_comparison_in_every_width(width: int, opened: Opened, tmp_path: Path) -> None:
    other = [replace(each, verdict=RUN[0].verdict, seen="something else that is told in a few words") for each in RUN]
    file = tmp_path / "both.html"
    file.write_text(comparison(compared(RUN, other), CAMPAIGN_OF_RUN, CAMPAIGN_OF_RUN))
    page = opened(file, width, HEIGHT, scripts=False)
    page.screenshot(path=PICTURES / f"conformance-compared-{width}.png", full_page=True)
    assert not faults(page)


def test_a_failure_leads_to_its_messages_and_timers_in_the_viewer(opened: Opened, tmp_path: Path) -> None:
    """One click away, in a page that needs nothing but itself; and the report without it says the same."""
    report = publish(written(tmp_path))
    page = opened(report, 1280, HEIGHT, scripts=False)
    card = page.locator("#failures article.fail").first
    told = card.inner_text()
    link = card.locator("a", has_text="in the viewer")
    viewer = opened(report.parent / str(link.get_attribute("href")), 1280, HEIGHT)
    shown = viewer.locator("body").inner_text()
    for name in ("supportedAppProtocolReq", "SessionSetupReq", "SessionSetupRes"):
        assert name in told, name
        assert name in shown, name
    viewer.locator("#sequence [data-n]").filter(has_text="SessionSetupRes").first.click()
    detail = viewer.locator("#detail, #panel").first.evaluate("one => one.closest('section, aside, main').innerText")
    assert re.search(r"(answered in|asked after) [^·]+ of [^·]+ · V2G_\w+", detail), ascii(detail)  # what it took of its timer
    viewer.screenshot(path=PICTURES / "conformance-viewer.png")


def test_a_printed_report_begins_with_its_cover(opened: Opened, tmp_path: Path) -> None:
    page = opened(publish(written(tmp_path)), 1280, HEIGHT, scripts=False)
    page.emulate_media(media="print")
    cover = page.locator("header.cover")
    told = cover.inner_text()
    for word in (CAMPAIGN_OF_RUN.device, "2027-01-15", "v2gkit", "SHA-256"):
        assert word in told, word
    assert cover.evaluate("one => getComputedStyle(one).breakAfter") in ("page", "always")
    pages = page.pdf(format="A4")
    assert pages.startswith(b"%PDF")
    assert pages.count(b"/Type /Page\n") + pages.count(b"/Type /Page ") + pages.count(b"/Type /Page/") > 1


def test_hostile_results_and_traces_stay_text(opened: Opened, tmp_path: Path) -> None:
    results = [replace(each, seen=HOSTILE, expected=HOSTILE, requirement=(HOSTILE,)) for each in RUN]
    campaign = replace(CAMPAIGN_OF_RUN, device=HOSTILE, peer=HOSTILE, how=HOSTILE, claims=(HOSTILE,))
    page = opened(publish(written(tmp_path, results, campaign, poisoned(of_station(pair())))), 1280, HEIGHT, scripts=False)
    page = opened(tmp_path / "report.html", 1280, HEIGHT, scripts=False)
    for closed in page.locator("details:not([open]) > summary").all()[:20]:
        closed.evaluate("one => one.parentElement.open = true")
    innocent(page)
    assert "<script>" in page.locator("#failures").inner_text()
