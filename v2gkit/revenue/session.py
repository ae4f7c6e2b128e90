"""The sessions in a station's trace as money needs them: readings with their signatures, prices that were offered and chosen, the bill."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from v2g.energy.ledger.rows import Entry, Reading, entries_between
from v2g.energy.series import Series, Step
from v2g.energy.tab import Tab
from v2g.legible import legible

MOST_READINGS: Final = 200_000  # of a session: one a second for two days
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metered:
    """A reading of the registers with the record that its meter signed, empty where there is none."""

    reading: Reading
    record: bytes = b""
    key: bytes = b""


@dataclass(slots=True)
class Session:
    """What a trace tells of one session."""

    id: str = ""
    connection: str = ""
    began: float = 0.0  # epoch s of the connection: a session that was paused has several
    evse: str = ""
    contract: str = ""  # emaid; empty: none was shown
    meter: str = ""
    power: float = 0.0  # W that the outlet charges with at most
    readings: list[Metered] = field(default_factory=list)
    offers: list[bytes] = field(default_factory=list)  # prices as they were offered, canonical
    tab: Tab | None = None
    currency: str = ""
    bill: dict[str, Any] | None = None  # as the station billed it, millionths

    @property
    def name(self) -> str:
        """What the books call it: contract (the outlet where none was shown), session, and when its connection began."""
        return f"{self.contract or self.evse}#{self.id}@{self.began:.0f}"

    def entries(self, prices: tuple[Series, Series] | None = None) -> tuple[Entry, ...]:
        """The metered energy at the prices of the driver, or at others that are given. ValueError where readings do not ascend."""
        imports, exports = prices or ((self.tab.imports, self.tab.exports) if self.tab else (None, None))
        return entries_between(self.name, [one.reading for one in self.readings], imports, exports)


def sessions_of(records: Iterable[Record]) -> list[Session]:
    """The sessions with at least two readings, in the order in which they began. ValueError names what a record lacks."""
    found: dict[Any, Session] = {}
    present: dict[Any, Any] = {}  # connection -> key of its session
    offers: dict[Any, Any] = {}
    for number, record in enumerate(records):
        at = record.get("connection")
        if record.get("type") == "trace":
            present[at] = number
            found[number] = Session(
                connection=str(at), began=float(record.get("epoch", 0.0)), evse=legible(str(record.get("about", {}).get("evse", "")))
            )
        if at not in present or record.get("type") not in ("event", "fact"):
            continue
        try:
            _learn(found[present[at]], record["name"], record["facts"], float(record["epoch"]), offers, present[at])
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            said = f"{type(error).__name__}: {error}"
            raise ValueError(f"record {number + 1} ({legible(str(record.get('name')))}) is none that a station writes: {said}") from None
    return [session for session in found.values() if len(session.readings) > 1]


def _learn(session: Session, name: str, facts: Record, wall: float, offers: dict[Any, Any], key: Any) -> None:
    match name:
        case "SessionGiven":
            session.power = max(session.power, float(facts["outlet"]["limits"].get("charge_power", 0.0)))
        case "SessionStarted":
            session.id = legible(str(facts["session_id"]))
        case "AuthorizationWanted":
            session.contract = legible(str(facts.get("emaid") or ""))
        case "MeterRead":
            _read(session, facts["reading"], wall)
        case "ScheduleReady":
            offers[key] = facts["offer"]
            if session.tab is None and facts["offer"].get("tuples"):  # Dynamic control chooses nothing: the first binds
                _price(session, facts["offer"], facts["offer"]["tuples"][0], wall)
        case "ScheduleChosen":
            offer = offers.get(key, {})
            chosen = facts if facts.get("import_prices") else _tuple(offer, facts.get("tuple_id"))
            if chosen is not None:
                _price(session, offer, chosen, wall)
        case "Billed":
            session.bill = {"currency": str(facts["currency"]), **facts["bill"]}
            session.currency = str(facts["currency"])


def _tuple(offer: Record, number: Any) -> Record | None:
    """The schedule of an offer that a car chose, in traces that do not tell by which prices it was billed."""
    return next((each for each in offer.get("tuples", ()) if each.get("id") == number), None)


def _read(session: Session, said: Record, wall: float) -> None:
    """A reading at the time of the station's clock, by which it bills; what the meter's own clock says stands in the signed record."""
    signed = said.get("signed") or {}
    if len(session.readings) == MOST_READINGS:
        raise ValueError(f"a session has more than {MOST_READINGS} readings")
    session.meter = legible(str(said.get("meter_id", "")))
    reading = Reading(wall, float(said["imported"]), float(said["exported"]))
    last = session.readings[-1].reading if session.readings else None
    if last is not None and (reading.at <= last.at or reading.imported < last.imported or reading.exported < last.exported):
        return  # an equal reading, told twice; one that goes back is billed to nobody
    record, key = (bytes.fromhex(signed.get(part) or "") for part in ("record", "public_key"))
    session.readings.append(Metered(reading, record, key))


def _price(session: Session, offer: Record, chosen: Record, wall: float) -> None:
    imports, exports = (_series(chosen.get(way)) for way in ("import_prices", "export_prices"))
    if imports is None:
        return
    currency = str((chosen.get("stated") or {}).get("currency") or chosen.get("currency") or offer.get("currency") or "EUR")
    if session.tab is None:
        session.tab = Tab(wall, currency)
        session.currency = currency
    session.tab = session.tab.priced(imports, exports, max(wall, session.tab.since))
    session.offers.append(repr((wall, chosen.get("import_prices"), chosen.get("export_prices"))).encode())


def _series(said: Record | None) -> Series | None:
    if not said or not said.get("steps"):
        return None
    return Series(float(said["start"]), tuple(Step(float(step["duration"]), float(step["value"])) for step in said["steps"]))


def powers(session: Session) -> Series:
    """The mean power between readings, W, + into the car."""
    pairs = [
        (
            a.reading.at,
            (b.reading.imported - a.reading.imported - b.reading.exported + a.reading.exported) * 3600 / (b.reading.at - a.reading.at),
        )
        for a, b in pairwise(session.readings)
    ]
    return Series.from_pairs(pairs, session.readings[-1].reading.at)
