"""Connects a session with hardware and backend: its wants become calls, and their outcomes are told to the session as facts.

A driver is the endpoint that the transport pumps: it hands octets through and acts on the events on their way out. No session waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from secc.engine import SeccSession
from secc.evse import EVSE
from secc.hearing import Hearing
from secc.held import Station
from secc.opening import HOMING_LIMIT, SAFE_LIMIT, open_outlet, send_home
from secc.station import (
    AlignmentIs,
    Arrival,
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    Backend,
    CheckAlignment,
    CheckedOut,
    CheckInReported,
    CheckIsolation,
    CheckOutReported,
    CloseContactor,
    ConnectDevice,
    ConnectorLock,
    ContactorIs,
    Departure,
    Device,
    DeviceIs,
    DisconnectDevice,
    EVReported,
    Fact,
    GridControlChanged,
    IsolationMeasured,
    LimitsChanged,
    LockConnector,
    Objected,
    OpenContactor,
    OutletTaken,
    OutOfService,
    OutputMeasured,
    PairingIs,
    PairVehicle,
    PlaceIs,
    PositionIs,
    PowerStarted,
    PowerStopped,
    ServiceSelected,
    SessionStarted,
    SetOutput,
    SetPower,
    StoodBy,
    Want,
)
from secc.watches import Watches
from v2g.energy.der import GridControl
from v2g.legible import logger
from v2g.reasons import Reason
from v2g.services import SERVICES
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import SessionError

log = logger("v2g.secc")

OPENING_LIMIT = 2.0  # s for an opening that is under way when the session ends: a contactor takes less than 1.4 s
CLOSING_LIMIT = 2 * SAFE_LIMIT + OPENING_LIMIT  # s for all that follows a session, whatever hangs
GREETING_LIMIT = 0.5  # s that a backend waits for the meter before it hears of a car: a register read over a slow bus takes a tenth of it
LATEST = (SetOutput, SetPower)  # of these only the last that waits is carried out
REFUSED = AuthorizationRefused(Reason.CARD_REFUSED, "the outlet refuses the card, app or code that was shown")


class Driver:
    """One session with its hardware and backend. `now` gives the monotonic time (s); `nudge` makes the pump look at the session again."""

    def __init__(
        self,
        session: SeccSession,
        evse: EVSE,
        backend: Backend,
        station: "Station[Driver]",
        now: Callable[[], float],
        nudge: Callable[[], None],
    ):
        self.session, self.evse, self.backend = session, evse, backend
        self._station, self._now, self._nudge = station, now, nudge
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._commands: list[Want] = []
        self._commanded = asyncio.Event()  # the hardware was told something
        self._claimed = self._finished = self._docked = False  # docked: a service of ACDP was selected, its device goes home at the end
        self._hearing = Hearing(backend, evse.evse_id)
        self._seen: dict[type[Fact], Fact] = {}
        self._before: Driver | None = None  # the session that had the outlet before this one, while it has not left
        self._arrival: Arrival | None = None  # what a vehicle that checks in said last

    @property
    def _watch(self) -> Watches:
        """The watches over the outlet, made when they are asked for: kept, they and this would hold each other."""
        return Watches(self.evse, self._fact, self._commanded)

    # --- Endpoint ---

    @property
    def ended(self) -> Ended | None:
        return self.session.ended

    def receive(self, octets: bytes, now: float) -> None:
        if not self._claimed and octets:
            self.session.tell(OutletTaken(self._station.taken(self)), now)
            self.session.tell(OutOfService(self._station.unserviceable()), now)
        self.session.receive(octets, now)

    def lost(self, error: SessionError, now: float) -> None:
        self.session.lost(error, now)

    def tick(self, now: float) -> None:
        self.session.tick(now)

    def deadline(self) -> float | None:
        return self.session.deadline()

    def octets_to_send(self) -> bytes:
        return self.session.octets_to_send()

    def events(self) -> list[Event]:
        """Take what happened since the last call; every want among it is carried out."""
        events = self.session.events()
        for want in [event for event in events if isinstance(event, Want)]:
            self._dispatch(want)
        if self.session.ended is not None and not self._finished:
            self._finished = True
            self._say(self.session.ended)
            self._start("end", partial(self._finish, self.session.ended))
        return events

    def _say(self, ended: Ended) -> None:
        """One line of the log for an end before its time, or that was asked for."""
        asked = f" (the car was asked to stop: {ended.asked})" if ended.asked else ""
        if ended.error is not None:
            log.warning("%s: %s: %s%s", self.evse.evse_id, ended.how, ended.error, asked)
        elif asked:
            log.info("%s: %s%s", self.evse.evse_id, ended.how, asked)

    # --- from outside ---

    def tell(self, fact: Fact) -> None:
        """Tell a fact to the session and to the backend."""
        if self.session.ended is None:
            self.session.tell(fact, self._now())
            self._nudge()
            if isinstance(fact, GridControlChanged) and self.evse.grid_functions:
                self._start("grid", partial(self._follow_grid, fact))

    def decided(self, fact: Fact) -> None:
        """Tell session and backend a fact that the station itself decided, such as a stop at shutdown."""
        self._fact(fact)

    def abort(self, reason: str) -> None:
        """End the session now, without an answer to the car; the outlet is made safe."""
        if self.session.ended is None:
            self.session.abort(reason, self._now())
            self._nudge()

    async def safe(self) -> None:
        """Wait until the outlet is safe and everything that belongs to the session has ended."""
        if self.session.ended is not None:
            self.events()  # a connection that is already gone asks for them no more, and they are what makes the outlet safe
        clock = asyncio.get_running_loop().time
        until = clock() + CLOSING_LIMIT + (HOMING_LIMIT if self._docked else 0.0) + 1.0
        while tasks := [task for task in self._tasks.values() if not task.done()]:
            if clock() >= until:
                for task in tasks:
                    task.cancel()
                log.critical("%s: left behind, still running: %s", self.evse.evse_id, ", ".join(task.get_name() for task in tasks))
                return
            await asyncio.wait(tasks, timeout=until - clock())

    # --- wants ---

    def _dispatch(self, event: Want) -> None:
        match event:
            case EVReported():  # the one of each charge loop is looked for first
                self._start("report", partial(self.evse.car_reported, event))
            case SessionStarted(evccid=evccid):
                self._begin(evccid)
            case AuthorizationWanted():
                self._start("authorization", partial(self._authorize, event))
                return  # the backend hears it when the outlet has nobody to ask
            case LockConnector() | CheckIsolation() | SetOutput() | SetPower() | CloseContactor() | OpenContactor():
                self._command(event)
            case ConnectDevice() | DisconnectDevice() | CheckAlignment():
                self._command(event)
            case Objected(request=request, code=code, objection=said):
                cited = f" [{said.requirement}]" if said.requirement else ""
                log.warning("%s: %s was answered %s: %s%s", self.evse.evse_id, request, code, said.reason, cited)
            case PowerStarted() | StoodBy():
                self._start("meter", self._watch.meter)
            case PowerStopped():
                self._stop("meter")
                self._start("reading", self._watch.read_meter)
            case ServiceSelected():
                self._docked |= SERVICES[event.service].docked
                if SERVICES[event.service].docked or SERVICES[event.service].wireless:
                    self._start("position", self._watch.position)
                self._start("selection", partial(self.evse.service_selected, event))
            case PairVehicle(observed=observed):
                self._start("pairing", partial(self._pair, observed))
            case CheckInReported(arrival=arrival):
                self._arrival = arrival
                self._seen.pop(PlaceIs, None)  # it waits for an answer, be it the same
                self._keep("place", partial(self._watch.place, lambda: self._arrival))
            case CheckOutReported(departure=departure):
                self._stop("place")
                self._keep("check-out", partial(self._check_out, departure))
        self._hearing.hear(event)

    def _begin(self, evccid: str) -> None:
        self._claimed = True
        before = self._before = self._station.claim(self)
        self._hearing.wait()
        if before is None:
            self._hearing.introduce(self.tell)
        self._start("began", partial(self._began, evccid))

    async def _began(self, evccid: str) -> None:
        """Greet the car, after what was there before it has gone; the backend hears what the meter shows first, if that comes in time."""
        if await self._alone():
            self._hearing.introduce(self.tell)
        self._start("greeting", partial(self._greet, evccid))
        await asyncio.wait((self._tasks["greeting"],), timeout=GREETING_LIMIT)
        self._hearing.go_on()
        self._start("notices", self._watch.notices)
        self._start("limits", self._watch.limits)
        if self._commands:
            self._start("hardware", self._work)

    async def _alone(self) -> bool:
        """Wait until the session before this one has left the outlet; whether there was one."""
        if (before := self._before) is not None:
            await before.safe()
            self._before = None
        return before is not None

    async def _greet(self, evccid: str) -> None:
        await self.evse.session_began(evccid)
        await self._watch.read_meter()

    async def _authorize(self, wanted: AuthorizationWanted) -> None:
        """A card at the outlet decides at once, everything else is the backend's."""
        verdict = await self.evse.authorize(wanted.evccid) if wanted.authorization == "EIM" else None
        if verdict is None:
            self._hearing.hear(wanted)
        else:
            self._fact(replace(Authorized() if verdict else REFUSED, about=wanted.number))

    # --- hardware, one command after the other ---

    def _command(self, want: Want) -> None:
        if isinstance(want, OpenContactor):
            self._commands.clear()
            self._stop("hardware")
        elif isinstance(want, LATEST):
            self._commands = [waiting for waiting in self._commands if type(waiting) is not type(want)]
        self._commands.append(want)
        task = self._tasks.get("hardware")
        if not self._hearing.waits and (task is None or task.done()):
            self._start("hardware", self._work)

    async def _work(self) -> None:
        while self._commands:
            await self._carry_out(self._commands.pop(0))
            self._commanded.set()

    async def _carry_out(self, want: Want) -> None:
        evse = self.evse
        if isinstance(want, CheckIsolation | CheckAlignment | CloseContactor):
            self._start("output", self._watch.output)  # there is something to see from now on
        match want:
            case LockConnector():
                locked = await evse.lock_connector()
                if not locked:
                    self._commands.clear()  # nothing becomes live after this
                self._fact(ConnectorLock(locked))
            case CheckIsolation(voltage=voltage):
                sound = await evse.check_isolation(voltage)
                self._fact(await evse.read_output())  # what was read of the test's own voltage is no pre-charge
                self._fact(IsolationMeasured(sound))
            case CheckAlignment(current=current):
                self._keep("position", self._watch.position)  # of a session that was resumed
                self._fact(AlignmentIs(await evse.check_alignment(current)))
            case SetOutput(voltage=voltage, current=current, power=power):
                await evse.set_output(voltage, current, power)
            case SetPower(power=power):
                await evse.set_power(power)
            case CloseContactor():
                self._fact(ContactorIs(await evse.close_contactor()))
            case OpenContactor():
                self._fact(ContactorIs(not await evse.open_contactor()))
            case ConnectDevice():
                await self._move_device(evse.connect_device, "EndPosition")
                self._stop("position")
            case DisconnectDevice():
                await self._move_device(evse.disconnect_device, "Home")

    async def _follow_grid(self, asked: GridControlChanged) -> None:
        """What the grid asks of the charger's own inverter: shares are of what the outlet can take back at most."""
        control = asked.shares.of(asked.control, (await self.evse.limits()).discharge_power)
        await self.evse.follow_grid(GridControl(**{name: getattr(control, name) for name in self.evse.grid_functions}))

    async def _pair(self, observed: int | None) -> None:
        self._fact(PairingIs(await self.evse.pair(observed), observed))

    async def _check_out(self, departure: Departure) -> None:
        if await self.evse.check_out(departure):
            self._fact(CheckedOut())

    async def _move_device(self, move: Callable[[], Awaitable[bool]], there: Device) -> None:
        """A device that does not say it has arrived counts as moving, and nothing becomes live under one."""
        self._fact(DeviceIs("Moving"))
        if await move():
            self._fact(DeviceIs(there))
        else:
            log.error("%s: the device did not reach %s", self.evse.evse_id, there)

    def _fact(self, fact: Fact) -> None:
        """Tell what the hardware found, unless it is what it found before."""
        repeated = isinstance(fact, OutputMeasured | LimitsChanged | PlaceIs | PositionIs) and self._seen.get(type(fact)) == fact
        self._hearing.find(fact, repeated, self._now())
        if not repeated:
            self._seen[type(fact)] = fact
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
            why = await open_outlet(self.evse)
            if why:
                self._station.broken(self, why, self._docked)
            await self._alone()  # a car that left at once leaves nothing to the next before what was there before it has gone
            await self._closing(ended, not why)
        self._station.release(self)

    async def _closing(self, ended: Ended, safe: bool) -> None:
        """What is left to do, each on its own: none of it may cost another."""
        self._hearing.go_on()  # of a session that was over before its meter was read
        limit = SAFE_LIMIT / 2
        await self._attempt("read_meter()", self._watch.read_meter(), limit / 2)
        if safe:
            if self._docked and (why := await send_home(self.evse)):
                self._station.broken(self, why, self._docked)
            await self._attempt("unlock_connector()", self.evse.unlock_connector(), limit)
        self._hearing.over(ended)
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

    def _keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something beside the session, unless it runs already."""
        task = self._tasks.get(name)
        if task is None or task.done():
            self._start(name, work)

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
