"""`v2g conform station`: judge a station by cars that do everything right, and cars that do one thing wrong."""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pki.errors import StoreError
from pki.store import Store
from v2g.session.link import address_text
from v2g.session.tls import PROFILES
from v2g.settings.strict import ConfigError, text_of
from v2gkit.cli.conform import among
from v2gkit.cli.conform.telling import Teller
from v2gkit.cli.parser import whole
from v2gkit.conform.at_station import Address, benches
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue, chosen
from v2gkit.conform.controls import with_controls
from v2gkit.conform.pics import Pics, read
from v2gkit.conform.running import run as play
from v2gkit.conform.wallet import Wallet
from v2gkit.extras import missing
from v2gkit.output import complain

if TYPE_CHECKING:  # what it stands on is not always installed
    from v2gkit.conform.backend import Backend

USAGE = 2
EPILOG = """examples:
  v2g conform station [::1]:15118 --pki certs --out results
  v2g conform station [::1]:15118 --pki certs --out results --case S-TLS --case S-SSU-01
  v2g conform station [::1]:15118 --pki certs --out results --generation 2       the cases of ISO 15118-2
  v2g conform station [::1]:15118 [::1]:15119 --pki certs --pics station.toml --out results     two outlets, twice as fast
  v2g conform station [::1]:15118 --pki certs --csms [::]:9000 --out results --case S-OCP    what a CSMS sees: the station connects to it

Results are lines of JSON in results.jsonl, and the trace of each case below evidence/, which `v2g report` shows.

exit codes: 0 nothing failed, 1 something did, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform station`."""
    parser.add_argument("address", nargs="+", type=address, metavar="HOST:PORT", help="of an outlet; more of the same station run at once")
    parser.add_argument("--iface", metavar="NAME", default="", help="the charging link, for the cases of discovery")
    parser.add_argument("--pki", type=Path, required=True, metavar="DIR", help="certificates of cars, with the keys of their authorities")
    parser.add_argument("--profile", choices=("conformance", "interop"), default="conformance", help="what good cars of -20 offer in TLS")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--case", action="append", default=[], metavar="ID", help="only this case, or family as S-TLS; again for more")
    among.options(parser)
    parser.add_argument("--pics", type=Path, metavar="FILE", help="what the station claims, TOML")
    csms = parser.add_argument_group("CSMS", "the suite plays one, for the cases about what a CSMS sees: give the station ws://HOST:PORT")
    csms.add_argument("--csms", type=address, metavar="HOST:PORT", help="where the suite plays the CSMS of the station")
    csms.add_argument("--csms-certificate", type=Path, metavar="FILE", help="chain of the CSMS, PEM: it then serves wss://")
    csms.add_argument("--csms-key", type=Path, metavar="FILE", help="its key, PEM")
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
        if why := _unplayable(options):
            raise ValueError(why)
        pics = read(text_of(options.pics), options.pics) if options.pics else Pics()
        pics = pics.speaking(options.generation)
        if options.csms is not None:
            pics = replace(pics, claims=replace(pics.claims, ocpp=True))
        cases = with_controls(chosen("station", options.case, options.generation), catalogue())
        wallet = Wallet(Store(options.pki))
        outlets = list(dict.fromkeys([*options.address, *(address(each) for each in pics.test.outlets)]))
        teller = Teller(options.out, "station", len(cases))
        asyncio.run(_played(options, cases, pics, wallet, outlets, teller))
    except (ConfigError, StoreError, ValueError, argparse.ArgumentTypeError) as error:
        complain(f"v2g conform station: {error}")
        return USAGE
    return teller.publish(pics, ", ".join(map(address_text, outlets)), options)


def _unplayable(options: argparse.Namespace) -> str:
    """Why the CSMS that the options name cannot be played; empty where it can, or none is named."""
    if (options.csms_certificate is None) is not (options.csms_key is None):
        return "--csms-certificate and --csms-key belong together; give both, or none for ws://"
    if options.csms is None:
        return "--csms-certificate is given without --csms; give HOST:PORT too" if options.csms_certificate else ""
    return f"--csms needs more: {lacking}" if (lacking := missing(["ocpp"])) else ""


async def _played(
    options: argparse.Namespace, cases: Sequence[Case], pics: Pics, wallet: Wallet, outlets: Sequence[Address], teller: Teller
) -> None:
    async with _backend(options, wallet) as backend:
        made = benches(pics, wallet, outlets, options.iface, backend, PROFILES[options.profile])
        await play(cases, pics, made, teller, outlets=len(outlets), repeat=options.repeat)


@contextlib.asynccontextmanager
async def _backend(options: argparse.Namespace, wallet: Wallet) -> "AsyncIterator[Backend | None]":
    """The CSMS that the options name, while it listens; None where they name none. Raises ValueError where it cannot."""
    if options.csms is None:
        yield None
        return
    from v2gkit.conform.backend import Backend, contracts_of, tls_of

    host, port = options.csms
    try:
        tls = tls_of(options.csms_certificate, options.csms_key) if options.csms_certificate else None
        backend = await Backend(host, port, contracts_of(wallet.store), tls).__aenter__()
    except OSError as error:  # of TLS too
        raise ValueError(f"no CSMS can be played at {address_text(options.csms)}: {error.strerror or error}") from None
    try:
        yield backend
    finally:
        await backend.__aexit__()
