"""The checks themselves: each looks at what was handed over and says what it found there, or that nothing tells."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from secc.station import Limits
from v2g.energy.ledger.books import BrokenChain, verify
from v2g.energy.ledger.export import table
from v2g.energy.ledger.transaction import Evidence
from v2gkit.regulation.given import Given, Record
from v2gkit.regulation.rule import Finding, met, not_met, unknown
from v2gkit.revenue.session import Session
from v2gkit.revenue.statement import settle
from v2gkit.revenue.terms import given as no_terms

MINUS20: Final = "urn:iso:std:iso:15118:-20"
FOLLOWED_WITHIN: Final = 10.0  # s after which a power must keep a limit that was told
TOLERANCE: Final = 0.02, 100.0  # of a limit, and W: what current control overshoots
NEAR: Final = 50.0  # Wh in peak hours that are no charging: what a meter and a pilot take
YEAR: Final = 365 * 86_400 - 86_400  # s


# --- configuration ---


def generation(wanted: str) -> Any:
    """A check that every outlet speaks a generation of the standard."""

    def check(given: Given) -> Finding:
        if given.config is None:
            return unknown("no station file was handed over")
        lacking = [one.evse_id for one in given.config.outlets() if one.offer is not None and wanted not in one.offer.generations]
        at = config_of(given)
        if lacking:
            return not_met(f"{', '.join(lacking)} do not offer ISO 15118-{wanted}: add it to `generations` of [offer]", at)
        return met(f"every outlet offers ISO 15118-{wanted}", at)

    return check


def connected(given: Given) -> Finding:
    """Whether the station has a CSMS that it can talk to."""
    seen = sum(1 for record in given.records if record.get("type") == "ocpp")
    if seen:
        return met(f"{seen} frames with a CSMS stand in the traces", *traces_of(given))
    if given.config is None:
        return unknown("no station file was handed over, and no trace shows a CSMS", *traces_of(given))
    if given.config.ocpp is None:
        return not_met("the station has no CSMS: give [ocpp]", config_of(given))
    return met("a CSMS is configured; no trace shows it at work", config_of(given), *traces_of(given))


def confidential(given: Given) -> Finding:
    """Whether what the station says to its CSMS, and to cars, is encrypted."""
    if given.config is None:
        return unknown("no station file was handed over")
    csms = given.config.ocpp
    if csms is not None and not csms.url.startswith("wss:"):
        return not_met("the CSMS is reached without TLS, and the password in clear: give a wss:// address", config_of(given))
    if not given.config.tls:
        return not_met("cars are served without TLS: `tls = false` is for benches", config_of(given))
    plain = [record for record in given.records if record.get("type") == "plain"]
    if plain:
        return not_met(f"{len(plain)} connections of the traces had no TLS", *traces_of(given))
    return met("the CSMS is reached by TLS, and cars are served by it", config_of(given), *traces_of(given))


def passwords(given: Given) -> Finding:
    """Whether the password of the station stands in a file of its own, or is none: there is no default one."""
    if given.config is None:
        return unknown("no station file was handed over")
    csms = given.config.ocpp
    if csms is None:
        return unknown("the station file names no CSMS; how the station proves itself to one was not handed over", config_of(given))
    if csms.security_profile == 3 or csms.certificate:
        return met("the station proves itself by a certificate of its own", config_of(given))
    if csms.password_file:
        return met("the password stands in a file of the station's own; the software has no default one", config_of(given))
    return unknown("no password file is named; whether the environment gives one that is unique cannot be seen", config_of(given))


def updates(given: Given) -> Finding:
    """Whether firmware is verified before it is installed."""
    if given.config is None:
        return unknown("no station file was handed over")
    firmware = given.config.ocpp.firmware if given.config.ocpp else None
    if firmware is None:
        return unknown("the station takes no firmware by OCPP; how it is updated was not handed over", config_of(given))
    if firmware.unsigned:
        return not_met("the station takes firmware that nobody has signed: `unsigned = true`", config_of(given))
    if not firmware.verify:
        return unknown("signatures are demanded; no command of the owner verifies the file for this hardware", config_of(given))
    return met("firmware is signed, and verified before it is installed", config_of(given))


def on_its_own(given: Given) -> Finding:
    """Whether a car still charges while the CSMS is away."""
    if given.config is None and not given.sessions:
        return unknown("neither a station file nor a trace was handed over")
    csms = given.config.ocpp if given.config else None
    if csms is not None and csms.fallback == "zero":
        return not_met('cars stop when the CSMS is away and its profile has run out: `fallback = "zero"`', config_of(given))
    heard = {record["connection"] for record in given.records if record.get("type") == "ocpp"}
    alone = [one for one in given.sessions if imported(one) > NEAR and one.connection not in heard]
    if alone:
        return met(f"{len(alone)} sessions charged while no CSMS was heard", *traces_of(given))
    if csms is not None:
        return unknown(
            f'the station file says so (`fallback = "{csms.fallback}"`); no trace shows a session without CSMS', config_of(given)
        )
    return unknown("no trace shows a session that charged without a CSMS", *traces_of(given))


# --- traces ---


def follows(given: Given) -> Finding:
    """Whether the power keeps to the limits that were told while a car charged."""
    told = held = 0
    broken: list[str] = []
    for records in _by_connection(given).values():
        limit: Record | None = None
        kept, most = False, 0.0
        for record in records:
            name, facts = record.get("name"), record.get("facts", {})
            if name == "LimitsChanged":  # what a fact leaves out is as it mostly is
                limit, kept = record, False
                most = float(facts.get("limits", {}).get("charge_power", Limits().charge_power))
                told += 1
            power = _power(name, facts)
            if limit is None or power is None or min(record[clock] - limit[clock] for clock in ("at", "epoch")) < FOLLOWED_WITHIN:
                continue
            if power > most * (1 + TOLERANCE[0]) + TOLERANCE[1]:
                broken.append(f"{power:.0f} W at {_utc(record['epoch'])} under a limit of {most:.0f} W")
            elif not kept:
                kept = True
                held += 1
    if broken:
        return not_met(f"{len(broken)} measured powers are above the limit told before: {broken[0]}", *traces_of(given))
    if held:
        return met(f"{told} limits were told; after {held} of them power was measured, and kept to them", *traces_of(given))
    return unknown(f"no trace shows a limit and a power measured {FOLLOWED_WITHIN:.0f} s after it, by both clocks", *traces_of(given))


def measured(given: Given) -> Finding:
    """Whether each session has the energy of both ways, with the time at which it began and ended."""
    if not given.sessions:
        return unknown("no trace with meter readings was handed over")
    lacking = [one.name for one in given.sessions if not one.id or one.readings[-1].reading.at <= one.readings[0].reading.at]
    if lacking:
        return not_met(f"{lacking[0]} has no session id, or no time between its readings", *traces_of(given))
    into, out = (sum(each) / 1000 for each in zip(*((imported(one), _exported(one)) for one in given.sessions), strict=True))
    return met(f"{len(given.sessions)} sessions with start, end, {into:.2f} kWh in and {out:.2f} kWh out", *traces_of(given))


def every_second(given: Given) -> Finding:
    """Whether power was measured each second while it flowed; traces hold changes alone, so that longer gaps prove nothing."""
    gaps = []
    for records in _by_connection(given).values():
        times = [float(record["at"]) for record in records if _power(record.get("name"), record.get("facts", {})) is not None]
        gaps += [after - before for before, after in pairwise(times)]
    if not gaps:
        return unknown("no trace with measured powers was handed over")
    typical = sorted(gaps)[len(gaps) // 2]
    if typical <= 1.0:
        return met(f"powers stand {typical:.2f} s apart in the middle, {max(gaps):.1f} s at most", *traces_of(given))
    return unknown(f"powers stand {typical:.1f} s apart in the middle; a trace leaves out what has not changed", *traces_of(given))


def security_events(given: Given) -> Finding:
    """Whether security events reach the CSMS."""
    kinds = sorted({str((record.get("payload") or {}).get("type")) for record in given.frames("SecurityEventNotification")})
    if kinds:
        return met(f"the CSMS was told of {', '.join(kinds)}", *traces_of(given))
    return unknown("no trace shows a SecurityEventNotification", *traces_of(given))


def prefers_20(given: Given) -> Finding:
    """Whether a car that offers -20 and -2 is answered with -20, where the car does not rank it lower."""
    seen, broken = 0, []
    for records in _by_connection(given).values():
        offers, chosen = _negotiated(records)
        if chosen is None or not any(MINUS20 in one for one in offers):
            continue
        first = min(offers.items(), key=lambda each: each[1])[0]
        if MINUS20 not in first:
            continue  # the car ranks another one first, and its ranking decides
        seen += 1
        if MINUS20 not in chosen:
            broken.append(chosen)
    if broken:
        return not_met(f"{len(broken)} of {seen} cars that ranked -20 first were answered with {broken[0]}", *traces_of(given))
    if seen:
        return met(f"{seen} cars ranked -20 first, and all got it", *traces_of(given))
    return unknown("no trace shows a car that ranks -20 first", *traces_of(given))


def steered(given: Given) -> Finding:
    """Whether charging was steered: schedules or limits that were told while cars were there."""
    offers = sum(1 for one in given.facts("ScheduleReady") if any(len(t.get("charging", {}).get("steps", ())) > 1 for t in _tuples(one)))
    limits = sum(1 for _ in given.facts("LimitsChanged"))
    if offers or limits:
        return met(f"{offers} schedules of several steps were offered, {limits} limits told", *traces_of(given))
    return unknown("no trace shows a schedule of several steps, or a limit", *traces_of(given))


def price_is_billed(given: Given) -> Finding:
    """Whether the price that a car was shown is the price of its bill, worked out anew from the meter's readings."""
    from v2g.energy.ledger.books import Memory

    priced = [one for one in given.sessions if one.tab is not None and one.bill is not None]
    if not priced:
        return unknown("no trace shows a price that was offered and a bill", *traces_of(given))
    wrong = []
    for one in priced:
        checks = {check.name: check for check in settle(one, no_terms(None), Memory(), given.zone).checks}
        if checks["bill"].well is not True:
            wrong.append(f"{one.name}: {checks['bill'].said}")
    if wrong:
        return not_met(f"{len(wrong)} of {len(priced)} bills are not what was offered: {wrong[0]}", *traces_of(given))
    return met(f"{len(priced)} bills are the energy of the meter at the prices per kWh that were offered", *traces_of(given))


