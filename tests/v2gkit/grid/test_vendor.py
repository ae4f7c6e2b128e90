"""A device behind its maker's API: the documentation's example at a stand-in of the API it names; limits, rates, hostile servers."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.starved import again
from v2g.settings.strict import ConfigError
from v2gkit.grid import declared
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Response
from v2gkit.grid.shell.running import Listening
from v2gkit.grid.vendor.declared import Field, Limit, Status, Vendor
from v2gkit.grid.vendor.pace import Pace
from v2gkit.grid.vendor.reading import limit_request, reading_of

ROOT = Path(__file__).parents[3]
TIME = 120.0  # s, generous
EXAMPLE = re.search(r"```toml\n(# goe\.toml\n.*?)```", (ROOT / "docs" / "grid.md").read_text(), re.DOTALL)


class Charger:
    """A stand-in for the maker's cloud, from its public description (github.com/goecharger/go-eCharger-API-v2: cloudapi, apikeys).

    403 without the token, a status filtered by key, 202 for a key that was sent on, 422 where all were
    refused. `deaf`: it accepts and does nothing, of which the description warns.
    """

    def __init__(self) -> None:
        self.amp, self.frc, self.eto = 16, 0, 1_234_000
        self.deaf = False
        self.portal: float | None = 7.5  # kW
        self.asked: list[str] = []

    def answer(self, target: str, headers: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(target)
        self.asked.append(target)
        if parts.path == "/api/limit":
            return 200, {"limit": {"kw": self.portal}}
        if headers.get("authorization") != "Bearer the api key":
            return 403, {}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/api/status":
            return 200, {name: value for name, value in self.status().items() if name in query["filter"].split(",")}
        if parts.path != "/api/set":
            return 404, {}
        good = {name: int(value) for name, value in query.items() if name in ("amp", "frc") and value.isdigit()}
        if not good:
            return 422, {}
        if not self.deaf:
            self.amp, self.frc = good.get("amp", self.amp), good.get("frc", self.frc)
        return 202, dict.fromkeys(good, True)

    def status(self) -> dict[str, Any]:
        amperes = 0 if self.frc == 1 else self.amp
        power = 230 * amperes
        return {
            "amp": self.amp, "frc": self.frc, "eto": self.eto, "car": 2 if amperes else 4, "fna": "ours",
            "nrg": [230, 230, 230, 0, amperes, amperes, amperes, power, power, power, 0, 3 * power, 100, 100, 100, 0],
        }  # fmt: skip


Answers = Callable[[str, dict[str, str]], tuple[int, Any]]


@asynccontextmanager
async def served(answers: Answers, extra: bytes = b"") -> AsyncIterator[str]:
    """A server that answers as `answers` says; bytes are sent as they are."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            status, body = answers(head[0].split()[1], headers)
            octets = body if isinstance(body, bytes) else json.dumps(body).encode()
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n%s\r\n" % (status, len(octets), extra) + octets)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(attend, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def example(folder: Path, url: str) -> declared.Grid:
    """The documentation's example, with the stand-in's address and shorter times."""
    assert EXAMPLE is not None
    text = re.sub(r"https://(\d{6}\.api\.v3\.go-e\.io|portal\.example)", url, EXAMPLE[1])
    for name, value in {"every": "0.05", "requests": "6000"}.items():
        text, count = re.subn(rf"(?m)^{name} = \S+", f"{name} = {value}", text)
        assert count >= 1, name
    (folder / "goe.toml").write_text(text)
    (folder / "goe.txt").write_text("the api key\n")
    return declared.read(folder / "goe.toml")


@again
def test_the_example_reads_and_limits_a_charger_and_tells_it_again_until_it_obeys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(_steered(tmp_path))


