"""Reads a trace into the story of each connection. What the trace does not have, the story leaves out."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pki.certificate import read
from pki.errors import CertificateError
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.generations import GENERATIONS
from v2g.iso20 import frames
from v2g.messages import common_messages
from v2g.session.errors import FramingError
from v2g.session.trace import RECORDS, VERSION
from v2gkit.insight.readings.reading import Choices
from v2gkit.insight.readings.table import generation_of, reading_of
from v2gkit.insight.report.flow import Frame, energies, pairs_of, samples_of
from v2gkit.insight.report.grid import asked_of
from v2gkit.insight.report.story import Certificate, Chain, Exchange, Sample, Steps, Story, Tuple

Record = dict[str, Any]
_SHAPE: dict[str, Any] = {"connection": int, "at": int | float, "epoch": int | float}


def stories(trace: Path) -> tuple[Story, ...]:
    """The stories in a trace (JSON Lines), one per connection, in the order in which they began. Raises ValueError for no trace."""
    return stories_in(records_of(trace), trace)


def records_of(trace: Path) -> Iterator[Record]:
    """The records of a trace; a last line that was cut off is left out. Raises ValueError for no trace."""
    try:
        text = trace.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{trace} is no trace: octet {error.start} is no UTF-8; give the JSON Lines that --trace wrote") from None
    return _records(trace, text)


def stories_in(records: Iterable[Record], source: Path) -> tuple[Story, ...]:
    """The stories in the records of a file, one per connection, in the order in which they began. Raises ValueError for none."""
    connections: list[list[Record]] = []
    present: dict[int, list[Record]] = {}  # number -> its connection; a car's after a pause has the number of the one before
    for record in records:
        number = record["connection"]
        if record["type"] == "trace" or number not in present:
            present[number] = []
            connections.append(present[number])
        present[number].append(record)
    if not connections:
        raise ValueError(f"{source} holds no record: nobody has connected since it was made, or it is no trace")
    return tuple(_story_in(source, each) for each in connections)


def _story_in(trace: Path, records: list[Record]) -> Story:
    """The story of a connection. Raises ValueError where fields of its records are not what a trace writes: who knows who edited them."""
    try:
        return story_of(records)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        where = f"connection {records[0]['connection']}"
        raise ValueError(
            f"{trace} is no trace: a record of {where} has a field that none is written with ({type(error).__name__}: {error})"
        ) from error


def _records(trace: Path, text: str) -> Iterator[Record]:
    *lines, rest = text.split("\n")
    for place, line in enumerate([*lines, rest] if rest else lines, 1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if place > len(lines) and place > 1:
                return  # cut off where the disk was full, or the station lost its power
            raise ValueError(f"{trace} is no trace: line {place} is no JSON ({error})") from None
        if not isinstance(record, dict) or record.get("type") not in RECORDS or not _SHAPE.keys() <= record.keys():
            raise ValueError(f"{trace} is no trace: line {place} is no record of one; give what --trace wrote") from None
        if not all(isinstance(record[name], kind) for name, kind in _SHAPE.items()):
            raise ValueError(f"{trace} is no trace: in line {place} {', '.join(_SHAPE)} are not what they are in one") from None
        if place == 1 and (record["type"] != "trace" or record.get("version") != VERSION):
            raise ValueError(f"{trace} is no trace of version {VERSION}: line 1 does not say that it is") from None
        yield record


def story_of(records: list[Record]) -> Story:
    """The story of the records of one connection."""
    decoded = list(_frames(records))
    pairs = pairs_of(decoded)
    end = next((r for r in records if r["type"] == "end"), {}) or _session_end(records)
    samples = tuple(samples_of(pairs))
    offered, profile = _schedules(pairs)
    charged, discharged = energies(samples)
    service, control, authorization = _choices(pairs)
    facts = [
        ("Service", service),
        ("Control mode", control),
        ("Authorization", authorization),
        *_transport(records),
        ("Energy into the EV", f"{charged / 1000:.2f} kWh"),
        ("Energy out of the EV", f"{discharged / 1000:.2f} kWh"),
        *_metered(records),
        *_money(samples, offered, _currency(pairs)),
        *_slowest(pairs),
        *_cpu(records),
        ("Messages", f"{len(decoded)} in {decoded[-1].at if decoded else 0:.2f} s"),
    ]
    well = bool(end.get("well"))
    opening = next((r for r in records if r["type"] == "trace"), {})
    return Story(
        title=", ".join(x for x in (service, control, authorization) if x) or "A session that did not get far",
        ended=_verdict(end),
        well=well,
        facts=tuple((k, v) for k, v in facts if v),
        exchanges=tuple(_folded(_exchange(*pair) for pair in pairs)),
        samples=samples,
        offered=offered,
        profile=profile,
        grid=tuple(asked_of(pairs)),
        chains=tuple(_chains(records, decoded)),
        notes=tuple(_notes(records)),
        currency=_currency(pairs),
        energy={"charged": charged, "discharged": discharged},
        connection=records[0].get("connection", 0) if records else 0,
        outlet=str(opening.get("about", {}).get("evse", "")),
        began=records[0].get("epoch", 0.0) if records else 0.0,
    )


def _session_end(records: list[Record]) -> Record:
    """The end of a session whose connection has none in the trace: it was cut off between the two."""
    ended: Record = next((r["facts"] for r in records if r["type"] == "note" and r["topic"] == "ended"), {})
    return {"well": "why" not in ended, "error": ended.get("why"), **ended} if ended else {}


def _verdict(end: Record) -> str:
    """How it ended, and why."""
    how = str(end.get("how", "the trace has no end"))
    asked = f" (the car was asked to stop: {end['asked']})" if end.get("asked") else ""
    if end.get("well"):
        return f"Ended as it should: {how}{asked}"
    cited = f"[{end['requirement']}]" if end.get("requirement") else ""
    said = str(end.get("error") or "")
    return (f"{how}: {said}" + (f" {cited}" if cited and cited not in said else "") if said else how) + asked


def _frames(records: Iterable[Record]) -> Iterator[Frame]:
    begin = None
    for record in records:
        if record["type"] != "frame":
            continue
        begin = record["at"] if begin is None else begin
        exi = bytes.fromhex(record["exi"])
        try:
            yield Frame(record["at"] - begin, record["epoch"], len(exi), _message(record.get("set"), int(record["payload_type"], 16), exi))
        except (DecodeError, FramingError):
            continue  # the trace keeps the octets and the error; a report shows what could be read


def _message(schema_set: object, payload_type: int, exi: bytes) -> Type:
    """The message in a frame; the name of the set tells its generation, for older ones have every message under one payload type."""
    if (generation := generation_of(schema_set)) is not None:
        return generation.read(payload_type, exi, by_car=True).reading.message
    return frames.message(payload_type, exi)


def _performance(request: Type) -> float:
    """The time (s) in which a station should answer a request."""
    generation = next((each for each in GENERATIONS if type(request) in each.responses), GENERATIONS[0])
    return generation.timing(type(request)).secc_performance


def _exchange(request: Frame, response: Frame) -> Exchange:
    code = getattr(response.message, "ResponseCode", None)
    return Exchange(
        at=request.at,
        request=_named(request.message),
        response=_named(response.message),
        code=code.value if code is not None else "",
        octets=(request.octets, response.octets),
        answered=response.at - request.at,
        limit=_performance(request.message),
        until=response.at,
    )


def _slowest(pairs: list[tuple[Frame, Frame]]) -> Iterator[tuple[str, str]]:
    """The answer that came closest to its performance time, or went furthest beyond it."""
    shares = [((b.at - a.at) / _performance(a.message), a, b) for a, b in pairs]
    if shares:
        share, request, response = max(shares, key=lambda each: each[0])
        limit = _performance(request.message)
        took = f"{type(response.message).__name__} after {(response.at - request.at) * 1000:.1f} of {limit * 1000:g} ms"
        yield "Slowest answer for its limit", f"{took}, {100 * (1 - share):.1f} % left"


def _named(message: Type) -> str:
    """The name of a message, with the one field that says what it is about."""
    for field in ("ChargeProgress", "ChargingSession", "SelectedAuthorizationService", "EVSEProcessing", "ServiceID"):
        value = getattr(message, field, None)
        if value is not None:
            return f"{type(message).__name__} ({getattr(value, 'value', value)})"
    return type(message).__name__


def _folded(exchanges: Iterable[Exchange]) -> Iterator[Exchange]:
    """Runs of equal exchanges become one row that says how many, and how long the slowest answer took."""
    run: Exchange | None = None
    for exchange in exchanges:
        if run and (run.request, run.response, run.code) == (exchange.request, exchange.response, exchange.code):
            run = replace(run, times=run.times + 1, answered=max(run.answered or 0, exchange.answered or 0), until=exchange.until)
            continue
        if run:
            yield run
        run = exchange
    if run:
        yield run


def _schedules(pairs: list[tuple[Frame, Frame]]) -> tuple[tuple[Tuple, ...], Steps]:
    """What was offered, with what the car chose of it, and its profile: of the last offer that was followed, else of the last."""
    offered: tuple[Tuple, ...] = ()
    followed: tuple[Tuple, ...] = ()
    profile: Steps = ()
    for request, response in pairs:
        offered = reading_of(response.message).offers(response) or offered
        if (given := reading_of(request.message).profile(request)) is not None:
            profile = given.steps
            followed = offered = tuple(replace(t, chosen=t.number == given.chosen) for t in offered)
    return followed or offered, profile


def _currency(pairs: list[tuple[Frame, Frame]]) -> str:
    return next((said for _, response in pairs if (said := reading_of(response.message).currency(response.message))), "")


def _money(samples: tuple[Sample, ...], offered: tuple[Tuple, ...], currency: str) -> Iterator[tuple[str, str]]:
    chosen = next((t for t in offered if t.chosen), offered[0] if offered else None)
    if chosen is None or not chosen.import_price or not samples:
        return
    cost = revenue = 0.0
    for sample in samples:
        energy = sample.energy / 1000  # kWh
        if energy > 0:
            cost += energy * _at(chosen.import_price, sample.at)
        else:
            revenue -= energy * _at(chosen.export_price, sample.at)
    yield "Paid for energy in", f"{cost:.2f} {currency}"
    if chosen.export_price:
        yield "Earned with energy out", f"{revenue:.2f} {currency}"


def _metered(records: list[Record]) -> Iterator[tuple[str, str]]:
    """What the station's meter counted, where this is a station's trace."""
    ended: Record = next((r["facts"] for r in records if r["type"] == "note" and r["topic"] == "ended"), {})
    if "charged" in ended:
        yield "By the meter", f"{ended['charged'] / 1000:.2f} kWh in, {ended.get('discharged', 0) / 1000:.2f} kWh out"


def _at(steps: Steps, at: float) -> float:
    return next((v for a, b, v in steps if a <= at < b), 0.0)


def _choices(pairs: list[tuple[Frame, Frame]]) -> Choices:
    found = Choices()
    for request, _ in pairs:
        said = reading_of(request.message).choices(request.message)
        found = Choices(*(new or old for new, old in zip(said, found, strict=True)))
    return found


def _transport(records: list[Record]) -> Iterator[tuple[str, str]]:
    tls = next((r for r in records if r["type"] == "tls"), None)
    failed = next((r for r in records if r["type"] == "handshake-failed"), None)
    if failed is not None:
        cited = f" [{failed['requirement']}]" if failed.get("requirement") else ""
        alert = f", alert {failed['alert']}" if failed.get("alert") else ""
        yield "TLS", f"no connection: {failed['reason']}{cited} (ended by {failed['by']}{alert})"
    if tls is None:
        if any(r["type"] == "plain" for r in records):
            yield "Transport", "plain TCP (bench override) [V2G20-2356]"
        elif failed is None:
            yield "Transport", "nothing is known of it: the trace ends before TLS, or begins after it"
        return
    yield "TLS", f"{tls.get('version', '')} {tls.get('suite', '')}"
    yield "Key exchange", str(tls.get("group") or "")


def _cpu(records: list[Record]) -> Iterator[tuple[str, str]]:
    spent = next((r["facts"] for r in records if r["type"] == "note" and r["topic"] == "cpu"), None)
    if spent is None:
        return
    parts = sorted(((value, kind) for kind, value in spent.items() if kind not in ("total", "cryptography", "fraction")), reverse=True)
    kinds = ", ".join(f"{kind} {value * 1000:.1f}" for value, kind in parts if value >= 0.0005)
    yield "CPU of this side", f"{spent['total'] * 1000:.0f} ms, {spent['fraction'] * 100:.0f} % cryptography ({kinds} ms)"


def _chains(records: list[Record], decoded: list[Frame]) -> Iterator[Chain]:
    tls = next((r for r in records if r["type"] == "tls"), None)
    if tls:
        for key, role in (("own_chain", "This side, in the TLS handshake"), ("peer_chain", "The peer, in the TLS handshake")):
            if tls.get(key):
                yield Chain(role, tuple(map(_certificate, (bytes.fromhex(der) for der in tls[key]))))
    for frame in decoded:
        if isinstance(frame.message, common_messages.AuthorizationReq) and frame.message.PnC_AReqAuthorizationMode is not None:
            chain = frame.message.PnC_AReqAuthorizationMode.ContractCertificateChain
            yield Chain("Contract, in AuthorizationReq", tuple(map(_certificate, (chain.Certificate, *chain.SubCertificates.Certificate))))
            return


def _certificate(der: bytes) -> Certificate:
    try:
        found = read(der, len(der))
        key = found.public_key()
        name = getattr(getattr(key, "curve", None), "name", type(key).__name__.removesuffix("PublicKey").lstrip("_"))
        return Certificate(
            found.subject.rfc4514_string(), found.issuer.rfc4514_string(), name, f"{found.not_valid_after_utc:%Y-%m-%d %H:%M}", len(der)
        )
    except (CertificateError, ValueError) as error:
        return Certificate(f"unreadable: {error}", "", "", "", len(der))


def _notes(records: list[Record]) -> Iterator[tuple[float, str]]:
    begin = next((r["at"] for r in records if "at" in r), 0.0)
    for record in records:
        if record["type"] == "relaxed":
            yield record["at"] - begin, f"relaxed {record['requirement']}: {record['relaxation']}"
        elif record["type"] == "event" and record["name"] == "Objected":
            said = record["facts"]["objection"]
            cited = f" [{said['requirement']}]" if said["requirement"] else ""
            yield record["at"] - begin, f"{record['facts']['request']} was answered {record['facts']['code']}: {said['reason']}{cited}"
        elif record["type"] == "note":
            yield record["at"] - begin, f"{record['topic']}: {json.dumps(record.get('facts', {}))}"
