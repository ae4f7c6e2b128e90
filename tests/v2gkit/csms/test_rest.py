"""The REST of a CSMS: what its description says, who may what, what strangers get, and that an operation arrives at the station."""

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.ocpp_bridge.ocpp_stand import stand
from tests.ocpp_bridge.test_link import certificate, written
from tests.v2gkit.csms.houses import Lodge, lodge
from tests.v2gkit.csms.test_store import event, tell
from v2gkit.cli.main import main
from v2gkit.csms.rest import tokens
from v2gkit.csms.rest.declared import BASE, COMMANDS, LISTINGS, LONGEST_BODY
from v2gkit.csms.rest.openapi import description
from v2gkit.csms.setup import tls_of
from v2gkit.csms.stations import Station
from v2gkit.csms.steering import Strategy


def play(scene: Any, folder: Path, **how: Any) -> None:
    async def run() -> None:
        async with lodge(folder, **how) as at:
            await scene(at)

    asyncio.run(asyncio.wait_for(run(), 300))


def test_the_description_is_valid_and_has_every_path():
    said = description("1")
    validate(said)
    assert set(said["paths"]) == {BASE + one.path for one in (*LISTINGS, *COMMANDS)} | {f"{BASE}/stream", f"{BASE}/fleet"}
    ids = [operation["operationId"] for path in said["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


async def told(at: Lodge) -> None:
    """A station with 25 events of a transaction that ended, and one that runs."""
    station = Station("CS/ü 1")
    at.csms.stations[station.id] = station
    for number in range(25):
        await tell(at.csms, station, "TransactionEvent", event(number, "Ended" if number == 24 else "Updated"))
    await tell(at.csms, station, "TransactionEvent", event(0, "Started", "other"))


def test_every_listing_answers_and_pages_hold_everything_once(tmp_path):
    async def scene(at: Lodge) -> None:
        await told(at)
        described = description("1")["components"]["schemas"]
        for listing in LISTINGS:
            path = listing.path.replace("{station}", "CS%2F%C3%BC%201").replace("{transaction}", "t")
            status, page = await at.ask(BASE + path)
            assert (status, page["next"]) == (200, None), (path, page)
            for row in page["rows"]:
                kind = next(name for name in described if name.lower() == listing.table.removesuffix("s").replace("_", ""))
                assert set(row) == set(described[kind]["properties"]), path
        for newest in ("false", "true"):
            found, after = [], ""
            while after is not None:
                status, page = await at.ask(f"{BASE}/stations/CS%2F%C3%BC%201/transactions/t/events?limit=10&newest={newest}{after}")
                found += [row["seq_no"] for row in page["rows"]]
                after = page["next"] and f"&after={page['next']}"
            assert found == list(range(25)) if newest == "false" else found == list(range(24, -1, -1))
        _, page = await at.ask(f"{BASE}/transactions?running=true")
        assert [(row["station"], row["id"]) for row in page["rows"]] == [("CS/ü 1", "other")]
        _, page = await at.ask(f"{BASE}/transactions?limit=1")
        _, rest = await at.ask(f"{BASE}/transactions?limit=1&after={page['next']}")
        assert {page["rows"][0]["id"], rest["rows"][0]["id"]} == {"t", "other"}
        _, page = await at.ask(f"{BASE}/stations/CS%2F%C3%BC%201/transactions/t/samples?measurand=Power.Active.Import&limit=1000")
        assert [row["value"] for row in page["rows"]] == [3600.0] * 25
        first = page["rows"][0]["at"]
        _, page = await at.ask(f"{BASE}/stations/CS%2F%C3%BC%201/transactions/t/events?since={first + 5}&until={first + 8}")
        assert [row["payload"]["seqNo"] for row in page["rows"]] == [5, 6, 7]
        _, curve = await at.ask(f"{BASE}/stations/CS%2F%C3%BC%201/transactions/t/curve")
        assert [power for _, power in curve["power"]] == [3600.0] * 25

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/nowhere", None, {}, 404),
        ("/v1/stations/CS-1/transactions/none/curve", None, {}, 404),
        ("/v1/stations", {}, {}, 405),
        ("/v1/stations?limit=0", None, {}, 400),
        ("/v1/stations?limit=1001", None, {}, 400),
        ("/v1/stations?limit=x", None, {}, 400),
        ("/v1/stations?limit=5&limit=6", None, {}, 400),
        ("/v1/stations?nonsense=1", None, {}, 400),
        ("/v1/stations?after=bm9uc2Vuc2U=", None, {}, 400),
        ("/v1/story?after=WyJ4IiwgInkiXQ==", None, {}, 400),
        ("/v1/transactions?running=perhaps", None, {}, 400),
        ("/v1/stations/CS-1/setpoint", b"{", {}, 400),
        ("/v1/stations/CS-1/setpoint", {"power": 1e9}, {}, 400),
        ("/v1/stations/CS-1/setpoint", {"power": 1, "more": 1}, {}, 400),
        ("/v1/stations/CS-1/setpoint", {"power": 1}, {}, 404),
        ("/v1/stations/CS-1/calls/Reset", b"[" * 100_000, {}, 400),
        ("/v1/stations/CS-1/calls/Reset", b'{"a": "' + b"x" * LONGEST_BODY + b'"}', {}, 413),
        ("/v1/stations", None, {"Origin": "http://evil.example"}, 403),
        ("/v1/stations", None, {"Sec_Fetch_Site": "cross-site"}, 403),
        ("/v1/stations", None, {"Host": "evil.example"}, 403),
    ],
)
def test_what_cannot_be_answered_is_told_why(path, body, headers, status, tmp_path):
    async def scene(at: Lodge) -> None:
        found, said = await at.ask(path, body, **headers)
        assert found == status, said
        assert said if isinstance(said, bytes) else said["error"]

    play(scene, tmp_path)


