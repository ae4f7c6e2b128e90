"""A signal as it was received: from where, for whom, when, and what became of it."""

from dataclasses import dataclass
from enum import Enum

from v2g.energy.signal import Kind, Signal
from v2gkit.grid.faults import GridFault, Trouble, quoted

YEAR = 366 * 86_400.0  # s; how long a limit holds of which nobody said an end: no plan reaches further
STEPS = 4_096  # of one signal: a quarter hour each for six weeks
NAME = 256  # characters of an identifier: those of OpenADR have 128, beside source and type


class Fate(Enum):
    """What became of a signal."""

    WAITING = "waiting"  # its time has not come
    OBEYED = "obeyed"  # it holds; a cap that a lower one outdoes is obeyed with that
    OVERRIDDEN = "overridden"  # something goes before it: `Received.by`
    EXPIRED = "expired"  # its time is over
    WITHDRAWN = "withdrawn"  # its origin took it back


@dataclass(frozen=True, slots=True)
class Told:
    """What a translator makes of one thing that a server says: a signal, for which tenant, in which version.

    `version` grows with each change over there; a lower one is a replay. `tenant` is whom the server names, empty where the protocol
    has no word for it. `reference` is the identifier over there. Of setpoints of one rank and source that of the lowest `priority` holds.
    A `fallback` is a cap that holds only while its source is not heard, and then beyond its end.
    """

    signal: Signal
    version: float = 0.0
    tenant: str = ""
    reference: str = ""
    priority: int = 0
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A signal in the book: its rank stands in the signal, its times are epoch s, `acknowledged` is None until its origin was told."""

    signal: Signal
    protocol: str
    source: str
    tenant: str
    reference: str
    version: float
    received: float
    priority: int = 0
    acknowledged: float | None = None
    fate: Fate = Fate.WAITING
    by: tuple[str, ...] = ()  # ids of what overrides it
    fallback: bool = False  # holds only while its source is not heard

    @property
    def live(self) -> bool:
        """Whether it may still come to hold, or does."""
        return self.fate not in (Fate.EXPIRED, Fate.WITHDRAWN)


def demand_sound(told: Told, source: str, now: float) -> None:
    """Raise GridFault for a signal that cannot be meant: too long, endless setpoints, no end in the future. `now` in epoch s."""
    signal, named = told.signal, f"{source}: signal {quoted(told.signal.id)}"
    for text in (signal.id, told.reference):
        if len(text) > NAME:
            raise GridFault(Trouble.HUGE, f"{source}: an identifier of {len(text)} characters, {quoted(text)}; at most {NAME} are taken")
    steps = signal.power.steps
    if len(steps) > STEPS:
        raise GridFault(Trouble.HUGE, f"{named} has {len(steps)} steps; at most {STEPS} are taken")
    if not steps:
        raise GridFault(Trouble.MALFORMED, f"{named} holds at no time; it wants at least one interval")
    if signal.kind is Kind.SETPOINT and any(abs(step.value) == float("inf") for step in steps):
        raise GridFault(Trouble.MALFORMED, f"{named} is a setpoint without a number; give W")
    if signal.power.until <= now:
        raise GridFault(Trouble.EXPIRED, f"{named} was over {now - signal.power.until:.0f} s before it came; is a clock wrong?")
