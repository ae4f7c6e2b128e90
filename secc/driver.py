"""Binds a session to its surroundings: wants become calls of hardware and backend, what comes of them is told to the session.

A driver is the endpoint that the transport pumps: it hands octets through and reads the events on their way out. The session never waits
for it; what takes time runs in tasks.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from secc.evse import EVSE
from secc.session import SeccSession
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    Backend,
    CheckIsolation,
    CloseContactor,
    ConnectorLock,
    ContactorIs,
    EVReported,
    Fact,
    IsolationMeasured,
    LimitsChanged,
    LockConnector,
    MeterRead,
    Objected,
    OpenContactor,
    OutletTaken,
    OutOfService,
    OutputMeasured,
    PowerStarted,
    PowerStopped,
    SessionStarted,
    SetOutput,
    SetPower,
    Want,
)
from v2g.legible import logger
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Ended, Event

log = logger("v2g.secc")

METER_PERIOD = 0.5  # s between two readings of the meter under power
LIMITS_PERIOD = 1.0  # s between two looks at what the outlet can do
OPENING_LIMIT = 2.0  # s for an opening that is under way when the session ends: a contactor takes less than 1.4 s
SAFE_LIMIT = 5.0  # s for the hardware to become safe before it is called broken
CLOSING_LIMIT = 2 * SAFE_LIMIT + OPENING_LIMIT  # s for all that follows a session, whatever hangs
LATEST = (SetOutput, SetPower)  # of these only the last that waits is carried out


def _refused() -> AuthorizationRefused:
    return AuthorizationRefused(Code.WARNING_EIMAuthorizationFailure, "the outlet refuses the card, app or code that was shown")


class Station(Protocol):
    """What a driver asks of the station it belongs to."""

    def taken(self, driver: "Driver") -> bool:
        """Whether another session has the outlet and keeps it."""

    def claim(self, driver: "Driver") -> "Driver | None":
        """The outlet is this driver's from now on; the driver that has lost it, if any."""

    def release(self, driver: "Driver") -> None:
        """Its session is over, the outlet safe."""

    def unserviceable(self) -> str:
        """Why the outlet serves nobody now; empty if it serves."""

    def broken(self, driver: "Driver", why: str) -> None:
        """Its session is over, and the outlet could not be made safe."""


async def opened(evse: EVSE) -> str:
    """Open the contactor: empty once the hardware says open, else why that is not known. Returns within `SAFE_LIMIT`, whatever hangs."""
    task = asyncio.ensure_future(evse.open_contactor())
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # one that comes too late is no news
    done, _ = await asyncio.wait([task], timeout=SAFE_LIMIT)
    if not done:
        task.cancel()
        return f"open_contactor() did not return within {SAFE_LIMIT:g} s"
    if task.cancelled():
        return "open_contactor() was cancelled"
    if (error := task.exception()) is not None:
        return f"open_contactor() failed: {error!r}"
    return "" if task.result() else f"open_contactor() returned {task.result()!r}: the contactor is not open"


