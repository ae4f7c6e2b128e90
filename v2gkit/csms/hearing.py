"""What a CSMS answers to its stations: one function for each message that they send, and the profile that follows needs."""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from ocpp_bridge.wire.link import CallFailed
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import Payload, PayloadFault
from ocpp_bridge.wire.times import timestamp
from pki.identifiers import same_account
from v2g.services import SERVICES
from v2g.tasks import Tasks
from v2g.workers import Workers
from v2gkit.authorities.passwords import Door
from v2gkit.csms.archive import Archive
from v2gkit.csms.bounds import FREE, Bounds
from v2gkit.csms.door import Admission
from v2gkit.csms.grounds import Grounds
from v2gkit.csms.recollection import Recollection
from v2gkit.csms.stations import CONNECTORS, Entry, Station, Transaction, no_word, story_of, verdict_on
from v2gkit.csms.steering import Steering, Strategy, selling, steering
from v2gkit.csms.store.rows import certificate_row, profile_row, text_of
from v2gkit.sql.words import Row

if TYPE_CHECKING:
    from v2gkit.csms.certificates import LabPki

REPORTS: Final = (  # what is answered with an empty message
    "ClearedChargingLimit", "ClosePeriodicEventStream", "FirmwareStatusNotification", "LogStatusNotification", "NotifyChargingLimit",
    "NotifyCustomerInformation", "NotifyDERAlarm", "NotifyDERStartStop", "NotifyDisplayMessages", "NotifyMonitoringReport",
    "NotifyPriorityCharging", "NotifyReport", "PublishFirmwareStatusNotification", "ReportChargingProfiles", "ReportDERControl",
    "ReservationStatusUpdate",
)  # fmt: skip
PLANNED: Final = 15.0  # s; a station of ours waits 20 s for a profile, and then plans for itself
TRANSFERS = list(dict.fromkeys(name for row in SERVICES.values() for name in row.ocpp["ocpp2.1"]))


