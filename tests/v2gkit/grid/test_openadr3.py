"""OpenADR 3.1 without a network: events as signals, a VEN's script at our VTN, and VTNs that lie."""

import json
import math
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.signal import Kind, Rank
from v2gkit.grid.book import SIGNALS, Book
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Request, Response
from v2gkit.grid.link import Promise
from v2gkit.grid.openadr3 import words
from v2gkit.grid.openadr3.events import Reader, ignored, signals_of
from v2gkit.grid.openadr3.ven import Access, Script, opening, polling
from v2gkit.grid.openadr3.vtn import Asked, Client, Vtn
from v2gkit.grid.received import YEAR
from v2gkit.grid.times import instant, seconds, written

NOW = 1_800_000_000.0
READER = Reader("dso", "depot", levels=(math.inf, 20_000.0, 5_000.0, 0.0))
START = {"start": written(NOW), "duration": "PT15M"}


def event(*values: Any, what: str = "IMPORT_CAPACITY_LIMIT", **more: Any) -> words.Event:
    """An event with an interval a value."""
    said = {
        "id": "e1",
        "programID": "p1",
        "intervalPeriod": START,
        "intervals": [{"id": n, "payloads": [{"type": what, "values": v if isinstance(v, list) else [v]}]} for n, v in enumerate(values)],
    }
    return msgspec.convert(said | more, words.Event)


def powers(given_: words.Event, reader: Reader = READER, **units: str) -> list[tuple[float, float, float]]:
    """The spans of the first signal, from NOW on."""
    (told, *_) = signals_of(given_, reader, units, NOW)
    return [(start - NOW, end - NOW, value) for start, end, value in told.signal.power.spans()]


def test_intervals_follow_each_other_in_kilowatts() -> None:
    (told,) = signals_of(event(11, 4.2, modificationDateTime=written(NOW - 5), priority=3), READER, {}, NOW)
    assert (told.signal.id, told.signal.kind, told.signal.rank) == ("dso:e1:IMPORT_CAPACITY_LIMIT", Kind.IMPORT_CAP, Rank.GRID)
    assert (told.version, told.priority, told.reference) == (NOW - 5, 3, "e1")
    assert powers(event(11, 4.2)) == [(0, 900, 11_000), (900, 1_800, 4_200)]
    assert powers(event(9_000), IMPORT_CAPACITY_LIMIT="W") == [(0, 900, 9_000)]
    assert powers(event([8, 4, 2])) == [(0, 300, 8_000), (300, 600, 4_000), (600, 900, 2_000)]  # several values share an interval
    assert powers(event(1, what="SIMPLE")) == [(0, 900, 20_000)]
    assert powers(event("the grid fails", what="ALERT_GRID_EMERGENCY")) == [(0, 900, 0)]
    assert powers(event(5, intervalPeriod={"start": written(NOW)})) == [(0, YEAR, 5_000)]
    assert powers(event(5, intervalPeriod={"start": "0001-01-01T00:00:00Z", "duration": "P9999Y"})) == [(0, YEAR, 5_000)]


def test_an_event_loops_or_is_cut_by_its_own_duration() -> None:
    assert powers(event(8, 4, duration="PT20M")) == [(0, 900, 8_000), (900, 1_200, 4_000)]
    assert powers(event(8, 4, duration="PT50M"))[-2:] == [(1_800, 2_700, 8_000), (2_700, 3_000, 4_000)]
    assert signals_of(event(8, duration="PT0S"), READER, {}, NOW) == ()  # cancelled
    with pytest.raises(GridFault, match="rounds of 1 intervals") as caught:
        signals_of(event(8, duration="P300D", intervalPeriod={"start": written(NOW), "duration": "PT1S"}), READER, {}, NOW)
    assert caught.value.trouble is Trouble.HUGE


def test_gaps_and_overlaps() -> None:
    def own(*periods: tuple[float, str, float], what: str = "IMPORT_CAPACITY_LIMIT") -> words.Event:
        intervals = [
            {"id": n, "intervalPeriod": {"start": written(NOW + at), "duration": lasts}, "payloads": [{"type": what, "values": [value]}]}
            for n, (at, lasts, value) in enumerate(periods)
        ]
        return event(intervals=intervals)

    assert powers(own((0, "PT10M", 8), (1_200, "PT10M", 4))) == [(0, 600, 8_000), (600, 1_200, math.inf), (1_200, 1_800, 4_000)]
    assert powers(own((0, "PT30M", 4), (600, "PT10M", 8))) == [(0, 1_800, 4_000)]  # the lowest of what overlaps
    told = signals_of(own((0, "PT10M", 8), (1_200, "PT10M", 4), what="DISPATCH_SETPOINT"), READER, {}, NOW)
    assert [each.signal.power.start - NOW for each in told] == [0, 1_200]  # nothing is asked for between them


