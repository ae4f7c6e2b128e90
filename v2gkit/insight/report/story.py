"""The content of a report about a session, as plain values: read from a trace by `reading`, drawn by `chart` and `page`.

Times are epoch seconds of the wall clock of the session, powers are W (positive into the EV), SOC is %, prices are currency per kWh.
"""

from dataclasses import dataclass, field

Steps = tuple[tuple[float, float, float], ...]  # (from, until, value)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One row of the message sequence: a request with its response, or several equal ones in a row."""

    at: float  # s since the session began
    request: str
    response: str
    code: str
    octets: tuple[int, int]  # EXI of request and response
    answered: float | None  # s the station took
    limit: float | None  # s it may take
    times: int = 1
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One charge loop: power (W) at the outlet, its span of time (epoch s), and the state of charge that the car states."""

    at: float
    power: float | None
    soc: float | None = None
    until: float | None = None  # None: nothing is known after it

    @property
    def energy(self) -> float:
        """The energy of the sample (Wh), negative out of the EV."""
        return 0.0 if self.until is None else (self.power or 0.0) * (self.until - self.at) / 3600


@dataclass(frozen=True, slots=True)
class Tuple:
    """One schedule that was offered, and whether the car chose it."""

    number: int | None
    charging: Steps = ()
    discharging: Steps = ()
    import_price: Steps = ()
    export_price: Steps = ()
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that was said between a grid and the inverter of a car that feeds it."""

    at: float  # s since the session began
    who: str  # station or car
    what: str  # by the names of the message
    value: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, by the fields that people recognise it by."""

    subject: str
    issuer: str
    key: str
    until: str
    octets: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates of one side in the order in which they were sent, leaf first."""

    role: str
    certificates: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that the page shows of one connection."""

    title: str
    ended: str
    well: bool
    facts: tuple[tuple[str, str], ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    samples: tuple[Sample, ...] = ()
    offered: tuple[Tuple, ...] = ()
    profile: Steps = ()
    grid: tuple[Asked, ...] = ()  # of AC_DER
    chains: tuple[Chain, ...] = ()
    notes: tuple[tuple[float, str], ...] = ()
    currency: str = ""
    energy: dict[str, float] = field(default_factory=dict)  # Wh: charged, discharged
    connection: int = 0
    outlet: str = ""  # where the trace says it
    began: float = 0.0  # epoch s