def test_roles_hold_and_a_cookie_operates_nothing(tmp_path):
    async def scene(at: Lodge) -> None:
        for role, status in (("nobody", 401), ("read", 403), ("operate", 404)):
            assert (await at.ask(f"{BASE}/stations/CS-1/start", {}, role=role))[0] == status
        for role, status in (("nobody", 401), ("read", 403), ("operate", 200)):
            assert (await at.ask(f"{BASE}/operations", role=role))[0] == status
        assert (await at.ask(f"{BASE}/stations", role="nobody"))[0] == 401
        assert (await at.ask(f"{BASE}/stations", role="read"))[0] == 200
        assert (await at.ask("/", role="nobody"))[0] == 401
        assert (await at.ask(f"{BASE}/openapi.json", role="nobody"))[0] == 200
        cookie = f"v2g-viewer-{at.url.rpartition(':')[2]}={at.texts['operate']}"
        assert (await at.ask(f"{BASE}/stations", role="nobody", Cookie=cookie))[0] == 200
        assert (await at.ask(f"{BASE}/stations/CS-1/start", {}, role="nobody", Cookie=cookie))[0] == 401
        assert (await at.ask(f"/?token={at.texts['read'][:-1]}x", role="nobody"))[0] == 401
        _, _, headers = await at.raw("/", role="read")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        _, page = await at.ask(f"{BASE}/operations")
        assert [(row["operation"], row["outcome"][:8]) for row in page["rows"]] == [("start", "asked"), ("start", "NotFound")]

    play(scene, tmp_path)


def test_an_operation_reaches_the_station_and_is_in_the_books_without_its_secrets(tmp_path):
    async def scene(at: Lodge) -> None:
        async with stand(at.csms) as s:
            await s.until(lambda: "CS-1" in at.csms.stations and at.csms.stations["CS-1"].status)
            station = f"{BASE}/stations/CS-1"
            wanted = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
            status, said = await at.ask(f"{station}/variables", {"setVariableData": [wanted | {"attributeValue": "77"}]})
            assert (status, said["answer"]["setVariableResult"][0]["attributeStatus"]) == (200, "Accepted")
            status, said = await at.ask(f"{station}/variables/read", {"getVariableData": [wanted]})
            assert said["answer"]["getVariableResult"][0]["attributeValue"] == "77"
            assert len(s.frames.calls("SetVariables", "in")) == 1
            status, said = await at.ask(f"{station}/variables/read", {"getVariableData": []})
            assert (status, said["code"]) == (422, "Schema")
            status, said = await at.ask(f"{station}/calls/NoSuchThing", {})
            assert status == 422
            status, said = await at.ask(f"{station}/calls/CostUpdated", {"totalCost": 1, "transactionId": "x"})
            assert status in (200, 502)
            password = {
                "component": {"name": "SecurityCtrlr"},
                "variable": {"name": "BasicAuthPassword"},
                "attributeValue": "hidden-secret-1234",
            }
            await at.ask(f"{station}/variables", {"setVariableData": [password]})
            await at.ask(f"{station}/calls/ClearCache", {})
            _, page = await at.ask(f"{station}/variables")
            assert ("OCPPCommCtrlr", "HeartbeatInterval", "77") in [(r["component"], r["variable"], r["value"]) for r in page["rows"]]
            _, page = await at.ask(f"{BASE}/stations")
            assert [(row["id"], row["connected"], row["status"]) for row in page["rows"]] == [("CS-1", True, "Accepted")]
            everything = [json.dumps(await at.ask(f"{BASE}/{what}")) for what in ("operations", "story", "stations/CS-1/variables")]
            assert "ClearCache" in everything[0]
            assert "hidden-secret" not in "".join(everything)
        await s.until(lambda: at.csms.stations["CS-1"].link is None)
        status, said = await at.ask(f"{station}/start", {})
        assert (status, said["code"]) == (409, "NotConnected")

    play(scene, tmp_path)


