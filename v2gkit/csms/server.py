"""A CSMS for laboratory and demonstration: accepts every station, keeps the story of each, and steers by charging profiles.

    csms = Csms(Strategy("prices", prices), say=print)
    server = await csms.serve("127.0.0.1", 9000)

Every frame is validated in both directions. It is no product: nothing is stored, every token is accepted unless it is blocked.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from ocpp_bridge.wire.link import FRAME_LIMIT, CallFailed, Link
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import Payload, Version
from ocpp_bridge.wire.times import timestamp
from pki.identifiers import same_account
from v2g.legible import logger
from v2g.services import SERVICES
from v2g.tasks import Tasks
from v2gkit.authorities.gate import Gate
from v2gkit.authorities.passwords import Door
from v2gkit.csms.door import STATIONS, Admission, Bounded, answers, seat, station_id
from v2gkit.csms.shortage import say_once_a_minute
from v2gkit.csms.stations import Entry, Station, Transaction, story_of, verdict_on
from v2gkit.csms.steering import Strategy, needs_of, selling, steering, within

if TYPE_CHECKING:
    from v2gkit.csms.certificates import LabPki

LOG = logger("v2g.csms")
WIRE = logger("v2g.csms.websocket")
WIRE.setLevel(logging.INFO)  # below that the library tells headers and frames, with the passwords in them
VERSIONS: tuple[Version, ...] = ("ocpp2.1", "ocpp2.0.1")
TRANSFERS = list(dict.fromkeys(name for row in SERVICES.values() for name in row.ocpp["ocpp2.1"]))
ANYBODY = "LAB-1"  # who a remote start is for, if nobody is named


class Csms:
    """`say` hears every entry of the story, `frames` every frame: of which station, "in" or "out", its text.

    `boot` answers BootNotification, `door` and TLS make the security profiles 1 to 3.
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        *,
        say: Callable[[Entry], None] | None = None,
        wall: Callable[[], float] = time.time,
        boot: Callable[[Payload], str] = lambda payload: "Accepted",
        interval: int = 300,
        door: Door | None = None,
        blocked: frozenset[str] = frozenset(),
        transfers: list[str] | None = None,
        sample_interval: int | None = None,
        pki: "LabPki | None" = None,
        frames: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self.strategy = strategy or Strategy()
        self.stations: dict[str, Station] = {}
        self.blocked = blocked
        self._say, self._wall, self._boot = say or (lambda entry: None), wall, boot
        self._interval, self.admission = interval, Admission(door)
        self._transfers = TRANSFERS if transfers is None else transfers
        self._sample_interval, self._pki = sample_interval, pki
        self._frames = frames
        self.tasks = Tasks("v2g.csms")

    async def serve(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Server:
        """Listen for stations; port 0 lets the system choose. Close the returned server to stop."""
        gate = None if tls is None else Gate(tls)
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

    # --- to a station ---

    async def call(self, station: str, action: str, payload: Payload, timeout: float = 30.0) -> Payload:  # noqa: ASYNC109
        """Send a CALL to a connected station; its result. Raises `CallFailed`, KeyError for a station that was never seen."""
        link = self.stations[station].link
        if link is None:
            raise CallFailed(action, "ConnectionLost", f"{station} is not connected")
        return await link.call(action, payload, timeout)

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
        self.strategy = Strategy("setpoint", self.strategy.prices, self.strategy.site, power, self.strategy.zone)
        if tx.profile is not None and tx.profile["chargingProfileKind"] == "Dynamic":
            change = {"setpoint": within(power, needs_of(tx.needs[-1]))}
            self._note(place, "setpoint", f"setpoint {power / 1000:+.1f} kW", {"power": power})
            return await self.call(station, "UpdateDynamicSchedule", {"chargingProfileId": tx.profile["id"], "scheduleUpdate": change})
        async with tx.steering:
            return await self._steer(place, tx, tx.needs[-1])

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
        if not await self._given_way(station):
            self._note(station, "refused", "refused: it is connected already, and answers", {"peer": str(socket.remote_address[0])})
            await socket.close(1008, "the station is connected already")
            return
        version = cast(Version, socket.subprotocol)
        heard = partial(self._frames, id_) if self._frames is not None else None
        link = Link(socket, version, lambda action, payload: self._asked(station, action, payload), frozenset(HANDLERS), heard)
        station.link, station.socket, station.version = link, socket, version
        seat(socket)
        self._note(station, "connected", f"connected, {version}", {"version": version})
        reason = "an error of the CSMS"
        try:
            reason = await link.run()
        finally:
            if station.link is link:
                station.link = station.socket = None
                self._note(station, "disconnected", f"disconnected: {reason}", {"reason": reason})

    async def _given_way(self, station: Station) -> bool:
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
        return HANDLERS[action](self, station, payload)

    def _note(self, station: Station, topic: str, text: str, facts: Payload) -> None:
        self._say(Entry(self._wall(), station.id, topic, text, facts))

    # --- what stations say ---

    def _boots(self, station: Station, payload: Payload) -> Payload:
        station.status = self._boot(payload)
        named = payload["chargingStation"]
        self._note(station, "boot", f"BootNotification of {named['vendorName']} {named['model']}: {station.status}", payload)
        if station.status == "Accepted" and self._sample_interval is not None:
            self.tasks.start(f"sampling of {station.id}", self._paced(station, self._sample_interval))
        return {"currentTime": timestamp(self._wall()), "interval": self._interval, "status": station.status}

    async def _paced(self, station: Station, interval: int) -> None:
        """Ask for periodic meter values every so many seconds of the station's clock."""
        wanted = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}, "attributeValue": str(interval)}
        try:
            answer = await self.call(station.id, "SetVariables", {"setVariableData": [wanted]})
        except CallFailed as error:
            self._note(station, "sampling", f"no sampling interval: {error}", {"error": str(error)})
            return
        status = answer["setVariableResult"][0]["attributeStatus"]
        self._note(station, "sampling", f"meter values every {interval} s: {status}", {"interval": interval, "status": status})

    def _beats(self, station: Station, payload: Payload) -> Payload:
        return {"currentTime": timestamp(self._wall())}

    def _connector(self, station: Station, payload: Payload) -> Payload:
        station.connectors[payload["evseId"]] = payload["connectorStatus"]
        self._note(station, "status", f"EVSE {payload['evseId']} is {payload['connectorStatus'].lower()}", payload)
        return {}

    def _authorizes(self, station: Station, payload: Payload) -> Payload:
        token = payload["idToken"]
        status = "Blocked" if self._blocks(token) else "Accepted"
        answer: Payload = {"idTokenInfo": {"status": status}}
        if "certificate" in payload or "iso15118CertificateHashData" in payload:
            judged = self._pki.judged(payload) if self._pki is not None else "Accepted"
            account = self._pki.account(payload) if self._pki is not None else ""
            if account and self._blocks({"type": "eMAID", "idToken": account}):
                status = "Blocked"
            elif status == "Accepted" and (judged != "Accepted" or (account and not same_account(account, token["idToken"]))):
                status = "Expired" if judged == "CertificateExpired" else "Invalid"
            answer = {"idTokenInfo": {"status": status}, "certificateStatus": "ContractCancelled" if status == "Blocked" else judged}
        if station.version == "ocpp2.1" and status == "Accepted" and self._transfers:
            answer["allowedEnergyTransfer"] = self._transfers
        proof = f" with contract, certificate {answer['certificateStatus']}" if "certificateStatus" in answer else ""
        text = f"Authorize {token['type']} {token['idToken'] or '(none)'}{proof}: {status}"
        self._note(station, "authorize", text, payload | {"answer": answer})
        return answer

    def _blocks(self, token: Payload) -> bool:
        """Whether a token is blocked, however spelt: OCPP's tokens know no case, an eMAID also neither separators nor check digit."""
        said = token["idToken"]
        plain = said.casefold() in {blocked.casefold() for blocked in self.blocked}
        return plain or (token["type"] == "eMAID" and any(same_account(said, blocked) for blocked in self.blocked))

    def _transaction(self, station: Station, payload: Payload) -> Payload:
        info = payload["transactionInfo"]
        id_ = info["transactionId"]
        tx = station.transactions.setdefault(id_, Transaction(id_, None))
        tx.evse = payload.get("evse", {}).get("id", tx.evse)
        if all(event["seqNo"] != payload["seqNo"] for event in tx.events):  # a station repeats what it saw no answer to
            tx.events.append(payload)
        tx.ended |= payload["eventType"] == "Ended"
        tx.token = payload.get("idToken", tx.token)
        self._note(station, "transaction", story_of(tx, payload), payload)
        answer: Payload = {}
        if "idToken" in payload:
            status = "Blocked" if self._blocks(payload["idToken"]) else "Accepted"
            answer["idTokenInfo"] = {"status": status}
        return answer

    def _events(self, station: Station, payload: Payload) -> Payload:
        for event in payload["eventData"]:
            component = event["component"]
            place = f"EVSE {component['evse']['id']}: " if "evse" in component else ""
            said = " ".join(str(event[name]) for name in ("techCode", "techInfo") if name in event) or event["actualValue"]
            self._note(station, "event", f"{place}{component['name']}.{event['variable']['name']}: {said}", event)
        return {}

    def _needs(self, station: Station, payload: Payload) -> Payload:
        tx, charging = station.running(payload["evseId"]), payload["chargingNeeds"]
        wish = charging["requestedEnergyTransfer"], charging.get("controlMode", "")
        said = f"EVSE {payload['evseId']} wants {' '.join(filter(None, wish))}"
        self._note(station, "needs", ", ".join(filter(None, (said, selling(charging)))), payload)
        if tx is None:
            return {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
        tx.needs.append(payload)
        if self.strategy.kind == "none":
            return {"status": "NoChargingProfile" if station.version == "ocpp2.1" else "Processing"}
        self.tasks.start(f"steering of {station.id}", self._steered(station, tx, payload))
        return {"status": "Accepted"}

    async def _steered(self, station: Station, tx: Transaction, payload: Payload) -> None:
        try:
            async with tx.steering:
                if payload is tx.needs[-1]:  # else newer needs wait behind these
                    await self._steer(station, tx, payload)
        except (CallFailed, ValueError) as error:
            self._note(station, "profile", f"no profile: {error}", {"error": str(error)})

    async def _steer(self, station: Station, tx: Transaction, payload: Payload) -> Payload:
        """Make a profile off the event loop and send it; the same id replaces the one before."""
        id_ = tx.profile["id"] if tx.profile else next(station.profile_ids)
        made = await asyncio.to_thread(steering, payload, self.strategy, self._wall(), tx.id, id_, station.version)
        if made is None:
            return {}
        answer = await self.call(
            station.id, "SetChargingProfile", {"evseId": tx.evse or payload["evseId"], "chargingProfile": made.profile}
        )
        if answer["status"] == "Accepted":
            tx.profile = made.profile
        self._note(station, "profile", verdict_on(made, answer), made.profile | {"answer": answer})
        return answer

    def _schedule(self, station: Station, payload: Payload) -> Payload:
        tx = station.running(payload["evseId"])
        if tx is not None:
            tx.chosen.append(payload)
        number = payload.get("selectedChargingScheduleId")
        periods = payload["chargingSchedule"]["chargingSchedulePeriod"]
        chosen = f"schedule {number}" if number is not None else "a schedule of its own"
        self._note(station, "chosen", f"EVSE {payload['evseId']}: the car follows {chosen}, {len(periods)} periods", payload)
        return {"status": "Accepted"}

    def _reports(self, station: Station, payload: Payload) -> Payload:
        station.reports.append(payload)
        return {}

    def _alarm(self, station: Station, payload: Payload) -> Payload:
        self._note(station, "security", f"security event {payload['type']}", payload)
        return {}

    def _certificate(self, station: Station, payload: Payload) -> Payload:
        answer = {"status": "Failed", "exiResponse": ""} if self._pki is None else self._pki.contract(payload, station.version)
        remaining = f", {answer['remainingContracts']} remain" if "remainingContracts" in answer else ""
        self._note(station, "certificate", f"a car wants its contract: {answer['status']}{remaining}", payload | {"answer": answer})
        return answer

    def _status(self, station: Station, payload: Payload) -> Payload:
        answer = {"status": "Failed"} if self._pki is None else self._pki.status(payload)
        serial = payload["ocspRequestData"]["serialNumber"]
        self._note(station, "certificate-status", f"GetCertificateStatus of {serial}: {answer['status']}", payload)
        return answer

    def _pull(self, station: Station, payload: Payload) -> Payload:
        return {"status": "Accepted", "scheduleUpdate": {"setpoint": self.strategy.setpoint}}


Handler = Callable[[Csms, Station, Payload], Payload]
HANDLERS: dict[str, Handler] = {
    "BootNotification": Csms._boots,
    "Heartbeat": Csms._beats,
    "StatusNotification": Csms._connector,
    "Authorize": Csms._authorizes,
    "TransactionEvent": Csms._transaction,
    "NotifyEVChargingNeeds": Csms._needs,
    "NotifyEVChargingSchedule": Csms._schedule,
    "NotifyReport": Csms._reports,
    "ReportChargingProfiles": Csms._reports,
    "SecurityEventNotification": Csms._alarm,
    "Get15118EVCertificate": Csms._certificate,
    "GetCertificateStatus": Csms._status,
    "PullDynamicScheduleUpdate": Csms._pull,
    "NotifyEvent": Csms._events,
    "MeterValues": lambda csms, station, payload: {},
}
