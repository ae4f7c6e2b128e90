"""The web server of a CSMS: REST, its description, the page of the fleet and its stream, behind tokens and bounds.

Whoever has no token shares the few places of strangers; the rest is that of the live viewer's server, which this is built of.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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

from v2gkit.csms.fleet import LOOKERS, Fleet, Follower
from v2gkit.csms.rest.answers import Answers, Refused
from v2gkit.csms.rest.declared import BASE, COMMANDS, LISTINGS, LONGEST_BODY, Command, Listing, Role
from v2gkit.csms.rest.openapi import description
from v2gkit.csms.rest.tokens import Bearer, Tokens
from v2gkit.insight.live.door import HEADERS, Door
from v2gkit.insight.live.site import QUIET, STILL, Room, Viewer

SLOW: Final = 120.0  # s that a request may take whose sender has a token: a call to a station has 30 of them
COOKIE_DAYS: Final = 1


@dataclass(frozen=True, slots=True)
class House:
    """What the server needs: answers, tokens, the door against other pages, the places, and the page's files by path."""

    answers: Answers
    tokens: Tokens
    door: Door
    room: Room
    assets: Mapping[str, tuple[str, str]]
    version: str


def application(house: House) -> ASGIApp:
    """The server's answers, each behind the door."""
    routes: list[BaseRoute] = [_asset(house, path) for path in house.assets]
    routes.append(_route(house, f"{BASE}/openapi.json", "GET", None, lambda request, who: _described(house)))
    routes += [_route(house, BASE + listing.path, "GET", listing.role, _lists(house, listing)) for listing in LISTINGS]
    routes += [_route(house, BASE + command.path, "POST", "operate", _commands(house, command)) for command in COMMANDS]
    curve = f"{BASE}/stations/{{station}}/transactions/{{transaction}}/curve"
    routes.append(_route(house, curve, "GET", "read", lambda request, who: house.answers.curve(_path(request))))
    routes.append(_route(house, f"{BASE}/fleet", "GET", "read", lambda request, who: _fleet(house)))
    routes.append(Route(f"{BASE}/stream", _Stream(house), methods=["GET"]))
    return _Guarded(Starlette(routes=routes, exception_handlers={HTTPException: _not_there}), house)


Work = Callable[[Request, Bearer | None], Awaitable[Any]]


def _lists(house: House, listing: Listing) -> Work:
    async def work(request: Request, who: Bearer | None) -> Any:
        named = dict(request.query_params)
        if len(named) != len(request.query_params.multi_items()):
            raise Refused(400, "a parameter is given twice")
        return await house.answers.listed(listing, _path(request), named)

    return work


def _commands(house: House, command: Command) -> Work:
    async def work(request: Request, who: Bearer | None) -> Any:
        assert who is not None
        return await house.answers.commanded(command, _path(request), await _body(request), who)

    return work


def _path(request: Request) -> dict[str, str]:
    """What the path names, decoded after it was split: a station id may have a slash."""
    return {name: unquote(value) for name, value in request.path_params.items()}


async def _described(house: House) -> Any:
    return description(house.version)


async def _fleet(house: House) -> Any:
    return house.answers.fleet.now()


async def _body(request: Request) -> bytes:
    octets = b""
    async for piece in request.stream():
        octets += piece
        if len(octets) > LONGEST_BODY:
            raise Refused(413, f"the body is longer than {LONGEST_BODY} octets")
    return octets


def _asset(house: House, path: str) -> Route:
    kind, text = house.assets[path]

    async def answer(request: Request) -> Response:
        _demand(house, request, "read")
        return Response(text, media_type=kind)

    return Route(path, _faulty(answer), methods=["GET"])


def _route(house: House, path: str, method: str, role: Role | None, work: Work) -> Route:
    async def answer(request: Request) -> Response:
        who = None if role is None else _demand(house, request, role, by_cookie=method == "GET")
        if who is not None and house.room.admit(request.scope.get("client"), _unsent) is None:
            raise Refused(503, "as many ask as may; come again")
        async with asyncio.timeout(SLOW):
            return _json(200, await work(request, who))

    return Route(path, _faulty(answer), methods=[method])


async def _unsent(message: Message) -> None:
    """What a place in the room would send by itself: nothing, for an answer is given whole."""


def _demand(house: House, request: Request, role: Role, by_cookie: bool = True) -> Bearer:
    """Who asks. Raises Refused where nobody of that role does; a cookie, which a browser sends by itself, opens nothing but reading."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        token = request.cookies.get(house.door.cookie, "") if by_cookie else ""
    who = house.tokens.bearer(token.strip()) if token else None
    if who is None:
        raise Refused(401, "a token is wanted: Authorization: Bearer TOKEN, or open the whole address that the command printed")
    if not who.may(role):
        raise Refused(403, f"{who.name} may {who.role}, and this wants {role}")
    return who


def _faulty(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def careful(request: Request) -> Response:
        try:
            return await answer(request)
        except Refused as refused:
            return _json(refused.status, {"error": str(refused), "code": refused.code})
        except TimeoutError:
            return _json(504, {"error": f"it took longer than {SLOW:g} s", "code": "Timeout"})
        except ClientDisconnect:
            return Response(status_code=400)

    return careful


def _json(status: int, said: Any) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(msgspec.json.encode(said), status, headers, "application/json")


async def _not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _json(status, {"error": "there is no such path" if status == 404 else "another method is wanted", "code": ""})


class _Guarded:
    """The application behind the door: what another page started is refused; a token in the address becomes a cookie."""

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
        elif (token := request.query_params.get("token")) is not None:
            answer = self._let_in(request, token)
        await answer(scope, receive, with_headers)

    def _let_in(self, request: Request, token: str) -> Response:
        if request.url.path != "/" or self._house.tokens.bearer(token) is None:
            return _json(401, {"error": "nobody has this token", "code": ""})
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._house.door.cookie,
            token,
            max_age=COOKIE_DAYS * 86_400,
            httponly=True,
            samesite="strict",
            path="/",
            secure=self._house.door.scheme == "https",
        )
        return answer


class _Stream:
    """What happens, as server-sent events: the fleet as it is, and then everything as it comes."""

    def __init__(self, house: House):
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _demand(self._house, Request(scope), "read")
            fleet = self._house.answers.fleet
            viewer = self._house.room.admit(scope.get("client"), send)
            if viewer is None or len(fleet.followers) >= LOOKERS:
                raise Refused(503, "as many look as may; come again")
        except Refused as refused:
            await _json(refused.status, {"error": str(refused), "code": ""})(scope, receive, send)
            return
        await viewer.begin({"Content-Type": "text/event-stream; charset=utf-8"})
        await self._followed(fleet, viewer)

    async def _followed(self, fleet: Fleet, viewer: Viewer) -> None:
        follower = Follower()
        follower.woken = viewer.news  # which is set, too, when the viewer goes
        fleet.followers.add(follower)
        try:
            await viewer.give(b"retry: 1000\n\n" + _event("fleet", await _fleet(self._house)))
            while not viewer.gone and not follower.lost:
                follower.woken.clear()
                octets = b"".join(_event(*follower.news.popleft()) for _ in range(len(follower.news)))
                if octets and not await viewer.give(octets):
                    return
                if not octets and not await _woken(follower) and not await viewer.give(STILL):
                    return
        finally:
            fleet.followers.discard(follower)


async def _woken(follower: Follower) -> bool:
    try:
        async with asyncio.timeout(QUIET):
            await follower.woken.wait()
    except TimeoutError:
        return False
    return True


def _event(kind: str, said: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode(said) + b"\n\n"
