"""The viewer on a live stream: a session grows in it, its server is lost and found again, and the car knows of neither."""

import json
import os
import time
from typing import Any

from tests.browser.conftest import ROOT, TIME, Opened, process
from tests.free_ports import free_port
from tests.starved import again, heed
from tests.v2gkit.cli.test_secc import station, wait_for


def frames(page: Any) -> int:
    """How many messages the viewer holds, of all connections."""
    count: int = page.evaluate("[...v2g.store.connections.values()].reduce((sum, one) => sum + one.frames.length, 0)")
    return count


def until(page: Any, said: str) -> None:
    """Wait until the status says that."""
    page.locator("#status").get_by_text(said).wait_for()


def verdict(page: Any, how: str) -> None:
    """Wait until a connection has ended so."""
    limit = time.monotonic() + TIME / 1000
    while not page.locator(f"#connections .{how} .verdict").count():
        said = page.locator("#status").inner_text(), frames(page), page.locator("#connections").inner_text()
        assert time.monotonic() < limit, f"no connection ended {how}; status, messages and connections are {said}"
        page.wait_for_timeout(50)


def more_than(page: Any, count: int) -> int:
    """Wait until the viewer holds more messages than that; returns how many."""
    limit = time.monotonic() + TIME / 1000
    while (now := frames(page)) <= count:
        assert time.monotonic() < limit, f"no more than {count} messages came"
        page.wait_for_timeout(50)
    return now


@again
def test_a_session_grows_and_a_lost_server_is_found_again(opened: Opened) -> None:
    port = free_port()
    driver = ["ev", "--no-tls", "--service", "DC", "--auth", "eim", "--json", "--quiet"]
    with station("--ui", str(port)) as (secc, first):
        url = wait_for(secc, "viewer")["url"]
        page = opened(url, losing=True)
        until(page, "live")
        assert frames(page) == 0
        with process(*driver, "--connect", first["address"], "--loops", "60") as car:
            seen = more_than(page, 0)
            page.locator("#connections [data-c]").first.wait_for()
            page.locator("#connections .running").first.wait_for()
            page.screenshot(path=_pictured("live-running"))
            assert more_than(page, seen + 20) > seen + 20
            heed(car.communicate(timeout=300)[0])
        verdict(page, "well")
        assert page.locator("#sequence [data-n]").count() > 1
        page.locator("#sequence [data-n]").last.click()
        assert page.locator("#detail-head").inner_text().strip()
        held = frames(page)
    until(page, "lost, trying again")
    assert frames(page) == held  # what was seen stays
    with station("--ui", str(port)) as (secc, first):
        wait_for(secc, "viewer")
        until(page, "live")
        with process(*driver, "--connect", first["address"], "--loops", "5") as car:
            said = json.loads(car.communicate(timeout=300)[0].splitlines()[-1])
            heed(said)
            assert said["ok"], said
        verdict(page, "well")
        assert frames(page) > 20
        page.screenshot(path=_pictured("live-found-again"))


@again
def test_a_station_that_is_through_says_so_and_its_page_stays(opened: Opened) -> None:
    with station("--ui", "--once") as (secc, first):
        page = opened(wait_for(secc, "viewer")["url"], losing=True)
        until(page, "live")
        with process("ev", "--no-tls", "--auth", "eim", "--json", "--connect", first["address"], "--loops", "3") as car:
            heed(said := car.communicate(timeout=300)[0])
        assert car.returncode == 0, said
        verdict(page, "well")
        until(page, "over")
        assert frames(page) > 20


@again
def test_hostile_text_of_a_live_peer_stays_text(opened: Opened) -> None:
    from tests.browser.test_hostile import HOSTILE, innocent
    from tests.v2gkit.cli.test_secc import introduced

    with station("--ui") as (secc, first):
        page = opened(wait_for(secc, "viewer")["url"], losing=True)
        until(page, "live")
        with introduced(first["address"], HOSTILE.replace("\x00", "")[:255]):
            more_than(page, 3)
        verdict(page, "bad")
        page.locator("#sequence [data-n]").filter(has_text="SessionSetupReq").first.click()
        page.locator("[data-tab=json]").click()
        assert "<script>" in page.locator("#panel").inner_text()
        innocent(page)


def _pictured(name: str) -> str:
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return os.fspath(folder / f"{name}.png")
