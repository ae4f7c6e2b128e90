"""The web server of a fleet: REST, its description and the page, behind keys, roles and bounds. A shell.

Whoever has no key shares the few places of strangers; the rest is that of the live viewer's server, which this is built of.
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from v2g.session.link import address_text
from v2gkit.authorities.gate import Gate
from v2gkit.csms.rest.opened import listening
from v2gkit.fleet.page import assets
from v2gkit.fleet.rest.answers import Answers
from v2gkit.fleet.rest.asked import Asked, Refused
from v2gkit.fleet.rest.declared import BASE, LISTINGS, LONGEST_BODY, VERBS, Listing, Role
from v2gkit.fleet.rest.keys import Bearer, Buckets, bearer
from v2gkit.fleet.rest.openapi import description
from v2gkit.insight.live.door import HEADERS, LOCAL, Door
from v2gkit.insight.live.site import Room, serve
from v2gkit.sql.words import StoreFault

SLOW: Final = 60.0  # s that a request may take whose sender has a key
COOKIE: Final = 86_400  # s that a browser keeps a key
TOKEN: Final = 2  # dots of a JSON Web Token; a key has none
LAST: Final = 0.2  # s that answers in work have at the end
Judge = Callable[[str], Awaitable[Bearer | None]]
"""Who came with a token of an issuer; None: nobody who is known. May raise Refused."""
Work = Callable[[Asked, Bearer], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class House:
    """What the server needs: answers, the door against other pages, the places, how often a key may ask."""

    answers: Answers
    door: Door
    room: Room
    buckets: Buckets = field(default_factory=Buckets)
    judge: Judge | None = None  # of tokens that are no keys


def application(house: House) -> ASGIApp:
    """The server's answers, each behind the door."""
    own = house.answers
    works: dict[tuple[str, str], Work] = {
        ("GET", "/now"): own.now,
        ("GET", "/decisions/{id}"): own.decision,
        ("GET", "/bills"): own.bills,
        ("GET", "/forecast"): own.forecast,
        ("POST", "/sites/{id}/limit"): own.limit,
        ("POST", "/assets"): own.assets.add,
        ("POST", "/assets/{id}/remove"): own.assets.remove,
        ("POST", "/keys"): own.new_key,
        ("POST", "/keys/{id}/revoke"): own.revoke,
    }
    routes: list[BaseRoute] = [_asset(house, path, *each) for path, each in assets().items()]
    routes.append(Route(f"{BASE}/openapi.json", lambda request: _json(200, description(_version())), methods=["GET"]))
    routes += [_route(house, "GET", BASE + listing.path, listing.role, _lists(house, listing)) for listing in LISTINGS]
    routes += [_route(house, verb.method, BASE + verb.path, verb.role, works[verb.method, verb.path]) for verb in VERBS]
    return _Guarded(Starlette(routes=routes, exception_handlers={HTTPException: _not_there}), house)


def _lists(house: House, listing: Listing) -> Work:
    return lambda asked, who: house.answers.listed(listing, asked, who)


def _route(house: House, method: str, path: str, role: Role, work: Work) -> Route:
    async def answer(request: Request) -> Response:
        who = await _demand(house, request, by_cookie=method == "GET")
        if not who.may(role):
            await house.answers.audited(who, method, request.url.path, f"refused: wants {role}")
            raise Refused(403, f"{who.name} may {who.role}, and this wants {role}")
        if house.room.admit(request.scope.get("client"), _unsent) is None:
            raise Refused(503, "as many ask as may; come again")
        query = dict(request.query_params)
        if len(query) != len(request.query_params.multi_items()):
            raise Refused(400, "a parameter is given twice")
        body = await _body(request) if method == "POST" else b""
        if method == "POST":  # it is in the books before it is done
            await house.answers.audited(who, method, request.url.path, "asked")
        path_of = {name: unquote(value) for name, value in request.path_params.items()}
        async with asyncio.timeout(SLOW):
            said = await work(Asked(path_of, query, body), who)
        if method == "POST":
            await house.answers.audited(who, method, request.url.path, "done")
        return _json(200, said)

    return Route(path, _careful(answer), methods=[method])


