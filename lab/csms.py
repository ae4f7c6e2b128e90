"""A CSMS for laboratory and demonstration: takes every station, keeps its story, and steers.

    csms = Csms(Strategy("prices", prices), say=print)
    server = await csms.serve("127.0.0.1", 9000)

Every frame is validated in both directions. It is no product: nothing is stored, every token is accepted unless it is blocked.
"""

import asyncio
import itertools
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from lab.csms_door import STATIONS, Admission, Bounded, answers, station_id
from lab.csms_steering import Steering, Strategy, needs_of, steering, within
from lab.passwords import Door
from ocpp_bridge.link import FRAME_LIMIT, CallFailed, Link
from ocpp_bridge.rpc import Refusal
from ocpp_bridge.schemas import Payload, Version
from ocpp_bridge.times import timestamp
from pki.identifiers import same_account
from v2g.legible import logger
from v2g.tasks import Tasks

if TYPE_CHECKING:
    from lab.csms_pki import LabPki

LOG = logger("v2g.csms")
VERSIONS: tuple[Version, ...] = ("ocpp2.1", "ocpp2.0.1")
TRANSFERS = ["AC_single_phase", "AC_two_phase", "AC_three_phase", "DC", "AC_BPT", "DC_BPT"]
HANDSHAKE = 10.0  # s for TLS
ANYBODY = "LAB-1"  # who a remote start is for, if nobody is named
REGISTERS = {"Energy.Active.Import.Register": "imported", "Energy.Active.Export.Register": "exported"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `facts` is JSON-able, `text` is for people."""

    at: float  # epoch s
    station: str
    topic: str
    text: str
    facts: dict[str, Any]


@dataclass(slots=True)
class Transaction:
    """What a CSMS knows of a transaction."""

    id: str
    evse: int | None  # not told yet: unknown, not 1
    events: list[Payload] = field(default_factory=list)
    token: Payload | None = None
    needs: list[Payload] = field(default_factory=list)
    chosen: list[Payload] = field(default_factory=list)
    profile: Payload | None = None
    ended: bool = False
    steering: asyncio.Lock = field(default_factory=asyncio.Lock)  # one profile at a time, so that the next replaces it

    def series(self, measurand: str) -> list[tuple[str, float]]:
        """(time, value) of a measurand, in the order of seqNo."""
        events = sorted(self.events, key=lambda event: event["seqNo"])
        values = (value for event in events for value in event.get("meterValue", []))
        return [(v["timestamp"], s["value"]) for v in values for s in v["sampledValue"] if s.get("measurand") == measurand]

    @property
    def energy(self) -> dict[str, float]:
        """Wh into and out of the car, as far as the registers tell."""
        taken = {name: [value for _, value in self.series(measurand)] for measurand, name in REGISTERS.items()}
        return {name: values[-1] - values[0] if values else 0.0 for name, values in taken.items()}


@dataclass(slots=True)
class Station:
    """A station, over all its connections."""

    id: str
    link: Link | None = None
    socket: ServerConnection | None = None
    version: Version = "ocpp2.1"
    status: str = ""  # of BootNotification
    connectors: dict[int, str] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    reports: list[Payload] = field(default_factory=list)
    profile_ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def running(self, evse: int | None = None) -> Transaction | None:
        """The latest transaction that has not ended."""
        alive = [tx for tx in self.transactions.values() if not tx.ended and (evse is None or tx.evse in (None, evse))]
        return alive[-1] if alive else None


class Csms:
    """`say` hears every entry of the story. `boot` answers BootNotification, `door` and TLS make the security profiles 1 to 3."""

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
    ) -> None:
        self.strategy = strategy or Strategy()
        self.stations: dict[str, Station] = {}
        self.blocked = blocked
        self._say, self._wall, self._boot = say or (lambda entry: None), wall, boot
        self._interval, self.admission = interval, Admission(door)
        self._transfers = TRANSFERS if transfers is None else transfers
        self._sample_interval, self._pki = sample_interval, pki
        self.tasks = Tasks("v2g.csms")

    async def serve(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Server:
        """Listen; port 0 lets the system choose. Close the server to stop."""
        return await serve(
            self._connected,
            host,
            port,
            ssl=tls,
            process_request=self.admission,
            create_connection=cast(Any, partial(Bounded, self.admission)),
            select_subprotocol=lambda connection, offered: next((Subprotocol(v) for v in VERSIONS if v in offered), None),
            max_size=FRAME_LIMIT,
            logger=logger("v2g.csms.websocket"),
            ssl_handshake_timeout=HANDSHAKE if tls is not None else None,
        )

    # --- to a station ---

    async def call(self, station: str, action: str, payload: Payload, timeout: float = 30.0) -> Payload:  # noqa: ASYNC109
        """Call a connected station. Raises `CallFailed`, KeyError for a station that was never seen."""
        link = self.stations[station].link
        if link is None:
            raise CallFailed(action, "ConnectionLost", f"{station} is not connected")
        return await link.call(action, payload, timeout)

    async def remote_start(self, station: str, evse: int | None = None, token: str = "") -> Payload:
        """Let a car charge that waits, or will come."""
        payload: Payload = {"idToken": {"idToken": token or ANYBODY, "type": "Central"}, "remoteStartId": int(self._wall()) % 2**31}
        return await self.call(station, "RequestStartTransaction", payload | ({"evseId": evse} if evse else {}))

    async def remote_stop(self, station: str, transaction: str | None = None) -> Payload:
        """End a transaction, the running one if none is named."""
        running = self.stations[station].running()
        id_ = transaction or (running.id if running else "")
        return await self.call(station, "RequestStopTransaction", {"transactionId": id_})

    async def steer(self, station: str, power: float) -> Payload:
        """A setpoint (W, + into the car) for the running transaction, at once: the profile is made dynamic, then updated."""
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
        link = Link(socket, version, lambda action, payload: self._asked(station, action, payload), frozenset(HANDLERS))
        station.link, station.socket, station.version = link, socket, version
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
        self._note(station, "transaction", _told(tx, payload), payload)
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
        self._note(station, "needs", f"EVSE {payload['evseId']} wants {' '.join(filter(None, wish))}", payload)
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
        self._note(station, "profile", _described(made, answer), made.profile | {"answer": answer})
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


def _told(tx: Transaction, event: Payload) -> str:
    info = event["transactionInfo"]
    parts = [f"EVSE {tx.evse or 'unknown'}: {event['eventType'].lower()}, {event['triggerReason']}"]
    parts += [info[name] for name in ("chargingState", "operationMode", "stoppedReason") if name in info]
    values = {s["measurand"]: s["value"] for value in event.get("meterValue", []) for s in value["sampledValue"] if "measurand" in s}
    if "Power.Active.Import" in values:
        parts.append(f"{(values['Power.Active.Import'] - values.get('Power.Active.Export', 0.0)) / 1000:+.2f} kW")
    if "Energy.Active.Import.Register" in values:
        parts.append(f"{tx.energy['imported'] / 1000:.2f} kWh in, {tx.energy['exported'] / 1000:.2f} kWh out")
    if "SoC" in values:
        parts.append(f"SOC {values['SoC']:.0f} %")
    return ", ".join(parts) + (", was offline" if event.get("offline") else "")


def _described(made: Steering, answer: Payload) -> str:
    schedule = made.profile["chargingSchedule"][0]
    powers = [p.get("setpoint", p.get("limit", 0.0)) / 1000 for p in schedule["chargingSchedulePeriod"]]
    money = f", {made.plan.cash:+.2f} {made.currency}" if made.plan is not None else ""
    verdict = answer["status"] + (f" ({answer['statusInfo']['reasonCode']})" if "statusInfo" in answer else "")
    return f"profile {made.profile['id']}: {len(powers)} periods from {min(powers):+.1f} to {max(powers):+.1f} kW{money}: {verdict}"
