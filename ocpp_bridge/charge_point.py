"""The shell of a station's OCPP: one WebSocket to its CSMS, opened anew whenever it is lost, and the clock.

charge_point = ChargePoint(Endpoint("ws://csms:9000/ocpp", "CS-1", password="..."), bridge)
backend = charge_point.outlet(1)          # the `secc.station.Backend` of EVSE 1
await charge_point.run()                  # until cancelled
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from ocpp_bridge.bridge import SUPPORTED, Bridge
from ocpp_bridge.cashier import Cashier
from ocpp_bridge.charger import PlanWanted
from ocpp_bridge.dialing import Dialing
from ocpp_bridge.errands import run
from ocpp_bridge.installing import Installing
from ocpp_bridge.keeping import Keeping
from ocpp_bridge.model.device_model import DeviceModel, refused
from ocpp_bridge.neighbourhood import Teller
from ocpp_bridge.outlet import OutletBackend
from ocpp_bridge.smart import local
from ocpp_bridge.upload import Uploads
from ocpp_bridge.wire import dialects
from ocpp_bridge.wire.dialects import Unsayable
from ocpp_bridge.wire.endpoint import Endpoint as Endpoint
from ocpp_bridge.wire.endpoint import security_event
from ocpp_bridge.wire.link import CallFailed, Link, Trace
from ocpp_bridge.wire.opening import opening, reason_of
from ocpp_bridge.wire.outbox import UNSAYABLE, Call
from ocpp_bridge.wire.passwords import Passwords
from ocpp_bridge.wire.schemas import SENDS, Payload, PayloadFault, Version
from v2g.energy.offer import Offer
from v2g.energy.patience import Patience
from v2g.energy.plan import Plan
from v2g.legible import logger
from v2g.tasks import Fallen, Tasks
from v2g.workers import Dropped, Workers

LOG = logger("v2g.ocpp")
PASSWORD: Final = DeviceModel.key("SecurityCtrlr.BasicAuthPassword")
HUNG: Final = 3  # calls in a row without answer: behind such a socket nobody listens, and a new one may find somebody

Scheduler = Callable[[PlanWanted, Patience], tuple[Offer, Plan | None]]


class ChargePoint(Teller, Cashier):
    """Runs the bridge of a station: connects, reconnects, sends calls, answers calls.

    `scheduler` makes local schedules, on one of few threads, within the time it is given. `store` is a file that keeps transactions,
    undelivered events, profiles and what else must outlive the process; without it nothing does.
    `passwords` is a file for the password that the CSMS sets; without it none is taken. `say` is called when a background task failed; it
    begins again by itself.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        bridge: Bridge,
        *,
        scheduler: Scheduler = local.schedule,
        trace: Trace | None = None,
        store: Path | None = None,
        passwords: Path | None = None,
        say: Callable[[Fallen], None] | None = None,
    ) -> None:
        self.bridge = bridge
        self.link: Link | None = None
        self._scheduler, self._trace = scheduler, trace
        self._plans = Workers("plans")
        self._changed = asyncio.Event()
        self._keeping = Keeping(bridge, store, endpoint.station_id, self.now, self.wake)
        self.tasks = Tasks("v2g.ocpp", say)
        self._failures, self._failure = 0, ""  # attempts since the last connection, and why the last of them failed or that ended
        self._passwords = Passwords(endpoint.station_id, endpoint.password, passwords, by_certificate=endpoint.profile == 3)
        self._renewing = False  # the station leaves the CSMS to come back with another password
        self.dialing = Dialing(endpoint, bridge.charger, self._passwords)
        files = urlsplit(endpoint.url).hostname or "", lambda: self.dialing.for_files().context(), bridge, self.tasks, self.now
        self._uploads, self._installing = Uploads(*files), Installing(*files, self._keeping.landed)
        bridge.charger.variables.guards[PASSWORD] = self._passwords.objection
        self._outlets = {evse: OutletBackend(evse, bridge, self.now, self.wake) for evse in bridge.charger.evses}
        self._tell_profile()

    @property
    def endpoint(self) -> Endpoint:
        """Where the station connects, or tries to, and as whom."""
        return self.dialing.endpoint

    def _tell_profile(self) -> None:
        self.bridge.charger.variables["SecurityCtrlr.SecurityProfile"] = str(self.endpoint.profile)

    def outlet(self, evse: int) -> OutletBackend:
        """The backend for an EVSE, which decides for its sessions."""
        return self._outlets[evse]

    def now(self) -> float:
        """Monotonic seconds, as the bridge's clock counts them."""
        return time.monotonic()

    def wake(self) -> None:
        """Make the shell look at the bridge at once, because something changed."""
        self._changed.set()

    def account(self) -> dict[str, Any]:
        """The state of the connection and of the tasks behind it, JSON-able."""
        return {"connected": self.link is not None, "failures": self._failures, "reason": self._failure, "tasks": self.tasks.account()}

    async def open(self) -> None:
        """Take back what a former run kept; call it before the outlets begin. `run` does it where nobody has."""
        await self._keeping.open()

    async def run(self) -> None:
        """Serve until cancelled. Sessions are served from the beginning, whether there is a connection or not."""
        await asyncio.to_thread(self._passwords.read)
        await self.open()
        await asyncio.to_thread(self.dialing.choose)
        self._tell_profile()
        self.tasks.keep("store", self._keeping.run)
        self.tasks.keep("bridge", self._pump)
        self.tasks.keep("connection", self._connect_for_ever)
        try:
            await asyncio.get_running_loop().create_future()  # until cancelled
        finally:
            self._plans.close()
            await self.tasks.close()
            await self._keeping.close()

    # --- the connection ---

    async def _connect_for_ever(self) -> None:
        """Connect, converse, connect anew. Whatever a peer or a library comes up with is one failed attempt."""
        while True:
            try:
                socket = await self._open()
            except Exception as error:
                self._refused(error)
            else:
                self._failures = 0
                await self._worked()
                try:
                    if await self._converse(socket):
                        continue
                except Exception as error:
                    self._failure = f"{type(error).__name__}: {error}"
                    LOG.exception("the connection to %s broke", self.endpoint.address)
                finally:
                    socket.transport.abort()  # whatever ended this: a CSMS lets nobody in beside a connection that seems alive
            delay = self._back_off(self._failures)
            self._failures += 1
            await asyncio.sleep(delay)

    async def _open(self) -> ClientConnection:
        ping = self.bridge.charger.variables.number("OCPPCommCtrlr.WebSocketPingInterval")
        endpoint = await asyncio.to_thread(self.dialing.choose)
        tls = await asyncio.to_thread(endpoint.tls)
        return await opening(endpoint.address, versions=endpoint.versions, headers=endpoint.headers(), tls=tls, ping=ping or None)

    async def _worked(self) -> None:
        """The CSMS has taken password and certificate: those before are not needed any more."""
        cabinet = self.bridge.charger.safe.cabinet
        if self._passwords.worked():
            await self._write_passwords()
        if self.dialing.worked() and cabinet is not None:
            try:
                await asyncio.to_thread(cabinet.worked)
            except OSError as error:
                LOG.warning("the certificate before cannot be put away: %s", error)

    async def _converse(self, socket: ClientConnection) -> bool:
        """Serve one connection to its end; True if the station itself wants to connect anew at once."""
        if socket.subprotocol not in self.endpoint.versions:
            LOG.error("the CSMS speaks none of %s", ", ".join(self.endpoint.versions))
            await socket.close(1002, "no common subprotocol")
            return False
        version = cast(Version, socket.subprotocol)
        self.link = Link(socket, version, partial(self._asked, version), SUPPORTED, self._trace, sparing=True)
        LOG.info("connected to %s, %s, security profile %d", self.endpoint.address, version, self.endpoint.profile)
        self.bridge.go_online(version, self.now())
        self.wake()
        try:
            self._failure = await self.link.run()
            LOG.warning("disconnected: %s", self._failure)
        finally:
            self.link = None
            self.bridge.go_offline(self.now())
            self.wake()
        again, self._renewing = self._renewing or self.bridge.resetting, False
        if self.bridge.resetting:
            self.bridge.restart(self.now())
        return again

    def _refused(self, error: Exception) -> None:
        if (event := security_event(error)) is not None:
            self.bridge.alarm(*event, self.now())
        status = error.response.status_code if isinstance(error, InvalidStatus) else None
        self._failure = reason_of(error) + (f" (HTTP {status})" if status is not None else "")
        LOG.warning("no connection to %s: %s", self.endpoint.address, self._failure)
        self.dialing.failed(error, status)

    def _back_off(self, failures: int) -> float:
        """Wait doubled after each failure, up to a number of times, and a fresh random part each time."""
        number = self.bridge.charger.variables.number
        doubled = 1 << min(failures, int(number("OCPPCommCtrlr.RetryBackOffRepeatTimes")))
        chance = secrets.randbelow(1000) / 1000
        return number("OCPPCommCtrlr.RetryBackOffWaitMinimum") * doubled + number("OCPPCommCtrlr.RetryBackOffRandomRange") * chance

    # --- between link and bridge ---

    async def _asked(self, version: Version, action: str, payload: Payload) -> Payload:
        try:
            answer = self.bridge.answer(action, dialects.heard(version, action, "Request", payload), self.now())
            answer = await self._errands(answer)
            if self._passwords.changed:
                answer = await self._renewed(answer)
            await self._keeping.landed()  # what was accepted outlives us before that is said
            return dialects.written(version, action, "Response", answer)
        finally:
            self.wake()

    async def _errands(self, answer: Payload) -> Payload:
        """The answer, once the work is done that it waits for; the one in its place where that failed."""
        for errand in self.bridge.errands():
            work = run(errand, self.now, self.wake)
            if errand.answers:
                answer = await work or answer
            else:
                self.tasks.start("errand", work)
        self._connect_anew()
        return answer

    def _connect_anew(self) -> None:
        """Leave the CSMS and come back at once, where the bridge has got another certificate; what is being answered leaves first."""
        why, self.bridge.charger.safe.anew = self.bridge.charger.safe.anew, ""
        if why and self.link is not None:
            self._renewing = True
            self.dialing.renew()
            self.tasks.start("connection anew", self.link.close(1000, why))

    async def _renewed(self, answer: Payload) -> Payload:
        """Keep the password that the CSMS has set, and connect with it once this answer is sent (A01); what cannot be kept is refused."""
        if not await self._write_passwords():
            self._passwords.give_up()
            named = "OutOfStorage", "the password cannot be kept over a restart"
            results = [one | refused(*named) if one["variable"]["name"] == PASSWORD[1] else one for one in answer["setVariableResult"]]
            return {"setVariableResult": results}
        LOG.info("the CSMS has set another password; the station connects anew with it")
        self.dialing.password_set()
        self._tell_profile()
        if self.link is not None:
            self._renewing = True
            self.tasks.start("password", self.link.close(1000, "another password"))
        return answer

    async def _write_passwords(self) -> bool:
        try:
            await asyncio.to_thread(self._passwords.write)
        except OSError as error:
            LOG.error("the password that the CSMS has set cannot be kept: %s", error)
            return False
        return True

    async def _pump(self) -> None:
        """Carry what the bridge has for others, whenever something happened or is due."""
        while True:
            self._changed.clear()
            self.bridge.tick(self.now())
            self._carry()
            deadline = self.bridge.deadline()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if deadline is None else max(deadline - self.now(), 0.0)):
                    await self._changed.wait()

    def _carry(self) -> None:
        self._keeping.take()
        for errand in self.bridge.errands():
            self.tasks.start("errand", run(errand, self.now, self.wake))
        self._connect_anew()
        self._uploads.carry(self.wake)
        self._installing.carry(self.wake)
        for wanted in self.bridge.plans():
            self._plans.submit(wanted.evse, partial(self._scheduler, wanted), partial(self._planned, wanted))
        for evse, fact in self.bridge.facts():
            self._outlets[evse].tell(fact)
        for call in self.bridge.calls(self.now()):
            self._call(call)
        if self.link is not None:
            self.link.tell(self.bridge.sends())
        for note in self.bridge.notes():
            LOG.info("%s", note)
        if self.link is not None and self.bridge.resetting:
            self.tasks.start("reset", self.link.close(1000, "reset"))

    def _call(self, call: Call) -> None:
        if self.link is None:
            self.bridge.take_failure(call, "ConnectionLost", self.now())
            return
        limit = self.bridge.charger.variables.number("OCPPCommCtrlr.MessageTimeout[Default]")
        try:
            payload = dialects.written(self.link.version, call.action, "Request", call.payload)
            if call.action in SENDS:  # nobody answers it
                self.link.send(call.action, payload)
                self.bridge.take_result(call, {}, self.now())
                self.wake()
                return
            self.link.call(call.action, payload, limit).add_done_callback(partial(self._settled, self.link.version, call))
        except PayloadFault as fault:
            LOG.error("not sent: %s", fault)
            self.bridge.take_failure(call, UNSAYABLE if isinstance(fault, Unsayable) else fault.code, self.now())
            self.wake()

    def _settled(self, version: Version, call: Call, result: asyncio.Future[Payload]) -> None:
        error = None if result.cancelled() else result.exception()
        if isinstance(error, CallFailed) or result.cancelled():
            self.bridge.take_failure(call, error.code if isinstance(error, CallFailed) else "ConnectionLost", self.now())
            if self.link is not None and self.bridge.charger.outbox.hung >= HUNG:
                self.tasks.start("hung", self.link.close(1001, f"{HUNG} calls were not answered"))
        else:
            self.bridge.take_result(call, dialects.heard(version, call.action, "Response", result.result()), self.now())
        self.wake()

    def _planned(self, wanted: PlanWanted, made: Any) -> None:
        if isinstance(made, Exception):
            if not isinstance(made, Dropped):
                LOG.error("EVSE %d: no schedule can be made: %s", wanted.evse, made, exc_info=made)
            return
        offer, plan = made
        self.bridge.take_plan(wanted, offer, plan, self.now())
        self.wake()