async def _steered(folder: Path) -> None:
    import time

    charger, said, more = Charger(), [], asyncio.Event()
    charger.deaf = True

    def say(line: dict[str, Any]) -> None:
        said.append(line)
        more.set()

    async def until(found: Callable[[], bool]) -> None:
        while not found():
            more.clear()
            try:
                async with asyncio.timeout(0.05):
                    await more.wait()
            except TimeoutError:
                pass

    async with asyncio.timeout(TIME), served(charger.answer) as url:
        grid = example(folder, url)
        task = asyncio.ensure_future(Listening(grid, time.time, say).run())
        await until(lambda: any(line["what"] == "reads" and line["source"] == "wallbox" for line in said))
        reads = next(line for line in said if line["what"] == "reads" and line["source"] == "wallbox")
        assert {name: reads[name] for name in ("source", "state", "power", "energy")} == {
            "source": "wallbox", "state": "charging", "power": 11_040, "energy": 1_234_000,
        }  # fmt: skip
        await until(lambda: any(line["what"] == "fault" and "keeps to 16" in line["text"] for line in said))
        charger.deaf = False
        await until(lambda: charger.amp == 10)  # the site has 7.5 kW: 10 A on three phases are 6.9 kW
        assert not any(line.get("import_cap") == 0 for line in said)
        charger.portal = 4.0
        await until(lambda: charger.frc == 1)  # 5 A are less than a car can charge with
        charger.portal = None
        await until(lambda: (charger.amp, charger.frc) == (32, 0))
        task.cancel()
        await asyncio.wait([task])


def vendor(**changed: Any) -> Vendor:
    given: dict[str, Any] = {
        "name": "box", "role": "signal", "status": Status("http://[::1]/s", (Field("import_cap", "a.1.b", 1_000, absent=-1),)),
    }  # fmt: skip
    return Vendor(**given | changed)


