"""`v2g market offers`: what a site could sell tomorrow, when, at which cost and certainty. Bids are listed, and placed nowhere."""

import argparse
import contextlib
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from v2gkit.cli.parser import number
from v2gkit.output import complain, put
from v2gkit.wall import LOCAL

if TYPE_CHECKING:
    from v2g.energy.fleet.ground import Ground
    from v2g.energy.forecast import Visit
    from v2g.energy.market.products import Bid, Product

WELL, NOTHING, USAGE = 0, 1, 2
VISITS_LIMIT = 67_108_864  # octets: more visits than a forecast takes
EPILOG = """examples:
  v2g market offers --site site.toml --visits state/visits.jsonl
  v2g market offers --site site.toml --visits visits.jsonl --prices day-ahead.xml --day 2026-12-02 --lend 10
  v2g market offers --site site.toml --visits visits.jsonl --products tender.toml --json

The site file is that of `v2g csms --site`; visits are what a station remembers
in its state folder. The file of --products holds [[product]] tables with name,
direction (up, down, both), lasts, least, step, certainty, availability,
utilisation, penalty, called.

exit codes: 0 something can be offered, 1 nothing can, 2 wrong usage, or a
history that is too short
"""


@dataclass(frozen=True, slots=True)
class Tender:
    """One product of the file: powers in W, times in s, money in the currency of the prices."""

    name: str
    direction: Literal["up", "down", "both"]  # up helps a grid that lacks power
    lasts: int
    least: float = 1_000.0
    step: float = 1_000.0
    certainty: float = 0.95
    availability: float = 0.0
    utilisation: float = 0.0
    penalty: float = 0.0
    called: float = 0.0


@dataclass(frozen=True, slots=True)
class Tenders:
    """The file of --products."""

    product: tuple[Tender, ...] = ()


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g market offers`."""
    parser.add_argument("--site", type=Path, required=True, metavar="TOML", help="the connection, as for `v2g csms --site`")
    parser.add_argument("--visits", type=Path, required=True, metavar="JSONL", help="who came before: the visits.jsonl of a state folder")
    parser.add_argument("--prices", type=Path, metavar="FILE", help="CSV, JSON or a market document (default: invented prices)")
    parser.add_argument("--day", type=date.fromisoformat, metavar="DATE", help="as 2026-12-02 (default: the day after the last visit)")
    parser.add_argument("--products", type=Path, metavar="TOML", help="what is sold (default: aFRR, mFRR, FCR and local flexibility)")
    parser.add_argument("--power", type=number(above=0), default=11_000.0, metavar="W", help="of an outlet (default: 11000)")
    parser.add_argument("--lend", type=number(0), default=0.0, metavar="KWH", help="that each car lends (default: 0, no discharging)")
    parser.add_argument("--every", type=number(above=899, most=86_400), default=3_600.0, metavar="S", help="a window (default: 3600)")
    parser.add_argument("--json", action="store_true", help="a JSON object for each bid")


def run(options: argparse.Namespace) -> int:
    """List the bids; the exit code."""
    from v2gkit.extras import missing

    if lacking := missing(["energy"]):
        complain(f"v2g market offers: {lacking}")
        return USAGE
    try:
        found = list(_bids(options))
    except ValueError as error:
        complain(f"v2g market offers: {error}")
        return USAGE
    if not options.json:
        put(f"{'from':17} {'product':20} {'kW':>8} {'there':>8} {'certain':>8} {'short':>7} {'cost':>8} {'worth':>8}  lacking kW")
    for bid in found:
        put(json.dumps(_told(bid)) if options.json else _line(bid))
    if not any(bid.power for bid in found):
        complain(
            "v2g market offers: nothing reaches the least bid of its product; what lacks is said beside each, a pool of sites may have it"
        )
    return WELL if any(bid.power for bid in found) else NOTHING


def _bids(options: argparse.Namespace) -> "Iterator[Bid]":
    from v2g.energy.market.outlook import Wish, bids, outlook

    visits = _visits(options.visits)
    if not visits:
        raise ValueError(f"--visits {options.visits}: no visit in it; give the visits.jsonl that a station keeps")
    last = datetime.fromtimestamp(max(one.arrival for one in visits), LOCAL).date()
    day = options.day or last + timedelta(days=1)
    found = outlook(_ground(options, day), visits, LOCAL, day, Wish(options.power, 1_000.0 * options.lend))
    for product in _products(options.products):
        yield from bids(found, product, options.every)


def _visits(file: Path) -> "list[Visit]":
    """The visits of a file; a line that is none, as one that was cut off, is left out."""
    import msgspec

    from v2g.energy.forecast import Visit
    from v2g.settings.strict import octets_of

    found = []
    for line in octets_of(file, VISITS_LIMIT).splitlines():
        with contextlib.suppress(ValueError, msgspec.MsgspecError):
            found.append(msgspec.json.decode(line, type=Visit))
    return found


def _ground(options: argparse.Namespace, day: date) -> "Ground":
    from v2g.energy.fleet.feeders import grounds
    from v2g.energy.loads import parse_loads
    from v2g.energy.prices import midnight
    from v2g.settings.strict import TABLE_LIMIT, text_of
    from v2gkit.csms.setup import shared, strategy_of

    said = shared(options.site, "prices")
    priced = strategy_of("prices", options.prices, None, 0.0, 0.0)
    start = midnight(day, LOCAL)
    files = {file for file in (said.load, *(one.load for one in said.feeder)) if file is not None}
    loads = {file: parse_loads(text_of(Path(file), TABLE_LIMIT)) for file in files}
    site = dataclasses.replace(priced.priced(start), daily=priced.prices if priced.prices and priced.prices.relative else None)
    return grounds(said, said.feeder, loads, site, LOCAL, (said.peak_price, said.peak_before))(start)


def _products(file: Path | None) -> "list[Product]":
    from v2g.energy.market.products import AFRR_DOWN, AFRR_UP, FCR, FLEXIBILITY, MFRR_DOWN, MFRR_UP, Direction, Product
    from v2g.settings.strict import read, text_of

    if file is None:
        return [AFRR_UP, AFRR_DOWN, MFRR_UP, MFRR_DOWN, FCR, FLEXIBILITY]
    found = []
    for one in read(Tenders, text_of(file), file).product:
        told = {key: value for key, value in dataclasses.asdict(one).items() if key != "direction"}
        way = Direction.DOWN if one.direction == "down" else Direction.UP
        found.append(Product(direction=way, symmetric=one.direction == "both", **told))
    return found


def _told(bid: "Bid") -> dict[str, object]:
    return {
        "product": bid.product.name,
        "from": datetime.fromtimestamp(bid.start, LOCAL).isoformat(),
        "lasts": bid.product.lasts,
        "power": bid.power,
        "there": round(bid.there, 1),
        "certainty": round(bid.certainty, 4),
        "expected_short": round(bid.expected_short, 1),
        "cost": round(bid.cost, 4),
        "worth": round(bid.value, 4),
        "lacking": round(bid.lacking, 1),
    }


def _line(bid: "Bid") -> str:
    start, kilo = datetime.fromtimestamp(bid.start, LOCAL), 1_000.0
    lacking = f"{bid.lacking / kilo:.1f}" if bid.lacking else "-"
    powers = f"{bid.power / kilo:8.1f} {bid.there / kilo:8.1f} {bid.certainty:8.3f} {bid.expected_short / kilo:7.2f}"
    return f"{start:%Y-%m-%d %H:%M}  {bid.product.name:20} {powers} {bid.cost:8.2f} {bid.value:8.2f}  {lacking}"
