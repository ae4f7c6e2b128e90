"""`v2g conform probe`: ask a station what it has, and write that down as the first draft of its PICS."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from v2gkit.output import complain, put

if TYPE_CHECKING:
    from v2gkit.lab.probing import Answers

WELL, NEGATIVE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g conform probe [::1]:15118 --pki certs --out station.toml
  v2g conform probe 127.0.0.1:15118 --no-tls --out bench.toml
  v2g conform station [::1]:15118 --pki certs --pics station.toml --out results

Every protocol is offered alone, on a connection of its own; where one of ISO 15118-20 is selected, the car authorizes and asks for services
and parameter sets. It leaves before any power. A station that waits for a card is waited for as the standard has it: 60 s. What no question
finds out (a pause, a meter, a control pilot) is left to you, and stands in the file as a remark.

exit codes: 0 written, 1 the station said nothing of ISO 15118-20, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform probe`."""
    parser.add_argument("address", metavar="HOST:PORT", help="of the station, IPv6 in brackets")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the draft, TOML (default: standard output)")
    parser.add_argument("--pki", type=Path, metavar="DIR", help="certificates of a car, for TLS")
    parser.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, default=True, help="TLS 1.3 (default); --no-tls is for benches only"
    )


def run(options: argparse.Namespace) -> int:
    """Ask, and write the draft; the exit code."""
    from pki.errors import CertificateError, StoreError
    from pki.store import Store
    from v2g.address import host_and_port
    from v2g.settings.strict import ConfigError
    from v2gkit.lab.probing import probe

    try:
        if options.tls and options.pki is None:
            raise ValueError("TLS needs the certificates of a car; give --pki DIR, or --no-tls for a bench")
        host, port = host_and_port(options.address)
        answers = asyncio.run(probe(host, port, Store(options.pki) if options.tls else None))
    except (ValueError, ConfigError, StoreError, CertificateError) as error:
        complain(f"v2g conform probe: {error}")
        return USAGE
    text = "\n".join(draft(answers, options.address)) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
        put(options.out)
    else:
        put(text, end="")
    for namespace, reason in answers.refused.items():
        complain(f"v2g conform probe: {namespace}: {reason}")
    return WELL if answers.services else NEGATIVE


def draft(answers: "Answers", address: str) -> list[str]:
    """The lines of the draft: what was answered, and as remarks what nobody can ask."""
    from v2g.legible import legible
    from v2gkit.conform.pics import WORDS

    known = answers.claims()
    spoken = ", ".join(each.namespace for each in answers.protocols) or "none"
    lines = [
        'device = ""    # name, firmware, serial number: the cover page shows it',
        "",
        f"# asked at {legible(address)}",
        f"# protocols: {spoken}",
        f"# TLS: {legible(answers.tls or 'none')}",
        *(f"# service {row.id}, {row.name}: {len(answers.services[row.id])} parameter sets" for row in answers.rows),
        *(f"# service {each} is known to nobody here" for each in answers.services if each not in {row.id for row in answers.rows}),
        "",
        "[claims]",
    ]
    width = max(map(len, WORDS)) + 8
    for name, words in WORDS.items():
        line = f"{name} = {str(known[name]).lower()}" if name in known else f"# {name} ="
        lines.append(f"{line:<{width}} # {words}" + ("" if name in known else ": nobody can ask for it"))
    return [*lines, "", "[test]", "# outlets = []        # HOST:PORT of further outlets", "# recovery = 10.0     # s"]