class Hearing(ABC):
    """The answers to stations, and what is remembered of what they say.

    `say` hears every entry of the story, `frames` every frame: of which station, "in" or "out", its text. `boot` answers BootNotification.
    `process` names this CSMS among those that share an `archive`; `viewer` gives the address of a transaction's session, by station and id.
    `companies` are those whose VAT numbers it knows: AddressType by number.
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
        archive: Archive | None = None,
        process: str = "",
        viewer: Callable[[str, str], str | None] | None = None,
        companies: Mapping[str, Payload] | None = None,
    ) -> None:
        self.strategy = strategy or Strategy()
        self.stations: dict[str, Station] = {}
        self.blocked = blocked
        self.bounds: dict[str, Bounds] = {}  # of a station's cars together
        self.elsewise = FREE  # of a station without bounds of its own
        self._say, self._wall, self._boot = say or (lambda entry: None), wall, boot
        self._interval, self.admission = interval, Admission(door)
        self._transfers = TRANSFERS if transfers is None else transfers
        self._sample_interval, self._pki = sample_interval, pki
        self._frames = frames
        self.archive, self.process = archive, process
        self._viewer = viewer or (lambda station, transaction: None)
        self._companies = {vat_number(number): company for number, company in (companies or {}).items()}
        self._recollection = Recollection()
        self.grounds: Grounds | None = None  # the connection that stations share; None: each car is planned for by itself
        self.tasks = Tasks("v2g.csms")
        self._plans = Workers("steering", within=PLANNED)

    @abstractmethod
    async def call(self, station: str, action: str, payload: Payload, timeout: float = 30.0) -> Payload:  # noqa: ASYNC109
        """Send a CALL to a connected station; its result. Raises `CallFailed`."""

    def _noted(self, rows: Sequence[Row]) -> None:
        if self.archive is not None:
            self.archive.note(rows)

    def wall(self) -> float:
        """The time now, epoch s."""
        return self._wall()

    @contextlib.contextmanager
    def heard_by(self, hear: Callable[[Entry], None]) -> Iterator[None]:
        """Let somebody else, too, hear the story within the block."""
        say = self._say

        def both(entry: Entry) -> None:
            say(entry)
            hear(entry)

        self._say = both
        try:
            yield
        finally:
            self._say = say

    def tell(self, entry: Entry) -> None:
        """Tell who listens one more entry of the story, and keep it."""
        self._say(entry)
        self._noted([Row("story", {"station": entry.station, "at": entry.at, "topic": entry.topic, "text": entry.text})])

    def _note(self, station: Station, topic: str, text: str, facts: Payload) -> None:
        entry = Entry(self._wall(), station.id, topic, text, facts)
        if topic == "transaction":  # which is kept as its event
            self._say(entry)
        else:
            self.tell(entry)

    def _strategy_of(self, station: Station) -> Strategy:
        """How each car of a station is steered: by the setpoint that was set for it, else as all are, within bounds from outside."""
        cars = sum(not tx.ended for tx in station.transactions.values())
        return self.bounds.get(station.id, self.elsewise).part(max(cars, 1)).bind(station.strategy or self.strategy)

    def _remember(self, where: deque[Payload], payload: Payload) -> None:
        self._recollection.keep(where, payload, len(text_of(payload)))

    # --- what stations say ---

    def _boots(self, station: Station, payload: Payload) -> Payload:
        station.status = self._boot(payload)
        named = payload["chargingStation"]
        self._note(station, "boot", f"BootNotification of {named['vendorName']} {named['model']}: {station.status}", payload)
        if station.status == "Accepted" and self._sample_interval is not None:
            self.tasks.start(f"sampling of {station.id}", self._paced(station, self._sample_interval))
        if station.status == "Accepted" and self.grounds is not None:
            self.tasks.start(f"default of {station.id}", self.grounds.bounds(station))
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
        if payload["evseId"] not in station.connectors and len(station.connectors) >= CONNECTORS:
            raise Refusal("PropertyConstraintViolation", f"evseId: {CONNECTORS} EVSEs of this station are known, and it is none of them")
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
        tx = station.transaction(info["transactionId"])
        tx.viewer = tx.viewer or self._viewer(station.id, tx.id)
        if tx.note(payload, self._wall()):  # a station repeats what it saw no answer to
            self._remember(tx.events, payload)
            self._note(station, "transaction", story_of(tx, payload), payload)
        if tx.ended and self.grounds is not None:
            self.grounds.ended(station, tx)
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
        self._remember(tx.needs, payload)
        if station.strategy is None and self.grounds is not None and self.grounds.wants(station, tx, payload):
            return {"status": "Accepted"}
        if self._strategy_of(station).kind == "none":
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
        tx.strategy = self._strategy_of(station)
        given = payload, tx.strategy, self._wall(), tx.id, id_, station.version
        made = await self._plans.run((station.id, tx.id), lambda patience: steering(*given, patience))
        return {} if made is None else await self._led(station, tx, made, tx.evse or payload["evseId"])

    async def _led(self, station: Station, tx: Transaction, made: Steering, evse: int) -> Payload:
        """Send a profile for a transaction; the station's answer."""
        answer = await self.call(station.id, "SetChargingProfile", {"evseId": evse, "chargingProfile": made.profile})
        if answer["status"] == "Accepted":
            tx.profile = made.profile
        about = {"transaction": tx.id, "evse": tx.evse, "id": made.profile["id"], "status": answer["status"]}
        self._noted([profile_row(station.id, "sent", about, made.profile, self._wall())])
        self._note(station, "profile", verdict_on(made, answer), made.profile | {"answer": answer})
        return answer

    def _schedule(self, station: Station, payload: Payload) -> Payload:
        tx = station.running(payload["evseId"])
        if tx is not None:
            self._remember(tx.chosen, payload)
        number = payload.get("selectedChargingScheduleId")
        periods = payload["chargingSchedule"]["chargingSchedulePeriod"]
        chosen = f"schedule {number}" if number is not None else "a schedule of its own"
        self._note(station, "chosen", f"EVSE {payload['evseId']}: the car follows {chosen}, {len(periods)} periods", payload)
        return {"status": "Accepted"}

    def _alarm(self, station: Station, payload: Payload) -> Payload:
        self._note(station, "security", f"security event {payload['type']}", payload)
        return {}

    def _reported(self, station: Station, action: str, payload: Payload) -> Payload:
        """Take a report that wants no more than to be heard."""
        self._remember(station.reports, payload)
        if action != "NotifyReport":
            self._note(station, "report", f"{action}: {_short(payload)}", payload)
        return {}

    def _settles(self, station: Station, payload: Payload) -> Payload:
        """Take what became of a payment at a station. Receipts are the terminal's: none is made here."""
        self._remember(station.reports, payload)
        of = f" of transaction {payload['transactionId']}" if "transactionId" in payload else ", of no transaction"
        text = f"payment {payload['pspRef']}{of}: {payload['status']}, {payload['settlementAmount']:g}"
        self._note(station, "payment", text, payload)
        return {}

    def _validates(self, station: Station, payload: Payload) -> Payload:
        """Say whose VAT number that is, as far as this CSMS was told."""
        company = self._companies.get(vat_number(payload["vatNumber"]))
        answer: Payload = {name: payload[name] for name in ("vatNumber", "evseId") if name in payload}
        answer["status"] = "Rejected" if company is None else "Accepted"
        if company is None:
            answer["statusInfo"] = {"reasonCode": "InvalidValue", "additionalInfo": "no company of that VAT number is known here"}
        else:
            answer["company"] = company
        self._note(station, "payment", f"VAT number {payload['vatNumber']}: {answer['status']}", payload | {"answer": answer})
        return answer

    def _swaps(self, station: Station, payload: Payload) -> Payload:
        """Take what a station that swaps batteries tells of them."""
        self._remember(station.reports, payload)
        those = ", ".join(f"{each['serialNumber']} in slot {each['evseId']} at {each['soC']:g} %" for each in payload["batteryData"])
        self._note(station, "battery", f"{payload['eventType']} by {payload['idToken']['idToken']}: {those}", payload)
        return {}

    def _signs(self, station: Station, payload: Payload) -> Payload:
        """Take a request for a certificate; what is signed follows as CertificateSigned."""
        if self._pki is None:
            return {
                "status": "Rejected",
                "statusInfo": {"reasonCode": "CSRNotSupported", "additionalInfo": "this CSMS has no authority: --cps"},
            }
        self.tasks.start(f"certificate of {station.id}", self._signed(station, self._pki, payload))
        return {"status": "Accepted"}

    async def _signed(self, station: Station, pki: "LabPki", payload: Payload) -> None:
        kind = payload.get("certificateType", "ChargingStationCertificate")
        try:
            chain = await asyncio.to_thread(pki.sign, payload["csr"], kind)
            answer = await self.call(station.id, "CertificateSigned", signed_payload(payload, chain, kind, station.version))
        except (CallFailed, PayloadFault, ValueError) as error:
            self._note(station, "certificate", f"{kind}: none was issued: {error}", {"error": str(error)})
            self._noted([certificate_row(station.id, kind, "Failed", self._wall(), detail=str(error))])
            return
        self._note(station, "certificate", f"{kind} issued: {answer['status']}", {"answer": answer})
        self._noted([certificate_row(station.id, kind, answer["status"], self._wall(), detail=chain)])

    def _transfers_data(self, station: Station, payload: Payload) -> Payload:
        return {"status": "UnknownVendorId"}

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

    def _chain_status(self, station: Station, payload: Payload) -> Payload:
        """A car is there, and the station asks about the certificates that it shows."""
        asked = payload["certificateStatusRequests"]
        unknown = {"certificateStatus": [no_word(each, self._wall()) for each in asked]}
        answer = unknown if self._pki is None else self._pki.chain_status(payload)
        said = ", ".join(f"{each['certificateHashData']['serialNumber']} {each['status']}" for each in answer["certificateStatus"])
        self._note(station, "certificate-status", f"GetCertificateChainStatus: {said}", payload)
        return answer

    def _pull(self, station: Station, payload: Payload) -> Payload:
        return {"status": "Accepted", "scheduleUpdate": {"setpoint": self._strategy_of(station).setpoint}}


