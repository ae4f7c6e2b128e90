"""Which generation's cases are played: an option that judging a car and judging a station have in common."""

import argparse

from v2gkit.conform.case import GENERATIONS


def options(parser: argparse.ArgumentParser) -> None:
    """Add --generation, a list: empty where it is not given, for the cases of every generation that the peer claims."""
    parser.add_argument(
        "--generation",
        action="append",
        default=[],
        choices=tuple(GENERATIONS.values()),
        help="only the cases of this generation, which the peer then counts as speaking; again for more",
    )
