"""IEEE 2030.5 beyond controls: limits that rise slowly, prices, subscriptions over a real web server, discovery, states."""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.starved import again
from tests.v2gkit.grid.test_sep2 import JUDGES, LFDI, NS, RATING, READING, SECOND, TIME, Stub, default, event, imports, parsed, served
from v2g.energy.signal import Kind
from v2gkit.cli.reached import site_of
from v2gkit.grid.book import Book
from v2gkit.grid.declared import Grid
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Request, Response
from v2gkit.grid.link import Promise
from v2gkit.grid.sep2 import reports, words
from v2gkit.grid.sep2.asking import Asking
from v2gkit.grid.sep2.client import Client, Round, Session
from v2gkit.grid.sep2.declared import Sep2
from v2gkit.grid.sep2.following import Following
from v2gkit.grid.sep2.prices import tariff_of
from v2gkit.grid.sep2.tariffs import Tariffs
from v2gkit.grid.serving import Serving
from v2gkit.grid.shell.http import asked, tls_client
from v2gkit.grid.shell.running import Listening

RATE = 100  # hundredths of a per cent of 22 kW in a second: 220 W/s


def carried(script: Any, answers: Callable[[Request], Response]) -> Any:
    try:
        request = next(script)
        while True:
            request = script.send(answers(request))
    except StopIteration as end:
        return end.value


# --- limits that rise ---


class Held:
    """The cap of import at each instant, as a book has it that is told round after round."""

    def __init__(self) -> None:
        self.following, self.book = Following("u", RATING), Book("site", {"u": Promise(1e6)})

    def told(self, now: float, *controls: Any, gradient: int = RATE) -> None:
        assert not self.book.take_all("u", "sep2", self.following.told(controls, now, gradient), now)
        self.book.settle(now)

    def at(self, now: float) -> float:
        return self.book.standing(now).import_cap


def demand_slope(held: Held, start: float, power: float, until: float, rate: float = 220.0) -> None:
    for at in range(int(start), int(until)):
        assert power <= held.at(at) <= power + rate * (at - start) + 1e-6, at


def test_a_limit_that_ends_lets_go_as_fast_as_it_may_and_one_that_falls_holds_at_once() -> None:
    held = Held()
    held.told(0.0, parsed(event("E", 100, 200, imports(2))), parsed(default("D", imports(11))))
    assert held.at(99) == 11_000
    assert held.at(100) == 2_000
    demand_slope(held, 300, 2_000, 340)
    assert held.at(330) > 6_000
    assert held.at(392) == 11_000
    held.told(310.0, parsed(default("D", imports(11))))  # it is over, and its server lists it no more
    demand_slope(held, 300, 2_000, 340)
    assert held.at(310) < 4_300
    assert held.at(392) == 11_000


def test_an_event_that_is_taken_back_lets_go_slowly_too_and_without_a_gradient_at_once() -> None:
    for gradient, most in ((RATE, 2_000 + 220 * 10), (0, 11_000)):
        held = Held()
        held.told(0.0, parsed(event("E", 0, 900, imports(2))), parsed(default("D", imports(11))), gradient=gradient)
        assert held.at(49) == 2_000
        held.told(50.0, parsed(event("E", 0, 900, imports(2), status=2)), parsed(default("D", imports(11))), gradient=gradient)
        assert 2_000 <= held.at(60) <= most
        assert (held.at(60) == 11_000) is (gradient == 0)
        assert held.at(200) == 11_000


def test_the_last_limit_rises_up_to_the_rating_and_ends_there() -> None:
    held = Held()
    held.told(0.0, parsed(event("E", 0, 100, imports(2))))
    demand_slope(held, 100, 2_000, 190)
    assert held.at(190) < 22_000
    assert held.at(192) == float("inf")


def test_a_control_says_in_how_many_seconds_it_is_reached() -> None:
    held = Held()
    first, second = event("E", 0, 100, imports(2)), event("F", 100, 900, imports(12) + "<rampTms>5000</rampTms>")
    held.told(0.0, parsed(first), parsed(second))
    demand_slope(held, 100, 2_000, 150, 200.0)
    assert held.at(149) > 10_000
    assert held.at(151) == 12_000
    assert parsed(second).modes == {"csipaus:opModImpLimW": (Kind.IMPORT_CAP, 12_000)}


