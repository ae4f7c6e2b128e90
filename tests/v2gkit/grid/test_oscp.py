"""OSCP 2.0: both ends of ours, each message against the published schemas where they are at hand; a lost link raises no limit."""

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.starved import again
from v2gkit.grid.book import Book
from v2gkit.grid.declared import Grid
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.link import Promise
from v2gkit.grid.oscp import words
from v2gkit.grid.oscp.capacity import CapacityProvider
from v2gkit.grid.oscp.declared import Oscp
from v2gkit.grid.oscp.forecasts import Forecasts
from v2gkit.grid.oscp.peer import Asked, Known, Peer, status_of
from v2gkit.grid.oscp.provider import FlexibilityProvider
from v2gkit.grid.received import Fate
from v2gkit.grid.serving import Serving
from v2gkit.grid.times import written

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / ".interop" / "oscp" / "v20"  # of SolarNetwork/solarnetwork-central, solarnet/oscp/src/main/resources/schema/json/oscp/v20
FILES = {"update_asset_measurements": "update-asset-measurements"}  # the others are their paths with hyphens
TIME = 120.0  # s, generous


def block(start: float, end: float, capacity: float, unit: str = "KW", phase: str = "ALL") -> words.ForecastedBlock:
    return words.ForecastedBlock(
        capacity=capacity,
        phase=phase,
        unit=unit,
        start_time=written(start),
        end_time=written(end),  # type: ignore[arg-type]
    )


def forecast(kind: str, *blocks: words.ForecastedBlock, group: str = "depot") -> words.UpdateGroupCapacityForecast:
    return words.UpdateGroupCapacityForecast(group_id=group, type=kind, forecasted_blocks=list(blocks))  # type: ignore[arg-type]


class Pair:
    """Both ends, and the network between them: `cut` says who is not reached. Every message that is sent is kept."""

    def __init__(self, known: Known = Known()) -> None:  # noqa: B008 - frozen
        numbers = count(1)
        self.now = 1_000.0
        self.cut = False
        self.sent: list[tuple[str, bytes]] = []
        self.heard: list[words.Word] = []
        self.forecasts: list[words.UpdateGroupCapacityForecast] = []
        self.until: list[float] = []
        self.refuse: Callable[[], None] = lambda: None

        def entropy(length: int) -> bytes:
            return next(numbers).to_bytes(length, "big")

        def hear(message: words.UpdateGroupCapacityForecast) -> None:
            self.refuse()
            self.forecasts.append(message)

        self.fp = FlexibilityProvider("dso", "http://[::1]:1/fp", "the first token", "depot", entropy, hear, self.until.append, 10, known)
        self.cp = CapacityProvider("lab", "http://[::1]:2/cp", "http://[::1]:1/fp", "the first token", entropy, self.heard.append, 10)

    def pump(self) -> None:
        """Carry messages until both are silent."""
        for _ in range(20):
            if not (self._carried(self.cp, self.fp) + self._carried(self.fp, self.cp)):
                return
        raise AssertionError("they never fall silent")

    def _carried(self, one: Peer, other: Peer) -> int:
        sendings = one.due(self.now)
        for sending in sendings:
            body = sending.request.body or b""
            self.sent.append((sending.path, body))
            status = None
            if not self.cut:
                asked = Asked(sending.path, {name.lower(): value for name, value in sending.request.headers.items()}, body)
                try:
                    status, _ = other.answer(asked, self.now)
                except GridFault as fault:
                    status = status_of(fault)
            one.done(sending, status, self.now)
        return len(sendings)

    def pass_time(self, until: float) -> None:
        while self.now < until:
            self.now = min(max(min(self.cp.deadline(self.now), self.fp.deadline(self.now)), self.now + 0.5), until)
            self.pump()


def test_they_register_shake_hands_and_forecast() -> None:
    pair = Pair()
    pair.cp.forecast(forecast("CONSUMPTION", block(0, 9_000, 7.4)))
    pair.pump()
    assert [path for path, _ in pair.sent if path != "heartbeat"] == [
        "register",
        "register",
        "handshake",
        "handshake_acknowledge",
        "update_group_capacity_forecast",
    ]
    assert pair.fp.online
    assert pair.cp.online
    assert len({pair.fp.known.ours, pair.fp.known.theirs, "the first token"}) == 3
    assert pair.fp.known.ours == pair.cp.known.theirs
    assert [each.forecasted_blocks[0].capacity for each in pair.forecasts] == [7.4]


