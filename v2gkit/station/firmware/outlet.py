"""An outlet whose hardware is another program, the firmware: sends commands and takes reports, over any transport.

While the firmware is away or silent the outlet serves nobody; in a session it ends the session at once. Opening the contactor is then the
firmware's own duty; the outlet stays out of service until the firmware has reported it open.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields, replace
from typing import Protocol

from secc.evse import EVSE
from secc.station import (
    Alignment,
    AlignmentIs,
    AssociationLost,
    ConnectorLock,
    ContactorIs,
    Device,
    DeviceIs,
    EmergencyStop,
    EVReported,
    Fact,
    GroundDeviceIs,
    Limits,
    MeterReading,
    OutputMeasured,
    Paired,
    PilotIs,
    Position,
    StopAsked,
)
from v2g.energy.der import GridControl
from v2g.legible import legible, logger
from v2g.session.endpoint import Ended
from v2g.settings.suggestion import demand
from v2g.tasks import Tasks
from v2gkit.station.firmware import words

log = logger("v2g.firmware")

ANSWERS = {  # s until a command that has no answer counts as failed
    words.CloseContactor: 1.4,  # PowerDeliveryRes waits no longer
    words.OpenContactor: 4.5,  # what the station waits for, and a little less
    words.LockConnector: 3.0,
    words.UnlockConnector: 2.0,
    words.CheckIsolation: 60.0,  # the car's own limit ends it before
    words.SetOutput: 1.0,
    words.SetPower: 1.0,
    words.FollowGrid: 1.0,
    words.ConnectDevice: 55.0,  # as long as the vehicle is kept waiting
    words.DisconnectDevice: 55.0,
    words.PairVehicle: 55.0,
    words.CheckAlignment: 55.0,
}


FOLLOWABLE = tuple(each.name for each in fields(GridControl))


class Away(ConnectionError):
    """The firmware is not connected; the text says since when."""


class Line(Protocol):
    """A connection that carries words to one firmware."""

    why: str
    """Why it was closed; empty while it is open."""

    def send(self, word: words.FromStation) -> None:
        """Send a word; close the connection where that is impossible."""

    def close(self, why: str) -> None:
        """Close the connection to this firmware, for the reason `why`."""


class RemoteOutlet(EVSE):
    """The outlet. Either side may say nothing for `silence` s. What carries the words calls `_arrived`, `_learn` and `_gone`."""

    def __init__(self, silence: float = words.SILENCE, grid_functions: Sequence[str] = ()):
        super().__init__()
        demand("grid_functions", tuple(grid_functions), FOLLOWABLE)
        self.grid_functions = tuple(grid_functions)
        self.silence = silence
        self.tasks = Tasks("v2g.firmware")  # what keeps the way to the firmware open
        self._line: Line | None = None
        self._waiting: dict[int, asyncio.Future[words.Done]] = {}
        self._away = "the firmware has not connected yet"
        self._fault = ""
        self._limits = Limits()
        self._meter: MeterReading | None = None
        self._in_session = False
        self._before: MeterReading | None = None  # when the session began
        self._link: bool | None = None
        self._closed: bool | None = None
        self._position: Position | None = None  # ACDP
        self._device: Device | None = None
        self._alignment: Alignment | None = None  # WPT, since the check began
        self._state: dict[type[Fact], Fact] = {}  # pilot, lock and devices, for the session that comes
        self._facts: asyncio.Queue[Fact] | None = None
        self._numbers = itertools.count(1 + 1000 * secrets.randbelow(1_000_000))  # a late answer to a station before is none to this one

    # --- the outlet ---

    async def limits(self) -> Limits:
        return self._limits

    def linked(self) -> bool | None:
        return self._link

    def unserviceable(self) -> str:
        if self._line is None:
            return self._away
        if self._closed and not self._in_session:
            return "the contactor is closed and no session has closed it"
        if self._device not in (None, "Home") and not self._in_session:
            return f"the device is at {self._device}, not at Home, and no session has moved it"
        return self._fault

    async def authorize(self, evccid: str) -> bool | None:
        return (await self._asked(words.Authorize(id=next(self._numbers), evccid=evccid))).ok

    async def check_isolation(self, voltage: float) -> bool:
        return await self._done(words.CheckIsolation(id=next(self._numbers), voltage=voltage))

    async def set_output(self, voltage: float, current: float, power: float) -> None:
        await self._obeyed(words.SetOutput(id=next(self._numbers), voltage=voltage, current=current, power=power))

    async def set_power(self, power: float) -> None:
        await self._obeyed(words.SetPower(id=next(self._numbers), power=power))

    async def follow_grid(self, control: GridControl) -> None:
        await self._obeyed(words.FollowGrid(id=next(self._numbers), control=control))

    async def close_contactor(self) -> bool:
        return await self._done(words.CloseContactor(id=next(self._numbers)))

    async def open_contactor(self) -> bool:
        return await self._done(words.OpenContactor(id=next(self._numbers)))

    async def lock_connector(self) -> bool:
        return await self._done(words.LockConnector(id=next(self._numbers)))

    async def unlock_connector(self) -> bool:
        return await self._done(words.UnlockConnector(id=next(self._numbers)))

    async def read_position(self) -> Position | None:
        return self._position

    async def connect_device(self) -> bool:
        return await self._done(words.ConnectDevice(id=next(self._numbers)))

    async def disconnect_device(self) -> bool:
        return await self._done(words.DisconnectDevice(id=next(self._numbers)))

    async def pair(self, observed: int | None) -> Paired:
        paired, reason = await self._found(words.PairVehicle(id=next(self._numbers), observed=observed))
        return Paired(paired, reason=reason)

    async def check_alignment(self, current: float) -> Alignment:
        self._alignment = None
        aligned, reason = await self._found(words.CheckAlignment(id=next(self._numbers), current=current))
        found = self._alignment or Alignment(True)
        return found if aligned else replace(found, aligned=False, reason=reason or found.reason)

    async def read_output(self) -> OutputMeasured:
        return self._output

    async def read_meter(self) -> MeterReading | None:
        if self._meter is None or self._before is None:
            return self._meter
        return replace(self._meter, imported_before=self._before.imported, exported_before=self._before.exported)

    async def car_reported(self, report: EVReported) -> None:
        self._tell(words.Car(report.power, report.soc, report.energy_target))

    async def notices(self) -> AsyncIterator[Fact]:
        self._facts = queue = asyncio.Queue[Fact]()
        why = self._away if self._line is None else self._fault
        if why:  # it came after the car was let in, and before anybody listened here
            queue.put_nowait(EmergencyStop(why))
        if self._closed:
            queue.put_nowait(ContactorIs(True))
        for fact in list(self._state.values()):
            yield fact
        while True:
            yield await queue.get()

    async def session_began(self, evccid: str) -> None:
        self._in_session, self._before = True, self._meter
        self._tell(words.SessionBegan(evccid))

    async def session_ended(self, ended: Ended) -> None:
        self._in_session, self._facts, self._before = False, None, None
        self._tell(words.SessionEnded(ended.well, ended.how, ended.reason or ""))

    # --- commands ---

    async def _done(self, command: words.Command) -> bool:
        """Whether the command was carried out. A firmware that is away, or says nothing in time, has not done it."""
        return (await self._found(command))[0]

    async def _found(self, command: words.Command) -> tuple[bool, str]:
        """As `_done`, and the reason why not."""
        try:
            done = await self._asked(command)
        except (Away, TimeoutError) as error:
            log.error("%s: %s: %s", self.evse_id, type(command).__name__, error or "no answer in time")
            return False, str(error) or "no answer in time"
        if not done.ok:
            log.error("%s: %s was not done%s", self.evse_id, type(command).__name__, f": {legible(done.reason)}" if done.reason else "")
        return bool(done.ok), legible(done.reason)

    async def _obeyed(self, command: words.Command) -> None:
        """As `_done`, where not to obey ends the session. Raises Away, TimeoutError, RuntimeError."""
        done = await self._asked(command)
        if not done.ok:
            raise RuntimeError(f"the firmware refused {type(command).__name__}: {legible(done.reason) or 'it gives no reason'}")

    async def _asked(self, command: words.Command) -> words.Done:
        line = self._line
        if line is None:
            raise Away(self._away)
        future: asyncio.Future[words.Done] = asyncio.get_running_loop().create_future()
        self._waiting[command.id] = future
        try:
            line.send(command)  # type: ignore[arg-type]  # every command is a line of the station
            limit = ANSWERS.get(type(command))
            async with asyncio.timeout(limit):
                return await future
        except TimeoutError:
            raise TimeoutError(f"the firmware did not answer {type(command).__name__} within {limit:g} s") from None
        finally:
            self._waiting.pop(command.id, None)

    def _tell(self, word: words.FromStation) -> None:
        if self._line is not None:
            self._line.send(word)

    # --- what the firmware says ---

    def _arrived(self, line: Line) -> None:
        """A firmware is there: from now on it is watched."""
        self._line, self._closed = line, None
        line.send(words.Welcome(words.VERSION, self.evse_id, self.silence))

    def _gone(self, line: Line) -> None:
        """Nobody is at the other end: whatever it was doing is not done, and a session without hardware is over."""
        line.close("the link was lost")
        self._line, self._away, self._link, self._closed = None, line.why, None, None
        self._position = self._device = None
        self._output = OutputMeasured(0.0, 0.0)
        self._state.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Away(line.why))
        self._fact(EmergencyStop(line.why))
        log.error("%s: %s; the outlet serves nobody until its firmware is back", self.evse_id, legible(line.why))

    def _learn(self, word: words.FromFirmware) -> None:
        match word:
            case words.Done(id=number):
                future = self._waiting.get(number)
                if future is not None and not future.done():
                    future.set_result(word)
            case words.LimitsAre():
                said = {name: value for name in word.__struct_fields__ if (value := getattr(word, name)) is not None}
                self._limits = replace(self._limits, **said)
            case words.Output(voltage, current, power):
                self._output = OutputMeasured(voltage, current, power)
            case words.Meter():
                self._meter = _reading(word)
                if self._in_session and self._before is None:
                    self._before = self._meter  # no reading came before the session
            case words.Pilot(state):
                self._fact(PilotIs(state), keep=True)
            case words.Lock(locked):
                self._fact(ConnectorLock(locked), keep=True)
            case words.Contactor(closed):
                self._closed = closed
                self._fact(ContactorIs(closed))
            case words.Link(linked):
                self._link = linked
            case words.Position(x, y, window_x, window_y, reachable):
                self._position = Position(x, y, window_x, window_y, reachable)
            case words.Device(state):
                self._device = state
                self._fact(DeviceIs(state), keep=True)
            case words.Alignment(aligned, power, current, reason):
                self._alignment = Alignment(aligned, power, current, legible(reason))
                self._fact(AlignmentIs(self._alignment))
            case words.AssociationLost(reason):
                self._fact(AssociationLost(legible(reason)))
            case words.GroundDevice(condition):
                self._fact(GroundDeviceIs(condition), keep=True)
            case words.EmergencyStop(reason):
                self._fault = f"emergency stop: {legible(reason)}"  # until the firmware takes it back
                self._fact(EmergencyStop(legible(reason)))
            case words.Stop(reason):
                self._fact(StopAsked(legible(reason)))
            case words.Fault(reason):
                self._fault = legible(reason)
                if reason:
                    self._fact(EmergencyStop(self._fault))

    def _fact(self, fact: Fact, keep: bool = False) -> None:
        if keep:
            self._state[type(fact)] = fact
        if self._facts is not None:
            self._facts.put_nowait(fact)


def contradiction(word: words.FromFirmware, greeted: bool) -> str:
    """The reason why a word must not come now; empty if it may. `greeted`: the firmware has said hello."""
    if greeted:
        return ""
    if not isinstance(word, words.Hello):
        return f"the first line of a firmware is hello, this one began with {type(word).__name__}"
    return "" if word.version == words.VERSION else f"the firmware speaks version {word.version}, this station {words.VERSION}"


def _reading(word: words.Meter) -> MeterReading:
    try:
        signature = None if word.signature is None else bytes.fromhex(word.signature)
    except ValueError:
        signature = None
    return MeterReading(
        word.meter_id, word.imported, word.exported, word.at if word.at is not None else time.time(), signature, word.status
    )
