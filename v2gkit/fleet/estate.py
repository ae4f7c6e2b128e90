"""What flows at the sites of a fleet, and what holds at each of all programs: shares of caps and setpoints."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from v2gkit.fleet.decision import Car, Held
from v2gkit.fleet.places import Place, Selling, both, finite
from v2gkit.fleet.shed import MUST, allotted, need, shared_setpoint


@dataclass(frozen=True)
class Estate:
    """Sites with their assets, cars as they were reported, and by asset the most (W) that it may draw by what it was told."""

    places: Mapping[str, Place]
    cars: Mapping[str, Car]
    holds: Mapping[str, float]

    def hold(self, selling: Iterable[tuple[Selling, list[str]]], wall: float) -> None:
        """Have each place know what holds there at `wall` (epoch s): of all programs, each with its sites, the lowest cap and the first
        setpoint.
        """
        found: dict[str, Held] = {}
        for each, sites in selling:
            for site, held in self._shares(each, sites, wall).items():
                found[site] = both(found[site], held) if site in found else held
        for site, place in self.places.items():
            held = found.get(site, Held())
            if place.limit is not None:
                held = both(held, Held(import_cap=place.limit, import_by=("operator",)))
            if held != place.held:
                place.held, place.dirty = held, True

    def _shares(self, selling: Selling, sites: list[str], wall: float) -> dict[str, Held]:
        standing = selling.standing
        most = sum(self.places[site].site.import_limit or 0.0 for site in sites)
        cap = selling.rebound.cap(finite(standing.import_cap), most, wall)
        by = standing.import_by or ((f"{selling.program.id}:rebound",) if cap is not None else ())
        caps: Mapping[str, float] = {}
        if cap is not None:
            wanted = {site: self.flow(site, lambda car: max(car.wanted, 0.0), wall) for site in sites}
            caps = allotted(cap, wanted, {site: self._holding(site) for site in sites})
        outs = {} if not math.isfinite(standing.export_cap) else {site: standing.export_cap / len(sites) for site in sites}
        points: Mapping[str, float] = {}
        if standing.setpoint is not None:
            flows = {site: self.flow(site, lambda car: car.wanted, wall) for site in sites}
            points = shared_setpoint(standing.setpoint, flows, {site: self._spans(site, wall) for site in sites})
        return {
            site: Held(caps.get(site), by, outs.get(site), standing.export_by, points.get(site), standing.asked_by if points else "")
            for site in sites
        }

    def part(self, site: str, sites: list[str]) -> float:
        """The part (0 to 1) of what a program will ask for that a site is planned with: that of its connection among all."""
        most = {each: self.places[each].site.import_limit or 0.0 for each in sites}
        total = sum(most.values())
        return most[site] / total if total > 0 else 1.0 / len(sites)

    def flow(self, site: str, power: Callable[[Car], float], wall: float | None = None) -> float:
        """W at a site: its base load, and what `power` says of each car, as it is planned at `wall` (epoch s) where that is given."""
        place = self.places[site]
        load = place.site.base_load + sum(feeder.base_load for feeder in place.site.feeder)
        return load + sum(power(car) for car in self._here(place, wall))

    def _here(self, place: Place, wall: float | None) -> list[Car]:
        here = [self.cars[asset.id] for asset in place.assets if asset.id in self.cars]
        return here if wall is None or place.plan is None else [as_planned(car, place, wall) for car in here]

    def _spans(self, site: str, wall: float) -> tuple[float, float]:
        here = self._here(self.places[site], wall)
        return sum(car.wanted + car.give for car in here), sum(car.most - car.wanted for car in here)

    def _holding(self, site: str) -> float:
        """The most (W) that a site may draw by what its assets were told, whether or not they have answered."""
        return self.flow(site, lambda car: 0.0) + sum(self.holds.get(asset.id, 0.0) for asset in self.places[site].assets)


def as_planned(car: Car, place: Place, wall: float) -> Car:
    """A car that wants what is planned for it at `wall` (epoch s); as it is where nothing is, or where it must charge until it leaves."""
    planned = None if place.plan is None else place.plan.power(car, wall)
    if planned is None or need(car, wall) == MUST:
        return car
    return msgspec.structs.replace(car, wanted=max(min(planned, car.wanted), -car.give))
