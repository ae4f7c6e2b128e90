"""The usual session: negotiate, choose and pay, charge, leave; with pause, resume and renegotiation."""

from collections.abc import Callable

from evcc.early.charge import in_order, visit
from evcc.early.dc import Dc
from evcc.early.delivery import Leave, due
from evcc.early.mode import Mode
from evcc.iso2.ac import Ac
from evcc.iso2.known import Car, Memory
from evcc.iso2.receipt import receipt
from evcc.iso2.selection import selection
from evcc.iso2.setup import opening
from evcc.iso2.words import WORDS
from evcc.script import Part


def charge(car: Car, leave: Callable[[Car], Leave] = due) -> Part[str]:
    """A whole session; returns how it ended ("Terminate" or "Pause"). With `car.memory` it goes on with the paused session's id."""
    yield from opening(car)
    how = yield from in_order(car, WORDS, visit(car, WORDS, choosing, leave, receipt))
    if how == "Pause":
        car.memory = Memory(car.session_id)
    return how


def choosing(car: Car) -> Part[Mode]:
    """Choose how to charge and how to pay, and get authorized; returns the way of charging."""
    yield from selection(car)
    return Dc(car, WORDS) if car.known.service.row.dc else Ac(car)