def test_a_setpoint_arrives_at_the_car_of_one_station_alone(tmp_path):
    async def scene(at: Lodge) -> None:
        async with stand(at.csms) as s:
            s.arrive(control="Dynamic")
            await s.until(lambda: "CS-1" in at.csms.stations and at.csms.stations["CS-1"].running())
            s.ask()
            await s.until(lambda: s.transaction.needs)
            status, said = await at.ask(f"{BASE}/stations/CS-1/setpoint", {"power": -4000})
            assert (status, said["answer"]["status"]) == (200, "Accepted")
            profile = s.frames.calls("SetChargingProfile", "in")[-1]["chargingProfile"]
            assert profile["chargingSchedule"][0]["chargingSchedulePeriod"][0]["setpoint"] == -4000
            assert at.csms.strategy.kind == "none"
            _, page = await at.ask(f"{BASE}/stations/CS-1/profiles?kind=sent")
            assert [row["status"] for row in page["rows"]] == ["Accepted"]

    play(scene, tmp_path, strategy=Strategy("none"))


def test_the_stream_tells_what_happens(tmp_path):
    async def scene(at: Lodge) -> None:
        host, port = at.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {BASE}/stream HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {at.texts['read']}\r\n\r\n".encode())
        heard = b""
        while b"event: fleet" not in heard:
            heard += await reader.read(65536)
        await told(at)
        while b"event: entry" not in heard or b'"topic":"transaction"' not in heard:
            heard += await reader.read(65536)
        at.fleet._take(at.fleet._stations(), at.fleet.sum_up())
        while b'"imported":3600.0' not in heard:
            heard += await reader.read(65536)
        writer.close()

    play(scene, tmp_path)


def test_strangers_who_say_nothing_cost_those_with_a_token_nothing(tmp_path):
    async def scene(at: Lodge) -> None:
        host, port = at.url.removeprefix("http://").split(":")
        silent = [(await asyncio.open_connection(host, int(port)))[1] for _ in range(100)]
        assert (await at.ask(f"{BASE}/stations"))[0] == 200
        for one in silent:
            one.close()

    play(scene, tmp_path)


def test_tokens_are_made_once_kept_as_digests_and_read_strictly(tmp_path):
    path = tmp_path / "tokens"
    made, texts = tokens.made(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = tokens.read(path)
    for role, text in texts.items():
        assert text not in path.read_text()
        for known in (made, again):
            bearer = known.bearer(text)
            assert bearer is not None
            assert bearer.role == role
            assert known.bearer(text + "x") is None
    for wrong in ("", "name\n", "name owner " + "0" * 64, "name read xyz"):
        path.write_text(wrong)
        with pytest.raises(ValueError, match="tokens"):
            tokens.read(path)


# --- TLS of its own ---


def test_the_rest_over_tls_of_its_own(tmp_path):
    """Over TLS it answers, and makes its cookie one of TLS; in the clear it says nothing, and its page is of no other origin."""
    ca = certificate("CA", authority=True)
    cert, key = written(tmp_path, "server", certificate("csms", ca))
    root, _ = written(tmp_path, "root", ca)
    context = tls_of(cert, key, option="--api-")
    trusting = ssl.create_default_context(cafile=root)

    async def scene() -> None:
        async with lodge(tmp_path, tls=context) as house:
            assert house.url.startswith("https://127.0.0.1:")

            def got(url: str, **headers: str):
                request = urllib.request.Request(url, None, headers)
                opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting), Stay)
                try:
                    with opener.open(request, timeout=300) as answer:
                        return answer.status, answer.headers
                except urllib.error.HTTPError as error:
                    return error.code, error.headers

            read = {"Authorization": f"Bearer {house.texts['read']}"}
            assert (await asyncio.to_thread(got, f"{house.url}/v1/stations", **read))[0] == 200
            assert (await asyncio.to_thread(got, f"{house.url}/v1/stations"))[0] == 401
            origin = {"Origin": house.url.replace("https", "http")}
            assert (await asyncio.to_thread(got, f"{house.url}/v1/stations", **read, **origin))[0] == 403
            status, headers = await asyncio.to_thread(got, f"{house.url}/?token={house.texts['read']}")
            assert status in (302, 303, 307)
            assert "Secure" in headers["Set-Cookie"]
            with pytest.raises(OSError, match=r"\S"):
                await asyncio.to_thread(got, house.url.replace("https", "http") + "/v1/stations", **read)

    asyncio.run(asyncio.wait_for(scene(), 300))


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *given):
        return None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--api-cert", "x.pem"], "give --api"),
        (["--api", "--api-key", "x.pem"], "--api-key needs --api-cert"),
        (["--keep", "30"], "give --state or --store"),
        (["--state", "{}", "--keep", "stations=1"], "there is no 'stations'"),
    ],
)
def test_options_of_the_history_and_the_rest_that_cannot_be_meant(options, why, tmp_path, capsys):
    assert main(["csms", "--port", "0", *(each.format(tmp_path) for each in options)]) != 0
    assert why in capsys.readouterr().err
