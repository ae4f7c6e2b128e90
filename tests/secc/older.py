"""A car of a generation whose messages are in an envelope (ISO 15118-2, DIN SPEC 70121), and a station's surroundings, in virtual time.

Scripted requests go in, decoded responses and wants come out. What the car says is added by its generation.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from secc import station as words
from secc.engine import SeccSession
from secc.outlet import Outlet
from tests.secc.scripted import EPOCH
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.exi.schema import Type
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, Noted
from v2g.session.errors import StationFailed
from v2g.session.generation import Generation
from v2g.session.v2gtp import FrameReader, frame


@dataclass
class Older:
    """One session with a scripted car, on plain TCP unless `given` says otherwise. `auto` says which wants are granted at once."""

    generation: ClassVar[Generation]
    types: ClassVar[Any]  # the module of its data types
    discovering: ClassVar[type[Type]]
    selecting: ClassVar[type[Type]]  # the request that says how the car pays
    authorizing: ClassVar[type[Type]]

    outlet: Outlet = field(default_factory=Outlet)
    auto: bool = True
    now: float = 1000.0
    tuple_id: int = 1  # of the schedule that the backend offers
    given: dict[str, Any] = field(default_factory=dict)
    epoch: float = EPOCH  # wall time is this and `now`
    broken: bool = False  # what a session caught is expected

    def __post_init__(self) -> None:
        self.drawn = 0
        options: dict[str, Any] = {"entropy": self.entropy, **self.given}
        self.session = SeccSession(self.outlet, Clock(self.epoch, 0.0), self.now, **options)
        self.reader = FrameReader()
        self.id = bytes(8)
        self.happened: list[Event] = []
        self.signature: Any = None
        self.heard: Any = None  # the last answer, with its envelope

    def entropy(self, length: int) -> bytes:
        self.drawn += 1
        return bytes([self.drawn]) * length

    @property
    def wall(self) -> float:
        return self.epoch + self.now

    def jump(self, seconds: float) -> None:
        """Let the wall clock run ahead of the protocol's."""
        self.epoch += seconds
        self.session._clock = Clock(self.epoch, 0.0)

    # --- the wire ---

    def send(self, request: Type) -> list[Any]:
        sent = self.generation.write(request, self.id, "main", self.signature)
        self.signature = None
        return self.octets(frame(sent.payload_type, sent.exi))

    def octets(self, octets: bytes) -> list[Any]:
        self.session.receive(octets, self.now)
        self.settle()
        return self.answers()

    def answers(self) -> list[Any]:
        self.reader.feed(self.session.octets_to_send())
        found = []
        while (got := self.reader.next()) is not None:
            self.heard = self.generation.read(got.payload_type, got.payload, by_car=True)
            found.append(self.heard.reading.message)
        if self.session.ended is not None and self.session.ended.error is not None:
            (ended,) = [e for e in self.happened if isinstance(e, Noted) and e.topic == "ended"]
            assert ended.facts["why"] == self.session.ended.reason
        return found

    def ask(self, cls: type[Type], **fields: Any) -> Any:
        """Send a request of that class and return the one response."""
        (answer,) = self.send(cls(**fields))
        if cls.__name__ == "SessionSetupReq":
            self.id = self.heard.session_id
        return answer

    def setup(self) -> Any:
        """Agree upon the protocol and begin a session."""
        raise NotImplementedError

    def pay(self, option: str = "ExternalPayment", services: tuple[int, ...] = (1,)) -> Any:
        """Select a way to pay and these services; the answer."""
        chosen = tuple(self.types.SelectedServiceType(ServiceID=each) for each in services)
        listed = self.types.SelectedServiceListType(SelectedService=chosen)
        return self.ask(self.selecting, SelectedPaymentOption=self.types.paymentOptionType(option), SelectedServiceList=listed)

    def authorized(self) -> None:
        """Go as far as the parameters, paying otherwise than by contract."""
        self.setup()
        self.ask(self.discovering)
        self.pay()
        self.ask(self.authorizing)
        assert self.ask(self.authorizing).EVSEProcessing is self.types.EVSEProcessingType.Finished

    def wait(self, seconds: float) -> None:
        """Let time pass; the session is ticked at its deadlines."""
        end = self.now + seconds
        while (due := self.session.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.session.tick(self.now)
            self.settle()
        self.now = end

    # --- the surroundings ---

    def tell(self, *facts: words.Fact) -> None:
        for fact in facts:
            self.session.tell(fact, self.now)
        self.settle()

    def settle(self) -> None:
        error = self.session.ended.error if self.session.ended is not None else None
        if isinstance(error, StationFailed) and error.__cause__ is not None and not self.broken:
            raise error.__cause__
        while fresh := self.session.events():
            self.happened += fresh
            for event in fresh:
                if self.auto and (fact := self.grant(event)) is not None:
                    self.session.tell(fact, self.now)

    def grant(self, event: Event) -> words.Fact | None:
        match event:
            case words.AuthorizationWanted():
                return words.Authorized()
            case words.NeedsChanged(needs=needs):
                return words.ScheduleReady(self.offer(needs))
            case words.CheckIsolation():
                return words.IsolationMeasured(True)
            case words.SetOutput(voltage=voltage, current=current):
                return words.OutputMeasured(voltage, current)
            case words.CloseContactor():
                return words.ContactorIs(True)
            case words.OpenContactor():
                return words.ContactorIs(False)
        return None

    def offer(self, needs: Any) -> Offer:
        """A day at what the outlet can."""
        start = float(int(self.wall))
        return Offer((Tuple(self.tuple_id, Series.constant(start, 86_400.0, self.outlet.limits.charge_power)),), departure=needs.departure)

    def wants(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.happened if isinstance(event, kind)]