def eichrecht(given: Given) -> Finding:
    """Whether every signed meter value is read, proven by its key, and free of what forbids billing by it."""
    from v2gkit.revenue import ocmf

    records = [one for session in given.sessions for one in session.readings if one.record]
    total = sum(len(session.readings) for session in given.sessions)
    if not total:
        return unknown("no trace with meter readings was handed over")
    if not records:
        return not_met("no reading is signed", *traces_of(given))
    wrong = []
    try:
        for one in records:
            value = ocmf.read(one.record, one.key)
            if not value.verified or value.problems:
                wrong.append(value.problems[0] if value.problems else "a signature does not hold")
    except ImportError:
        return unknown("signatures were not verified: pip install 'v2gkit[ocmf]'", *traces_of(given))
    except ValueError as error:
        wrong.append(str(error))
    if wrong or len(records) < total:
        return not_met(f"{total - len(records)} of {total} readings are not signed, {len(wrong)} not good: {wrong[:1]}", *traces_of(given))
    return met(f"{total} readings are signed and hold by the key that came with them", *traces_of(given))


# --- books ---


def kept_for_a_year(given: Given) -> Finding:
    """Whether the books reach back for twelve months."""
    if not given.books:
        return unknown("no books were handed over")
    first, last = min(one.interval.start for one in given.books), max(one.interval.end for one in given.books)
    said = f"the books reach from {_utc(first)} to {_utc(last)}"
    return met(said, given.books_path) if last - first >= YEAR else unknown(f"{said}: less than twelve months yet", given.books_path)