async def _demand(house: House, request: Request, by_cookie: bool) -> Bearer:
    """Who asks. Raises Refused; a cookie, which a browser sends by itself, opens nothing but reading."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        key = request.cookies.get(house.door.cookie, "") if by_cookie else ""
    if house.judge is not None and kind.lower() == "bearer" and key.count(".") == TOKEN:
        who = await house.judge(key.strip())
    else:
        who = await bearer(house.answers.store, key.strip()) if key else None
    if who is None:
        raise Refused(401, "a key is wanted: Authorization: Bearer KEY, or open the whole address that the command printed")
    if wait := house.buckets.take(f"{who.tenant} {who.name}"):
        raise Refused(429, f"this key asks too often; come again in {wait:.1f} s")
    return who


async def _body(request: Request) -> bytes:
    octets = b""
    async for piece in request.stream():
        octets += piece
        if len(octets) > LONGEST_BODY:
            raise Refused(413, f"the body is longer than {LONGEST_BODY} octets")
    return octets


def _asset(house: House, path: str, kind: str, text: str) -> Route:
    async def answer(request: Request) -> Response:
        await _demand(house, request, by_cookie=True)
        return Response(text, media_type=kind)

    return Route(path, _careful(answer), methods=["GET"])


def _careful(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def careful(request: Request) -> Response:
        try:
            return await answer(request)
        except Refused as refused:
            return _json(refused.status, {"error": str(refused)})
        except StoreFault as fault:
            return _json(503, {"error": f"the store does not answer: {fault}"})
        except TimeoutError:
            return _json(503, {"error": f"it took longer than {SLOW:g} s"})
        except ClientDisconnect:
            return Response(status_code=400)

    return careful


async def _unsent(message: Message) -> None:
    """What a place in the room would send by itself: nothing, for an answer is given whole."""


def _json(status: int, said: Any) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": "1"} if status == 429 else {}
    return Response(msgspec.json.encode(said), status, headers, "application/json")


async def _not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _json(status, {"error": "there is no such path" if status == 404 else "another method is wanted"})


class _Guarded:
    """The application behind the door: what another page started is refused; a key in the address becomes a cookie."""

    def __init__(self, app: ASGIApp, house: House):
        self._app, self._house = app, house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope = {**scope, "path": scope["raw_path"].partition(b"?")[0].decode("latin-1")}
        request = Request(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
        refused = self._house.door.refusal(headers, "")
        answer: ASGIApp = self._app
        if refused is not None:
            answer = PlainTextResponse(f"Refused: {refused}.\n", 403)
        elif (key := request.query_params.get("key")) is not None:
            answer = await self._let_in(request, key)
        await answer(scope, receive, with_headers)

    async def _let_in(self, request: Request, key: str) -> Response:
        if request.url.path != "/" or await bearer(self._house.answers.store, key) is None:
            return _json(401, {"error": "nobody has this key"})
        answer = RedirectResponse("/", 303)
        secure = self._house.door.scheme == "https"
        answer.set_cookie(self._house.door.cookie, key, max_age=COOKIE, httponly=True, samesite="strict", path="/", secure=secure)
        return answer


@contextlib.asynccontextmanager
async def opened(
    answers: Answers, bind: str, port: int, tls: ssl.SSLContext | None = None, judge: Judge | None = None
) -> AsyncIterator[str]:
    """Serve within the block, over TLS where a context for it is given; gives the URL. `judge` knows tokens that are no keys.

    Raises OSError where the port cannot be had.
    """
    listener = listening(bind, port)
    host, place = listener.getsockname()[:2]
    local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    names: frozenset[str] = LOCAL | {address_text((host, place)).rpartition(":")[0].lower()} if local else frozenset()
    scheme, room = ("http" if tls is None else "https"), Room()
    gate = None if tls is None else Gate(tls)
    house = House(answers, Door("", names, place, scheme), room, judge=judge)
    server = await serve(listener, application(house), room, None if gate is None else gate.entry)
    try:
        yield f"{scheme}://{address_text((host, place))}"
    finally:
        server.close()
        await asyncio.sleep(LAST)
        room.close()
        if gate is not None:
            gate.close()


def _version() -> str:
    try:
        return version("v2gkit")
    except PackageNotFoundError:
        return "0"