def test_heartbeats_keep_both_online_and_silence_ends_it_until_they_shake_hands_again() -> None:
    pair = Pair()
    pair.pump()
    pair.pass_time(2_000)
    assert sum(path == "heartbeat" for path, _ in pair.sent) == pytest.approx(200, abs=6)
    pair.cut = True
    pair.pass_time(2_100)
    assert not pair.fp.online
    assert max(pair.until) <= 2_000 + 40
    pair.cut = False
    pair.sent.clear()
    pair.pass_time(2_300)
    assert "handshake" in [path for path, _ in pair.sent]
    assert "register" not in [path for path, _ in pair.sent]
    assert pair.fp.online


@pytest.mark.parametrize("who", ["fp", "cp"])
def test_a_side_that_forgot_everything_is_registered_anew(who: str) -> None:
    pair, fresh = Pair(), Pair()
    pair.pump()
    setattr(pair, who, getattr(fresh, who))
    pair.pass_time(pair.now + 400)
    assert pair.fp.online
    assert pair.cp.online


def test_a_kept_registration_needs_no_other_and_the_first_token_is_good_no_more() -> None:
    pair = Pair()
    pair.pump()
    kept = Pair(pair.fp.known)
    first = {"authorization": "Token the first token", "x-request-id": "1"}
    body = msgspec.json.encode(words.Register(token="x", version_url=[words.VersionUrl(version="2.0", base_url="http://[::1]:3")]))
    for provider in (pair.fp, kept.fp):
        with pytest.raises(GridFault) as found:
            provider.answer(Asked("register", first, body), 1_000)
        assert found.value.trouble is Trouble.DENIED
    kept.cp = pair.cp
    kept.pass_time(1_100)
    assert "register" not in [path for path, _ in kept.sent]
    assert kept.fp.online


def asked(pair: Pair, path: str, message: words.Word, id_: str = "x", token: str | None = None, **headers: str) -> tuple[int, str]:
    token = pair.fp.known.ours if token is None else token
    head = {"authorization": f"Token {token}", "x-request-id": id_} | headers
    return pair.fp.answer(Asked(path, head, msgspec.json.encode(message)), pair.now)


def test_hostile_capacity_providers_cost_one_clear_error_each() -> None:
    pair = Pair()
    pair.pump()
    good = forecast("CONSUMPTION", block(0, 9_000, 5))
    name = "update_group_capacity_forecast"
    assert asked(pair, name, good, "1") == (204, "")
    assert asked(pair, name, good, "1") == (204, "")
    assert len(pair.forecasts) == 1
    beat = words.Heartbeat(offline_mode_at=written(900))
    refused: list[tuple[Any, str, Trouble]] = [
        ((name, forecast("CONSUMPTION", block(0, 9_000, 6)), "1"), "two messages", Trouble.REPLAYED),
        ((name, forecast("CONSUMPTION", block(0, 9_000, 6), group="theirs"), "2"), "'theirs'", Trouble.FOREIGN),
        ((name, good, "3", "wrong"), "without the token", Trouble.DENIED),
        ((name, beat, "4"), "group_id", Trouble.MALFORMED),
        (("heartbeat", beat, "5"), "clock", Trouble.EXPIRED),
    ]
    for arguments, text, trouble in refused:
        with pytest.raises(GridFault, match=text) as found:
            asked(pair, *arguments)
        assert found.value.trouble is trouble
    assert asked(pair, name, good, "")[0] == 400
    assert asked(pair, "update_group_measurements", good, "6")[0] == 404
    assert asked(pair, name, good, "7", **{"x-segment-count": "2"})[0] == 501
    assert len(pair.forecasts) == 1
    assert pair.fp.online


def test_a_registration_for_another_version_or_in_clear_is_refused() -> None:
    pair = Pair()
    for urls, status in (
        ([("1.0", "https://cp.example")], 501),
        ([("2.0", "http://cp.example/cp")], 400),
        ([("2.0", "file:///etc/passwd")], 400),
    ):
        message = words.Register(token="t", version_url=[words.VersionUrl(version=version, base_url=url) for version, url in urls])
        assert asked(pair, "register", message, str(urls), "the first token")[0] == status
    assert not pair.fp.known.theirs