# --- what a device is ---


def test_an_event_that_another_one_outdoes_says_nothing_of_the_device() -> None:
    off = parsed(event("O", 0, 900, "<opModEnergize>false</opModEnergize>", created=1))
    on = parsed(event("N", 100, 900, "<opModEnergize>true</opModEnergize>", created=2))
    assert reports.state_of((off, on), RATING, None, 50.0) == (0b011, reports.OFF)
    assert reports.state_of((off, on), RATING, None, 150.0) == (0b111, reports.OPERATIONAL)
    assert reports.state_of((), RATING, 20.0, 0.0) == (0b011, reports.OFF)  # its chargers stand still
    assert reports.state_of((), RATING, -5_000.0, 0.0) == (0b111, reports.OPERATIONAL)


@pytest.mark.parametrize(
    ("base", "mode"),
    [("<opModConnect>false</opModConnect>", 100), ("<opModConnect>true</opModConnect>", None), (imports(1), None)]
    + [(f"<opModFixedW>{share}</opModFixedW>", mode)
       for share, mode in ((-1, 101), (-5_000, 102), (-7_500, 103), (-10_000, 104), (0, 105), (5_000, 106), (7_500, 107), (10_000, 108))],
)  # fmt: skip
def test_the_demand_response_mode_is_that_of_what_is_asked(base: str, mode: int | None) -> None:
    assert reports.drm_of((parsed(event("E", 0, 900, base)),), RATING, 10.0) == mode


def test_an_event_that_is_listed_no_more_once_it_is_over_is_completed_and_one_that_is_gone_before_is_nothing() -> None:
    client, session = Client("http://[::1]/dcap", RATING), Session(0.0, 1.0, None, None, None)
    said: list[tuple[str, str]] = []

    def answers(request: Request) -> Response:
        body = words.read(request.body or b"", "DERControlResponse")
        said.append((words.text(body, "subject") or "", words.text(body, "status") or ""))
        return Response(201)

    over, gone = parsed(event("A", 100, 50, imports(2))), parsed(event("B", 100, 900, imports(2)), SECOND)
    for now, there in ((110.0, (over,)), (120.0, (over, gone)), (160.0, ()), (2_000.0, ())):
        carried(client.responding(session, Round(there, (), frozenset()), now), answers)
    assert [status for subject, status in said if subject == "A"] == ["1", "2", "3"]
    assert "3" not in [status for subject, status in said if subject == "B"]


# --- prices ---


def interval(mrid: str, start: int, length: int, created: int = 0, status: int = 0) -> str:
    return (
        f'<TimeTariffInterval href="/tti/{mrid}"><mRID>{mrid}</mRID><creationTime>{created}</creationTime><EventStatus>'
        f"<currentStatus>{status}</currentStatus></EventStatus><interval><duration>{length}</duration><start>{start}</start></interval>"
        f'<ConsumptionTariffIntervalListLink href="/cti/{mrid}"/><touTier>0</touTier></TimeTariffInterval>'
    )


