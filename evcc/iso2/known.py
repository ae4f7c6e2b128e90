"""What a session of ISO 15118-2 has learnt, and what a car keeps of it over a pause."""

from dataclasses import dataclass

from evcc import car as any_car
from evcc.car import Outcome
from evcc.early import known
from v2g.iso2.services import Installing, Mode


@dataclass(slots=True)
class Known(known.Known):
    """What the session has learnt from its station: the way of charging, schedules, meter."""

    mode: Mode | None = None  # the energy transfer mode that was chosen
    asking: Installing | None = None  # for a contract, with the next message
    internet: str | None = None  # protocol of the value-added service that was selected

    def outcome(self) -> Outcome:
        """What the session came to, for the result of a visit."""
        return known.Known.outcome(self)._replace(internet=self.internet if self.selected else None)


Car = any_car.Car[Known]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a car keeps of a paused session: the id by which the station knows it."""

    session_id: bytes