def _heard(action: str, hearing: Hearing, station: Station, payload: Payload) -> Payload:
    return hearing._reported(station, action, payload)


def _short(payload: Payload) -> str:
    """The words and numbers at the top of a payload, for one line."""
    plain = (f"{name} {value}" for name, value in payload.items() if isinstance(value, str | int | float))
    return ", ".join(plain)[:200] or "no particulars"


def vat_number(text: str) -> str:
    """A VAT number as it is compared: in capitals, without blanks, points and dashes."""
    return "".join(character for character in text.upper() if character.isalnum())


def signed_payload(asked: Payload, chain: str, kind: str, version: str) -> Payload:
    """The payload of CertificateSigned for a chain of PEM; `requestId` goes back to who speaks 2.1."""
    payload: Payload = {"certificateChain": chain, "certificateType": kind}
    return payload | ({"requestId": asked["requestId"]} if version == "ocpp2.1" and "requestId" in asked else {})


Handler = Callable[[Hearing, Station, Payload], Payload]
HANDLERS: dict[str, Handler] = {
    "BootNotification": Hearing._boots,
    "Heartbeat": Hearing._beats,
    "StatusNotification": Hearing._connector,
    "Authorize": Hearing._authorizes,
    "TransactionEvent": Hearing._transaction,
    "NotifyEVChargingNeeds": Hearing._needs,
    "NotifyEVChargingSchedule": Hearing._schedule,
    "SecurityEventNotification": Hearing._alarm,
    "Get15118EVCertificate": Hearing._certificate,
    "GetCertificateStatus": Hearing._status,
    "GetCertificateChainStatus": Hearing._chain_status,
    "PullDynamicScheduleUpdate": Hearing._pull,
    "NotifyEvent": Hearing._events,
    "MeterValues": lambda hearing, station, payload: {},
    "DataTransfer": Hearing._transfers_data,
    "SignCertificate": Hearing._signs,
    "NotifySettlement": Hearing._settles,
    "VatNumberValidation": Hearing._validates,
    "BatterySwap": Hearing._swaps,
    "OpenPeriodicEventStream": lambda hearing, station, payload: {"status": "Accepted"},
    **{action: partial(_heard, action) for action in REPORTS},
}
