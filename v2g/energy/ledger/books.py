"""Books kept in double entry: a settlement says what an interval comes to, and the books post what is not booked yet.

    books.settle(Interval("cpo", "DE*ABC", start, end), amounts(flows, "EUR"), bases, run="SF")

Said twice, the second time posts nothing. Said otherwise later, the difference is posted as the next revision; no row is ever changed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from v2g.energy.ledger.chart import party
from v2g.energy.ledger.transaction import GENESIS, Amounts, Basis, Interval, Transaction, difference


class BrokenChain(ValueError):
    """The books are not what was written into them; the message names the tenant and the first transaction that is wrong."""


class Books(Protocol):
    """Where transactions are kept: in memory (`Memory`) or in a file (`store.File`)."""

    def settle(self, at: Interval, wanted: Amounts, bases: Sequence[Basis], run: str) -> Transaction | None:
        """Post what makes the interval come to `wanted`; None if that, on the same bases, is booked already.

        ValueError where the interval overlaps another one of its contract without being equal to it.
        """
        ...

    def transactions(self, tenant: str) -> Iterator[Transaction]:
        """Every transaction of a tenant, in the order of its chain."""
        ...


@dataclass(slots=True)
class Memory:
    """Books that live as long as the process."""

    _chains: dict[str, list[Transaction]] = field(default_factory=lambda: defaultdict(list))

    def settle(self, at: Interval, wanted: Amounts, bases: Sequence[Basis], run: str) -> Transaction | None:
        """Post what makes the interval come to `wanted`; None if that is booked already."""
        chain = self._chains[at.tenant]
        made = following(at, wanted, bases, run, (t for t in chain if t.interval.contract == at.contract), chain[-1] if chain else None)
        if made is not None:
            chain.append(made)
        return made

    def transactions(self, tenant: str) -> Iterator[Transaction]:
        """Every transaction of a tenant, in the order of its chain."""
        yield from self._chains.get(tenant, ())


def following(
    at: Interval, wanted: Amounts, bases: Sequence[Basis], run: str, former: Iterable[Transaction], last: Transaction | None
) -> Transaction | None:
    """The transaction that is due, None: nothing is.

    `former` are those of the contract that overlap the interval, in their order, `last` is the tenant's last. ValueError where one of
    `former` overlaps the interval without being equal to it.
    """
    same: list[Transaction] = []
    for one in former:
        if (one.interval.start, one.interval.end) == (at.start, at.end):
            same.append(one)
        elif one.interval.start < at.end and at.start < one.interval.end:
            booked = f"{one.interval.start} to {one.interval.end}"
            raise ValueError(
                f"contract {at.contract}: {at.start} to {at.end} overlaps {booked}, which is booked; settle the same intervals"
            )
    postings = difference(wanted, balances(same))
    rests = tuple(sorted(set(bases)))
    if same and not postings and rests == same[-1].bases:
        return None
    number, before = (last.number + 1, last.digest) if last is not None else (1, GENESIS)
    return Transaction(number, at, same[-1].revision + 1 if same else 0, run, postings, rests, before)


def balances(transactions: Iterable[Transaction]) -> dict[tuple[str, str], int]:
    """What the transactions come to on each (account, unit), in millionths."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for transaction in transactions:
        for posting in transaction.postings:
            sums[posting.account, posting.unit] += posting.amount
    return {key: amount for key, amount in sums.items() if amount}


def earnings(transactions: Iterable[Transaction]) -> dict[tuple[str, str], int]:
    """What each (party, unit) received less what it paid, in millionths."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for (account, unit), amount in balances(transactions).items():
        sums[party(account), unit] += amount
    return dict(sums)


def verify(transactions: Iterable[Transaction], head: tuple[int, str] | None = None) -> int:
    """How many transactions the chain of one tenant has. Raises BrokenChain where one does not follow from the one before.

    `head` is the number and digest of a transaction that somebody else kept: with it a chain that was cut off or written anew is seen.
    """
    before, number, kept = GENESIS, 0, head is None
    revisions: dict[Interval, int] = defaultdict(int)
    for one in transactions:
        number += 1
        where = f"tenant {one.interval.tenant}, transaction {number}"
        if one.number != number or one.before != before:
            raise BrokenChain(f"{where}: it does not follow the one before; restore the books from a copy")
        key = one.interval
        if one.revision != revisions[key]:
            raise BrokenChain(f"{where}: it is revision {one.revision} of an interval that has {revisions[key]} before it")
        revisions[key] += 1
        before = one.digest
        kept = kept or head == (number, before)
    if not kept:
        raise BrokenChain(
            f"the chain has {number} transactions, and none is number {head[0]} with the digest that was kept" if head else ""
        )
    return number
