"""The page of an aggregator in Chromium: sites, power, signals, who had less, revenue; in every width, and nothing of another tenant."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opened, process
from tests.browser.layout import faults
from tests.browser.test_layout import PICTURES, SIZES
from tests.v2gkit.fleet.depot import written

GRID = 'tenant = "{tenant}"\n[[modbus]]\nname = "box"\naddress = "127.0.0.1:1"\nrole = "signal"\nfallback_import = 9000\n'
REGISTER = '[[modbus.register]]\nreads = "import_cap"\nat = 0\n'


@contextmanager
def fleet(folder: Path) -> Iterator[dict[str, Any]]:
    """A fleet whose sources are silent, so that its fallback holds: the lines that it says, by topic; keys by tenant and role."""
    file = written(folder)
    for tenant in ("metro", "shop"):
        (folder / f"{tenant}-grid.toml").write_text(GRID.format(tenant=tenant) + REGISTER)
    with process("fleet", str(file), "--state", str(folder / "state"), "--port", "0", "--api", "--json") as running:
        assert running.stdout is not None
        said: dict[str, Any] = {}
        while "api" not in said or sum(isinstance(each, tuple) for each in said) < 6:
            line = json.loads(running.stdout.readline())
            said[(line["tenant"], line["role"]) if line["topic"] == "key" else line["topic"]] = line
        yield said


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with fleet(tmp_path_factory.mktemp("fleet")) as lines:
        yield lines


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_the_page_in_every_width_and_both_schemes(width: int, scheme: str, said: dict[str, Any], opened: Opened) -> None:
    key = said["metro", "read"]["key"]
    page = opened(f"{said['api']['url']}/?key={key}", width, SIZES[width], scheme)
    page.locator("article[aria-label='Site depot']").wait_for()
    page.locator("#money", has_text="demand response").wait_for()
    page.locator("article[aria-label='Site depot']", has_text="box:fallback").wait_for()
    assert "lot" not in page.locator("#fleet").inner_text().split()
    assert key not in page.url
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"fleet-{width}-{scheme}.png")
    found = faults(page)
    assert not found, "\n".join(found)


def test_a_key_of_one_tenant_opens_its_own_alone(said: dict[str, Any]) -> None:
    for tenant, site in (("metro", "depot"), ("shop", "lot")):
        request = urllib.request.Request(f"{said['api']['url']}/v1/now", headers={"Authorization": f"Bearer {said[tenant, 'read']['key']}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert [each["id"] for each in json.loads(answer.read())["sites"]] == [site]
