"""Messages for the display of a station, and which of them are to be shown now (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch

MESSAGES_MAXIMUM: Final = 50  # with their translations 300 kB: more than anybody reads. One more is refused
PRIORITIES: Final = ("AlwaysFront", "InFront", "NormalCycle")
STATES: Final = ("Charging", "Faulted", "Idle", "Unavailable", "Suspended", "Discharging")
FORMATS: Final = ("ASCII", "UTF8")  # text; what runs or leads elsewhere (HTML, a URI) is not shown on the CSMS's word


@dataclass(slots=True)
class Fare:
    """What the driver at an EVSE reads of tariff and cost; empty: nothing."""

    tariff: str = ""
    total: str = ""  # of the transaction that has ended
    until: float | None = None  # monotonic s; None: it has not ended


@dataclass(slots=True)
class Messages:
    """The messages that the CSMS has set, by id, in the order in which they came; beside them what drivers read of tariff and cost."""

    held: dict[int, Payload] = field(default_factory=dict)  # MessageInfoType
    fares: dict[int, Fare] = field(default_factory=dict)  # by EVSE
    seen: float = 0.0  # epoch s, up to when beginnings and ends have been seen to

    def put(self, message: Payload) -> None:
        """Take a message; one with the same id is replaced, and goes to the end."""
        self.held.pop(message["id"], None)
        self.held[message["id"]] = message

    def over(self, wall: float, transactions: Iterable[str]) -> list[int]:
        """The ids of the messages whose time is over at `wall` (epoch s), or whose transaction is none of those that run."""
        running = {None, *transactions}
        ended = {id_ for id_, each in self.held.items() if "endDateTime" in each and wall >= epoch(each["endDateTime"])}
        return [id_ for id_, each in self.held.items() if id_ in ended or each.get("transactionId") not in running]

    def shown(self, evse: int, state: str, transaction: str, wall: float) -> tuple[Payload, ...]:
        """What an EVSE in a state is to show: the newest AlwaysFront alone, else every InFront in turn, else the others in turn."""
        fitting = [each for each in self.held.values() if _fits(each, evse, state, transaction, wall)]
        for priority in PRIORITIES:
            chosen = tuple(each for each in fitting if each["priority"] == priority)
            if chosen:
                return chosen[-1:] if priority == "AlwaysFront" else chosen
        return ()

    def edge(self, wall: float) -> float | None:
        """The next moment (epoch s) after `wall` at which a message begins or ends."""
        times = [epoch(each[name]) for each in self.held.values() for name in ("startDateTime", "endDateTime") if name in each]
        return min((time for time in times if time > wall), default=None)


def _fits(message: Payload, evse: int, state: str, transaction: str, wall: float) -> bool:
    begun = "startDateTime" not in message or epoch(message["startDateTime"]) <= wall
    there = message.get("display", {}).get("evse", {}).get("id", evse) == evse
    return begun and there and message.get("state", state) == state and message.get("transactionId", transaction) == transaction
