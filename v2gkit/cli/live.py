"""The options that serve the viewer while sessions run."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from v2gkit.cli.parser import port
from v2gkit.extras import missing
from v2gkit.output import answer_stream, complain, put

if TYPE_CHECKING:
    from v2gkit.insight.live.feed import Feed

USAGE = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the address at which the viewer is served; without --ui it is not."""
    group = parser.add_argument_group("live viewer")
    group.add_argument(
        "--ui", type=port, nargs="?", const=0, metavar="PORT", help="show everything in a browser as it happens (default: any free port)"
    )
    group.add_argument(
        "--ui-bind", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1; on an address of a network a token is demanded"
    )


@contextlib.contextmanager
def viewing(options: argparse.Namespace) -> "Iterator[Feed | None]":
    """The viewer that the options ask for, within the block; None: they ask for none. Exits with code 2 where a library is missing."""
    if options.ui is None:
        yield None
        return
    if lacking := missing(["ui"]):
        complain(f"{options.prog}: --ui: {lacking}")
        raise SystemExit(USAGE)
    from v2gkit.insight.live.feed import Where, viewed

    with viewed(Where(options.ui, options.ui_bind), options.prog, lambda line: complain(f"{options.prog}: {line}", flush=True)) as feed:
        yield feed


def stay(feed: "Feed | None", options: argparse.Namespace) -> None:
    """After a command that ends by itself: at a terminal, keep the viewer until the user interrupts."""
    if feed is None:
        return
    feed.over()
    if not options.json and answer_stream().isatty():
        put(f"the viewer stays at {feed.url} until Ctrl-C", flush=True)
        feed.wait()
