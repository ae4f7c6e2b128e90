"""The rows of a price file, as people export and edit them: CSV of any locale, or JSON.

    rows, currency = table(octets or text)       rows: start, relative, import price, export price

What can be meant in one way only is read: a byte order mark, blanks, case, semicolons or tabs, decimal commas, milliseconds. What could be
meant in several ways, or in none, is a ValueError that names the row, what stands there and the cure.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

COLUMNS = ("start", "import_price", "export_price")
MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig"))  # what spreadsheets put before "Unicode text"
# Epoch seconds have ten digits until the year 2286, milliseconds thirteen since 2001: a number from here on cannot be seconds of a tariff.
MILLISECONDS = 1e11
BEYOND = 1e14  # s/1000; microseconds and finer, which no day-ahead interface gives
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?")
STARTS = "give epoch seconds or milliseconds, ISO 8601 with offset (2026-11-22T18:00+01:00), or a time of day (18:00)"


class Row(NamedTuple):
    """One step of prices (currency/kWh). `start` is seconds after local midnight where `relative`, else epoch seconds."""

    start: float
    relative: bool
    import_price: float
    export_price: float


def table(given: str | bytes) -> tuple[list[Row], str | None]:
    """The rows of a price file, at least one and ascending, and its currency, None where it names none. ValueError names the row."""
    text = (given if isinstance(given, str) else _decoded(given)).removeprefix("\ufeff")
    cells, currency = _json(text) if text.lstrip()[:1] in {"{", "["} else _csv(text)
    rows = [_row(number, row) for number, row in enumerate(cells, 1)]
    if not rows:
        raise ValueError("the price file has no rows; give at least one start, import_price, export_price")
    if len({row.relative for row in rows}) > 1:
        raise ValueError("the price file mixes times of day and dated times; use one kind")
    for number, (before, after) in enumerate(pairwise(rows), 2):
        if after.start <= before.start:
            raise ValueError(f"row {number} of the price file does not start after row {number - 1}; starts must ascend")
    return rows, currency


def _decoded(octets: bytes) -> str:
    encoding = next(name for mark, name in MARKS if octets.startswith(mark))
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"the price file is no text in UTF-8: octet {error.start} cannot be read; save it as CSV in UTF-8") from None


# --- CSV ---


def _csv(text: str) -> tuple[list[Mapping[str, object]], str | None]:
    lines = text.splitlines()
    notes = [line.strip().lstrip("# ").partition(":") for line in lines if line.lstrip().startswith("#")]
    currency = next((value.strip(" ;,\t") for key, _, value in notes if key.strip().lower() == "currency"), None)
    lines = [line for line in lines if line.strip(" \t;,\"'") and not line.lstrip().startswith("#")]
    separator = lines.pop(0).strip()[4:5] if lines and lines[0].strip().lower().startswith("sep=") else None  # as spreadsheets announce it
    if not lines:
        return [], currency
    separator = separator or max((";", "\t", ","), key=lines[0].count)
    try:
        read = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"the price file is no CSV: {error}") from None
    return list(_cells(_columns(read[0]), read[1:], separator)), currency


def _columns(header: list[str]) -> list[str]:
    names = [_name(cell) for cell in header]
    if not set(COLUMNS) & set(names):
        raise ValueError(
            f"the price file begins with {_shown(', '.join(header))}, which is no header; the columns are {', '.join(COLUMNS)}"
        )
    for column in COLUMNS:
        if column not in names:
            told = ", ".join(name for name in names if name)
            raise ValueError(f"the price file has no column {column}, only {told}; the columns are {', '.join(COLUMNS)}")
        if names.count(column) > 1:
            raise ValueError(f"the price file has the column {column} {names.count(column)} times; keep one")
    return names


def _cells(names: list[str], rows: list[list[str]], separator: str) -> Iterator[Mapping[str, object]]:
    for number, row in enumerate(rows, 1):
        filled = len(row) - next((i for i, cell in enumerate(reversed(row)) if cell.strip()), len(row))
        if filled > len(names):
            cure = "; with decimal commas, separate the columns by semicolons" if separator == "," else ""
            raise ValueError(f"row {number} of the price file has {filled} cells, the header has {len(names)}{cure}")
        yield dict(zip(names, row, strict=False))


def _name(cell: str) -> str:
    return re.sub(r"[\s_-]+", "_", cell.strip().lower())


# --- JSON ---


def _json(text: str) -> tuple[list[Mapping[str, object]], str | None]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the price file is not JSON: {error}") from None
    rows = content.get("prices") if isinstance(content, dict) else content
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise ValueError('the price file has no list of objects; give [{"start": ...}, ...] or {"prices": [...]}')
    currency = content.get("currency") if isinstance(content, dict) else None
    return [{_name(key): value for key, value in row.items()} for row in rows], None if currency is None else str(currency)


# --- cells ---


def _row(number: int, row: Mapping[str, object]) -> Row:
    missing = [column for column in COLUMNS if str(row.get(column) if row.get(column) is not None else "").strip() == ""]
    if missing:
        raise ValueError(f"row {number} of the price file has no {missing[0]}; the columns are {', '.join(COLUMNS)}")
    try:
        start, relative = _start(str(row["start"]).strip())
        return Row(start, relative, _number(row["import_price"]), _number(row["export_price"]))
    except ValueError as error:
        raise ValueError(f"row {number} of the price file: {error}") from None


def _number(value: object) -> float:
    text = str(value).strip().replace("\u2212", "-")  # the minus sign of typesetters
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no price per kWh; write a number with one decimal point or comma and without unit, as 0.25")
    number = float(text.replace(",", "."))
    if not -1e6 < number < 1e6:  # no tariff is there, but a price per MWh in the wrong column may be
        raise ValueError(f"{_shown(text)} is no price per kWh: prices lie between -1000000 and 1000000")
    return number


def _start(text: str) -> tuple[float, bool]:
    """Seconds and whether they count from midnight."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        number = float(text)
        if number >= BEYOND:
            raise ValueError(f"the start {_shown(text)} is neither epoch seconds nor milliseconds; give one of them")
        return (number / 1000 if number >= MILLISECONDS else number), False
    if clock := _CLOCK.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in clock.groups())
        if hour > 23 or minute > 59 or second > 59:
            raise ValueError(f"{text} is no time of day; the last is 23:59:59")
        return hour * 3600.0 + minute * 60.0 + second, True
    if not re.match(r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d", text):
        raise ValueError(f"the start {_shown(text)} cannot be read; {STARTS}")
    try:
        dated = datetime.fromisoformat(text)
        seconds = dated.timestamp() if dated.tzinfo is not None else None
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the start {_shown(text)} is no such time ({error}); {STARTS}") from None
    if seconds is None:
        raise ValueError(f"the start {text} has no offset; write it as {text}+00:00 or with the local one")
    return seconds, False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
