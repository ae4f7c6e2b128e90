"""What a session has learnt of its station."""

from dataclasses import dataclass
from typing import Any

from evcc import car as any_car
from evcc.car import Outcome
from evcc.choice import Choice
from evcc.offers import Offered
from v2g.services import Selection
from v2g.session.errors import Misuse


@dataclass(slots=True)
class Known:
    """What the session has learnt from its station: the service that it stands for, schedules, meter."""

    selected: Selection | None = None
    offers: tuple[Offered, ...] = ()
    choice: Choice | None = None
    meter: Any = None  # the latest MeterInfo
    renegotiated: float | None = None  # wall time of the last renegotiation
    postponed: bool = False  # the station asked for a renegotiation too soon after the last
    fruitless: int = 0  # schedules in a row that brought no power

    @property
    def service(self) -> Selection:
        """The service that stands for the chosen mode. Raises Misuse before one is chosen."""
        if self.selected is None:
            raise Misuse("the script speaks of its service before it has chosen one")
        return self.selected

    @property
    def tuple_id(self) -> int:
        """The id of the SAScheduleTuple that is followed. Raises Misuse before there is a choice."""
        if self.choice is None or self.choice.tuple_id is None:
            raise Misuse("the script speaks of its schedule before it has chosen one")
        return self.choice.tuple_id

    def outcome(self) -> Outcome:
        """What the session came to, for the result of a visit."""
        if self.selected is None:
            return Outcome()
        return Outcome(self.selected.service, "Scheduled", schedule=self.choice.tuple_id if self.choice else None)


Car = any_car.Car[Any]  # whose `known` is a Known of its generation
