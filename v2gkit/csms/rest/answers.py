"""What the REST answers: pages of what is kept, operations at stations, each with its line in the books."""

import base64
import binascii
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ocpp_bridge.wire.schemas import Payload
from v2gkit.csms.fleet import Fleet
from v2gkit.csms.operating import UNKNOWN, Failed
from v2gkit.csms.party import Party
from v2gkit.csms.planned import points_of
from v2gkit.csms.rest.declared import LONGEST_PAGE, PAGE, PAYLOADS, Command, Listing, Setpoint, Start, Stop
from v2gkit.csms.rest.tokens import Bearer
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import POWERS, Entry
from v2gkit.csms.store import reading
from v2gkit.csms.store.keeper import Store
from v2gkit.csms.store.tables import METADATA
from v2gkit.sql.words import Row, StoreFault

STATUS: Final = {UNKNOWN: 404, "Invalid": 409, "NotConnected": 409, "Timeout": 504, "Schema": 422}  # anything else is the station's: 502
VERBS: Final[dict[type, str]] = {Start: "start", Stop: "stop", Setpoint: "setpoint"}
CURVE: Final = 20_000  # points of a picture: a session of a day with a value every four seconds


class Refused(Exception):
    """A request that is not answered as it was meant: status of HTTP, words, code of OCPP."""

    def __init__(self, status: int, text: str, code: str = ""):
        super().__init__(text)
        self.status, self.code = status, code


class Answers:
    """Answers for one CSMS, with its store and the processes beside it."""

    def __init__(self, csms: Csms, store: Store, party: Party, fleet: Fleet, wall: Callable[[], float]):
        self.csms, self.store, self.party, self.fleet, self._wall = csms, store, party, fleet, wall

    async def listed(self, listing: Listing, path: Mapping[str, str], query: Mapping[str, str]) -> dict[str, Any]:
        """One page of a listing. Raises Refused."""
        known = {*listing.filters, "limit", "after", "newest"} | ({"since", "until"} if listing.times else set())
        known |= {"running"} if listing.table == "transactions" else set()
        if strange := sorted(query.keys() - known):
            raise Refused(400, f"{strange[0]} is no parameter of {listing.path}; there are {', '.join(sorted(known))}")
        asked = _asked(listing, path, query)
        rows = await self._read(lambda connection: reading.page(connection, asked))
        told = [self._shown(listing, row) for row in rows]
        full = len(rows) == asked.limit
        return {"rows": told, "next": _cursor([rows[-1][name] for name in listing.order]) if full else None}

    async def curve(self, path: Mapping[str, str]) -> dict[str, Any]:
        """Power of a transaction over time, and what was planned for it, as points (epoch s, W). Raises Refused."""
        station, id_ = path["station"], path["transaction"]
        row = await self._read(lambda connection: reading.transaction(connection, station, id_))
        if row is None:
            raise Refused(404, f"no transaction {id_} of {station} was told")
        measured = await self._read(lambda connection: reading.curve(connection, station, id_, CURVE))
        order = ("number",)
        asked = reading.Asked("profiles", order, {"station": station, "transaction": id_}, limit=200, newest=True)
        planned: list[dict[str, Any]] = []
        for profile in reversed(await self._read(lambda connection: reading.page(connection, asked))):
            said = msgspec.json.decode(profile["payload"])
            schedules = said.get("chargingSchedule", [said] if profile["kind"] == "chosen" else [])
            points = points_of(schedules[0], profile["at"]) if schedules else []
            planned += [{"kind": profile["kind"], "at": profile["at"], "points": points}] if points else []
        return {"power": _signed(measured), "planned": planned, "began": row["began"], "ended": row["ended"], "viewer": row["viewer"]}

    async def commanded(self, command: Command, path: Mapping[str, str], body: bytes, who: Bearer) -> Payload:
        """Carry out a command; the station's answer. It is in the books before it is carried out. Raises Refused."""
        verb, arguments, detail = _meant(command, path, body)
        station = path["station"]
        try:
            await self.store.keep([self._book(who, verb, station, detail, "asked")])
        except StoreFault as fault:
            raise Refused(503, f"it cannot be put in the books, and is not done: {fault}") from None
        try:
            answer = await self.party.operate(station, verb, arguments)
        except Failed as failed:
            await self._noted(who, verb, station, detail, f"{failed.code}: {failed}")
            raise Refused(STATUS.get(failed.code, 502), str(failed), failed.code) from None
        await self._noted(who, verb, station, detail, str(answer.get("status", "answered")))
        return {"answer": answer}

    async def _noted(self, who: Bearer, verb: str, station: str, detail: str, outcome: str) -> None:
        """Put the outcome in the books; what the operation left in the store is there before it, so that who reads next finds it."""
        with contextlib.suppress(StoreFault):  # it is done already, and that it was asked for is in the books
            await self.store.keep([self._book(who, verb, station, detail, outcome)])
        text = f"{who.name} ({who.role}): {' '.join(filter(None, (verb, detail)))}: {outcome}"
        self.csms.tell(Entry(self._wall(), station, "operation", text, {"who": who.name, "operation": verb, "outcome": outcome}))

    def _book(self, who: Bearer, verb: str, station: str, detail: str, outcome: str) -> Row:
        said = {"who": who.name, "role": who.role, "operation": verb, "station": station, "detail": detail, "outcome": outcome[:500]}
        return Row("operations", {"at": self._wall(), **said})

    async def _read(self, work: Callable[[Any], Any]) -> Any:
        try:
            return await self.store.read(work)
        except StoreFault as fault:
            raise Refused(503, str(fault)) from None

    def _shown(self, listing: Listing, row: dict[str, Any]) -> dict[str, Any]:
        told = {name: msgspec.Raw(value.encode()) if name in PAYLOADS and value is not None else value for name, value in row.items()}
        return told | ({"connected": row["id"] in self.party.connected()} if listing.table == "stations" else {})


