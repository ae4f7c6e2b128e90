"""A CSMS for laboratory and demonstration: accepts every station, keeps the story of each, and steers by charging profiles.

    csms = Csms(Strategy("prices", prices), say=print)
    server = await csms.serve("127.0.0.1", 9000)

Every frame is validated in both directions. What stations say is in the archive, where there is one, before it is answered. Every token
is accepted unless it is blocked.
"""

import asyncio
import itertools
import logging
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from ocpp_bridge.wire.link import FRAME_LIMIT, CallFailed, Link
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import Payload, Version
from v2g.legible import logger
from v2gkit.authorities.gate import Gate
from v2gkit.csms.door import STATIONS, Bounded, answers, seat, station_id
from v2gkit.csms.grounds import Grounds, GroundsConfig
from v2gkit.csms.hearing import HANDLERS, Hearing
from v2gkit.csms.shortage import say_once_a_minute
from v2gkit.csms.stations import Station, Transaction
from v2gkit.csms.steering import Steering, Strategy, needs_of, within
from v2gkit.csms.store.rows import Said, rows_of, rows_of_answer, streamed_rows
from v2gkit.sql.words import Row, StoreFault

LOG = logger("v2g.csms")
WIRE = logger("v2g.csms.websocket")
WIRE.setLevel(logging.INFO)  # below that the library tells headers and frames, with the passwords in them
VERSIONS: tuple[Version, ...] = ("ocpp2.1", "ocpp2.0.1")
ANYBODY = "LAB-1"  # who a remote start is for, if nobody is named


class Holding(Protocol):
    """Who holds which station, where several processes share them."""

    async def claim(self, station: str) -> bool:
        """Whether a station that connects here is now ours."""

    async def release(self, station: str) -> None:
        """Let a station that has gone be free."""


