"""The CSMS that the suite plays: the station under test connects to it, scripts read what it says and let it answer otherwise. A shell.

    async with Backend("::1", 9000, contracts) as backend:
        await backend.station(30.0)                       # a station has connected
        call = await backend.hear(0.0, lambda each: each.action == "Authorize", 10.0)
        with backend.answering("Authorize", lambda asked, usual: {"idTokenInfo": {"status": "Blocked"}}):
            ...
        said = await backend.call("RequestStopTransaction", {"transactionId": call.transaction})

Every token is accepted, every contract is believed, nobody is steered. Frames are validated against OCPP's own schemas; what breaks them is
answered as OCPP-J has it, and kept in `faults`.
"""

import asyncio
import base64
import binascii
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ocpp_bridge.wire.link import FRAME_LIMIT, CallFailed, Link
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import Payload, PayloadFault, Version, actions, check
from ocpp_bridge.wire.times import timestamp
from v2g.legible import logger
from v2g.services import SERVICES
from v2g.session.trace import OcppFrame
from v2gkit.conform.running import Unreached
from v2gkit.insight.conversation import Conversation

LOG = logger("v2g.conform.csms")
VERSIONS: Final[tuple[Version, ...]] = ("ocpp2.1", "ocpp2.0.1")
EVSES: Final = 256  # ids of EVSEs that are told apart
KEPT: Final = 100_000  # calls that are remembered of one run of the suite: a flood costs no more memory than that
ACCEPTED: Final[Payload] = {"status": "Accepted"}
Answer = Callable[[Payload, Payload | None], Payload | None]
"""What is answered to a call, given its payload and the usual answer; None: nothing, as long as this is how it is answered."""
Contracts = Callable[[bytes], bytes]
"""Answers a car's request for a contract, EXI for EXI. Raises ValueError for one that it cannot."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the station. `at` is monotonic s, `evse` the number of the EVSE that it is about, 0: it names none."""

    at: float
    action: str
    payload: Payload
    evse: int

    @property
    def transaction(self) -> str:
        """The id of the transaction that it is an event of; empty where it is none."""
        return str(self.payload.get("transactionInfo", {}).get("transactionId", ""))