PLAIN = {  # as IEEE 2030.5 has tariffs without CSIP-AUS: each component with a list of its own, each interval with another
    "/tp": '<TariffProfileList pollRate="300"><TariffProfile><mRID>T1</mRID><currency>978</currency><pricePowerOfTenMultiplier>-2'
    '</pricePowerOfTenMultiplier><primacy>1</primacy><RateComponentListLink href="/rc"/></TariffProfile>'
    '<TariffProfile><mRID>T2</mRID><primacy>2</primacy><RateComponentListLink href="/rc2"/></TariffProfile></TariffProfileList>',
    "/rc": '<RateComponentList><RateComponent href="/rc/1"><mRID>R1</mRID><ReadingTypeLink href="/rt/1"/>'
    '<TimeTariffIntervalListLink href="/tti"/></RateComponent></RateComponentList>',
    "/rc2": '<RateComponentList><RateComponent href="/rc/2"><mRID>R2</mRID><ReadingTypeLink href="/rt/1"/>'
    '<TimeTariffIntervalListLink href="/tti2"/></RateComponent></RateComponentList>',
    "/rt/1": "<ReadingType><flowDirection>1</flowDirection><powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom></ReadingType>",
    "/tti": '<TimeTariffIntervalList pollRate="60">' + interval("A", 1_000, 600) + interval("B", 1_300, 900, created=5)
    + interval("C", 1_000, 9_000, created=9, status=2) + "</TimeTariffIntervalList>",
    "/tti2": "<TimeTariffIntervalList>" + interval("D", 0, 4_000) + "</TimeTariffIntervalList>",
    **{f"/cti/{name}": "<ConsumptionTariffIntervalList><ConsumptionTariffInterval><consumptionBlock>0</consumptionBlock>"
       f"<price>{price}</price><startValue>0</startValue></ConsumptionTariffInterval></ConsumptionTariffIntervalList>"
       for name, price in (("A", 30), ("B", 20), ("C", 1), ("D", 7))},
}  # fmt: skip


def test_tariffs_without_the_words_of_csip_aus_are_read_too_and_asked_for_as_often_as_they_want() -> None:
    asked_for: list[str] = []

    def answers(request: Request) -> Response:
        path = urlsplit(request.url).path
        asked_for.append(path)
        return Response(200, re.sub(r"^<(\w+)", rf"<\1 {NS}", PLAIN[path]).encode())

    tariffs = Tariffs(Asking("http://[::1]/dcap", "1.2"))
    charges = carried(tariffs.reading(["/tp"], 0.0, 500.0), answers)
    parts = tariff_of(charges, 500.0).ways["import"]
    assert [(part.start, part.end, part.blocks) for part in parts] == [
        (0, 1_000, ((0, 7.0),)), (1_000, 1_300, ((0, 0.3),)), (1_300, 2_200, ((0, 0.2),)), (2_200, 4_000, ((0, 7.0),)),
    ]  # fmt: skip
    prices = tariff_of(charges, 500.0).prices()
    assert prices is not None
    assert (prices.imports.at(1_200), prices.exports.at(1_200), prices.currency) == (0.3, 0.0, "EUR")
    asked_for.clear()
    assert carried(tariffs.reading(["/tp"], 0.0, 530.0), answers) == charges
    assert not asked_for
    assert carried(tariffs.reading(["/tp"], 0.0, 560.0), answers) == charges
    assert [path for path in asked_for if not path.startswith("/cti")] == ["/tti"]
    carried(tariffs.reading(["/tp"], 0.0, 800.0), answers)
    assert "/tp" in asked_for


def test_a_price_that_cannot_be_meant_costs_no_limit_anything() -> None:
    stub = Stub()
    stub.registered = True
    whole = stub.resources

    def resources() -> dict[str, str]:
        tariff = "<TariffProfile><primacy>1</primacy><pricePowerOfTenMultiplier>99</pricePowerOfTenMultiplier></TariffProfile>"
        found = whole()
        found["/fsa"] = found["/fsa"].replace("</FunctionSetAssignments>", '<TariffProfileListLink href="/tp"/></FunctionSetAssignments>')
        return found | {"/tp": f"<TariffProfileList {NS}>{tariff}</TariffProfileList>"}

    stub.resources = resources  # type: ignore[method-assign]
    asyncio.run(_priced(stub))


async def _priced(stub: Stub) -> None:
    said: list[dict[str, Any]] = []
    more = asyncio.Event()

    def say(line: dict[str, Any]) -> None:
        said.append(line)
        more.set()

    async with asyncio.timeout(TIME), served(stub.answer) as url:
        source = Sep2("utility", url + "/dcap", 22_000, 10_000, lfdi=LFDI, every=0.1, timeout=30)
        task = asyncio.ensure_future(Listening(Grid(sep2=(source,)), time.time, say).run())
        while not {"fault", "holds"} <= {line["what"] for line in said} or said[-1].get("import_cap") != 5_000:
            more.clear()
            if any(line.get("import_cap") == 5_000 for line in said) and any(line["what"] == "fault" for line in said):
                break
            await more.wait()
        task.cancel()
        await asyncio.wait([task])
    faults = [line for line in said if line["what"] == "fault"]
    assert [line["trouble"] for line in faults] == ["malformed"]
    assert "prices: " in faults[0]["text"]


