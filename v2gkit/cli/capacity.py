"""`v2g capacity`: a capacity provider of OSCP 2.0 for the laboratory. It tells a flexibility provider forecasts, and what that says."""

import argparse
import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from v2gkit.cli import log
from v2gkit.cli.parser import number, port
from v2gkit.cli.reached import tls_server
from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g capacity capacity.toml --port 8072           register, shake hands, tell the forecasts, say what comes back
  v2g capacity capacity.toml --seconds 60 --json   one object for each message

The file says whom it calls, and what it forecasts from its start on:
  url = "http://localhost:8071/dso/oscp/fp/2.0"
  token_file = "dso.txt"
  group = "depot"
  [[forecast]]
  type = "CONSUMPTION"                             or GENERATION, FALLBACK_CONSUMPTION, FALLBACK_GENERATION, OPTIMUM
  capacity = [7.4, 11]                             kW, a quarter of an hour each

exit codes: 0 it was stopped or its time was over, 2 wrong usage or configuration
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g capacity`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="TOML: whom it calls, and what it forecasts")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=8072, help="0 lets the system choose (default: 8072)")
    parser.add_argument("--url", help="as the flexibility provider reaches it, where that is another one")
    parser.add_argument("--cert", type=Path, metavar="PEM", help="its chain: TLS")
    parser.add_argument("--key", type=Path, metavar="PEM")
    parser.add_argument("--seconds", type=number(above=0), metavar="S", help="stop after so many seconds (default: when it is told to)")
    parser.add_argument("--json", action="store_true", help="what comes as JSON Lines")
    log.add_options(parser, "error")


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    from v2gkit.extras import missing
    from v2gkit.grid.oscp import provided

    try:
        if (lacking := missing(("web",))) is not None:
            raise ValueError(lacking)
        if (options.cert is None) != (options.key is None):
            raise ValueError("--cert and --key belong together; give both, or neither")
        return asyncio.run(_provided(options, provided.read(options.file)))
    except ValueError as error:
        complain(f"v2g capacity: {error}")
        return USAGE
    except KeyboardInterrupt:
        return WELL


async def _provided(options: argparse.Namespace, file: Any) -> int:
    import secrets
    import time

    import msgspec

    from v2g.settings.strict import text_of
    from v2g.tasks import Tasks
    from v2gkit.authorities.web import Site
    from v2gkit.grid.oscp.capacity import CapacityProvider
    from v2gkit.grid.oscp.words import NAMES
    from v2gkit.grid.shell.http import tls_client
    from v2gkit.grid.shell.oscp import Calling

    def hear(message: Any) -> None:
        name, body = NAMES[type(message)], msgspec.to_builtins(message)
        put(json.dumps({"message": name, "body": body}) if options.json else f"{name}: {json.dumps(body)}", flush=True)

    routes: list[Any] = []
    site = Site(routes, options.host, options.port, tls_server(options.cert, options.key))
    base = (options.url or site.url) + "/oscp/cp/2.0"
    token = text_of(options.file.parent / file.token_file, 4_096).strip()
    provider = CapacityProvider("capacity", base, file.url, token, secrets.token_bytes, hear, file.heartbeat)
    calling = Calling(provider, time.time, tls_client(file.roots), lambda fault: complain(f"v2g capacity: {fault}"))
    routes.append(calling.route("/oscp/cp/2.0"))
    for forecast in file.forecast:
        provider.forecast(forecast.message(file.group, time.time()))
    put(json.dumps({"url": base}) if options.json else f"serving {base}, stop with Ctrl-C", flush=True)
    async with Tasks("v2g.grid") as tasks:
        tasks.keep("web server", site.run)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.seconds):
                await calling.run()
    return WELL
