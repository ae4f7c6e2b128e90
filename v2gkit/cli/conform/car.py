"""`v2g conform car`: judge a car by a station that does everything right, and one that does one thing wrong."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from pki.errors import StoreError
from pki.store import Store
from v2g.session.link import address_text
from v2g.settings.strict import ConfigError, text_of
from v2gkit.cli.conform import among
from v2gkit.cli.conform.telling import Teller
from v2gkit.cli.parser import whole
from v2gkit.conform.catalogue import catalogue, chosen
from v2gkit.conform.controls import with_controls
from v2gkit.conform.pics import Pics, read
from v2gkit.conform.running import run as play
from v2gkit.conform.scripted.bench import Site
from v2gkit.conform.scripted.trust import Certificates
from v2gkit.output import complain

USAGE = 2
EPILOG = """examples:
  v2g conform car --listen [::1]:15200 --pki certs --pics car.toml --out results
  v2g conform car --listen [::1]:0 --pki certs --pics car.toml --out results --case E-TLS --case E-SES-04
  v2g conform car --listen [fe80::1%eth0]:15200 --iface eth0 --pki certs --pics car.toml --out results

How the car is made to come stands in the PICS: under [test] a `command`, in which {address}, {host}, {port}, {interface}, {pki} and
{scratch} (an empty folder) are filled in; under [test.triggers] others by what the car shall do (pause, long, eim, pnc, install, bpt, sdp).
Without a command it comes by itself. With `cars = N` so many come at once, each to a port of its own: those that follow --listen.

exit codes: 0 nothing failed, 1 something did, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform car`."""
    parser.add_argument("--listen", type=place, required=True, metavar="HOST:PORT", help="where the car comes to; port 0: any that is free")
    parser.add_argument("--iface", metavar="NAME", default="", help="the charging link, for the cases of discovery")
    parser.add_argument("--pki", type=Path, metavar="DIR", help="certificates of the station, with the keys of their authorities")
    parser.add_argument("--profile", choices=("conformance", "interop"), default="conformance", help="what TLS and signatures are let pass")
    parser.add_argument("--no-tls", action="store_true", help="plain TCP, for a car on a bench")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--case", action="append", default=[], metavar="ID", help="only this case, or family as E-TLS; again for more")
    among.options(parser)
    parser.add_argument("--pics", type=Path, metavar="FILE", help="what the car claims, and how it is made to come, TOML")
    parser.add_argument("--repeat", type=whole(1, 1000), default=1, metavar="N", help="play each case N times, to tell flaky from failing")


def place(text: str) -> tuple[str, int]:
    """An argparse type: host and port; 0 for any that is free."""
    host, colon, number = text.rpartition(":")
    if not colon or not number.isdigit() or not 0 <= int(number) < 65_536 or not host.strip("[]"):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; give HOST:PORT, an IPv6 host in brackets")
    return host.strip("[]"), int(number)


def run(options: argparse.Namespace) -> int:
    """Play the cases; the exit code."""
    host, port = options.listen
    try:
        pics = read(text_of(options.pics), options.pics) if options.pics else Pics()
        pics = pics.speaking(options.generation)
        cases = with_controls(chosen("car", options.case, options.generation), catalogue())
        if not options.pki and not options.no_tls:
            raise ConfigError("a station speaks TLS: give --pki DIR (v2g pki create DIR makes one), or --no-tls on a bench")
        if not pics.test.command and (not port or pics.test.cars > 1):
            raise ConfigError("a car that comes by itself must know where: give a port, and leave cars = 1 under [test]")
        certificates = Certificates(Store(options.pki), options.profile) if options.pki and not options.no_tls else None
    except (ConfigError, StoreError, ValueError) as error:
        complain(f"v2g conform car: {error}")
        return USAGE
    teller = Teller(options.out, "car", len(cases))
    with tempfile.TemporaryDirectory(prefix="conform.") as scratch:
        site = Site(host, port, certificates, pics, options.iface, Path(scratch))
        asyncio.run(play(cases, pics, site.bench, teller, outlets=pics.test.cars, repeat=options.repeat))
    return teller.publish(pics, f"listened at {address_text((host, port))}", options)