# --- subscriptions ---


@again
def test_a_change_that_is_told_is_followed_at_once_and_what_was_not_subscribed_to_is_refused() -> None:
    pytest.importorskip("uvicorn")
    asyncio.run(_notified())


async def _notified() -> None:
    stub = Stub()
    whole, there = stub.resources, list[tuple[str, str]]()

    def resources() -> dict[str, str]:
        own = {path: re.sub(r"^<(DERControlList|DefaultDERControl) ", r'<\1 subscribable="1" ', text) for path, text in whole().items()}
        device = own["/edev"].replace("<lFDI>", '<SubscriptionListLink href="/sub"/><lFDI>')
        return own | {"/edev": device, "/sub": f'<SubscriptionList {NS} all="0"/>'}

    stub.resources = resources  # type: ignore[method-assign]
    held: list[float | None] = []
    more = asyncio.Event()

    def say(line: dict[str, Any]) -> None:
        held.extend([line["import_cap"]] if line["what"] == "holds" else [])
        more.set()

    async def until(found: Callable[[], bool]) -> None:
        while not found():
            more.clear()
            try:
                async with asyncio.timeout(0.05):
                    await more.wait()
            except TimeoutError:
                pass

    async with asyncio.timeout(TIME), served(stub.answer) as url:
        source = Sep2("utility", url + "/dcap", 22_000, 10_000, lfdi=LFDI, every=3_600, notified=True, timeout=30)
        grid = Grid(sep2=(source,), serving=Serving("127.0.0.1:0"))
        listening = Listening(grid, time.time, say)
        site = site_of(grid, listening)
        tasks = [asyncio.ensure_future(site.run()), asyncio.ensure_future(listening.run())]
        await until(lambda: sum(path == "/sub" for _, path, _ in stub.sent) == 2)
        for _, path, body in stub.sent:
            if path == "/sub":
                found = words.read(body, "Subscription")
                there.append((words.text(found, "subscribedResource") or "", words.text(found, "notificationURI") or ""))
        assert {resource for resource, _ in there} == {"/derc", "/dderc"}
        to = there[0][1]

        async def told(url: str, text: str) -> int:
            return (await asked(Request("POST", url, text.encode(), {"Content-Type": words.TYPE}), tls_client(), 30)).status

        stub.controls = event("0E", int(time.time()) - 5, 600, imports(9))
        word = f"<Notification {NS}><subscribedResource>{{}}</subscribedResource><status>0</status></Notification>"
        assert await told(to[:-1] + "x", word.format("/derc")) == 404
        assert await told(to, word.format("/other")) == 400
        assert await told(to, "<html/>") == 400
        assert held[-1] == 5_000
        assert await told(to, word.format("/derc")) == 204
        await until(lambda: held[-1] == 9_000)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def test_who_is_notified_says_where_it_listens() -> None:
    with pytest.raises(ValueError, match="serving"):
        Grid(sep2=(Sep2("u", "http://localhost/dcap", 1_000.0, lfdi=LFDI, notified=True),))


