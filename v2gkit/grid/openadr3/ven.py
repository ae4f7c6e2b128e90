"""How a VEN asks its VTN: token, programs, its own object, events. Scripts that yield requests and are sent the answers."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from v2g.address import origin
from v2gkit.grid.book import SIGNALS
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.http import BODY, Request, Response
from v2gkit.grid.openadr3.reports import Due
from v2gkit.grid.openadr3.words import Event, Problem, Program, Report, Server, Token, Ven, read
from v2gkit.grid.received import STEPS

T = TypeVar("T")
Script = Generator[Request, Response, T]
PAGE: Final = 50  # objects of one answer: the most that 3.1 lets a client ask for
EVENTS: Final = 2 * SIGNALS  # of one program: more are no plan
INTERVALS: Final = 4 * STEPS  # of all events: what the book has room for
PROGRAMS: Final = 200  # of a VTN
EARLY: Final = 30.0  # s before its end a token is renewed


@dataclass(frozen=True, slots=True)
class Access:
    """What a VEN knows of itself: the VTN's address, its client id and secret, where tokens are (None: the VTN says), name and program."""

    url: str
    client_id: str
    client_secret: str
    ven: str
    program: str = ""  # name; empty: events of all programs
    token_url: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What a VEN has after it was let in: the token, until when it is good (epoch s), and the programs that it follows."""

    token: str
    until: float  # epoch s
    programs: tuple[Program, ...]


def opening(access: Access, now: float) -> Script[Session]:
    """Get a token, find the programs, and let the VTN know of this VEN. Raises GridFault."""
    token = yield from _token(access)
    programs = yield from _all(access, "/programs", {}, token.access_token, Program, PROGRAMS)
    if access.program:
        programs = [each for each in programs if each.program_name == access.program]
        if not programs:
            raise GridFault(Trouble.MALFORMED, f"no program is named {access.program!r}; is it another VTN, or another client's?")
    known = yield from _all(access, "/vens", {"venName": access.ven}, token.access_token, Ven, PROGRAMS)
    if access.ven not in (each.ven_name for each in known):
        body = {"objectType": "VEN_VEN_REQUEST", "venName": access.ven}
        answer = yield _request(access, "POST", "/vens", token.access_token, body)
        if answer.status != 409:  # it is there already, and we may not see it
            _demand(answer, 201, "POST /vens")
    return Session(token.access_token, now + max(token.expires_in - EARLY, 1.0), tuple(programs))


def polling(access: Access, session: Session) -> Script[list[tuple[Event, Program]]]:
    """Every event of the programs that the VEN follows. Raises GridFault."""
    found: list[tuple[Event, Program]] = []
    for program in session.programs:
        events = yield from _all(access, "/events", {"programID": program.id}, session.token, Event, EVENTS)
        found += [(event, program) for event in events if event.program_id == program.id]
        if (intervals := sum(len(event.intervals or ()) for event, _ in found)) > INTERVALS:
            raise GridFault(Trouble.HUGE, f"GET /events: {intervals} intervals of {len(found)} events; at most {INTERVALS} are taken")
    return found


def reporting(access: Access, session: Session, due: Due, before: str | None) -> Script[str]:
    """Send a report in the place of the one before (its id), or a new one where there is none, or no more; its id. Raises GridFault."""
    if before is not None:
        where = f"/reports/{quote(before, safe='')}"
        answer = yield _request(access, "PUT", where, session.token, due.body)
        if answer.status != 404:
            _demand(answer, 200, "PUT /reports")
            return before
    answer = yield _request(access, "POST", "/reports", session.token, due.body)
    return read(_demand(answer, 201, "POST /reports"), Report, "POST /reports").id


def _token(access: Access) -> Script[Token]:
    where = access.token_url
    if where is None:
        answer = yield Request("GET", access.url + "/auth/server")
        where = read(_demand(answer, 200, "GET /auth/server"), Server, "GET /auth/server").token_url
        if origin(where) != origin(access.url):
            raise GridFault(
                Trouble.DENIED, f"tokens are said to be at {quoted(where)}, another origin; our secret goes there by token_url alone"
            )
    form = {"grant_type": "client_credentials", "client_id": access.client_id, "client_secret": access.client_secret}
    answer = yield Request("POST", where, urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    token = read(_demand(answer, 200, "the token"), Token, "the token")
    if not token.access_token.isascii() or not token.access_token.isprintable() or not token.expires_in > 0:
        raise GridFault(Trouble.MALFORMED, "the token is none that fits into a header, or it is over already")
    return token


def _all(access: Access, path: str, query: dict[str, str], token: str, kind: type[T], most: int) -> Script[list[T]]:
    """All objects of a list, page after page."""
    found: list[T] = []
    octets = 0
    while True:
        asked = urlencode(query | {"skip": str(len(found)), "limit": str(PAGE)})
        answer = yield _request(access, "GET", f"{path}?{asked}", token)
        page = read(_demand(answer, 200, f"GET {path}"), list[kind], f"GET {path}")  # type: ignore[valid-type]
        if len(page) > PAGE:
            raise GridFault(Trouble.HUGE, f"GET {path}: {len(page)} objects in a page of {PAGE}")
        found, octets = found + page, octets + len(answer.body)
        if octets > BODY:
            raise GridFault(Trouble.HUGE, f"GET {path}: {octets} octets in all its pages; at most {BODY} are taken")
        if len(page) < PAGE:
            return found
        if len(found) > most:
            raise GridFault(Trouble.HUGE, f"GET {path}: more than {most} objects")


def _request(access: Access, method: str, path: str, token: str, body: dict[str, Any] | None = None) -> Request:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    if body is None:
        return Request(method, access.url + path, None, headers)
    return Request(method, access.url + path, msgspec.json.encode(body), headers | {"Content-Type": "application/json"})


def _demand(answer: Response, status: int, what: str) -> bytes:
    """The body of an answer of that status; GridFault with the reason for any other."""
    if answer.status == status:
        return answer.body
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
        said = " ".join(filter(None, (problem.title, problem.detail)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = ""
    trouble = Trouble.DENIED if 400 <= answer.status < 500 else Trouble.UNREACHABLE
    raise GridFault(trouble, f"{what} is answered {answer.status}{f', {quoted(said)}' if said else ''}")
