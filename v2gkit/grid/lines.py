"""What happens to signals, as JSON-able lines for people and programs. Powers in W, times in epoch s; null: no limit, no setpoint."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from v2g.legible import legible
from v2gkit.grid.book import News
from v2gkit.grid.faults import GridFault
from v2gkit.grid.received import Received
from v2gkit.grid.sep2.prices import Tariff
from v2gkit.grid.standing import Standing

Line = dict[str, Any]
SHOWN: Final = 96  # steps of a signal in a line: a day of quarter hours


def line_of(news: News) -> Line:
    """The line of one thing that happened."""
    said: Line = {"at": round(news.at, 3), "what": news.what, "source": news.source}
    return said if news.row is None else said | {"signal": signal_of(news.row)}


def signal_of(row: Received) -> Line:
    """A signal with where it came from and what became of it."""
    power = row.signal.power
    steps = [[round(start, 3), round(end - start, 3), _finite(value)] for start, end, value in list(power.spans())[:SHOWN]]
    return {
        "id": row.signal.id,
        "kind": row.signal.kind.value,
        "rank": row.signal.rank.name.lower(),
        "steps": steps,
        "more": len(power.steps) - len(steps),
        "protocol": row.protocol,
        "tenant": row.tenant,
        "reference": row.reference,
        "version": row.version,
        "received": round(row.received, 3),
        "acknowledged": None if row.acknowledged is None else round(row.acknowledged, 3),
        "fate": row.fate.value,
        "by": list(row.by),
    }


def standing_line(held: Standing, at: float) -> Line:
    """The line of what holds from now on."""
    return {
        "at": round(at, 3),
        "what": "holds",
        "import_cap": _finite(held.import_cap),
        "import_by": list(held.import_by),
        "export_cap": _finite(held.export_cap),
        "export_by": list(held.export_by),
        "setpoint": held.setpoint,
        "setpoint_by": held.asked_by,
    }


def fault_line(source: str, fault: GridFault, at: float) -> Line:
    """The line of a fault of a source."""
    return {"at": round(at, 3), "what": "fault", "source": source, "trouble": fault.trouble.value, "text": str(fault)}


def passed_line(source: str, types: Iterable[str], at: float) -> Line:
    """The line of what a source says that no signal is made of."""
    return {"at": round(at, 3), "what": "ignored", "source": source, "types": sorted(types)[:SHOWN]}


def reads_line(source: str, values: Mapping[str, float], state: str | None, at: float) -> Line:
    """The line of what a device behind its maker's API says: W, Wh, units of its limit, and its state."""
    return {"at": round(at, 3), "what": "reads", "source": source, "state": state, **values}


def prices_line(source: str, tariff: Tariff, at: float) -> Line:
    """The line of what energy costs: each way spans of start (epoch s), seconds and blocks, each from so many kWh on its price of a kWh.

    + is to be paid by the site, for what it gives as well; of a day, the price is that of the day.
    """
    ways: Line = {
        way: [[round(part.start, 3), round(part.end - part.start, 3), [list(block) for block in part.blocks]] for part in parts[:SHOWN]]
        for way, parts in tariff.ways.items()
    }
    return {"at": round(at, 3), "what": "prices", "source": source, "currency": tariff.currency, **ways}


def sentence(line: Line) -> str:
    """A line as a sentence for people, of one line whatever strangers said."""
    match line:
        case {"what": "holds"}:
            caps = (_cap(name, line[f"{name}_cap"], line[f"{name}_by"]) for name in ("import", "export"))
            order = "" if line["setpoint"] is None else f"; setpoint {_kilo(line['setpoint'])} by {line['setpoint_by']}"
            text = f"holds: {'; '.join(caps)}{order}"
        case {"what": "fault"}:
            text = f"{line['trouble']}: {line['text']}"
        case {"what": "ignored"}:
            text = f"{line['source']} says what is no limit here: {', '.join(line['types'])}"
        case {"what": "prices"}:
            firsts = (f"{way} {line[way][0][2][0][1]:g}" for way in ("import", "export", "day") if line.get(way))
            text = f"{line['source']} has prices ({line['currency'] or 'currency unknown'}): {', '.join(firsts) or 'none'}"
        case {"what": "reads"}:
            said = ", ".join(f"{name} {value:g}" for name, value in line.items() if isinstance(value, float) and name != "at")
            text = f"{line['source']} is {line['state']}: {said}"
        case {"signal": signal}:
            first = signal["steps"][0][2]
            by = f" by {', '.join(signal['by'])}" if signal["by"] else ""
            text = f"{line['what']}{by}: {signal['id']}, {'no limit' if first is None else _kilo(first)} of {signal['protocol']}"
        case _:
            text = f"{line['source']} is {line['what']}"
    return legible(text)


def _finite(power: float) -> float | None:
    return power if math.isfinite(power) else None


def _cap(name: str, power: float | None, by: list[str]) -> str:
    return f"{name} free" if power is None else f"{name} at most {_kilo(power)} by {', '.join(by)}"


def _kilo(power: float) -> str:
    return f"{power / 1000:.2f} kW"
