"""`v2g vtn`: a VTN of OpenADR 3.1 for the laboratory, in memory."""

import argparse
import json
from pathlib import Path
from typing import Any

from v2gkit.cli.parser import port
from v2gkit.cli.reached import tls_server
from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g vtn vtn.toml --port 8070               serve programs, events, reports, subscriptions, VENs and resources
  v2g vtn vtn.toml --cert vtn.pem --key vtn.key    over TLS

The file says who may ask:
  [[client]]
  id = "utility"
  secret_file = "utility.secret"
  role = "bl"                                business logic: it writes programs and events
  [[client]]
  id = "depot"
  secret_file = "depot.secret"
  role = "ven"

exit codes: 0 it was stopped, 2 wrong usage or configuration
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g vtn`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="TOML: its clients")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=8070, help="0 lets the system choose (default: 8070)")
    parser.add_argument("--url", help="as clients reach it, where that is another one")
    parser.add_argument("--cert", type=Path, metavar="PEM", help="its chain: TLS")
    parser.add_argument("--key", type=Path, metavar="PEM")
    parser.add_argument("--json", action="store_true", help="where it is, as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    from v2gkit.extras import missing

    try:
        if (lacking := missing(("web",))) is not None:
            raise ValueError(lacking)
        return _served(options)
    except ValueError as error:
        complain(f"v2g vtn: {error}")
        return USAGE


def _served(options: argparse.Namespace) -> int:
    from v2gkit.authorities.web import Site
    from v2gkit.grid import clients
    from v2gkit.grid.shell.vtn import routes_of

    known = clients.read(options.file)
    routes: list[Any] = []
    site = Site(routes, options.host, options.port, _tls(options))
    routes += routes_of(options.url or site.url, known)
    put(json.dumps({"url": site.url}) if options.json else f"serving {site.url}, stop with Ctrl-C", flush=True)
    site.serve()
    return WELL


def _tls(options: argparse.Namespace) -> Any:
    if (options.cert is None) != (options.key is None):
        raise ValueError("--cert and --key belong together; give both, or neither")
    return tls_server(options.cert, options.key)
