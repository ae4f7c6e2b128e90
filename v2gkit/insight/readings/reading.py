"""The words of a reading. Powers are W, + into the car; times are epoch s; a state of charge is in percent."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from v2g.session.generation import Generation
from v2gkit.insight.report.story import Steps, Tuple


class Said(Protocol):
    """A message, and when it was said (epoch s)."""

    @property
    def message(self) -> Any:
        """The message itself, as it was decoded."""

    @property
    def epoch(self) -> float:
        """The wall time of schedules and batteries, epoch s."""


class Now(NamedTuple):
    """A message that is said now."""

    message: Any
    epoch: float


class Flow(NamedTuple):
    """The power of one exchange of the charge loop.

    What a station has measured flowed since its response before; what it gives holds from its response on; what a car states holds from
    its request on. None: nobody says it.
    """

    power: float | None
    since: Literal["measured", "given", "stated"]


class Profile(NamedTuple):
    """What a car says that it will take, and the number of the schedule that it follows; None in Dynamic control."""

    steps: Steps
    chosen: int | None


class Choices(NamedTuple):
    """What a message says of the session's service, control and authorization; empty: it says nothing of it."""

    service: str = ""
    control: str = ""
    authorization: str = ""


class Reading(ABC):
    """One generation, as it is shown."""

    generation: Generation
    beside: ClassVar[tuple[str, ...]] = ()  # requests between two loops that leave the power as it is, by name

    @abstractmethod
    def flow(self, request: Any, response: Any) -> Flow:
        """The power of an exchange of the charge loop; `request` may be None where it is not known."""

    @abstractmethod
    def soc(self, request: Any) -> float | None:
        """The state of charge that a request of the charge loop states."""

    @abstractmethod
    def offers(self, response: Said) -> tuple[Tuple, ...]:
        """The schedules that a response offers, when the station has planned; none where it offers nothing."""

    @abstractmethod
    def currency(self, response: Any) -> str:
        """The currency of the prices that a response offers; empty where it has none."""

    @abstractmethod
    def profile(self, request: Said) -> Profile | None:
        """What a PowerDeliveryReq says of the power to come; None where it does not."""

    @abstractmethod
    def begins(self, request: Any) -> bool:
        """Whether a PowerDeliveryReq asks for power."""

    @abstractmethod
    def choices(self, request: Any) -> Choices:
        """What a request chooses."""

    @abstractmethod
    def peer(self, message: Any) -> str:
        """Who the sender says it is; empty where a message does not say that."""
