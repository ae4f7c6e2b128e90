"""One transaction of the books: postings that balance, what they rest on, and the hash that chains it to the one before."""

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from v2g.energy.ledger.chart import ACCOUNTS, ENERGY, WAYS, Flow

GENESIS: Final = "0" * 64  # the hash before the first transaction of a tenant
MOST: Final = 2**62  # millionths: what a signed 64-bit integer holds, with room for a sum of two
LONGEST: Final = 200  # characters of a name; a contract id of eMI3 has 15, a meter's serial number some 30
MOST_BASES: Final = 400  # of one transaction: a day of 5-minute signals, and what rests beside them
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
Amounts = Mapping[tuple[str, str], int]  # (account, unit) -> millionths


class Evidence(Enum):
    """What a row rests on."""

    METER = "meter"  # a meter value, signed where the meter signs
    BASELINE = "baseline"  # a run of a baseline: method, version, parameters, days, result
    SIGNAL = "signal"  # a signal as it was received, octet by octet
    PRICE = "price"  # prices as they were received
    CONTRACT = "contract"  # the terms


@dataclass(frozen=True, slots=True, order=True)
class Basis:
    """A hash of what a transaction rests on. ValueError for what is no SHA-256 in lower-case hex."""

    kind: str  # of `Evidence`
    digest: str
    about: str = ""  # where to find it

    def __post_init__(self) -> None:
        Evidence(self.kind)
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"the digest of {self.kind} {self.about!r} is {self.digest[:80]!r}; give 64 hex digits of SHA-256")
        _named("about", self.about, empty=True)


def basis(kind: Evidence, octets: bytes, about: str = "") -> Basis:
    """The basis that hashes those octets, as they were received."""
    return Basis(kind.value, hashlib.sha256(octets).hexdigest(), about)


@dataclass(frozen=True, slots=True, order=True)
class Posting:
    """An amount on an account, in millionths of its unit: + is received, - is paid."""

    account: str
    unit: str  # ISO 4217, or kWh
    amount: int  # millionths

    def __post_init__(self) -> None:
        if self.account not in ACCOUNTS:
            raise ValueError(f"there is no account {self.account!r}; the chart has {', '.join(ACCOUNTS)}")
        if self.unit != ENERGY and not _CURRENCY.fullmatch(self.unit):
            raise ValueError(f"{self.account} has the unit {self.unit[:20]!r}; give three capitals of ISO 4217, or {ENERGY}")
        if type(self.amount) is not int or abs(self.amount) > MOST:
            raise ValueError(f"{self.account} has the amount {self.amount!r}; give an integer of at most {MOST} millionths")


@dataclass(frozen=True, slots=True)
class Interval:
    """Whose time is settled: a tenant's contract from `start` to `end`, whole epoch seconds. ValueError for anything else."""

    tenant: str
    contract: str
    start: int
    end: int

    def __post_init__(self) -> None:
        _named("tenant", self.tenant)
        _named("contract", self.contract)
        if not (type(self.start) is int and type(self.end) is int and 0 <= self.start < self.end < 2**40):
            raise ValueError(f"contract {self.contract}: {self.start!r} to {self.end!r}; give whole epoch seconds, the end after the start")


@dataclass(frozen=True, slots=True)
class Transaction:
    """A row of the books. Each unit of its postings adds up to 0; `digest` is over all of it and the digest before."""

    number: int  # of the tenant, from 1
    interval: Interval
    revision: int  # from 0
    run: str  # of settlement: SF, R1, ..., or what the settling side calls it
    postings: tuple[Posting, ...]
    bases: tuple[Basis, ...]
    before: str  # the digest of the tenant's former transaction

    def __post_init__(self) -> None:
        _named("run", self.run)
        if len(self.bases) > MOST_BASES:
            raise ValueError(
                f"contract {self.interval.contract}: {len(self.bases)} hashes; give at most {MOST_BASES}, or the hash of a list"
            )
        sums: dict[str, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.unit] += posting.amount
        if wrong := {unit: amount for unit, amount in sums.items() if amount}:
            raise ValueError(f"contract {self.interval.contract}: the postings do not balance: {wrong} millionths are left")

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form, in hex."""
        return hashlib.sha256(canonical(self)).hexdigest()


def canonical(transaction: Transaction) -> bytes:
    """The octets that the digest is made of: JSON without blanks, keys and rows in order."""
    at = transaction.interval
    said: dict[str, Any] = {
        "v": 1,
        "tenant": at.tenant,
        "number": transaction.number,
        "contract": at.contract,
        "start": at.start,
        "end": at.end,
        "revision": transaction.revision,
        "run": transaction.run,
        "postings": [[p.account, p.unit, p.amount] for p in sorted(transaction.postings)],
        "bases": [[b.kind, b.digest, b.about] for b in sorted(transaction.bases)],
        "before": transaction.before,
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def millionths(amount: float) -> int:
    """An amount in millionths, rounded once. ValueError if it is not finite."""
    if not math.isfinite(amount):
        raise ValueError(f"an amount is {amount}; give a finite one")
    return round(amount * 1_000_000)


def amounts(flows: Iterable[tuple[Flow, int]], currency: str) -> dict[tuple[str, str], int]:
    """What flows, in millionths, come to on each account. Both accounts of a flow get its figure: whatever is booked balances."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for flow, amount in flows:
        way = WAYS[flow]
        unit = ENERGY if way.energy else currency
        sums[way.payer, unit] -= amount
        sums[way.payee, unit] += amount
    return {key: amount for key, amount in sums.items() if amount}


def difference(wanted: Amounts, booked: Amounts) -> tuple[Posting, ...]:
    """The postings that make what is booked what is wanted."""
    left = {key: wanted.get(key, 0) - booked.get(key, 0) for key in {*wanted, *booked}}
    return tuple(sorted(Posting(*key, amount) for key, amount in left.items() if amount))


def _named(what: str, text: str, *, empty: bool = False) -> None:
    if not (isinstance(text, str) and (empty or text) and len(text) <= LONGEST and text.isprintable()):
        raise ValueError(f"the {what} is {str(text)[:80]!r}; give 1 to {LONGEST} printable characters")
