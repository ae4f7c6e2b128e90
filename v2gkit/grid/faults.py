"""What is wrong with what a grid server says, or does not say: one clear error each, which costs nothing else."""

from enum import Enum

from v2g.legible import legible

SHOWN = 160  # characters of a stranger's text in an error


class Trouble(Enum):
    """The kinds of fault that a server may have."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    SLOW = "slow"  # no whole answer in the time that was given
    HUGE = "huge"  # more than is taken: octets, signals, steps
    MALFORMED = "malformed"  # not what the protocol says
    DENIED = "denied"  # it refuses us: credentials, scope, an exception of the device
    REPLAYED = "replayed"  # an older version than is known, or another content under a known version
    EXPIRED = "expired"  # its time was over when it came
    FOREIGN = "foreign"  # for another tenant


class GridFault(Exception):
    """A server, or one signal of it, is at fault. The text names source, thing, value, limit and cure in one line that is safe to show."""

    def __init__(self, trouble: Trouble, text: str):
        super().__init__(legible(text)[: 4 * SHOWN])
        self.trouble = trouble


def quoted(text: object) -> str:
    """A stranger's text as an error may hold it: one line, in quotes, of at most `SHOWN` characters."""
    said = legible(str(text)[: 4 * SHOWN])
    return repr(said if len(said) <= SHOWN else said[: SHOWN - 1] + "…")