def test_what_cannot_be_taken_is_refused_and_what_cannot_be_kept_is_said() -> None:
    pair = Pair()
    pair.pump()

    def refuse() -> None:
        raise GridFault(Trouble.MALFORMED, "no")

    pair.refuse = refuse
    pair.cp.forecast(forecast("CONSUMPTION", block(0, 9_000, 5)))
    pair.pump()
    assert not pair.forecasts
    pair.refuse = lambda: None
    pair.now += 120
    pair.cp.forecast(forecast("CONSUMPTION", block(0, 9_000, 5)))
    pair.pass_time(pair.now + 61)
    pair.fp.decline("the building takes more")
    pair.fp.ask("CONSUMPTION", [block(2_000, 3_000, 9)])
    pair.fp.measure([("load", "CONSUMPTION", 1_234.5), ("car", "CHARGING", -7_000.0)], pair.now)
    pair.fp.metered([(pair.now, 12_000.0, 340.0)])
    pair.pump()
    assert [words.NAMES[type(each)] for each in pair.heard if not isinstance(each, words.HandshakeAcknowledge)][-4:] == [
        "group_capacity_compliance_error", "adjust_group_capacity_forecast", "update_asset_measurements", "update_group_measurements",
    ]  # fmt: skip
    error = next(body for path, body in reversed(pair.sent) if path == "group_capacity_compliance_error")
    assert json.loads(error) == {"message": "the building takes more"}


@pytest.mark.skipif(not SCHEMAS.exists(), reason="the schemas of OSCP 2.0 are not in .interop/oscp/v20: they are read from a repository")
def test_every_message_of_both_ends_is_what_the_published_schemas_say() -> None:
    import jsonschema_rs

    files = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    assert len(files) == 26
    base = "http://www.openchargealliance.org/schemas/oscp/2.0/"
    registry = jsonschema_rs.Registry([(base + name, file) for name, file in files.items()])
    pair = Pair()
    pair.cp.forecast(forecast("CONSUMPTION", block(0, 9_000, 7.4)))
    pair.pump()
    pair.pass_time(pair.now + 30)
    test = pair.fp
    test.decline("too much")
    test.ask("GENERATION", [block(2_000, 3_000, 9, "W", "ONE")])
    test.measure([("load", "CONSUMPTION", 1_234.5)], pair.now)
    test.metered([(pair.now, 12_000.0, 340.0)])
    pair.pump()
    assert {path for path, _ in pair.sent} == words.PATHS.keys()
    for path, body in pair.sent:
        schema = files[f"{path.replace('_', '-')}.json"]
        validator = jsonschema_rs.Draft7Validator(schema, registry=registry, validate_formats=True)
        assert not [error.message for error in validator.iter_errors(json.loads(body))], (path, body)
        assert validator.is_valid({}) == (path in ("handshake", "handshake_acknowledge"))


# --- signals ---


def caps(forecasts: Forecasts, message: words.UpdateGroupCapacityForecast, now: float = 0.0) -> Iterator[tuple[str, list[Any]]]:
    for told in forecasts.told(message, now):
        yield told.reference, list(told.signal.power.spans())


def test_a_block_that_is_told_anew_lifts_no_other_limit() -> None:
    forecasts = Forecasts("dso")
    first = forecast("CONSUMPTION", block(100, 200, 4), block(200, 300, 6))
    assert list(caps(forecasts, first)) == [("CONSUMPTION", [(100, 200, 4_000), (200, 300, 6_000)])]
    assert list(caps(forecasts, forecast("CONSUMPTION", block(150, 250, 9)))) == [
        ("CONSUMPTION", [(100, 150, 4_000), (150, 250, 9_000), (250, 300, 6_000)])
    ]
    told = dict(caps(forecasts, forecast("FALLBACK_CONSUMPTION", block(0, 1_000, 1))))
    assert told["CONSUMPTION"] == [(0, 100, 1_000), (100, 150, 4_000), (150, 250, 9_000), (250, 300, 6_000), (300, 1_000, 1_000)]
    assert told["FALLBACK_CONSUMPTION"] == [(0, 1_000, 1_000)]
    assert list(caps(forecasts, forecast("OPTIMUM", block(0, 1_000, 1)))) == []


def test_units_and_phases_become_the_least_power_that_they_can_mean() -> None:
    assert list(caps(Forecasts("dso"), forecast("GENERATION", block(0, 1_800, 2, "KWH")))) == [("GENERATION", [(0, 1_800, 4_000)])]
    phases = [block(0, 100, ampere, "A", phase) for phase, ampere in (("ONE", 16), ("TWO", 10), ("THREE", 20))]
    assert list(caps(Forecasts("dso", 230), forecast("CONSUMPTION", *phases))) == [("CONSUMPTION", [(0, 100, 2_300)])]
    for wrong, text in (
        (block(0, 100, 16, "A"), "ampere"),
        (block(100, 100, 16), "length"),
        (block(0, 100, 1e9), "gigawatt"),
        (block(-200, -100, 1), "over"),
    ):
        with pytest.raises(GridFault, match=text):
            Forecasts("dso").told(forecast("CONSUMPTION", wrong), 0.0)


