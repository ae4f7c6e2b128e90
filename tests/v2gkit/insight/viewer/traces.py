"""Traces of real sessions in virtual time, as records: of our station, of our car, well or ended by a misbehaving one."""

import json
from typing import Any

from secc import station as words
from tests.evcc.test_pair import VERIFIER, car
from tests.evcc.virtual_pair import Pair
from v2g.generations import GENERATIONS
from v2g.session.endpoint import Event
from v2g.session.link import Connected, Disconnected
from v2g.session.trace import Trace, TraceWriter

Record = dict[str, Any]
HERE, THERE = ("::1", 15118), ("::1", 50000)


def pair(service: str = "DC_BPT", control: str = "Scheduled", way: str = "PnC", **options: Any) -> Pair:
    """A session that is over."""
    wish = options.pop("wish", {})
    given = {**VERIFIER, **options.pop("given", {})}
    return Pair(car(service, control, way, **wish), given=given, **options)


def of_station(done: Pair) -> list[Record]:
    """The trace of the station."""
    return _traced(done, "secc", [*done.happened, *done.station.events()], done.station.ended, {"evse": "DE*V2G*E1"})


def of_car(done: Pair) -> list[Record]:
    """The trace of the car."""
    return _traced(done, "evcc", [*done.seen, *done.evcc.events()], done.evcc.ended, {})


def _traced(done: Pair, side: str, events: list[Event], ended: Any, about: Any) -> list[Record]:
    lines: list[str] = []
    writer = TraceWriter(Trace(side, done.car.clock.wall, GENERATIONS, connection=1), lines.append, about)
    ends = (HERE, THERE) if side == "secc" else (THERE, HERE)
    for event in [Connected(0.0, *ends), *events, Disconnected(done.now, "peer", True, "the session is over", ended)]:
        writer.event(event)
    return [json.loads(line) for line in lines]


def emergency() -> Pair:
    """A session whose station was stopped by its button."""
    return pair(facts={3: words.EmergencyStop("the button was hit")})
