"""What a CSMS knows of its stations and their transactions, and the lines by which people are told."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection

from ocpp_bridge.wire.link import Link
from ocpp_bridge.wire.schemas import Payload, Version
from v2gkit.csms.steering import Steering

REGISTERS = {"Energy.Active.Import.Register": "imported", "Energy.Active.Export.Register": "exported"}


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
    """One transaction, as far as its events told the CSMS."""

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
        """The values of a measurand as (time, value), in the order of seqNo."""
        events = sorted(self.events, key=lambda event: event["seqNo"])
        values = (value for event in events for value in event.get("meterValue", []))
        return [(v["timestamp"], s["value"]) for v in values for s in v["sampledValue"] if s.get("measurand") == measurand]

    @property
    def energy(self) -> dict[str, float]:
        """The energy (Wh) into and out of the car, by the registers that were reported."""
        taken = {name: [value for _, value in self.series(measurand)] for measurand, name in REGISTERS.items()}
        return {name: values[-1] - values[0] if values else 0.0 for name, values in taken.items()}


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
    reports: list[Payload] = field(default_factory=list)
    profile_ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

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