def test_while_the_provider_is_offline_its_fallback_holds_and_nothing_rises() -> None:
    book, forecasts = Book("depot", {"dso": Promise(300)}), Forecasts("dso")
    for message in (forecast("CONSUMPTION", block(0, 600, 7)), forecast("FALLBACK_CONSUMPTION", block(0, 400, 3))):
        for told in forecasts.told(message, 0.0):
            book.take("dso", "oscp", told, 0.0)
    book.heard("dso", 0.0, 100.0)
    book.settle(0.0)
    assert book.standing(0.0).import_cap == 7_000
    assert {row.reference: row.fate for row in book.rows()} == {"CONSUMPTION": Fate.OBEYED, "FALLBACK_CONSUMPTION": Fate.WAITING}
    assert book.deadline(0.0) == 100.0
    for now in (100.0, 500.0, 5_000.0):  # its own word when it is lost goes before our patience; its last fallback outlives its end
        assert [news.what for news in book.settle(now)][:1] != ["heard"]
        assert book.standing(now).import_cap == 3_000
    assert {row.reference: row.fate for row in book.rows()} == {"FALLBACK_CONSUMPTION": Fate.OBEYED}
    book.heard("dso", 5_000.0, 5_100.0)
    book.settle(5_000.0)
    assert {row.reference: row.fate for row in book.rows()} == {"FALLBACK_CONSUMPTION": Fate.WAITING}


def test_a_fallback_that_begins_later_leaves_the_last_cap_standing_until_then() -> None:
    book, forecasts = Book("depot", {"dso": Promise(10)}), Forecasts("dso")
    for message in (forecast("CONSUMPTION", block(0, 50, 7)), forecast("FALLBACK_CONSUMPTION", block(200, 400, 9))):
        for told in forecasts.told(message, 0.0):
            if not told.fallback and told.signal.power.until > 100:
                continue  # the filled series: here the earlier one is looked at alone
            book.take("dso", "oscp", told, 0.0)
    book.heard("dso", 0.0)
    for now, cap in ((20.0, 7_000), (100.0, 7_000), (199.0, 7_000)):
        book.settle(now)
        assert book.standing(now).import_cap == cap


# --- on sockets ---


@again
def test_a_site_follows_a_capacity_provider_on_real_sockets_and_falls_back_when_it_is_gone(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    asyncio.run(_followed(tmp_path))


async def _followed(folder: Path) -> None:
    import secrets
    import time

    from v2gkit.authorities.web import Site
    from v2gkit.grid.shell.http import tls_client
    from v2gkit.grid.shell.oscp import Calling
    from v2gkit.grid.shell.running import Listening

    (folder / "token").write_text("a token of some length\n")
    said: list[dict[str, Any]] = []
    more = asyncio.Event()

    def say(line: dict[str, Any]) -> None:
        said.append(line)
        more.set()

    async def until(found: Callable[[], bool]) -> None:
        while not found():
            more.clear()
            await more.wait()

    def holds(cap: float | None) -> bool:
        return any(line["what"] == "holds" and line["import_cap"] == cap for line in said)

    source = Oscp("dso", "depot", str(folder / "token"), keep=str(folder / "kept"), heartbeat=1.0, fallback_import=9_000)
    grid = Grid(oscp=(source,), serving=Serving())
    listening, routes = Listening(grid, time.time, say), []
    site, theirs = Site(routes, "127.0.0.1"), Site(their_routes := [], "127.0.0.1")
    routes += listening.routes(site.url)
    tls = tls_client()
    provider = CapacityProvider(
        "lab", theirs.url + "/cp", site.url + "/dso/oscp/fp/2.0", "a token of some length", secrets.token_bytes, lambda word: None, 1.0
    )
    calling = Calling(provider, time.time, tls, lambda fault: None)
    their_routes.append(calling.route("/cp"))
    now = time.time()
    provider.forecast(forecast("CONSUMPTION", block(now, now + 900, 7)))
    provider.forecast(forecast("FALLBACK_CONSUMPTION", block(now, now + 900, 3)))
    async with asyncio.timeout(TIME), asyncio.TaskGroup() as group:
        ours = [group.create_task(each) for each in (listening.run(), site.run())]
        lab = [group.create_task(each) for each in (calling.run(), theirs.run())]
        await until(lambda: holds(9_000) and holds(7_000) and len(listening.book.rows()) == 2)
        assert not holds(None)
        more.clear()
        assert all(row.acknowledged is not None for row in listening.book.rows())
        assert json.loads((folder / "kept").read_text())["theirs"]
        assert (folder / "kept").stat().st_mode & 0o077 == 0
        for task in lab:
            task.cancel()
        await until(lambda: holds(3_000))
        assert any(line["what"] == "lost" for line in said)
        for task in ours:
            task.cancel()
