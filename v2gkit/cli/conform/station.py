"""`v2g conform station`: judge a station by cars that do everything right, and cars that do one thing wrong."""

import argparse
import asyncio
from pathlib import Path

from pki.errors import StoreError
from pki.store import Store
from v2g.session.link import address_text
from v2g.settings.strict import ConfigError, text_of
from v2gkit.cli.conform import among
from v2gkit.cli.conform.telling import Teller
from v2gkit.cli.parser import whole
from v2gkit.conform.at_station import Address, benches
from v2gkit.conform.catalogue import chosen
from v2gkit.conform.pics import Pics, read
from v2gkit.conform.running import run as play
from v2gkit.conform.wallet import Wallet
from v2gkit.output import complain

USAGE = 2
EPILOG = """examples:
  v2g conform station [::1]:15118 --pki certs --out results
  v2g conform station [::1]:15118 --pki certs --out results --case S-TLS --case S-SSU-01
  v2g conform station [::1]:15118 --pki certs --out results --generation 2       the cases of ISO 15118-2
  v2g conform station [::1]:15118 [::1]:15119 --pki certs --pics station.toml --out results     two outlets, twice as fast

Results are lines of JSON in results.jsonl, and the trace of each case below evidence/, which `v2g report` shows.

exit codes: 0 nothing failed, 1 something did, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform station`."""
    parser.add_argument("address", nargs="+", type=address, metavar="HOST:PORT", help="of an outlet; more of the same station run at once")
    parser.add_argument("--iface", metavar="NAME", default="", help="the charging link, for the cases of discovery")
    parser.add_argument("--pki", type=Path, required=True, metavar="DIR", help="certificates of cars, with the keys of their authorities")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--case", action="append", default=[], metavar="ID", help="only this case, or family as S-TLS; again for more")
    among.options(parser)
    parser.add_argument("--pics", type=Path, metavar="FILE", help="what the station claims, TOML")
    parser.add_argument("--repeat", type=whole(1, 1000), default=1, metavar="N", help="play each case N times, to tell flaky from failing")


def address(text: str) -> Address:
    """An argparse type: host and port."""
    host, colon, number = text.rpartition(":")
    if not colon or not number.isdigit() or not 0 < int(number) < 65_536 or not host.strip("[]"):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; give HOST:PORT, an IPv6 host in brackets")
    return host.strip("[]"), int(number)


def run(options: argparse.Namespace) -> int:
    """Play the cases; the exit code."""
    try:
        pics = read(text_of(options.pics), options.pics) if options.pics else Pics()
        pics = pics.speaking(options.generation)
        cases = chosen("station", options.case, options.generation)
        wallet = Wallet(Store(options.pki))
        more = [address(each) for each in pics.test.outlets]
    except (ConfigError, StoreError, ValueError, argparse.ArgumentTypeError) as error:
        complain(f"v2g conform station: {error}")
        return USAGE
    outlets = list(dict.fromkeys([*options.address, *more]))
    teller = Teller(options.out, "station", len(cases))
    made = benches(pics, wallet, outlets, options.iface)
    asyncio.run(play(cases, pics, made, teller, outlets=len(outlets), repeat=options.repeat))
    return teller.publish(pics, ", ".join(map(address_text, outlets)), options)
