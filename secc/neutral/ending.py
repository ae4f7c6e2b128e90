"""How a session ends, whatever it spoke: the outlet is made safe, what was sold is billed, what flowed is told."""

from dataclasses import replace
from enum import Enum

from secc.neutral.context import Context, Step
from secc.station import Billed, OpenContactor, PowerStopped
from v2g.session.endpoint import Event


def over(known: Context, ended: Enum, now: float) -> tuple[Context, tuple[Event, ...]]:
    """The context at the end of a session, in the state `ended`, and the wants that follow.

    A live outlet is opened, energy that was sold is billed.
    """
    wants: tuple[Event, ...] = ((OpenContactor(now),) if known.live else ()) + ((PowerStopped(now),) if known.delivering else ())
    if (tab := known.agreement.tab) is not None:
        wants += (Billed(now, tab.bill(known.wall), tab.currency, tab.imported, tab.exported),)
    return replace(known, step=Step(state=ended)).with_service(delivering=False).with_station(contactor_wanted=False), wants


def account(known: Context) -> dict[str, int]:
    """The energies of the session (Wh) by name; empty where no meter gives finite numbers."""
    meter = known.station.meter
    try:
        return {} if meter is None else {"charged": meter.charged, "discharged": meter.discharged}
    except (ValueError, OverflowError):
        return {}