def test_subscriptions_of_an_earlier_run_are_taken_back_and_one_that_ends_is_renewed() -> None:
    sent: list[tuple[str, str]] = []
    base = "https://site.example/u/sep2/"
    said = {
        "/dcap": f'<DeviceCapability {NS}><EndDeviceListLink href="/edev"/></DeviceCapability>',
        "/edev": f'<EndDeviceList {NS} subscribable="1"><EndDevice><lFDI>{LFDI}</lFDI><SubscriptionListLink href="/sub"/></EndDevice>'
        "</EndDeviceList>",
        "/sub": f'<SubscriptionList {NS}><Subscription href="/sub/1"><subscribedResource>/edev</subscribedResource>'
        f'<notificationURI>{base}old</notificationURI></Subscription><Subscription href="/sub/2"><subscribedResource>/edev'
        "</subscribedResource><notificationURI>https://other.example/u/sep2/old</notificationURI></Subscription></SubscriptionList>",
    }

    def answers(request: Request) -> Response:
        path = urlsplit(request.url).path
        if request.method != "GET":
            sent.append((request.method, path))
            return Response(204)
        return Response(200, said[path].encode())

    client = Client("http://[::1]/dcap", RATING, notified=base + "new")
    session = carried(client.opening(0.0), answers)
    carried(client.subscribing(session), answers)
    carried(client.subscribing(session), answers)
    assert sent == [("DELETE", "/sub/1"), ("POST", "/sub")]
    assert client.subscriptions is not None
    client.subscriptions.notified(
        f"<Notification {NS}><subscribedResource>/edev</subscribedResource><status>1</status></Notification>".encode()
    )
    carried(client.subscribing(session), answers)
    assert sent[2:] == [("POST", "/sub")]


# --- discovery ---


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"supportedSchemaVersions": {"https://csipaus.org/ns/v1.3": {"dcap": ["/here"]}}}', ""),
        ('{"supportedSchemaVersions": {"https://csipaus.org/ns/v1.2": {"dcap": ["/here"]}}}', "v1.3"),
        ('{"supportedSchemaVersions": {"https://csipaus.org/ns/v1.3": {"dcap": []}}}', "v1.3"),
        ('{"supportedSchemaVersions": {"https://csipaus.org/ns/v1.3": {"dcap": [7]}}}', "v1.3"),
        ('{"supportedSchemaVersions": {"https://csipaus.org/ns/v1.3": {"dcap": ["https://else.example/dcap"]}}}', "another server"),
        ("[" * 100_000, "v1.3"),
    ],
)
def test_a_server_is_asked_where_its_capability_of_our_version_is(body: str, why: str) -> None:
    seen: list[str] = []

    def answers(request: Request) -> Response:
        seen.append(urlsplit(request.url).path)
        return Response(200, body.encode() if seen[-1].endswith("csipaus") else b"<html/>")

    with pytest.raises(GridFault, match=why or "DeviceCapability was awaited|came where DeviceCapability") as found:
        carried(Client("http://[::1]/.well-known/csipaus", RATING, "1.3").opening(0.0), answers)
    assert found.value.trouble in (Trouble.MALFORMED, Trouble.DENIED)
    assert seen == ["/.well-known/csipaus"] + ([] if why else ["/here"])


# --- models of others ---


@pytest.mark.parametrize("version", JUDGES)
def test_models_that_others_wrote_read_our_subscriptions_and_answers_to_prices(version: str) -> None:
    judge = JUDGES[version]
    if not list(judge.parents[1].glob("lib/*/site-packages/envoy_schema")):
        pytest.skip("envoy-schema is not in .interop: make interop has the one of CSIP-AUS 1.3")
    parts: list[words.Part] = [
        ("subscribedResource", "/derc"), ("encoding", 0), ("level", "+S1"), ("limit", 1), ("notificationURI", "https://site.example/x"),
    ]  # fmt: skip
    answer: list[words.Part] = [("createdDateTime", 5), ("endDeviceLFDI", LFDI), ("status", 1), ("subject", "0A")]
    given = [
        ("pub_sub.Subscription", words.octets_of("Subscription", parts, version).decode()),
        ("response.PriceResponse", words.octets_of("PriceResponse", answer, version).decode()),
        ("der.DERStatus", words.octets_of("DERStatus", reports.status_of(3, 103, True, 5), version).decode()),
        ("der.DERSettings", words.octets_of("DERSettings", reports.settings_of(RATING, 27, 5), version).decode()),
    ]
    done = subprocess.run([judge, "-c", READING], input=json.dumps(given), capture_output=True, text=True, timeout=TIME, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    read = dict(map(tuple, map(json.loads, done.stdout.splitlines())))  # type: ignore[arg-type]
    assert read["der.DERSettings"]["setGradW"] == 27
    assert read["pub_sub.Subscription"]["subscribedResource"] == "/derc"
