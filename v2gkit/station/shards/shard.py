"""One worker, as the parent has it: started, heard, killed where it is silent, and started anew where it is no more."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from secc.station import Backend, OutOfService
from v2g.legible import logger
from v2g.session.endpoint import Ended
from v2g.session.errors import StationFailed
from v2g.settings.strict import ConfigError
from v2gkit.station.shards import said
from v2gkit.station.shards.channel import Channel
from v2gkit.station.shards.doors import Door, Lines, Watching

log = logger("v2g.service")
PROGRAM: Final = "v2gkit.station.shards.worker"
STARTING: Final = 60.0  # s from its start until a worker listens: it takes one, and where the machine has no time to spare some
SILENT: Final = 20.0  # s without a sign of life: its cars have left long ago, for each waits 2 s for an answer at the most
CLOSING: Final = 45.0  # s for all outlets to be made safe: an ACDP's device goes home within 20 s, after its contactor has opened
UNLOCKING: Final = 5.0  # s; as long as for hardware of this process
LEAST_ENVIRONMENT: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # which are for the parent


class Lost(Exception):
    """A worker is no more, though nobody ended it."""


class Shard:
    """A worker with its outlets. `first` is what it is told first."""

    def __init__(
        self,
        name: str,
        first: said.Furnish,
        lines: Lines,
        complain: Callable[[str], None],
        pauses: Callable[[said.Kept | said.Dropped], None],
    ):
        self.name, self.first, self._lines, self._complain, self._pauses = name, first, lines, complain, pauses
        self.places = first.places
        self.outlets: tuple[tuple[str, tuple[str, ...]], ...] = ()  # EVSE id and grid functions
        self.addresses: tuple[tuple[str, int], ...] = ()
        self.backends: Mapping[int, Backend] = {}
        self.doors: Mapping[int, Door] = {}
        self.watching: Watching | None = None
        self.occupied = False
        self.closing = False
        self.account: dict[str, dict[str, Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._answers: dict[Any, asyncio.Future[Any]] = {}
        self._visits: set[int] = set()  # places with a session
        self._heard = 0.0
        self._tickets = 0

    # --- life ---

    async def furnish(self) -> None:
        """Start the process, and wait until it has made its hardware. Raises ConfigError with what is wrong there."""
        self._kill()  # one that was started before and did not come as far as to serve
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = self._started(theirs.fileno())
        self._channel = await Channel.over(ours, self._hear)
        self._channel.say(self.first)
        self.outlets = (await self._answer(said.Furnished, STARTING)).outlets

    def _started(self, descriptor: int) -> "subprocess.Popen[bytes]":
        environment = {name: value for name, value in os.environ.items() if name not in LEAST_ENVIRONMENT}
        environment["PYTHONPATH"] = os.pathsep.join(each or os.getcwd() for each in sys.path)
        return subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-P", "-m", PROGRAM, str(descriptor)],
            pass_fds=(descriptor,),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output is the parent's
        )

    async def open(self, order: said.Open) -> None:
        """Let it serve, and wait until it listens. Raises ConfigError where it cannot."""
        self._say(order)
        self.addresses = (await self._answer(said.Listening, STARTING)).addresses
        self._heard = asyncio.get_running_loop().time()
        for place, (_, port) in zip(self.places, self.addresses, strict=True):
            if place in self.doors:
                self.doors[place].port = port

    async def watched(self) -> None:
        """Wait until it is no more, which is told to all. Raises Lost then, unless it is being closed."""
        assert self._channel is not None
        clock = asyncio.get_running_loop().time
        while not self._channel.gone.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._channel.gone.wait()
            if clock() - self._heard > SILENT and not self._channel.gone.is_set():
                log.critical("%s has given no sign of life for %g s, and is killed", self.name, SILENT)
                self._kill()
        why = await self._buried()
        self._lost(why)
        if not self.closing:
            raise Lost(why)

    async def close(self) -> None:
        """Let it make its outlets safe and end; one that does not is killed."""
        self.closing = True
        if self._channel is not None and not self._channel.gone.is_set():
            self._say(said.Close())
            try:
                async with asyncio.timeout(CLOSING):
                    await self._channel.gone.wait()
            except TimeoutError:
                log.critical("%s has not ended within %g s, and is killed", self.name, CLOSING)
                self._kill()
        if self._process is not None:
            await self._buried()

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)

    async def _buried(self) -> str:
        """Wait until the process has ended; why it did."""
        assert self._process is not None
        process, channel = self._process, self._channel
        try:
            code = await asyncio.to_thread(process.wait, SILENT)
        except subprocess.TimeoutExpired:
            self._kill()
            code = await asyncio.to_thread(process.wait)
        if channel is not None:
            await channel.close()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return f"process {process.pid} of {self.name} {how}" + (f": {channel.why}" if channel is not None and channel.why else "")

    def _lost(self, why: str) -> None:
        """Tell everybody of the sessions that it had, and that its outlets serve nobody."""
        now = asyncio.get_running_loop().time()
        self.occupied, visits, self._visits = False, self._visits, set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Lost(why))
        for place in self.places:
            if place in self.doors:
                self.doors[place].seen = replace(self.doors[place].seen, why=why, holder=None)
            if (backend := self.backends.get(place)) is not None:
                if place in visits:
                    backend.ended(Ended("aborted", StationFailed(why, None)))
                backend.heard(OutOfService(why))
        if self.watching is not None:
            self.watching.lost(self.places, why, now)
        self._lines.lost(why)

    def back(self) -> None:
        """Tell that its outlets serve again."""
        for backend in (self.backends[place] for place in self.places if place in self.backends):
            backend.heard(OutOfService(""))

    # --- orders ---

    async def leave(self, grace: float) -> bool:
        """Let its cars leave; whether all did in order."""
        for place in self.places:
            if place in self.doors:
                self.doors[place].leaving = True
        if self._channel is None or self._channel.gone.is_set():
            return True
        self._say(said.Leave(grace))
        try:
            return bool((await self._answer(said.Left, grace + SILENT)).well)
        except (Lost, ConfigError):
            return False

    def say(self, order: Any) -> None:
        """Give an order; one that is no more does not hear it."""
        self._say(order)

    async def unlock(self, place: int) -> bool:
        """Unlock a connector. Raises OSError with what the hardware says."""
        self._tickets += 1
        self._say(said.Unlock(place, self._tickets))
        try:
            if why := (await self._answer((said.Unlocked, self._tickets), UNLOCKING)).why:
                raise OSError(why)
        except (Lost, ConfigError) as error:
            raise OSError(str(error)) from None
        return True

    def _say(self, order: Any) -> None:
        if self._channel is not None:
            self._channel.say(order)

    async def _answer(self, kind: Any, limit: float) -> Any:
        """The next answer of a kind. ConfigError with the reason where it cannot serve; Lost where it is no more, or says nothing."""
        assert self._channel is not None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[kind] = future
        gone = asyncio.ensure_future(self._channel.gone.wait())
        try:
            await asyncio.wait((future, gone), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
            raise Lost(f"{self.name} is no more" if gone.done() else f"{self.name} said nothing for {limit:g} s")
        finally:
            gone.cancel()
            self._answers.pop(kind, None)

    def _answered(self, kind: Any, answer: Any) -> None:
        if (future := self._answers.get(kind)) is not None and not future.done():
            future.set_result(answer)

    # --- what it says ---

    def _hear(self, news: Any) -> None:
        match news:
            case said.Heard(place=place, event=event):
                self.backends[place].heard(event)
            case said.Happened() | said.Octets() | said.Secret() | said.Opened() if self.watching is not None:
                self.watching.hear(news)
            case said.Line(event=event, facts=facts):
                self._lines.say(event, facts)
            case said.Alive(account=account):
                self._heard = asyncio.get_running_loop().time()
                self.account = self.account if account is None else account
            case said.Doors(seen=seen, occupied=occupied):
                self.occupied = occupied
                for place, one in seen:
                    self.doors[place].seen = one
            case said.Came(place=place, source=source):
                self.doors[place].came(source)
            case said.Began(place=place, visit=visit):
                self._visits.add(place)
                self.backends[place].began(lambda fact: self._say(said.Tell(place, visit, fact)))
            case said.Over(place=place, ended=ended):
                self._visits.discard(place)
                self.backends[place].ended(ended)
            case said.Unlocked(ticket=ticket):
                self._answered((said.Unlocked, ticket), news)
            case said.Failed(reason=reason):
                self._failed(reason)
            case said.Complaint(text=text):
                self._complain(text)
            case said.Logged():
                _log(news)
            case said.Furnished() | said.Listening() | said.Left():
                self._answered(type(news), news)
            case said.Kept() | said.Dropped():
                self._pauses(news)

    def _failed(self, reason: str) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConfigError(reason))


def _log(news: said.Logged) -> None:
    """Log here what a worker logs; it was made legible there."""
    own = logger(news.name)
    if own.isEnabledFor(news.level):
        record = own.makeRecord(news.name, news.level, PROGRAM, 0, news.text, (), None)
        record.created, record.exc_text = news.created, news.trace or None
        own.callHandlers(record)


def places_of(outlets: int, workers: int) -> Sequence[tuple[int, ...]]:
    """The places of each worker: neighbours are in different ones, so that those of one cabinet share the load."""
    return [tuple(range(worker, outlets, workers)) for worker in range(workers)]