class Driver:
    """One session with its hardware and backend. `now` gives real seconds; `nudge` makes the pump look at the session again."""

    def __init__(
        self, session: SeccSession, evse: EVSE, backend: Backend, station: Station, now: Callable[[], float], nudge: Callable[[], None]
    ):
        self.session, self.evse, self.backend = session, evse, backend
        self._station, self._now, self._nudge = station, now, nudge
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._commands: list[Want] = []
        self._present: Want | None = None  # the command that is being carried out
        self._claimed = self._finished = False
        self._held: list[Event | Fact] | None = None  # what the backend hears once the outlet is free
        self._seen: dict[type[Fact], Fact] = {}

    # --- Endpoint ---

    @property
    def ended(self) -> Ended | None:
        return self.session.ended

    def receive(self, octets: bytes, now: float) -> None:
        if not self._claimed and octets:
            self.session.tell(OutletTaken(self._station.taken(self)), now)
            self.session.tell(OutOfService(self._station.unserviceable()), now)
        self.session.receive(octets, now)

    def tick(self, now: float) -> None:
        self.session.tick(now)

    def deadline(self) -> float | None:
        return self.session.deadline()

    def octets_to_send(self) -> bytes:
        return self.session.octets_to_send()

    def events(self) -> list[Event]:
        """What happened; on the way every want is set going."""
        events = self.session.events()
        for event in events:
            self._dispatch(event)
        if self.session.ended is not None and not self._finished:
            self._finished = True
            if (error := self.session.ended.error) is not None:
                log.warning("%s: %s: %s", self.evse.evse_id, self.session.ended.how, error)
            self._start("end", partial(self._finish, self.session.ended))
        return events

    # --- from outside ---

    def tell(self, fact: Fact) -> None:
        """Tell the session and everybody who listens."""
        if self.session.ended is None:
            self.session.tell(fact, self._now())
            self._nudge()

    def abort(self, reason: str) -> None:
        """End the session now, whatever the car thinks of it."""
        if self.session.ended is None:
            self.session.abort(reason, self._now())
            self._nudge()

    async def safe(self) -> None:
        """Wait until the outlet is safe and everything that belongs to the session has ended."""
        if self.session.ended is not None:
            self.events()  # a connection that is already gone asks for them no more, and they are what makes the outlet safe
        clock = asyncio.get_running_loop().time
        until = clock() + CLOSING_LIMIT + 1.0
        while tasks := [task for task in self._tasks.values() if not task.done()]:
            if clock() >= until:
                for task in tasks:
                    task.cancel()
                log.critical("%s: left behind, still running: %s", self.evse.evse_id, ", ".join(task.get_name() for task in tasks))
                return
            await asyncio.wait(tasks, timeout=until - clock())

    # --- wants ---

    def _dispatch(self, event: Event) -> None:
        match event:
            case SessionStarted(evccid=evccid):
                self._begin(evccid)
            case AuthorizationWanted():
                self._start("authorization", partial(self._authorize, event))
                return  # the backend hears it when the outlet has nobody to ask
            case LockConnector() | CheckIsolation() | SetOutput() | SetPower() | CloseContactor() | OpenContactor():
                self._command(event)
            case Objected(request=request, objection=said):
                cited = f" [{said.requirement}]" if said.requirement else ""
                log.warning("%s: %s was answered %s: %s%s", self.evse.evse_id, request, said.code.value, said.reason, cited)
            case PowerStarted():
                self._start("meter", self._watch_meter)
            case PowerStopped():
                self._stop("meter")
                self._start("reading", self._read_meter)
            case EVReported():
                self._start("report", partial(self.evse.car_reported, event))
        if isinstance(event, Want):
            self._hear(event)

    def _begin(self, evccid: str) -> None:
        self._claimed = True
        before = self._station.claim(self)
        if before is None:
            self.backend.began(self.tell)
        else:
            self._held = []
        self._start("began", partial(self._began, evccid, before))

    async def _began(self, evccid: str, before: "Driver | None") -> None:
        """Greet the car, after what was there before it has gone."""
        if before is not None:
            await before.safe()
            self.backend.began(self.tell)
        held, self._held = self._held or [], None
        for event in held:
            self._hear(event)
        self._start("notices", self._listen)
        self._start("limits", self._watch_limits)
        await self.evse.session_began(evccid)
        await self._read_meter()
        if self._commands:
            self._start("hardware", self._work)

    def _hear(self, event: Event | Fact) -> None:
        """Tell the backend. What goes wrong there is said, and costs nobody a session."""
        if self._held is not None:
            self._held.append(event)
            return
        try:
            self.backend.heard(event)
        except Exception:
            log.exception("%s: the backend failed on %s", self.evse.evse_id, type(event).__name__)

    async def _authorize(self, wanted: AuthorizationWanted) -> None:
        """A card at the outlet decides at once, everything else is the backend's."""
        verdict = await self.evse.authorize(wanted.evccid) if wanted.authorization == "EIM" else None
        if verdict is None:
            self._hear(wanted)
        else:
            self._fact(Authorized() if verdict else _refused())

    # --- hardware, one command after the other ---

    def _command(self, want: Want) -> None:
        if isinstance(want, OpenContactor):
            self._commands.clear()
            self._stop("hardware")
        elif isinstance(want, LATEST):
            self._commands = [waiting for waiting in self._commands if type(waiting) is not type(want)]
        self._commands.append(want)
        task = self._tasks.get("hardware")
        if self._held is None and (task is None or task.done()):
            self._start("hardware", self._work)

    async def _work(self) -> None:
        while self._commands:
            want = self._commands.pop(0)
            await self._carry_out(want)

    async def _carry_out(self, want: Want) -> None:
        evse = self.evse
        match want:
            case LockConnector():
                locked = await evse.lock_connector()
                if not locked:
                    self._commands.clear()  # nothing becomes live after this
                self._fact(ConnectorLock(locked))
            case CheckIsolation(voltage=voltage):
                self._start("output", self._watch_output)
                self._fact(IsolationMeasured(await evse.check_isolation(voltage)))
            case SetOutput(voltage=voltage, current=current, power=power):
                await evse.set_output(voltage, current, power)
            case SetPower(power=power):
                await evse.set_power(power)
            case CloseContactor():
                self._start("output", self._watch_output)
                self._fact(ContactorIs(await evse.close_contactor()))
            case OpenContactor():
                self._fact(ContactorIs(not await evse.open_contactor()))

    # --- what is watched ---

    async def _watch_output(self) -> None:
        while True:
            self._fact(await self.evse.read_output())
            await asyncio.sleep(self.evse.output_period)

    async def _watch_meter(self) -> None:
        while True:
            await self._read_meter()
            await asyncio.sleep(METER_PERIOD)

    async def _read_meter(self) -> None:
        reading = await self.evse.read_meter()
        if reading is not None:
            self._fact(MeterRead(reading))

    async def _watch_limits(self) -> None:
        while True:
            await asyncio.sleep(LIMITS_PERIOD)
            self._fact(LimitsChanged(await self.evse.limits()))

    async def _listen(self) -> None:
        async for fact in self.evse.notices():
            self._fact(fact)

    def _fact(self, fact: Fact) -> None:
        """Tell what the hardware found, unless it is what it found before."""
        repeated = isinstance(fact, OutputMeasured | LimitsChanged) and self._seen.get(type(fact)) == fact
        if not repeated:
            self._seen[type(fact)] = fact
            self._hear(fact)
            self.tell(fact)

    # --- the end ---

    async def _finish(self, ended: Ended) -> None:
        """Make the outlet safe, whatever state it was left in, and give it back."""
        for name in [name for name in self._tasks if name not in ("end", "hardware", "reading")]:
            self._stop(name)
        if self._claimed:
            if (task := self._tasks.get("hardware")) is not None:
                await asyncio.wait([task], timeout=OPENING_LIMIT)
                self._stop("hardware")
            why = await opened(self.evse)
            if why:
                self._station.broken(self, why)
            await self._closing(ended, not why)
        self._station.release(self)

    async def _closing(self, ended: Ended, safe: bool) -> None:
        """What is left to do, each on its own: none of it may cost another."""
        limit = SAFE_LIMIT / 2
        await self._attempt("read_meter()", self._read_meter(), limit / 2)
        if safe:
            await self._attempt("unlock_connector()", self.evse.unlock_connector(), limit)
        try:
            self.backend.ended(ended)
        except Exception:
            log.exception("%s: the backend failed after the session", self.evse.evse_id)
        await self._attempt("session_ended()", self.evse.session_ended(ended), limit)

    async def _attempt(self, what: str, work: Coroutine[Any, Any, object], limit: float) -> None:
        try:
            async with asyncio.timeout(limit):
                if await work is False:
                    log.error("%s: %s returned False", self.evse.evse_id, what)
        except Exception:
            log.exception("%s: %s after the session", self.evse.evse_id, what)

    # --- tasks ---

    def _start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something beside the session; what ran under that name before is cancelled."""
        self._stop(name)
        self._tasks[name] = asyncio.create_task(self._guarded(name, work), name=f"{self.evse.evse_id} {name}")

    def _stop(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _guarded(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:
            log.exception("%s: %s failed", self.evse.evse_id, name)
            if name == "hardware":
                self._commands.clear()
            self.abort(f"{name} of {self.evse.evse_id} failed: {error!r}")
