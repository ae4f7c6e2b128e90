"""The built-in backend of an outlet that shares its connection: the yard plans for all of them, and says what each may draw now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from secc.backend import LocalBackend, within
from secc.spot import Spot
from secc.station import (
    AuthorizationWanted,
    ChangeDelayed,
    DefaultsOverridden,
    EVReported,
    Fact,
    Limits,
    LimitsChanged,
    MeterRead,
    OutputMeasured,
    ScheduleChosen,
    ScheduleReady,
    Tell,
)
from v2g.energy.market.off_peak import Delayed
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer
from v2g.energy.plan import Plan
from v2g.energy.signal import Signal
from v2g.session.endpoint import Ended, Event

SHARE, CUT = 0.05, 200.0  # of what is due, and W: so much less may be left without another schedule, as metering and control err


@dataclass
class Neighbour(LocalBackend):
    """A backend whose schedules and setpoints come from the yard in which its outlet has a `spot`."""

    spot: Spot | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._shared = 0.0  # W, signed: what the connection leaves to this outlet now
        self._held: Limits | None = None  # what a car in Scheduled control was told, where less than its schedule is left

    def began(self, tell: Tell) -> None:
        super().began(tell)
        self._shared, self._held = 0.0, None

    def ended(self, ended: Ended) -> None:
        super().ended(ended)
        self._spot.leaves()

    def heard(self, event: Event | Fact) -> None:
        match event:
            case OutputMeasured():
                self._spot.drew(event.watts)
            case MeterRead():
                self._spot.meter = event.reading
            case LimitsChanged():
                self._held = None
            case ScheduleChosen():
                self._spot.chooses()
            case AuthorizationWanted(emaid=emaid):
                self._spot.signs(emaid)
        super().heard(event)

    def follow(self, signals: Sequence[Signal]) -> None:
        """Plan for this outlet by these signals from now on, in place of those before; the yard plans anew for all."""
        self.signals = signals
        self._spot.signals = tuple(signals)
        self._spot.yard.plan()

    @property
    def _spot(self) -> Spot:
        if self.spot is None:
            raise ValueError("a neighbour has no spot; give it one of its yard, or take a LocalBackend for an outlet that shares nothing")
        return self.spot

    # --- what a yard tells ---

    def settle(self, plan: Plan | None, shown: Offer | None) -> None:
        """Go by another plan; `shown` is offered to the car."""
        self._plan = plan
        if shown is not None:
            self._say(ScheduleReady(shown))

    def delayed(self, change: Delayed) -> None:
        """Let the trace know of a random delay."""
        self._say(ChangeDelayed(change.at, change.seconds, change.why))

    def overridden(self, overridden: bool) -> None:
        """Let the trace know that default hours hold for this car no more, or again."""
        self._say(DefaultsOverridden(overridden))

    def hold(self, power: float) -> None:
        """Take this power (W, signed) of what is shared: a car in Dynamic control follows it, one in Scheduled control is bounded by it."""
        self._shared = power
        if self._delivering:
            self._set()
        elif self._powered and not self._dynamic and self._limits is not None:
            self._bound(self._limits, power)

    def _bound(self, limits: Limits, power: float) -> None:
        """Tell limits by which a schedule is cut, where less than it is left: the session asks the car for another one."""
        due, told = self._spot.due(self.around.wall()), limits
        if abs(power) < abs(due) - max(SHARE * abs(due), CUT):
            name = "charge_power" if due > 0 else "discharge_power"
            least = min(getattr(limits, f"{name}_minimum"), abs(power))
            told = replace(limits, **{name: abs(power), f"{name}_minimum": least})
        before = self._held or limits
        moved = max(abs(told.charge_power - before.charge_power), abs(told.discharge_power - before.discharge_power))
        if (told == limits) != (before == limits) or moved > CUT:
            self._held = None if told == limits else told
            self._say(LimitsChanged(told))

    # --- in place of what an outlet by itself does ---

    def _schedule(self, needs: Needs) -> None:
        self._spot.wants(within(needs, self._limits), not self._dynamic, self)

    def _started(self) -> None:
        super()._started()
        self._spot.powers(True)

    def _stopped(self) -> None:
        if self._powered:
            self._powered = False
            self._spot.powers(False)
        super()._stopped()

    def _follow(self, report: EVReported) -> None:
        super()._follow(report)
        if self._needs is not None and self._delivering:
            self._spot.reports(within(self._needs, self._limits))

    def _due(self, needs: Needs) -> float:
        return self._shared if self._delivering else super()._due(needs)
