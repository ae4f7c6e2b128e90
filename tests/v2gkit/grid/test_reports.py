"""Reports of a VEN of OpenADR 3: what meters read in the intervals of an event, how the site stands to it, sent once and then renewed."""

import base64
from collections.abc import Generator
from typing import Any
from urllib.parse import quote_plus

import msgspec
import pytest

from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2gkit.grid.book import Book
from v2gkit.grid.faults import GridFault
from v2gkit.grid.http import Response
from v2gkit.grid.link import Promise
from v2gkit.grid.openadr3.reports import Due, Reports
from v2gkit.grid.openadr3.standing import states_of
from v2gkit.grid.openadr3.ven import Access, Session, reporting
from v2gkit.grid.openadr3.vtn import Asked, Client, Vtn
from v2gkit.grid.openadr3.words import Event
from v2gkit.grid.received import Told

NOW = 1_800_000_000.0
PLACED = [(NOW + 900.0 * n, NOW + 900.0 * (n + 1), n) for n in range(4)]
ACCESS = Access("http://vtn", "depot", "secret", "depot")


def event(*wanted: str, frequency: int = -1, id_: str = "e") -> Event:
    said = {"id": id_, "programID": "p", "reportDescriptors": [{"payloadType": kind, "frequency": frequency} for kind in wanted]}
    return msgspec.convert(said, Event)


def followed(*wanted: str, frequency: int = -1) -> Reports:
    reports = Reports("depot")
    reports.know([(event(*wanted, frequency=frequency), PLACED)])
    return reports


def draw(reports: Reports, power: float, start: float, until: float, every: float = 60.0) -> None:
    while start <= until:
        reports.sample("meter", power, start)
        start += every


def values(due: Due) -> list[tuple[str, int, str, Any]]:
    return [
        (resource["resourceName"], interval["id"], payload["type"], payload["values"][0])
        for resource in due.body["resources"]
        for interval in resource["intervals"]
        for payload in interval["payloads"]
    ]


def test_the_mean_of_each_interval_is_told_after_the_last_one() -> None:
    reports = followed("DEMAND", "USAGE", "GHG")
    draw(reports, 8_000.0, NOW - 600.0, NOW + 900.0)
    draw(reports, 4_000.0, NOW + 900.0, NOW + 3_600.0)
    assert reports.due({}, NOW + 3_500.0) == []
    (due,) = reports.due({}, NOW + 3_600.0)
    assert values(due)[:4] == [
        ("meter", 0, "DEMAND", 8.0),
        ("meter", 0, "USAGE", 2.0),
        ("meter", 1, "DEMAND", 4.0),
        ("meter", 1, "USAGE", 1.0),
    ]
    assert {each["payloadType"]: each.get("units") for each in due.body["payloadDescriptors"]} == {"DEMAND": "KW", "USAGE": "KWH"}
    reports.sent(due)
    assert reports.due({}, NOW + 9_000.0) == []


def test_a_frequency_has_it_told_earlier_and_the_later_report_has_all() -> None:
    reports = followed("DEMAND", frequency=2)
    draw(reports, 6_000.0, NOW, NOW + 1_799.0)
    assert reports.due({}, NOW + 1_799.0) == []
    draw(reports, 6_000.0, NOW + 1_800.0, NOW + 1_800.0)
    (due,) = reports.due({}, NOW + 1_800.0)
    assert [each[1] for each in values(due)] == [0, 1]
    reports.sent(due)
    reports.know([(event("DEMAND", frequency=2), PLACED)])  # every round tells the event anew
    draw(reports, 6_000.0, NOW + 1_860.0, NOW + 3_600.0)
    (due,) = reports.due({}, NOW + 3_600.0)
    assert [each[1:] for each in values(due)] == [(n, "DEMAND", 6.0) for n in range(4)]


def test_an_interval_that_nobody_read_is_left_out() -> None:
    reports = followed("DEMAND")
    draw(reports, 6_000.0, NOW + 600.0, NOW + 1_800.0)  # a third of the first
    reports.sample("meter", 6_000.0, NOW + 3_500.0)  # a long silence
    (due,) = reports.due({}, NOW + 3_600.0)
    assert [each[1] for each in values(due)] == [1]