def _asked(listing: Listing, path: Mapping[str, str], query: Mapping[str, str]) -> reading.Asked:
    columns = METADATA.tables[listing.table].columns
    try:
        equal: dict[str, Any] = dict(path) | {
            name: columns[name].type.python_type(query[name]) for name in listing.filters if name in query
        }
        limit = int(query.get("limit", PAGE))
        since, until = (float(query[name]) if name in query else None for name in ("since", "until"))
        running = _flag(query, "running") if "running" in query else None
        after = _place(query["after"], len(listing.order)) if "after" in query else None
        newest = _flag(query, "newest")
    except ValueError as error:
        raise Refused(400, f"a parameter cannot be read: {error}") from None
    if not 1 <= limit <= LONGEST_PAGE:
        raise Refused(400, f"limit is {limit}; give 1 to {LONGEST_PAGE}")
    return reading.Asked(listing.table, listing.order, equal, listing.times, since, until, running, after, limit, newest)


def _flag(query: Mapping[str, str], name: str) -> bool:
    said = query.get(name, "false")
    if said not in ("true", "false"):
        raise ValueError(f"{name} is true or false")
    return said == "true"


def _cursor(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _place(cursor: str, length: int) -> list[Any]:
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=list[str | int | float])
    except (binascii.Error, msgspec.DecodeError) as error:
        raise ValueError(f"after is no `next` of a page: {error}") from None
    if len(place) != length:
        raise ValueError("after is the `next` of another listing")
    return place


def _signed(measured: list[tuple[float, str, float]]) -> list[tuple[float, float]]:
    """Powers of both directions as one curve, + into the car; a direction that a time does not name has none."""
    made: dict[float, dict[str, float]] = {}
    for at, measurand, value in measured:
        made.setdefault(at, {})[measurand] = POWERS[measurand] * value
    return [(at, sum(powers.values())) for at, powers in made.items()]


def _meant(command: Command, path: Mapping[str, str], body: bytes) -> tuple[str, dict[str, Any], str]:
    """The verb, its arguments, and what stands in the books of it: never a payload, which may hold passwords and tokens."""
    try:
        if command.body is not None:
            arguments: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(body or b"{}", type=command.body))
            return VERBS[command.body], arguments, f"{arguments['power']:g} W" if command.body is Setpoint else ""
        payload = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        raise Refused(400, f"the body cannot be read: {error}") from None
    action = command.action or path["action"]
    return "call", {"action": action, "payload": payload}, action