class Backend:
    """One CSMS for one station: who connects last is the station. `contracts` answers cars that ask for a contract; None: none are here.

    A context that listens and closes. Raises OSError where it cannot listen; port 0 lets the system choose.
    """

    def __init__(self, host: str, port: int, contracts: Contracts | None = None, tls: ssl.SSLContext | None = None):
        self.host, self.port, self._contracts, self._tls = host, port, contracts, tls
        self.calls: list[Call] = []
        self.faults: list[str] = []  # calls of the station that break OCPP's schemas, in words
        self.listeners: list[Callable[[OcppFrame], None]] = []
        self.connections = 0
        self._answers: dict[str, Answer] = {}
        self._link: Link | None = None
        self._socket: ServerConnection | None = None
        self._away, self._waited = False, False
        self._news = asyncio.Event()
        self._conversation = Conversation({number: str(number) for number in range(1, EVSES)})
        self._server: Server | None = None

    async def __aenter__(self) -> "Backend":
        chosen = lambda _, offered: next((Subprotocol(each) for each in VERSIONS if each in offered), None)  # noqa: E731
        self._server = await serve(
            self._connected,
            self.host,
            self.port,
            ssl=self._tls,
            process_request=self._admit,
            select_subprotocol=chosen,
            max_size=FRAME_LIMIT,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    # --- what scripts do ---

    @property
    def version(self) -> Version:
        """The version that the station speaks. Raises Unreached while there is none."""
        return self._here().version

    async def station(self, within: float) -> None:
        """Wait until a station is connected. Raises Unreached where none comes within so many s, or at once where none came before."""
        limit = 0.5 if self._waited else within
        if await self._until(lambda: self._link is not None, limit) is None:
            self._waited = True
            raise Unreached(f"no station connects to this CSMS within {limit:g} s")

    def heard(self, since: float, action: str = "", evse: int = 0) -> list[Call]:
        """The calls of the station since a moment (monotonic s): of one action, about one EVSE where it is named."""
        return [each for each in self.calls if each.at >= since and action in ("", each.action) and evse in (0, each.evse)]

    async def hear(self, since: float, wanted: Callable[[Call], bool], within: float) -> Call | None:
        """The first call since a moment that is wanted, waited for so many s; None where none comes."""
        found: Call | None = await self._until(lambda: next((each for each in self.heard(since) if wanted(each)), None), within)
        return found

    async def call(self, action: str, payload: Payload, within: float = 10.0) -> Payload:
        """Ask something of the station; its answer. Raises Unreached where there is none."""
        try:
            return await self._here().call(action, payload, within)
        except (CallFailed, PayloadFault) as error:
            raise Unreached(f"the station does not answer {action}: {error}") from None

    @contextlib.contextmanager
    def answering(self, action: str, answer: Answer) -> Iterator[None]:
        """Within the block, answer an action otherwise."""
        before = dict(self._answers)
        self._answers[action] = answer
        try:
            yield
        finally:
            self._answers = before
            self._news.set()

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Within the block the CSMS is gone: the connection falls, and no other is taken."""
        self._away = True
        try:
            if self._socket is not None:
                self._socket.transport.abort()
            await self._until(lambda: self._link is None, 5.0)
            yield
        finally:
            self._away = False

    # --- what it is ---

    def _here(self) -> Link:
        if self._link is None:
            raise Unreached("the station is not connected to this CSMS any more")
        return self._link

    async def _until(self, found: Callable[[], Any], within: float) -> Any:
        """What `found` finds once it finds something; None where it does not within so many s."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not (one := found()):
                    self._news.clear()
                    await self._news.wait()
                return one
        return None

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "away\n") if self._away else None

    async def _connected(self, socket: ServerConnection) -> None:
        version = next((each for each in VERSIONS if each == socket.subprotocol), None)
        if version is None:
            await socket.close(1002, f"no common subprotocol; this CSMS speaks {', '.join(VERSIONS)}")
            return
        link = Link(socket, version, self._answered, actions(version), self._traced)
        self._link, self._socket = link, socket
        self.connections += 1
        self._news.set()
        try:
            await link.run()
        finally:
            if self._link is link:
                self._link = self._socket = None
            self._news.set()

    def _traced(self, direction: str, text: str) -> None:
        at = time.monotonic()
        frame = self._conversation.frame(at, "out" if direction == "in" else "in", text)  # as the station sees it
        if frame is None:
            return
        for listener in self.listeners:
            listener(frame)
        if direction != "in" or frame.kind != "call" or frame.payload is None or len(self.calls) >= KEPT:
            return
        self.calls.append(Call(at, frame.action, dict(frame.payload), self._conversation.evse))
        self._judge(frame)
        self._news.set()

    def _judge(self, frame: OcppFrame) -> None:
        """Keep what breaks OCPP's schema."""
        if self._link is None or frame.action not in actions(self._link.version):
            self.faults.append(f"{frame.action[:50]} is no action of OCPP")
            return
        try:
            check(self._link.version, frame.action, "Request", dict(frame.payload or {}))
        except PayloadFault as fault:
            self.faults.append(str(fault))

    async def _answered(self, action: str, payload: Payload) -> Payload:
        version = self._here().version
        usual = self._usual(action, payload, version)
        answer = self._answers.get(action)
        said = usual if answer is None else answer(payload, usual)
        if said is None and answer is not None:
            while self._answers.get(action) is answer:
                self._news.clear()
                await self._news.wait()
            said = usual
        if said is None:
            raise Refusal("NotSupported", f"{action} is nothing that this CSMS does")
        return said

    def _usual(self, action: str, payload: Payload, version: Version) -> Payload | None:
        match action:
            case "BootNotification":
                return {**ACCEPTED, "currentTime": timestamp(time.time()), "interval": 300}
            case "Heartbeat":
                return {"currentTime": timestamp(time.time())}
            case "Authorize":
                return authorized(payload, version)
            case "TransactionEvent":
                return {"idTokenInfo": ACCEPTED} if "idToken" in payload else {}
            case "NotifyEVChargingNeeds":
                return {"status": "NoChargingProfile" if version == "ocpp2.1" else "Rejected"}
            case "Get15118EVCertificate":
                return self._contract(payload, version)
            case "GetCertificateStatus":
                return {"status": "Failed"}
            case "GetCertificateChainStatus":
                return {"certificateStatus": [_unknown(each) for each in payload["certificateStatusRequests"]]}
            case "SignCertificate":
                return {"status": "Rejected"}
            case "DataTransfer":
                return {"status": "UnknownVendorId"}
        return _plain(action, version)

    def _contract(self, payload: Payload, version: Version) -> Payload:
        try:
            if self._contracts is None:
                raise ValueError("there is no provisioning service here")
            exi = self._contracts(base64.b64decode(payload["exiRequest"], validate=True))
        except (ValueError, binascii.Error):
            return {"status": "Failed", "exiResponse": ""}
        return {**ACCEPTED, "exiResponse": base64.b64encode(exi).decode()} | ({"remainingContracts": 0} if version == "ocpp2.1" else {})


_TRANSFERS: Final = tuple(dict.fromkeys(name for row in SERVICES.values() for name in row.ocpp["ocpp2.1"]))


def authorized(payload: Payload, version: Version) -> Payload:
    """The usual answer to Authorize: everybody may charge, in both directions."""
    contract = "iso15118CertificateHashData" in payload or "certificate" in payload
    return {
        "idTokenInfo": dict(ACCEPTED),
        **({"certificateStatus": "Accepted"} if contract else {}),
        **({"allowedEnergyTransfer": list(_TRANSFERS)} if version == "ocpp2.1" else {}),
    }


def _unknown(asked: Mapping[str, Any]) -> Payload:
    """The status of a certificate of which this CSMS knows nothing."""
    return {
        "certificateHashData": asked["certificateHashData"],
        "source": asked["source"],
        "status": "Unknown",
        "nextUpdate": timestamp(time.time() + 3600.0),
    }


def _plain(action: str, version: Version) -> Payload | None:
    """The shortest answer that the schema of an action allows: nothing, or that it is accepted; None where neither is."""
    for said in ({}, dict(ACCEPTED)):
        try:
            check(version, action, "Response", said)
        except PayloadFault:
            continue
        return said
    return None


def contracts_of(store: Any) -> Contracts | None:
    """The provisioning services of a folder of certificates; None where it has none."""
    from pki.errors import StoreError
    from v2g.exi.errors import DecodeError
    from v2gkit.authorities.cps import service

    try:
        serving = service(store)
    except StoreError:
        return None

    def answer(exi: bytes) -> bytes:
        try:
            return serving.answer_exi(exi, datetime.now(UTC))
        except DecodeError as error:
            raise ValueError(str(error)) from None

    return answer


def tls_of(certificate: str, key: str) -> ssl.SSLContext:
    """TLS of a CSMS that shows a chain (PEM) with its key. Raises OSError, ssl.SSLError where they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
