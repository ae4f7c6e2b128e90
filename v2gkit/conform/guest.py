"""A car of any generation at a foreign station, which a script leads: the requests are those of the class for its generation. A shell.

visit = await bench.visit()                       # connected, nothing sent
await visit.upto("Authorization")                 # the station now waits for AuthorizationReq
reply = await visit.ask(asked.discovery())        # whatever one likes
reply = await visit.ask(visit.due())              # what the station waits for, as the car would send it
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from v2g.exi.schema import Type
from v2g.session.generation import Generation
from v2gkit.conform.running import Unreached
from v2gkit.conform.wallet import Wallet
from v2gkit.conform.wire import Reply, Wire

NEW_SESSION = bytes(8)
PACE = 0.1  # s between two polls
PATIENCE = 60.0  # s for which a car polls one phase, in every generation


@dataclass
class Heard:
    """What a car knows of its session: the responses that it got, the last of each class, and what it selected."""

    session_id: bytes = NEW_SESSION
    responses: dict[str, Any] = field(default_factory=dict)
    parameter_set: int = 0

    def of(self, name: str) -> Any:
        """The last response of that name. Raises KeyError where none came."""
        return self.responses[name]


class Guest:
    """One session of a car, which a script leads. A class of each generation says what its steps are, and what is asked in them."""

    generation: ClassVar[Generation]
    polls: ClassVar[tuple[str, ...]]  # steps that are asked for again while the station is busy

    def __init__(self, wire: Wire, wallet: Wallet, slack: float):
        self.wire, self.wallet, self.slack = wire, wallet, slack
        self.heard = Heard()
        self.told = NEW_SESSION  # the SessionID of the last response
        self.at = 0  # the place of the step that the station waits for

    # --- what a generation says ---

    @property
    def steps(self) -> tuple[str, ...]:
        """What a station waits for in a session of this kind, in order."""
        raise NotImplementedError

    def usual(self, step: str) -> Any:
        """The request of a step, as the car would send it with what it knows. Raises Unreached where it knows too little."""
        raise NotImplementedError

    def octets(self, message: Any, *, session_id: bytes | None = None, stream: str = "main") -> bytes:
        """A request as the frame that the car would send: with the SessionID of this session, or another."""
        raise NotImplementedError

    async def longer(self, name: str) -> Any:
        """Do a step that is more than a request and its polls; None where that step is not."""
        return None

    def learn(self, name: str, reply: Any) -> None:
        """Keep what the response of a step teaches. Raises Unreached where the session cannot go on as wanted."""

    # --- whatever a script likes ---

    async def ask(self, message: Any, within: float | None = None, *, session_id: bytes | None = None, stream: str = "main") -> Reply:
        """Send a request, stamped as the session has it, and hear what follows within the time of the standard and the slack (s)."""
        await self.tell(message, session_id=session_id, stream=stream)
        return await self.reply(kind_of(message), within)

    async def tell(self, message: Any, *, session_id: bytes | None = None, stream: str = "main") -> None:
        """Send a request, stamped as the session has it."""
        await self.wire.send(self.octets(message, session_id=session_id, stream=stream))

    async def reply(self, kind: type[Type], within: float | None = None) -> Reply:
        """What follows within the time that a car waits for the response to a request of that class, and the slack (s)."""
        limit = within if within is not None else self.generation.timing(kind).msg_timeout + self.slack
        reply = await self.wire.reply(limit)
        if reply.message is not None:
            self.heard.responses[reply.name] = reply.message
        if reply.session_id is not None:
            self.told = reply.session_id
        return reply

    async def granted(self, message: Any) -> Any:
        """Send a request that must be granted; the response. Raises Unreached where it is not."""
        reply = await self.ask(message)
        if not reply.ok:
            raise Unreached(f"{kind_of(message).__name__} was answered by {reply}")
        return reply.message

    # --- what a car does that does everything right ---

    async def upto(self, step: str) -> Self:
        """Do everything right until the station waits for that step; this car. Raises Unreached where it does not get so far."""
        end = self.steps.index(step)
        while self.at < end:
            await self.step()
        return self

    async def through(self, step: str) -> Self:
        """Do everything right until the station has answered that step; this car."""
        await self.upto(step)
        await self.step()
        return self

    async def step(self) -> Any:
        """Do the step that the station waits for, polls included; the last response. Raises Unreached."""
        name = self.steps[self.at]
        response = await self.longer(name)
        if response is None:
            response = await self.granted(self.due())
            if name in self.polls:
                response = await self.finished(response)
        self.learn(name, response)
        self.at += 1
        return response

    async def finished(self, response: Any, limit: float = PATIENCE) -> Any:
        """Ask again while the station is busy, for at most `limit` s; the response that says Finished. Raises Unreached."""
        until = time.monotonic() + limit
        while busy(response):
            if time.monotonic() > until:
                raise Unreached(f"{type(response).__name__} says {response.EVSEProcessing.value} after {limit:g} s")
            await asyncio.sleep(PACE)
            response = await self.granted(self.due())
        return response

    def due(self) -> Any:
        """The request that the station waits for, as the car would send it now."""
        return self.usual(self.steps[self.at])


def busy(response: Any) -> bool:
    """Whether a response says that the station has not finished (EVSEProcessing)."""
    processing = getattr(response, "EVSEProcessing", None)
    return processing is not None and processing.value != "Finished"


def kind_of(message: Any) -> type[Type]:
    """The class of a request, which may come with the signature for its envelope."""
    return type(getattr(message, "message", message))