def test_a_random_start_is_drawn_once_for_each_event_and_ven() -> None:
    late = event(8, intervalPeriod=START | {"randomizeStart": "PT10M"})
    shifts = {signals_of(late, Reader("dso", f"ven{n}"), {}, NOW)[0].signal.power.start - NOW for n in range(200)}
    assert len(shifts) == 200
    assert -600 <= min(shifts) < -400 < 400 < max(shifts) <= 600
    assert signals_of(late, READER, {}, NOW) == signals_of(late, READER, {}, NOW + 60)


@pytest.mark.parametrize(
    ("wrong", "trouble", "said"),
    [
        (event(-1), Trouble.MALFORMED, "IMPORT_CAPACITY_LIMIT is -1"),
        (event("many"), Trouble.MALFORMED, "a number of 0 or more"),
        (event(True), Trouble.MALFORMED, "is True"),
        (event([]), Trouble.MALFORMED, "without a value"),
        (event(7, what="SIMPLE"), Trouble.MALFORMED, "levels 0 to 3"),
        (event(16, payloadDescriptors=[{"payloadType": "IMPORT_CAPACITY_LIMIT", "units": "AMPS"}]), Trouble.MALFORMED, "in 'AMPS'"),
        (event(1, intervalPeriod={"start": "tomorrow"}), Trouble.MALFORMED, "tomorrow"),
        (event(1, intervalPeriod={"start": "2026-11-30T17:00:00"}), Trouble.MALFORMED, "no offset"),
        (event(1, intervalPeriod={"start": written(NOW), "duration": "15 min"}), Trouble.MALFORMED, "no duration"),
        (event(1, intervalPeriod={"start": written(NOW), "duration": "-PT5M"}), Trouble.MALFORMED, "lasts -300"),
        (event(1, targets=["other"]), Trouble.FOREIGN, "is for 'other'"),
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_meant_is_one_clear_error(wrong: words.Event, trouble: Trouble, said: str) -> None:
    reader = Reader("dso", "depot", frozenset(["depot"]), READER.levels)
    with pytest.raises(GridFault, match=f"^dso: event 'e1'.*{said}") as caught:
        signals_of(wrong, reader, {}, NOW)
    assert caught.value.trouble is trouble


def test_what_no_signal_is_made_of_is_named() -> None:
    assert ignored([event(0.3, what="PRICE"), event(1)]) == {"PRICE"}
    assert signals_of(event(0.3, what="PRICE"), READER, {}, NOW) == ()


def test_times_are_those_of_the_standards() -> None:
    assert [seconds(text) for text in ("PT15M", "P1DT2H", "PT0.5S", "P1W", "P9999Y", "-PT1S")] == [900, 93_600, 0.5, 604_800, math.inf, -1]
    for text in ("", "P", "PT", "P1", "1H", "PT1H1H", "P" + "9" * 99 + "Y"):
        with pytest.raises(ValueError, match="no duration"):
            seconds(text)
    assert instant("2027-01-15T08:00:00Z") == instant("2027-01-15T09:00:00.000+01:00") == NOW
    assert written(NOW) == "2027-01-15T08:00:00.000Z"


# --- a VEN and a VTN ---

CLIENTS = {
    "utility": Client("utility", "u-secret", "bl"),
    "depot": Client("depot", "d-secret", "ven"),
    "other": Client("other", "o", "ven"),
}
BASE = "https://vtn.example/3.1"
ACCESS = Access(BASE, "depot", "d-secret", "depot", "caps")


def vtn() -> Vtn:
    numbers = iter(range(1, 1_000_000))
    return Vtn(BASE, CLIENTS, lambda n: next(numbers).to_bytes(n, "big"))


def served(server: Vtn, request: Request, now: float = NOW) -> Response:
    parts = urlsplit(request.url)
    asked = Asked(
        request.method, parts.path.removeprefix("/3.1"), parts.query, request.headers.get("Authorization", ""), request.body or b""
    )
    status, body = server.answer(asked, now)
    return Response(status, json.dumps(body).encode())


def carried(script: Script[Any], server: Vtn) -> Any:
    try:
        request = next(script)
        while True:
            request = script.send(served(server, request))
    except StopIteration as end:
        return end.value


class Utility:
    """The other side: a client with the role of business logic."""

    def __init__(self, server: Vtn, client: str = "utility") -> None:
        self._server = server
        form = f"grant_type=client_credentials&client_id={client}&client_secret={CLIENTS[client].secret}".encode()
        self._token = server.answer(Asked("POST", "/auth/token", body=form), NOW)[1]["access_token"]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        where, _, query = path.partition("?")
        return self._server.answer(Asked(method, where, query, f"Bearer {self._token}", json.dumps(body).encode()), NOW)


def limit(program: str, kilowatts: float, **more: Any) -> dict[str, Any]:
    payload = {"type": "IMPORT_CAPACITY_LIMIT", "values": [kilowatts]}
    return {"programID": program, "intervalPeriod": START, "intervals": [{"id": 0, "payloads": [payload]}]} | more


def test_a_ven_registers_and_follows_events_that_come_change_and_go() -> None:
    server = vtn()
    utility = Utility(server)
    _, program = utility.ask("POST", "/programs", {"programName": "caps"})
    session = carried(opening(ACCESS, NOW), server)
    assert [ven["venName"] for ven in server.objects["vens"].values()] == ["depot"]
    carried(opening(ACCESS, NOW), server)  # again: it is known
    assert len(server.objects["vens"]) == 1
    book = Book("depot", {"dso": Promise(300.0)})

    def polled(now: float) -> float:
        told = [each for event, _ in carried(polling(ACCESS, session), server) for each in signals_of(event, READER, {}, now)]
        assert book.take_all("dso", "openadr3", told, now) == ()
        return book.standing(now).import_cap

    assert polled(NOW) == math.inf
    _, made = utility.ask("POST", "/events", limit(program["id"], 11))
    assert polled(NOW) == 11_000
    server.objects["events"][made["id"]] |= limit(program["id"], 7) | {"modificationDateTime": written(NOW + 5)}
    assert polled(NOW + 6) == 7_000
    assert utility.ask("DELETE", f"/events/{made['id']}")[0] == 200
    assert polled(NOW + 7) == math.inf


def test_pages_are_read_to_the_end_and_no_further() -> None:
    server = vtn()
    utility = Utility(server)
    _, program = utility.ask("POST", "/programs", {"programName": "caps"})
    for n in range(120):
        utility.ask("POST", "/events", limit(program["id"], n))
    session = carried(opening(ACCESS, NOW), server)
    assert len(carried(polling(ACCESS, session), server)) == 120
    for n in range(2 * SIGNALS):
        utility.ask("POST", "/events", limit(program["id"], n))
    with pytest.raises(GridFault, match="more than 512 objects"):
        carried(polling(ACCESS, session), server)


def test_what_all_pages_hold_together_is_bounded() -> None:
    server = vtn()
    utility = Utility(server)
    _, program = utility.ask("POST", "/programs", {"programName": "caps"})
    many = limit(program["id"], 1) | {"intervals": [{"id": n, "payloads": []} for n in range(4_096)]}
    for _ in range(5):
        utility.ask("POST", "/events", many)
    session = carried(opening(ACCESS, NOW), server)
    with pytest.raises(GridFault, match="20480 intervals of 5 events"):
        carried(polling(ACCESS, session), server)
    for _ in range(60):
        utility.ask("POST", "/events", limit(program["id"], 1, eventName="x" * 100_000))
    with pytest.raises(GridFault, match="octets in all its pages"):
        carried(polling(ACCESS, session), server)


def test_roles_and_other_clients_are_walls() -> None:
    server = vtn()
    utility, depot, other = Utility(server), Utility(server, "depot"), Utility(server, "other")
    _, program = utility.ask("POST", "/programs", {"programName": "caps"})
    _, ours = depot.ask("POST", "/vens", {"objectType": "VEN_VEN_REQUEST", "venName": "depot", "targets": ["everything"]})
    assert "targets" not in ours  # a VEN does not give itself what it may see
    assert utility.ask("PUT", f"/vens/{ours['id']}", ours | {"targets": ["north"]})[0] == 200
    _, private = utility.ask("POST", "/events", limit(program["id"], 5, targets=["north"]))
    assert [len(client.ask("GET", "/events")[1]) for client in (utility, depot, other)] == [1, 1, 0]
    assert other.ask("GET", f"/events/{private['id']}")[0] == 404
    assert other.ask("GET", f"/vens/{ours['id']}")[0] == 404
    assert other.ask("DELETE", f"/vens/{ours['id']}")[0] == 404
    assert depot.ask("POST", "/events", limit(program["id"], 50))[0] == 403
    assert depot.ask("PUT", f"/vens/{ours['id']}", {"venName": "depot"})[1]["targets"] == ["north"]
    report = {"eventID": private["id"], "clientName": "depot", "resources": []}
    assert depot.ask("POST", "/reports", report)[0] == 201
    assert other.ask("POST", "/reports", report)[0] == 400  # for it that event is none
    assert utility.ask("POST", "/reports", report)[0] == 403
    assert [len(client.ask("GET", "/reports")[1]) for client in (utility, depot, other)] == [1, 1, 0]


def test_what_a_vtn_refuses() -> None:
    server = vtn()
    utility = Utility(server)
    _, program = utility.ask("POST", "/programs", {"programName": "caps"})
    assert utility.ask("POST", "/programs", {"programName": "caps"})[0] == 409
    assert utility.ask("PUT", f"/programs/{program['id']}", {"programName": "caps"})[0] == 200
    for method, path, body, status in (
        ("POST", "/programs", {}, 400),
        ("POST", "/programs", [], 400),
        ("POST", "/events", limit("nowhere", 1), 400),
        ("POST", "/events", {"programID": ["x"]}, 400),
        ("POST", "/resources", {"resourceName": "a", "venID": [1]}, 400),
        ("GET", "/events?limit=51", None, 400),
        ("GET", "/events?skip=x", None, 400),
        ("GET", "/nothing", None, 404),
        ("GET", "/events/a/b", None, 404),
        ("PATCH", "/events", None, 405),
    ):
        assert utility.ask(method, path, body)[0] == status, (method, path)
    assert server.answer(Asked("GET", "/events"), NOW)[0] == 401
    assert server.answer(Asked("GET", "/events", authorization="Bearer nobody"), NOW)[0] == 401
    form = b"grant_type=client_credentials&client_id=utility&client_secret=wrong"
    assert server.answer(Asked("POST", "/auth/token", body=form), NOW)[0] == 401
    token = f"Bearer {utility._token}"
    assert server.answer(Asked("GET", "/events", authorization=token), NOW + 3_599)[0] == 200
    assert server.answer(Asked("GET", "/events", authorization=token), NOW + 3_600)[0] == 401


@given(st.binary(max_size=200), st.sampled_from(["programs", "events", "reports", "vens", "resources", "subscriptions"]))
def test_no_body_makes_a_vtn_fail(body: bytes, path: str) -> None:
    server = vtn()
    utility = Utility(server)
    status, _ = server.answer(Asked("POST", path, "", f"Bearer {utility._token}", body), NOW)
    assert status in (201, 400, 403)


LIES = [
    (200, b'{"tokenURL": "https://thief.example/token"}', Trouble.DENIED, "another origin"),
    (200, b"[", Trouble.MALFORMED, "GET /auth/server"),
    (200, b'{"tokenURL": 7}', Trouble.MALFORMED, "GET /auth/server"),
    (403, b'{"title": "no", "detail": "not you"}', Trouble.DENIED, "answered 403, 'no not you'"),
    (503, b"\xff" * 50, Trouble.UNREACHABLE, "answered 503"),
    (302, b"", Trouble.UNREACHABLE, "answered 302"),
    (200, b"[" * 100_000, Trouble.MALFORMED, "GET /auth/server"),
]


@pytest.mark.parametrize(("status", "body", "trouble", "said"), LIES)
def test_a_vtn_that_lies_is_one_clear_error(status: int, body: bytes, trouble: Trouble, said: str) -> None:
    script = opening(ACCESS, NOW)
    next(script)
    with pytest.raises(GridFault, match=said) as caught:
        script.send(Response(status, body))
    assert caught.value.trouble is trouble
    assert "d-secret" not in str(caught.value)


def test_a_token_that_is_no_header_goes_nowhere() -> None:
    script = opening(ACCESS, NOW)
    next(script)
    script.send(Response(200, json.dumps({"tokenURL": f"{BASE}/token"}).encode()))
    with pytest.raises(GridFault, match="fits into a header"):
        script.send(Response(200, b'{"access_token": "a\\r\\nHost: x"}'))
