"""The entry point of `v2g`: before it imports our packages, it checks that no foreign package has their names."""

from collections.abc import Sequence

from v2gkit import shadow


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. A foreign package under one of our names is reported in one line."""
    if shadow.elsewhere():
        return shadow.refused()
    try:
        from v2gkit.cli.main import main as command
    except (ImportError, AttributeError):  # files of theirs among ours
        if shadow.refusal() is None:
            raise
        return shadow.refused()
    return command(argv)
