"""What a decision rests on and what it is: two frozen values that are kept together, so that whoever asks again gets the same. Pure."""

import hashlib
from typing import Any

import msgspec

from v2g.energy.fleet.room import Memory
from v2gkit.fleet.declared import Site


class Car(msgspec.Struct, frozen=True, omit_defaults=True):
    """An asset as it is at one moment: what it would draw, what it can, what it draws, and what its driver needs. Powers in W."""

    asset: str
    at: str  # its feeder
    wanted: float  # signed
    most: float
    give: float = 0.0
    least: float = 0.0
    phases: tuple[int, ...] = (1, 2, 3)
    drawn: float | None = None  # signed; None: nobody knows
    drawn_at: float = 0.0  # tick s
    missing: float = 0.0  # Wh until its driver's goal
    departure: float | None = None  # epoch s
    tenant_rank: int = 0
    contract_rank: int = 0
    spare: float = 0.0  # Wh that it can give until it is down to its reserve


class Held(msgspec.Struct, frozen=True, omit_defaults=True):
    """What holds at the meter of a site at one moment, with the ids of what set it. None: nothing does. W, caps as magnitudes."""

    import_cap: float | None = None
    import_by: tuple[str, ...] = ()
    export_cap: float | None = None
    export_by: tuple[str, ...] = ()
    setpoint: float | None = None
    setpoint_by: str = ""


class Remembered(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one decision leaves to the next, as `v2g.energy.fleet.room.Memory`."""

    told: dict[str, float] = {}
    since: dict[str, float] = {}
    turns: dict[str, float] = {}
    queue: tuple[str, ...] = ()
    left: dict[str, float] = {}

    @property
    def memory(self) -> Memory:
        """As the dispatcher reads it."""
        return Memory(self.told, self.since, self.turns, self.queue, self.left)


class Question(msgspec.Struct, frozen=True):
    """All that a decision rests on."""

    tenant: str
    site: Site
    at: float  # epoch s
    tick: float  # s of the clock by which readings age
    held: Held
    cars: tuple[Car, ...]
    before: Remembered
    deaf: dict[str, float] = {}  # by feeder, W that assets there may draw which did not take their orders


class Shed(msgspec.Struct, frozen=True):
    """Somebody who has less than it wanted (W), and why."""

    asset: str
    wanted: float
    given: float
    why: str


class Answer(msgspec.Struct, frozen=True):
    """W for each asset, signed, and who has less than it wanted."""

    orders: dict[str, float]
    shed: tuple[Shed, ...]
    over: dict[str, float]  # by connection, W above its cap that no order can take back
    after: Remembered


class Decision(msgspec.Struct, frozen=True):
    """A question with its answer. `id` is the hash of the question, so one question is decided once."""

    id: str
    cause: str
    question: Question
    answer: Answer

    @property
    def octets(self) -> bytes:
        """As it is kept."""
        return msgspec.json.encode(self)


def digest(question: Question) -> str:
    """SHA-256 of a question, in hex, cut to what makes an id."""
    return hashlib.sha256(msgspec.json.encode(question)).hexdigest()[:32]


def read(octets: bytes | str) -> Decision:
    """A decision that was kept. Raises ValueError for what is none."""
    try:
        return msgspec.json.decode(octets, type=Decision)
    except msgspec.MsgspecError as error:
        raise ValueError(f"that is no decision: {error}") from None


def shown(held: Held) -> dict[str, Any]:
    """What holds, for people and programs."""
    said: dict[str, Any] = msgspec.to_builtins(held)
    return said