def activations(given: Given) -> Finding:
    """Whether each activation names unit, interval, volume, signal, baseline and meter values."""
    if given.books is None:
        return unknown("no books were handed over")
    called = [one for one in given.books if any(posting.account.endswith(":shifted") for posting in one.postings)]
    if not called:
        return unknown("the books hold no activation", given.books_path)
    wanted = {Evidence.BASELINE.value, Evidence.SIGNAL.value, Evidence.METER.value}
    lacking = [(one, wanted - {basis.kind for basis in one.bases}) for one in called]
    lacking = [(one, kinds) for one, kinds in lacking if kinds]
    if lacking:
        one, kinds = lacking[0]
        said = f"{len(lacking)} of {len(called)} activations lack evidence: number {one.number} has no {', '.join(sorted(kinds))}"
        return not_met(said, given.books_path, one.digest)
    return met(f"{len(called)} activations name contract, interval, volume, signal, baseline and meter values", given.books_path)


def unbroken(given: Given) -> Finding:
    """Whether nobody changed the books: each chain of a tenant follows from its first transaction."""
    if given.books is None:
        return unknown("no books were handed over")
    chains: dict[str, list[Any]] = defaultdict(list)
    for one in given.books:
        chains[one.interval.tenant].append(one)
    try:
        counts = {tenant: verify(chain) for tenant, chain in chains.items()}
    except BrokenChain as error:
        return not_met(str(error), given.books_path)
    return met(f"{sum(counts.values())} transactions of {len(counts)} tenants, every chain unbroken", given.books_path)