def test_states_are_told_as_they_change_and_to_opt_out_unasked() -> None:
    asked = followed("OPERATING_STATE")
    for state, told in (("RUNNING_NORMAL", 1), ("RUNNING_CURTAILED", 1), ("RUNNING_CURTAILED", 0), ("RUNNING_OPTED_OUT", 1)):
        made = asked.due({"e": state}, NOW)
        assert len(made) == told
        for due in made:
            assert values(due) == [("depot", 0, "OPERATING_STATE", state)]
            asked.sent(due)
    (due,) = asked.due({}, NOW + 3_600.0)  # its signals are over
    assert values(due)[0][3] == "RUNNING_NORMAL"
    silent = followed()
    assert silent.due({"e": "RUNNING_CURTAILED"}, NOW) == []
    assert values(silent.due({"e": "RUNNING_OPTED_OUT"}, NOW)[0]) == [("depot", 0, "OPERATING_STATE", "RUNNING_OPTED_OUT")]


def test_how_the_book_stands_to_events() -> None:
    book = Book("site", {"u": Promise(900), "other": Promise(900)})
    caps = {"high": (Kind.IMPORT_CAP, 9_000.0), "low": (Kind.IMPORT_CAP, 5_000.0), "point": (Kind.SETPOINT, 8_000.0)}
    told = [Told(Signal(f"u:{name}", kind, Series.constant(NOW, 900.0, power)), reference=name) for name, (kind, power) in caps.items()]
    told.append(Told(Signal("u:later", Kind.IMPORT_CAP, Series.constant(NOW + 60.0, 900.0, 1.0)), reference="later"))
    assert not book.take_all("u", "openadr3", told, NOW)
    book.settle(NOW)
    states = states_of(("high", "low", "point", "later", "odd", "none"), book.rows(), ("odd", "foreign"))
    assert states == {
        "high": "RUNNING_CURTAILED",  # kept with the lower one
        "low": "RUNNING_CURTAILED",
        "point": "RUNNING_OPTED_OUT",  # the cap goes before it
        "later": "RUNNING_NORMAL",
        "odd": "RUNNING_OPTED_OUT",
    }


def played(script: Generator[Any, Response, str], *answers: Response) -> tuple[list[tuple[str, str]], str]:
    asked, left = [], list(answers)
    try:
        request = next(script)
        while True:
            asked.append((request.method, request.url))
            request = script.send(left.pop(0))
    except StopIteration as end:
        return asked, end.value


def test_a_report_is_renewed_and_made_anew_where_the_vtn_has_lost_it() -> None:
    session, due, made = Session("t", NOW, ()), Due("e", {"eventID": "e"}, None), Response(201, b'{"id":"r 1"}')
    assert played(reporting(ACCESS, session, due, None), made) == ([("POST", "http://vtn/reports")], "r 1")
    assert played(reporting(ACCESS, session, due, "r 1"), Response(200)) == ([("PUT", "http://vtn/reports/r%201")], "r 1")
    asked, id_ = played(reporting(ACCESS, session, due, "r"), Response(404), made)
    assert [method for method, _ in asked] == ["PUT", "POST"]
    assert id_ == "r 1"
    with pytest.raises(GridFault, match="403"):
        played(reporting(ACCESS, session, due, None), Response(403))


@pytest.mark.parametrize(("secret", "status"), [("s:e cret%", 200), ("other", 401)])
def test_a_client_may_say_its_secret_by_http_basic(secret: str, status: int) -> None:
    vtn = Vtn("http://vtn", {"depot": Client("depot", "s:e cret%", "ven")}, lambda count: bytes(count))
    text = base64.b64encode(f"depot:{quote_plus(secret)}".encode()).decode()
    form = b"grant_type=client_credentials"
    assert vtn.answer(Asked("POST", "/auth/token", "", f"Basic {text}", form), NOW)[0] == status
    assert vtn.answer(Asked("POST", "/auth/token", "", "Basic !", form), NOW)[0] == 401