class Csms(Hearing):
    """The stations' server. `door` and TLS make the security profiles 1 to 3; how it answers is given as to `Hearing`."""

    def __init__(self, strategy: Strategy | None = None, **how: Any) -> None:
        super().__init__(strategy, **how)
        self._connections = itertools.count(1)
        self.holding: Holding | None = None  # who else may hold a station; None: nobody

    async def serve(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Server:
        """Listen for stations; port 0 lets the system choose. Close the returned server to stop."""
        gate = None if tls is None else Gate(tls)
        if self.grounds is not None:
            self.tasks.keep("plans of a site", self.grounds.run)
            if self.grounds.batteries.names:
                self.tasks.keep("orders of batteries", self.grounds.batteries.run)
        say_once_a_minute(asyncio.get_running_loop())
        return await serve(
            self._connected,
            host,
            port,
            process_request=self.admission,
            create_connection=cast(Any, partial(Bounded, self.admission, gate)),
            select_subprotocol=lambda connection, offered: next((Subprotocol(v) for v in VERSIONS if v in offered), None),
            max_size=FRAME_LIMIT,
            logger=WIRE,
        )

    def share(self, config: GroundsConfig) -> Grounds:
        """Plan for all stations that share a connection together, once `serve` is called. ValueError for loads that cannot be read."""

        async def send(station: Station, tx: Transaction, profile: Payload) -> bool:
            answer = await self._led(station, tx, Steering(profile), tx.evse or 1)
            return bool(answer["status"] == "Accepted")

        async def bound(station: Station, profile: Payload) -> None:
            try:
                said = (await self.call(station.id, "SetChargingProfile", {"evseId": 0, "chargingProfile": profile}))["status"]
            except CallFailed as error:
                said = str(error)
            self._note(station, "profile", f"a profile for cars that tell no needs: {said}", profile)

        self.grounds = Grounds(config, self.strategy, (self._plans.run, send, bound), self._wall, self.stations)
        return self.grounds

    # --- to a station ---

    async def call(self, station: str, action: str, payload: Payload, timeout: float = 30.0) -> Payload:  # noqa: ASYNC109
        """Send a CALL to a connected station; its result. Raises `CallFailed`, KeyError for a station that was never seen."""
        place = self.stations[station]
        link = place.link
        if link is None:
            raise CallFailed(action, "ConnectionLost", f"{station} is not connected")
        answer = await link.call(action, payload, timeout)
        self._noted(rows_of_answer(action, place, payload, answer, self._wall()))
        return answer

    async def remote_start(self, station: str, evse: int | None = None, token: str = "") -> Payload:
        """Send RequestStartTransaction, so that a car that waits or will come may charge; the station's answer."""
        payload: Payload = {"idToken": {"idToken": token or ANYBODY, "type": "Central"}, "remoteStartId": int(self._wall()) % 2**31}
        return await self.call(station, "RequestStartTransaction", payload | ({"evseId": evse} if evse else {}))

    async def remote_stop(self, station: str, transaction: str | None = None) -> Payload:
        """Send RequestStopTransaction for a transaction, the running one if none is named; the station's answer."""
        running = self.stations[station].running()
        id_ = transaction or (running.id if running else "")
        return await self.call(station, "RequestStopTransaction", {"transactionId": id_})

    async def steer(self, station: str, power: float) -> Payload:
        """Set the power (W, + into the car) of the running transaction at once, by a dynamic profile; the station's answer."""
        place = self.stations[station]
        tx = place.running()
        if tx is None or not tx.needs:
            raise ValueError(f"no car at {station} has told its needs; a setpoint needs a running transaction")
        place.strategy = Strategy("setpoint", self.strategy.prices, self.strategy.site, power, self.strategy.zone)
        if tx.profile is not None and tx.profile["chargingProfileKind"] == "Dynamic":
            power = self._strategy_of(place).setpoint  # within bounds from outside
            change = {"setpoint": within(power, needs_of(tx.needs[-1]))}
            self._note(place, "setpoint", f"setpoint {power / 1000:+.1f} kW", {"power": power})
            return await self.call(station, "UpdateDynamicSchedule", {"chargingProfileId": tx.profile["id"], "scheduleUpdate": change})
        async with tx.steering:
            return await self._steer(place, tx, tx.needs[-1])

    async def steer_again(self, station: str) -> None:
        """Steer those cars of a station anew that were steered within other bounds than those of now."""
        place = self.stations[station]
        for tx in [tx for tx in place.transactions.values() if tx.needs and not tx.ended]:
            wanted = self._strategy_of(place)
            if wanted.kind != "none" and tx.strategy != wanted and not tx.steering.locked():  # else it ends with a profile, which wakes us
                await self._steered(place, tx, tx.needs[-1])

    # --- connections ---

    async def _connected(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        id_ = station_id(socket.request.path)
        if socket.subprotocol not in VERSIONS:
            await socket.close(1002, f"no common subprotocol; this CSMS speaks {', '.join(VERSIONS)}")
            return
        if id_ not in self.stations and len(self.stations) >= STATIONS:
            await socket.close(1013, "too many stations")
            return
        station = self.stations.setdefault(id_, Station(id_))
        if not await self._free(station):
            self._note(station, "refused", "refused: it is connected already, and answers", {"peer": str(socket.remote_address[0])})
            await socket.close(1008, "the station is connected already")
            return
        version = cast(Version, socket.subprotocol)
        heard = partial(self._frames, id_) if self._frames is not None else None
        link = Link(
            socket,
            version,
            lambda action, payload: self._asked(station, action, payload),
            frozenset(HANDLERS),
            heard,
            partial(self._streams, station),
        )
        station.link, station.socket, station.version = link, socket, version
        seat(socket)
        self._note(station, "connected", f"connected, {version}", {"version": version})
        connection = f"{self.process or 'csms'}-{self._wall():.0f}-{next(self._connections)}"
        self._noted(_began(station, connection, self.process, str(socket.remote_address[0]), self._wall()))
        reason = "an error of the CSMS"
        try:
            await self._taken_up(station)
            reason = await link.run()
        finally:
            self._noted([Row("connections", {"id": connection, "reason": reason, "ended": self._wall()})])
            if station.link is link:
                station.link = station.socket = None
                self._note(station, "disconnected", f"disconnected: {reason}", {"reason": reason})
                if self.holding is not None:
                    await self.holding.release(id_)

    async def _free(self, station: Station) -> bool:
        """Whether a station may come in here: neither this process nor another one has a link of it that lives."""
        if not await self.given_way(station):
            return False
        if self.holding is not None and not await self.holding.claim(station.id):
            return False
        return await self.given_way(station)  # another link of it may have come in here meanwhile

    def drop(self, station: Station) -> None:
        """Cut the link of a station without a word."""
        if station.socket is not None:
            station.socket.transport.abort()

    async def given_way(self, station: Station) -> bool:
        """Whether nobody is connected as this station any more: an established link wins, unless it is dead."""
        while station.link is not None and station.socket is not None:
            link, socket = station.link, station.socket
            if await answers(socket):
                return False
            if station.link is link:
                socket.transport.abort()
                station.link = station.socket = None
                self._note(station, "disconnected", "disconnected: it answered no ping", {"reason": "no pong"})
        return True

    async def _asked(self, station: Station, action: str, payload: Payload) -> Payload:
        if station.status in ("Pending", "Rejected") and action not in ("BootNotification", "NotifyReport"):
            raise Refusal("SecurityError", "the station is not accepted")
        if self.archive is None:
            return HANDLERS[action](self, station, payload)
        try:
            if action == "TransactionEvent":
                await self._recalled(station, payload["transactionInfo"]["transactionId"])
            answer = HANDLERS[action](self, station, payload)
            await self.archive.keep(rows_of(action, Said(station, payload, answer, self._wall())))
        except StoreFault as fault:  # what is not on the disk is not acknowledged: the station says it again
            LOG.error("%s of %s is not stored: %s", action, station.id, fault)
            raise Refusal("InternalError", "it could not be stored") from None
        return answer

    def _streams(self, station: Station, action: str, payload: Payload) -> None:
        """Keep what a station streams: values of a monitor, which have no answer."""
        if station.status == "Accepted":
            self._noted(streamed_rows(station.id, payload))

    async def _taken_up(self, station: Station) -> None:
        """Remember the transactions of a station that run, from before a restart or from another process."""
        if self.archive is not None:
            try:
                for row in await self.archive.open_transactions(station.id):
                    if row["id"] not in station.transactions:
                        await self._known(station, row)
            except StoreFault as fault:
                LOG.error("the transactions of %s are not known: %s", station.id, fault)

    async def _recalled(self, station: Station, id_: str) -> None:
        assert self.archive is not None
        if id_ not in station.transactions and (row := await self.archive.transaction(station.id, id_)) is not None:
            await self._known(station, row)

    async def _known(self, station: Station, row: Mapping[str, Any]) -> None:
        """Take up a transaction as the store knows it, with the needs of its car and the profile that leads it."""
        assert self.archive is not None
        tx = station.transaction(row["id"])
        tx.recall(row)
        if tx.ended:
            return
        tx.led(await self.archive.led_by(station.id, tx.id))
        if tx.profile is not None:  # ids of profiles go on where they were: another one would take its place at the station
            station.profile_ids = itertools.count(max(tx.profile["id"] + 1, next(station.profile_ids)))


def _began(station: Station, connection: str, process: str, peer: str, at: float) -> list[Row]:
    """The rows of a connection that begins."""
    known = {"id": station.id, "version": station.version, "process": process, "first_seen": at, "last_seen": at}
    began = {"id": connection, "station": station.id, "process": process, "version": station.version, "peer": peer, "began": at}
    return [Row("stations", known), Row("connections", began)]
