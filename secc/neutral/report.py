"""What a station has told of itself, as its session knows it."""

from dataclasses import dataclass, field

from secc.station import Alignment, Device, Limits, MeterReading, MobilityNeedsSet, OutputMeasured, Paired, ParkingPlace, Position
from v2g.energy.der import NO_SHARES, GridControl, Shares
from v2g.session.wireless import Condition


@dataclass(frozen=True, kw_only=True)
class StationReport:
    """The last facts that the station reported about itself: limits, contactor, pilot, meter, output."""

    limits: Limits = field(default_factory=Limits)  # what the outlet can do now
    taken: bool = False  # another session has the outlet
    unserviceable: str = ""  # why the outlet serves nobody now
    emergency: str = ""  # why the outlet was stopped at once
    pilot: str | None = None  # None: not observed
    locked: bool | None = None  # the connector; None: not observed
    contactor: bool | None = None  # None: not told yet
    contactor_wanted: bool | None = None  # what it was told to be
    welded: bool = False  # it was seen closed when nothing of this session had closed it, or after it was told to open
    output: OutputMeasured = field(default_factory=lambda: OutputMeasured(0.0, 0.0))
    position: Position | None = None  # of a vehicle under an ACDP, or over a ground device; None: not observed
    pairing: Paired | None = None  # WPT; None: not known yet
    unassociated: str = ""  # WPT: why the vehicle over the ground device is no longer this session's
    alignment: Alignment | None = None  # WPT; None: not known yet
    ground: Condition = "NoIssue"  # WPT: of the ground device
    ground_since: float = 0.0  # session time (s) since when
    device: Device = "Home"  # where that is
    place: ParkingPlace | None = None  # of a vehicle that checks in; None: not known yet
    meter: MeterReading | None = None
    setpoint: float | None = None  # W, Dynamic control
    reactive: float | None = None  # var, beside it
    mobility: MobilityNeedsSet | None = None  # None: departure and SOC are left to the car
    grid: GridControl | None = None  # what the grid asks of a car that feeds it; None: nobody has said
    grid_shares: Shares = NO_SHARES  # what it asks in shares of what the car can give back
