"""A street in virtual time: stations and cars, a simulated modem at each, and a clock that jumps to what is due next."""

import itertools
from collections.abc import Callable

from v2g.slac.car import EvMatching
from v2g.slac.side import Progress, Side
from v2g.slac.station import EvseMatching
from v2gkit.peers.modem import Line


def entropy(seed: int) -> Callable[[int], bytes]:
    numbers = itertools.count(seed * 1000)
    return lambda n: next(numbers).to_bytes(n, "big")


class Street:
    """`attenuation[(one, other)]` in dB, 30 where nothing is said; `lost(host, frame)` says which frames never arrive."""

    def __init__(self, stations: int, cars: int, attenuation: dict[tuple[str, str], int] | None = None, **at_station: object):
        names = [*(f"s{n}" for n in range(stations)), *(f"c{n}" for n in range(cars))]
        self.levels = attenuation or {}
        self.line = Line(names, lambda a, b: self.levels.get((a, b), self.levels.get((b, a), 30)))
        self.now = 100.0
        self.lost: Callable[[str, bytes], bool] = lambda *_: False
        self.heard: dict[str, list[Progress]] = {name: [] for name in names}
        self.sides: dict[str, Side] = {}
        for number in range(stations):
            mac = bytes([2, 0, 0, 0, 1, number])
            self.sides[f"s{number}"] = EvseMatching(mac, self.now, entropy=entropy(number + 1), **at_station)  # type: ignore[arg-type]
        self.settle()

    def car(self, name: str, **given: object) -> EvMatching:
        mac = bytes([2, 0, 0, 0, 2, int(name[1:])])
        car = EvMatching(mac, self.now, entropy=entropy(50 + int(name[1:])), **given)  # type: ignore[arg-type]
        self.sides[name] = car
        return car

    def station(self, name: str) -> EvseMatching:
        side = self.sides[name]
        assert isinstance(side, EvseMatching)
        return side

    def settle(self) -> None:
        """Deliver what is due now, and what that leads to."""
        for _ in range(10_000):
            sent = [(name, octets) for name, side in self.sides.items() for octets in side.frames_to_send(self.now)]
            for name, side in self.sides.items():
                self.heard[name] += side.events()
            if not sent:
                return
            for host, octets in sent:
                self.send(host, octets)
        raise AssertionError("the street never falls silent")

    def send(self, host: str, octets: bytes) -> None:
        """Put a frame of that host on the line."""
        for to, frame in [] if self.lost(host, octets) else self.line.sent(host, octets):
            if to in self.sides and not self.lost("to " + to, frame):
                self.sides[to].receive(frame, self.now)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end = self.now + seconds
        for _ in range(100_000):
            for side in list(self.sides.values()):
                side.tick(self.now)
            self.settle()
            if until():
                return
            due = min((d for side in self.sides.values() if (d := side.deadline()) is not None), default=end)
            if due >= end:
                self.now = end
                return
            self.now = max(self.now, due)
        raise AssertionError("a deadline does not move")