def test_values_stand_where_the_path_says_and_nowhere_else() -> None:
    assert reading_of(vendor(), Response(200, b'{"a": [0, {"b": 7.4}]}')).values == {"import_cap": 7_400}
    assert reading_of(vendor(), Response(200, b'{"a": [0, {"b": -1}]}')).values == {}
    assert reading_of(vendor(), Response(200, b'{"a": [0, {"b": null}]}')).values == {}
    for body, text in (
        (b'{"a": [0]}', "a.1.b"),
        (b'{"a": [0, {"b": "7"}]}', "a number"),
        (b'{"a": [0, {"b": true}]}', "a number"),
        (b'{"a": [0, {"b": NaN}]}', "NaN"),
        (b'{"a": [0, {"b": 1e9}]}', "gigawatt"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff", "no JSON"),
    ):
        with pytest.raises(GridFault, match=text) as found:
            reading_of(vendor(), Response(200, body))
        assert found.value.trouble is Trouble.MALFORMED
    for status, trouble in ((401, Trouble.DENIED), (429, Trouble.UNREACHABLE), (503, Trouble.UNREACHABLE)):
        with pytest.raises(GridFault, match=str(status)) as found:
            reading_of(vendor(), Response(status, b""))
        assert found.value.trouble is trouble


LIMIT = Limit("http://[::1]/l?v={value}", watts=690, share=0.5, least=6, most=32, off_url="http://[::1]/off")


@pytest.mark.parametrize(("cap", "units"), [(inf, 32), (1e6, 32), (22_000, 15), (8_280, 6), (8_279, None), (0, None)])
def test_a_limit_is_rounded_down_and_below_the_least_the_device_is_off(cap: float, units: float | None) -> None:
    assert LIMIT.units(cap) == units
    url = limit_request(vendor(limit=LIMIT), LIMIT, units, "").url
    assert url == ("http://[::1]/off" if units is None else f"http://[::1]/l?v={units}")


def test_a_device_that_cannot_be_off_is_told_nothing_that_it_cannot_keep() -> None:
    limit = Limit("http://[::1]/l", watts=1, share=1, least=6, body='{"limit": {value}}')
    with pytest.raises(GridFault, match="off_url"):
        limit_request(vendor(limit=limit), limit, limit.units(3), "")
    assert limit_request(vendor(limit=limit), limit, 7.0, "").body == b'{"limit": 7}'


def test_a_new_limit_goes_first_and_nothing_goes_faster_than_is_allowed() -> None:
    pace = Pace(vendor(limit=LIMIT, requests=4, every=1), 0.0)
    sent: list[tuple[str, float]] = []
    now = 0.0
    while now < 120:
        if now == 40:
            pace.want(LIMIT, 22_000, now)
        coming = pace.next(now)
        if coming.at <= now:
            pace.asked(now)
            pace.well(coming.what, pace.wanted, now)
            sent.append((coming.what, now))
        else:
            now = min(coming.at, 40 if now < 40 else inf)
    assert all(sum(at <= start < at + 60 for _, start in sent) <= 4 for at in (0.0, 30.0, 60.0))
    assert next(what for what, at in sent if at >= 40) == "limit"
    pace.failed("status", 200.0, after=90.0)
    assert pace.next(200.0).at == 290.0


HOSTILE: dict[str, tuple[int, Any, bytes, str]] = {
    "huge": (200, b"x" * (5 << 20), b"", "huge"),
    "wrong": (200, b"<html>", b"", "malformed"),
    "denied": (401, {}, b"", "denied"),
    "busy": (429, {}, b"Retry-After: 30\r\n", "unreachable"),
    "moved": (302, {}, b"Location: http://127.0.0.1:1/\r\n", "unreachable"),
}


@again
def test_hostile_servers_cost_one_clear_error_each_and_the_fallback_holds() -> None:
    asyncio.run(_besieged())


async def _besieged() -> None:
    import time
    from contextlib import AsyncExitStack

    said: list[dict[str, Any]] = []
    more = asyncio.Event()

    def say(line: dict[str, Any]) -> None:
        said.append(line)
        more.set()

    async with asyncio.timeout(TIME), AsyncExitStack() as stack:
        boxes = []
        for name, (status, body, extra, _) in HOSTILE.items():
            url = await stack.enter_async_context(served(lambda target, headers, s=status, b=body: (s, b), extra))  # type: ignore[misc]
            field = (Field("import_cap", "cap"),)
            boxes.append(vendor(name=name, status=Status(url, field), every=0.05, requests=6_000, timeout=60, fallback_import=5_000))
        task = asyncio.ensure_future(Listening(declared.Grid(vendor=tuple(boxes)), time.time, say).run())
        while {line["source"] for line in said if line["what"] == "fault"} < HOSTILE.keys():
            more.clear()
            await more.wait()
        task.cancel()
        await asyncio.wait([task])
    faults = [line for line in said if line["what"] == "fault"]
    assert sorted((line["source"], line["trouble"]) for line in faults) == sorted((name, each[3]) for name, each in HOSTILE.items())
    assert [line["import_cap"] for line in said if line["what"] == "holds"] == [5_000]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (('auth = "bearer"', 'auth = "none"'), "secret_file"),
        (("share = 1.0", "share = 0.0"), "share"),
        (("amp={value}", "amp=6"), "{value}"),
        (("https://000001", "http://000001"), "in clear"),
        (('path = "nrg.11"', 'path = "nrg..11"'), "path"),
        (('reads = "power"', 'reads = "setpoint"'), "role"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(change: tuple[str, str], text: str, tmp_path: Path) -> None:
    assert EXAMPLE is not None
    assert change[0] in EXAMPLE[1]
    (tmp_path / "goe.toml").write_text(EXAMPLE[1].replace(*change))
    with pytest.raises(ConfigError, match=re.escape(text)):
        declared.read(tmp_path / "goe.toml")


def test_stations_have_what_the_devices_behind_apis_leave() -> None:
    from v2gkit.grid.standing import Standing, part_of

    held = part_of(Standing(10_000, ("dso",), inf, (), -4_000, "v2g"), 0.25)
    assert (held.import_cap, held.export_cap, held.setpoint, held.import_by) == (2_500, inf, -1_000, ("dso",))
    assert part_of(Standing(), 0.0).import_cap == inf
