"""What a CSMS knows of its stations and their transactions, and the lines by which people are told."""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from websockets.asyncio.server import ServerConnection

from ocpp_bridge.wire.link import Link
from ocpp_bridge.wire.schemas import Payload, Version
from ocpp_bridge.wire.times import timestamp
from v2gkit.csms.measured import samples_of
from v2gkit.csms.recollection import Numbers, Register
from v2gkit.csms.steering import Steering, Strategy

REGISTERS: Final = {"Energy.Active.Import.Register": "import", "Energy.Active.Export.Register": "export"}
DIRECTIONS: Final = {"imported": "import", "exported": "export"}
POWERS: Final = {"Power.Active.Import": 1.0, "Power.Active.Export": -1.0}
TRANSACTIONS: Final = (
    64  # of a station in memory: one that begins more without ending them has its oldest forgotten here, the store has them
)
CONNECTORS: Final = 256  # EVSEs of a station whose state is remembered; ids are the station's own, and it may invent some
WORDS: Final = {"chargingState": "charging_state", "operationMode": "operation_mode", "stoppedReason": "stopped_reason"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in the story of a CSMS. `facts` is JSON-able, `text` is for people."""

    at: float  # epoch s
    station: str
    topic: str
    text: str
    facts: dict[str, Any]


@dataclass(slots=True)
class Transaction:
    """One transaction, as far as its events told the CSMS. What is asked of it costs the same after any number of events."""

    id: str
    evse: int | None  # not told yet: unknown, not 1
    events: deque[Payload] = field(default_factory=deque)  # the newest, as far as there is room: see Recollection
    token: Payload | None = None
    needs: deque[Payload] = field(default_factory=deque)
    chosen: deque[Payload] = field(default_factory=deque)
    profile: Payload | None = None
    strategy: Strategy | None = None  # by which its profile was made, or tried to
    began: float | None = None  # epoch s of its first event
    ended_at: float | None = None
    viewer: str | None = None  # the address of its session in the live viewer
    power: float | None = None  # W by its meter, + into the car
    words: dict[str, str] = field(default_factory=dict)  # state, operation mode, reason of the end, as they were told last
    registers: dict[str, Register] = field(default_factory=dict)
    seen: Numbers = field(default_factory=Numbers)
    steering: asyncio.Lock = field(default_factory=asyncio.Lock)  # one profile at a time, so that the next replaces it

    @property
    def ended(self) -> bool:
        """Whether its end was told."""
        return self.ended_at is not None

    def note(self, event: Payload, at: float) -> bool:
        """Take what an event says, told at `at` (epoch s); False: it came before, and changes nothing."""
        if not self.seen.add(event["seqNo"]):
            return False
        info = event["transactionInfo"]
        self.evse = event.get("evse", {}).get("id", self.evse)
        self.token = event.get("idToken", self.token)
        self.began = at if self.began is None else self.began
        self.words |= {ours: info[name] for name, ours in WORDS.items() if name in info}
        powers = {}
        for sample in samples_of(event.get("meterValue", ())):
            measurand, value = sample["measurand"], sample["value"]
            if sample["phase"] is not None:
                continue
            if (name := REGISTERS.get(measurand)) is not None:
                place = event["seqNo"], value
                self.registers.setdefault(name, Register(place, place)).note(*place)
            elif measurand in POWERS:
                powers[measurand] = POWERS[measurand] * value
        self.power = sum(powers.values()) if powers else self.power
        if event["eventType"] == "Ended" and self.ended_at is None:
            self.ended_at, self.power = at, 0.0
        return True

    def recall(self, row: Mapping[str, Any]) -> None:
        """Take what the store knows of it."""
        self.evse, self.began, self.ended_at, self.power = row["evse"], row["began"], row["ended"], row["power"]
        self.viewer = row["viewer"]
        self.token = {"idToken": row["token"], "type": row["token_type"]} if row["token"] is not None else None
        self.words = {ours: row[ours] for ours in WORDS.values() if row[ours] is not None}
        for name in REGISTERS.values():
            if row[f"{name}_first_no"] is not None:
                ends = ((row[f"{name}_{end}_no"], row[f"{name}_{end}"]) for end in ("first", "last"))
                self.registers[name] = Register(*ends)

    def led(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take what the store knows of the car's needs, and of the profile that its station follows."""
        for row in rows:
            payload = msgspec.json.decode(row["payload"])
            if row["kind"] == "needs":
                self.needs.append({"evseId": row["evse"], "chargingNeeds": payload})
            else:
                self.profile = payload

    def series(self, measurand: str) -> list[tuple[str, float]]:
        """The values of a measurand in the newest events as (time, value), in the order of seqNo."""
        events = sorted(self.events, key=lambda event: event["seqNo"])
        values = (value for event in events for value in event.get("meterValue", []))
        return [(v["timestamp"], s["value"]) for v in values for s in v["sampledValue"] if s.get("measurand") == measurand]

    @property
    def energy(self) -> dict[str, float]:
        """The energy (Wh) into and out of the car, by the registers that were reported."""
        return {said: self.registers[name].energy if name in self.registers else 0.0 for said, name in DIRECTIONS.items()}


@dataclass(slots=True)
class Station:
    """One station, over all its connections."""

    id: str
    link: Link | None = None
    socket: ServerConnection | None = None
    version: Version = "ocpp2.1"
    status: str = ""  # of BootNotification
    connectors: dict[int, str] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    reports: deque[Payload] = field(default_factory=deque)
    strategy: Strategy | None = None  # its own, once a setpoint was set for it
    profile_ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def transaction(self, id_: str) -> Transaction:
        """The transaction of this id, a new one where it is not known; one too many costs the oldest, an ended one first."""
        tx = self.transactions.get(id_)
        if tx is None:
            if len(self.transactions) >= TRANSACTIONS:
                del self.transactions[next((old.id for old in self.transactions.values() if old.ended), next(iter(self.transactions)))]
            tx = self.transactions[id_] = Transaction(id_, None)
        return tx

    def running(self, evse: int | None = None) -> Transaction | None:
        """The latest transaction that has not ended, at `evse` where given; None: there is none."""
        alive = [tx for tx in self.transactions.values() if not tx.ended and (evse is None or tx.evse in (None, evse))]
        return alive[-1] if alive else None


def story_of(tx: Transaction, event: Payload) -> str:
    """A TransactionEvent as one line for people."""
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


def verdict_on(made: Steering, answer: Payload) -> str:
    """A charging profile that was sent, and the station's answer, as one line for people."""
    schedule = made.profile["chargingSchedule"][0]
    powers = [p.get("setpoint", p.get("limit", 0.0)) / 1000 for p in schedule["chargingSchedulePeriod"]]
    money = f", {made.plan.cash:+.2f} {made.currency}" if made.plan is not None else ""
    verdict = answer["status"] + (f" ({answer['statusInfo']['reasonCode']})" if "statusInfo" in answer else "")
    return f"profile {made.profile['id']}: {len(powers)} periods from {min(powers):+.1f} to {max(powers):+.1f} kW{money}: {verdict}"


def no_word(asked: Payload, until: float) -> Payload:
    """The CertificateStatus to one CertificateStatusRequestInfo where nobody knows anything; `until` is epoch s."""
    named = {name: asked[name] for name in ("source", "certificateHashData")}
    return named | {"status": "Failed", "nextUpdate": timestamp(until)}
