"""What the services of `v2g pki` have in common: the options of their address, and serving until they are stopped."""

import argparse
import ssl
from pathlib import Path

from v2gkit.authorities.route import Route
from v2gkit.cli import parser as kinds
from v2gkit.cli.pki.answer import WELL, say


def place(parser: argparse.ArgumentParser, port: int) -> None:
    """Add the options of a service: its store, and its address; `port` is the default port."""
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--host", default="::1")
    parser.add_argument("--port", type=kinds.port, default=port, help=f"default {port}; 0 takes any")


def serve(routes: list[Route], options: argparse.Namespace, path: str, tls: ssl.SSLContext | None = None) -> int:
    """Serve these routes until stopped; `path` is printed with the URL. Returns the exit code."""
    from v2gkit.authorities.web import Site

    site = Site(routes, options.host, options.port, tls)
    say(options, f"serving {site.url}{path}, stop with Ctrl-C", url=f"{site.url}{path}")
    site.serve()
    return WELL
