"""Books as others read them: Beancount text for audit, and CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from v2g.energy.ledger.chart import ACCOUNTS, ENERGY
from v2g.energy.ledger.transaction import Transaction

FIELDS: Final = ("tenant", "number", "contract", "start", "end", "revision", "run", "account", "unit", "amount", "digest")
BEGIN: Final = "1970-01-01"  # accounts are open on every day that an interval may have
_FORMULA: Final = "=+-@\t\r"  # how a cell begins that a spreadsheet would work out


def beancount(transactions: Iterable[Transaction]) -> Iterator[str]:
    """The lines of a Beancount file. A party's account is `Income:Party:Purpose` with the sign of that language: received is negative.

    Times, revision and hashes stand as metadata of each transaction. A revision without postings is a note in it.
    """
    yield 'option "title" "v2gkit"'
    for account in ACCOUNTS:
        yield f"{BEGIN} open {_account(account)}"
    for one in transactions:
        at = one.interval
        begun = datetime.fromtimestamp(at.start, UTC)
        yield ""
        yield f"{begun:%Y-%m-%d} * {_quoted(at.contract)} {_quoted(f'{begun:%H:%M:%S} UTC, {at.end - at.start} s, run {one.run}')}"
        yield f"  tenant: {_quoted(at.tenant)}"
        yield f"  start: {at.start}"
        yield f"  end: {at.end}"
        yield f"  revision: {one.revision}"
        yield f"  number: {one.number}"
        yield f'  before: "{one.before}"'
        yield f'  digest: "{one.digest}"'
        for place, rests in enumerate(one.bases):
            yield f"  {rests.kind}-{place}: {_quoted(f'{rests.digest} {rests.about}'.rstrip())}"
        for posting in one.postings:
            yield f"  {_account(posting.account)}  {decimal(-posting.amount)} {'KWH' if posting.unit == ENERGY else posting.unit}"


def table(transactions: Iterable[Transaction]) -> Iterator[str]:
    """The lines of a CSV file, one for each posting, amounts in the unit with six decimals. No cell begins as a formula would."""
    yield _line(FIELDS)
    for one in transactions:
        at = one.interval
        for posting in one.postings:
            texts = [_cell(text) for text in (at.tenant, at.contract, one.run)]
            amount = decimal(posting.amount)
            yield _line(
                [
                    texts[0],
                    one.number,
                    texts[1],
                    at.start,
                    at.end,
                    one.revision,
                    texts[2],
                    posting.account,
                    posting.unit,
                    amount,
                    one.digest,
                ]
            )


def decimal(micro: int) -> str:
    """Millionths as a decimal number, exact."""
    whole, rest = divmod(abs(micro), 1_000_000)
    return f"{'-' if micro < 0 else ''}{whole}.{rest:06d}"


def _account(account: str) -> str:
    party, _, purpose = account.partition(":")
    return f"Income:{party.capitalize()}:{purpose.capitalize()}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in _FORMULA else text


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()
