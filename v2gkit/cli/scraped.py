"""The options that serve metrics for Prometheus."""

import argparse

from v2gkit.cli.parser import port


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the address at which metrics are served; without --metrics none are."""
    group = parser.add_argument_group("figures for Prometheus")
    group.add_argument("--metrics", type=port, metavar="PORT", help="serve them at http://ADDRESS:PORT/metrics; 0 takes any port")
    group.add_argument("--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1; anybody there may read them")
