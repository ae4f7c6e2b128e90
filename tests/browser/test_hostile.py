"""A trace full of text that wants to be a script or a control stays text in the viewer, whichever way it is looked at."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opened, reported, written
from tests.v2gkit.insight.viewer.traces import Record, of_station, pair
from v2g.iso20.frames import framed
from v2g.messages.common_messages import SessionSetupReq
from v2g.messages.common_types import MessageHeaderType

MARKUP = "</script><script>globalThis.hacked=1</script><img src=x onerror='globalThis.hacked=1'>\"'><svg onload=globalThis.hacked=1>"
ACTS = "\x1b[31m\x07\x00\x7f\x9b\u202eesrever\u2066\u200b\u2028\u2029\ufeff"
HOSTILE = f"<b>x</b>{MARKUP}{ACTS}"
LINK = "javascript:globalThis.hacked=1"


def hostile(value: Any) -> Any:
    """A value of a record with every text in it, and every name, followed by hostile text."""
    if isinstance(value, dict):
        return {hostile(name): hostile(one) for name, one in value.items()}
    if isinstance(value, list):
        return [hostile(one) for one in value]
    return value + HOSTILE if isinstance(value, str) else value


def poisoned(records: list[Record]) -> list[Record]:
    """A trace with hostile text wherever a peer, a backend or a file can put it, its octets included."""
    told = list[Record]()
    for record in records:
        one = dict(record)
        for name in ("facts", "about"):
            if isinstance(one.get(name), dict):
                one[name] = hostile(one[name])
        for name in ("error", "reason", "asked", "state", "timer", "requirement", "how"):
            if isinstance(one.get(name), str):
                one[name] += HOSTILE
        if one["type"] == "connected":
            one["peer"] = [HOSTILE, 1]
        if one["type"] in ("note", "fact", "event") and len(told) % 3 == 0:
            one["topic" if one["type"] == "note" else "name"] = HOSTILE
        if one.get("name") == "SessionSetupReq":
            header = MessageHeaderType(SessionID=bytes(8), TimeStamp=1)
            octets = framed(SessionSetupReq(Header=header, EVCCID=HOSTILE.replace("\x00", "")[:255]))[8:]
            one |= {"exi": octets.hex(), "octets": len(octets), "findings": [HOSTILE]}
        told.append(one)
    last = told[-1]
    return [*told[:-1], {**last, "type": "note", "topic": LINK, "facts": {"url": LINK, "html": MARKUP}}, last]


@pytest.fixture(scope="module")
def page_of_hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a poisoned trace."""
    folder = tmp_path_factory.mktemp("hostile")
    trace = written(folder / "hostile.jsonl", poisoned(of_station(pair())))
    assert json.loads(trace.read_text().splitlines()[0])
    return reported(trace, folder / "hostile.html")


def innocent(page: Any) -> None:
    """Nothing that was recorded became an element, ran, or acts."""
    assert page.evaluate("globalThis.hacked") is None
    assert page.locator("img, iframe, object, embed, base, body svg [onload], a[href^='javascript']").count() == 0
    assert page.locator("script").count() <= 2  # what is packed, and the viewer
    text = page.evaluate(
        "document.body.innerText + [...document.querySelectorAll('*')].flatMap((e) => [...e.attributes].map((a) => a.value)).join('')"
    )
    acts = {f"U+{ord(each):04X}" for each in text if each in ACTS and each not in "[31mesrever"}
    assert not acts


def test_hostile_text_is_text_in_every_pane(page_of_hostile: Path, opened: Opened) -> None:
    page = opened(page_of_hostile, 1280, 2400)
    innocent(page)
    assert "<script>" in page.locator("#connections").inner_text()
    assert "\\u202e" in page.locator("#connections").inner_text()
    page.locator("#connections [data-c] button").first.click()
    for button in page.locator("#kinds [aria-pressed=false]").all():
        button.click()
    innocent(page)
    page.locator("#sequence [data-n]").filter(has_text="SessionSetupReq").first.click()
    for tab in [tab.get_attribute("data-tab") for tab in page.locator("#tabs [data-tab]:visible").all()]:
        page.locator(f"#tabs [data-tab={tab}]").click()
        innocent(page)
    page.locator("#tabs [data-tab=json]").click()
    assert "<b>x</b></script>" in page.locator("#panel").inner_text()
    rows = page.locator("#sequence [data-m]").filter(has_text="<b>x</b>")
    assert rows.count() > 3
    for place in range(min(rows.count(), 12)):
        rows.nth(place).click()
        innocent(page)
    page.mouse.move(500, 200)
    page.locator("#search").fill(MARKUP)
    page.wait_for_timeout(200)
    innocent(page)
    again = opened(page.url)
    innocent(again)


def test_a_link_cannot_say_more_than_a_place(page_of_hostile: Path, opened: Opened) -> None:
    for wrong in (
        "c=<img src=x onerror=hacked=1>",
        "c=99999&n=1e99&tab=constructor",
        "c=0&n=-5&tab=__proto__&req=<b>&q=<script>",
        "%E0%A4%A",
        "fleet&x",
    ):
        page = opened(f"{page_of_hostile.as_uri()}#{wrong}")
        innocent(page)
        assert page.locator("#connections [data-c]").count() == 1


def test_hostile_text_is_text_without_scripts_too(page_of_hostile: Path, opened: Opened) -> None:
    page = opened(page_of_hostile, scripts=False)
    assert page.locator("img, iframe, svg [onload], a[href^='javascript']").count() == 0
    assert "<script>" in page.locator("body").inner_text()