def exports_all(given: Given) -> Finding:
    """Whether the books leave in an open format with nothing lost."""
    if not given.books:
        return unknown("no books were handed over")
    lines = sum(1 for _ in table(given.books)) - 1
    wanted = sum(len(one.postings) for one in given.books)
    return (met if lines == wanted else not_met)(f"{lines} of {wanted} postings stand in the CSV", given.books_path)


# --- what they share ---


def _by_connection(given: Given) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in given.records:
        found[str(record["connection"])].append(record)
    return found


def _power(name: object, facts: Record) -> float | None:
    if name == "OutputMeasured" and facts.get("voltage") is not None and facts.get("current") is not None:
        return float(facts["voltage"]) * float(facts["current"])
    return float(facts["power"]) if name == "EVReported" and facts.get("power") is not None else None


def _negotiated(records: list[Record]) -> tuple[dict[str, int], str | None]:
    """The protocols that a car offered with their priority, and the one that it got."""
    offers: dict[str, int] = {}
    ids: dict[int, str] = {}
    for record in records:
        message = record.get("message") or {}
        body = message.get(str(record.get("name")), message) if isinstance(message, dict) else {}
        if record.get("name") == "supportedAppProtocolReq":
            for one in body.get("AppProtocol", ()):
                offers[str(one["ProtocolNamespace"])] = int(one["Priority"])
                ids[int(one["SchemaID"])] = str(one["ProtocolNamespace"])
        if record.get("name") == "supportedAppProtocolRes":
            return offers, ids.get(int(body.get("SchemaID") or -1))
    return offers, None


def _tuples(record: Record) -> Iterator[Record]:
    yield from record.get("facts", {}).get("offer", {}).get("tuples", ())


def imported(one: Session) -> float:
    """Wh that a session drew by its first and last reading."""
    return one.readings[-1].reading.imported - one.readings[0].reading.imported


def _exported(one: Session) -> float:
    return one.readings[-1].reading.exported - one.readings[0].reading.exported


def config_of(given: Given) -> str:
    """The station's file as evidence: its path and hash."""
    return f"{given.config_path} sha256 {given.config_digest}"


def traces_of(given: Given) -> tuple[str, ...]:
    """The traces as evidence: the path and hash of each."""
    return tuple(f"{path} sha256 {digest}" for path, digest in given.traces)


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
