"""The viewer in Debian's Chromium: a browser for each module of tests, a page that may not complain, sessions that are really recorded.

A browser lives for a module, not for the whole run: Playwright keeps an event loop running in its thread as long as it does, and the tests
of other modules start loops of their own.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evcc.iso20.misbehaving import greedy, hasty
from tests.v2gkit.insight.viewer.traces import Record, emergency, of_car, of_station, pair
from v2gkit.cli.main import main

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
FLAGS = (  # no profile of anybody's, no network, no sandbox: tests run as root in a container
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")
TIME = 60_000  # ms, generous: a loaded machine paints late
Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The Chromium of this machine, headless, with a new profile."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no {NAMES[0]} on this machine: apt-get install {NAMES[0]}")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=path, args=list(FLAGS), headless=True, timeout=TIME)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Opened]:
    """Opens an address in a context of its own, and waits until the viewer shows it; `scripts` False: as a browser without them does.

    `losing`: its server may go, of which a browser complains by itself.
    After the test nothing may have been complained of: no error of a script, no violation of the content security policy, no warning, and
    nothing but the page itself may have been asked for.
    """
    complaints, contexts = list[str](), list[Any]()

    def open_page(
        address: str | Path, width: int = 1280, height: int = 800, scheme: str = "light", *, scripts: bool = True, losing: bool = False
    ) -> Any:
        url = address if isinstance(address, str) else address.as_uri()
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts, reduced_motion="reduce"
        )
        context.set_default_timeout(TIME)
        contexts.append(context)
        page = context.new_page()

        def told(said: Any) -> None:
            lost = losing and ("ERR_CONNECTION" in said.text or "ERR_INCOMPLETE" in said.text)
            if said.type in ("error", "warning") and not lost:
                complaints.append(f"{said.type}: {said.text}")

        page.on("console", told)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda asked: _own(asked.url, url) or complaints.append(f"asked for {asked.url}"))
        page.goto(url)
        if scripts:
            until = time.monotonic() + TIME / 1000
            while not page.locator("html[data-ready='1']").count() and time.monotonic() < until and not complaints:
                page.wait_for_timeout(20)
            assert page.locator("html[data-ready='1']").count(), complaints
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def _own(asked: str, page: str) -> bool:
    """Whether what is asked for comes from the page's own file or server."""
    origin = page.split("#")[0] if page.startswith("file:") else "/".join(page.split("/")[:3])
    return asked.startswith((origin, "data:", "blob:"))


# --- what is shown ---


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of traces: a session that went well, seen from both ends, and sessions that each failed in a way of their own."""
    folder = tmp_path_factory.mktemp("recorded")
    well, button = pair(), emergency()
    written(folder / "car.jsonl", of_car(well))
    written(folder / "station.jsonl", of_station(well))
    written(folder / "hasty.jsonl", of_station(pair(script=hasty)))
    written(folder / "greedy.jsonl", of_station(pair(script=greedy)))
    written(folder / "emergency.jsonl", of_station(button))
    written(folder / "car-emergency.jsonl", of_car(button))
    return folder


@pytest.fixture(scope="session")
def report(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The viewer's file of those traces."""
    return reported(recorded, tmp_path_factory.mktemp("report") / "recorded.html")


def written(path: Path, records: Iterable[Record]) -> Path:
    """A trace as a file."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def reported(traces: Path, target: Path) -> Path:
    """The viewer's file of a trace, or of a folder of them, as `v2g report` writes it."""
    assert main(["report", str(traces), "--output", str(target)]) == 0
    return target


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real `v2g demo`, with its report: made once, whichever worker of the tests comes first."""
    folder = tmp_path_factory.getbasetemp().parent / "browser-demo"
    with (folder.with_suffix(".lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "report.html").exists():
            command = [sys.executable, "-m", "v2gkit", "demo", "--output", str(folder), "--seconds", "9", "--json"]
            subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, timeout=300, check=False)
    assert (folder / "report.html").exists()
    return folder


@contextmanager
def process(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command of ours as a process of its own, ended with the block."""
    command = [sys.executable, "-m", "v2gkit", *arguments]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()
