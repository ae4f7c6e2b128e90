"""The built-in backend, for a station without CSMS: it decides by its settings, the site's prices and what the session has verified."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any, Literal, TypeVar, cast

from pki.identifiers import formed
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    CertificateInstallationWanted,
    CertificateReady,
    CertificateRefused,
    EVReported,
    ExitStandbyAsked,
    Fact,
    GridControlChanged,
    Limits,
    LimitsChanged,
    MeteringConfirmationAsked,
    MobilityNeedsSet,
    NeedsChanged,
    PowerStarted,
    PowerStopped,
    ScheduleChosen,
    ScheduleReady,
    ServiceSelected,
    SessionStarted,
    SetpointChanged,
    StoodBy,
    StopAsked,
    Tell,
)
from v2g.energy.der import GridControl
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer, Tuple, at_once, offered
from v2g.energy.patience import Patience
from v2g.energy.plan import Plan
from v2g.energy.series import Series
from v2g.energy.setpoint import setpoint
from v2g.energy.signal import Signal
from v2g.energy.site import Site
from v2g.exi.errors import DecodeError
from v2g.legible import logger
from v2g.reasons import Reason
from v2g.session.endpoint import Ended, Event

log = logger("v2g.secc")
T = TypeVar("T")
EIM = Literal["accept", "refuse", "wait"]
DAY = 86_400.0  # s
STEERING_PERIOD = 1.0  # real s between two looks at the setpoint, at most: where time runs fast, a plan changes more often
STEERING_PAUSE = 0.02  # real s, at least


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a backend needs of its shell: the time, a later call, and places for work that takes long."""

    wall: Callable[[], float]  # epoch s
    later: Callable[[float, Callable[[], None]], Callable[[], None]]  # (real s, call) -> cancel
    work: "Work"  # what waits for somebody else
    plan: "Work"  # what computes
    until: Callable[[float], float] = lambda wall: inf  # real s until the wall clock shows that (epoch s)


Work = Callable[[Hashable, Callable[[Patience], Any], Callable[[Any], None]], None]
"""(owner, job, done): run the job off the event loop, with the time it may take, then call `done` on it with the result, or the exception
that it raised. Of the jobs of one owner that have not begun the newest takes the place of those before."""
Provisioning = Callable[[bytes, datetime], bytes]
"""(request, now) -> response, both EXI: a provisioning service. May wait; raises OSError where nobody answers."""


@dataclass(frozen=True, slots=True)
class Stay:
    """How long and how full a car stays that leaves it to the station: seconds from its arrival, SOC in %. None leaves it to the car."""

    seconds: float | None = None
    minimum_soc: float | None = None
    target_soc: float | None = None

    def __post_init__(self) -> None:
        MobilityNeedsSet(None, self.minimum_soc, self.target_soc)  # says what is out of range
        if self.seconds is not None and not 0 <= self.seconds <= 4_294_967_295:
            raise ValueError(f"seconds is {self.seconds}; give 0 to 4294967295 (DepartureTime)")


@dataclass
class LocalBackend:
    """Authorizes EIM by a rule, and Plug & Charge where the session verified it; plans by `v2g.energy`; steers Dynamic control by the plan.

    Each backend decides for one outlet.
    """

    around: Surroundings
    site: Site = field(default_factory=Site)
    signals: Sequence[Signal] = ()
    eim: EIM = "accept"
    eim_delay: float = 0.0  # real s until a person has shown a card
    provisioning: Provisioning | None = None  # None: no contracts to install
    confirm_every: float = 0.0  # real s between two meter readings that a car with a contract is asked to sign; 0: never
    stay: Stay = field(default_factory=Stay)  # of cars that leave their mobility needs to the station
    grid: GridControl | None = None  # what the grid asks of cars that feed it; `ask_of_cars` changes it
    read_soc: bool = False  # a car's state of charge is read, and nothing charged: its session ends once it is known

    def __post_init__(self) -> None:
        self._tell: Tell | None = None
        self._stated: Needs | None = None
        self._told: dict[str, Any] = {}  # in charge loops since, by the names of fields
        self._plan: Plan | None = None
        self._dynamic = self._delivering = self._powered = self._standing = False
        self._desk = object()  # owns what is being worked at for this outlet
        self._planning = False  # a plan is being made for this visit
        self._next: Needs | None = None  # for the plan after it
        self._visit = 0  # answers that come after their session are thrown away
        self._said: float | None = None
        self._limits: Limits | None = None  # of the outlet, as far as it has told them
        self._asking: Callable[[], None] | None = None  # cancels what will be asked next

    # --- Backend ---

    def began(self, tell: Tell) -> None:
        self._tell = tell
        self._needs = self._plan = self._said = self._limits = self._next = None
        self._dynamic = self._delivering = self._powered = self._standing = self._planning = False
        self._visit += 1

    def ended(self, ended: Ended) -> None:
        self._tell = self._next = None
        self._planning = False  # what is still made for this visit holds up no other
        self._stopped()
        self._visit += 1

    def heard(self, event: Event | Fact) -> None:
        match event:
            case EVReported(soc=soc) if self.read_soc:
                self._known(soc)
            case EVReported():
                self._follow(event)
            case AuthorizationWanted():
                self._authorize(event)
            case CertificateInstallationWanted():
                self._install(event)
            case SessionStarted():
                self._ask_of_car()
                self._set_needs()
            case ServiceSelected(control=control):
                self._dynamic = control == "Dynamic"
            case NeedsChanged(needs=needs) if self.read_soc:
                self._needs = needs
                self._known(needs.soc)
                self._say(ScheduleReady(without_power(self.around.wall())))
            case NeedsChanged(needs=needs):
                self._needs = needs
                self._schedule(needs)
            case ScheduleChosen():
                pass
            case PowerStarted():
                self._started()
            case PowerStopped():
                self._stopped()
            case LimitsChanged(limits):
                self._limits = limits
            case StoodBy():
                self._standing = True
                self._await_power(self._visit, idle=False)

    def _started(self) -> None:
        self._stopped()
        self._powered = True
        if self._dynamic:
            self._delivering = True
            self._steer(self._visit)
        if self.confirm_every > 0:
            self._confirm()

    def _stopped(self) -> None:
        self._standing = self._delivering = self._powered = False
        if self._asking is not None:
            self._asking()
            self._asking = None

    def _confirm(self) -> None:
        """Ask for a signed meter reading now, and again later; cars without contract are not asked [V2G20-1083]."""
        self._say(MeteringConfirmationAsked())
        self._asking = self.around.later(self.confirm_every, self._confirm)

    # --- what the grid asks ---

    def ask_of_cars(self, control: GridControl | None) -> None:
        """From now on the grid asks this of cars that feed it (AC_DER), the one that is here included; None asks nothing."""
        self.grid = control
        self._say(GridControlChanged(control or GridControl()))

    def _set_needs(self) -> None:
        """Departure and SOC for a car that leaves them to the station, counted from its arrival."""
        said = self.stay
        if said != Stay():
            departure = None if said.seconds is None else self.around.wall() + said.seconds
            self._say(MobilityNeedsSet(departure, said.minimum_soc, said.target_soc))

    def _ask_of_car(self) -> None:
        if self.grid is not None:
            self._say(GridControlChanged(self.grid))

    # --- authorization ---

    def _authorize(self, wanted: AuthorizationWanted) -> None:
        if wanted.authorization == "PnC":
            self._say(replace(Authorized() if formed(wanted.emaid) else _no_account(wanted.emaid), about=wanted.number))
        elif self.eim != "wait":
            verdict = replace(Authorized() if self.eim == "accept" else _refused(), about=wanted.number)
            self._later(self.eim_delay, lambda: self._say(verdict))

    def _install(self, wanted: CertificateInstallationWanted) -> None:
        if self.provisioning is None:
            none = CertificateRefused(Reason.NO_CERTIFICATE, "no provisioning service is configured here")
            self._say(replace(none, about=wanted.number))
            return
        service, now = self.provisioning, datetime.fromtimestamp(self.around.wall(), UTC)
        self._work(lambda: replace(_provisioned(service, wanted.exi, now), about=wanted.number), self._say)

    # --- schedules ---

    def _schedule(self, needs: Needs) -> None:
        """Plan for these needs. One plan is made at a time for a visit, whatever the car asks meanwhile: of the needs that wait only the
        newest count.
        """
        if self._planning:
            self._next = needs
            return
        self._planning = True
        visit, wall, signals = self._visit, self.around.wall(), tuple(self.signals)
        needs, site = within(needs, self._limits), self.site.at(wall)

        def done(result: Any) -> None:
            if visit != self._visit:
                return
            self._planning, newest, self._next = False, self._next, None
            if newest is not None:
                self._schedule(newest)
            if isinstance(result, Exception):
                raise result
            self._plan, shown = cast("tuple[Plan, Offer]", result)
            self._say(ScheduleReady(shown))

        self.around.plan(self._desk, lambda patience: planned(needs, site, wall, signals, patience), done)

    def follow(self, signals: Sequence[Signal]) -> None:
        """Plan and steer by these signals from now on, in place of those before.

        A car in Dynamic control hears of it with its next loop; one in Scheduled control gets another schedule, for which it is asked.
        """
        self.signals = signals
        if self._dynamic and self._delivering:
            self._set()
        elif self._powered and self._needs is not None:
            self._schedule(self._needs)

    def _follow(self, report: EVReported) -> None:
        """In Dynamic control a car tells its needs anew in every loop."""
        if self._stated is not None:
            self._told |= report.needs

    @property
    def _needs(self) -> Needs | None:
        """The needs of the car. What it has told in its loops is put into them when somebody asks, which is more seldom."""
        if self._told and self._stated is not None:
            self._stated, self._told = replace(self._stated, **self._told), {}
        return self._stated

    @_needs.setter
    def _needs(self, needs: Needs | None) -> None:
        self._stated, self._told = needs, {}

    def _steer(self, visit: int) -> None:
        """Tell the setpoint when it has changed, and look again."""
        if visit != self._visit or not self._delivering:
            return
        self._set()
        self.around.later(self._next_look(), lambda: self._steer(visit))

    def _next_look(self) -> float:
        """Real seconds until the setpoint is looked at anew: when the plan changes, and in any case soon."""
        changes = self._plan.power.edges() if self._plan is not None else ()
        wall = self.around.wall()
        place = bisect_right(changes, wall)
        soonest = self.around.until(changes[place]) if place < len(changes) else inf
        return max(min(soonest, STEERING_PERIOD), STEERING_PAUSE)

    def _set(self) -> None:
        """Tell the setpoint of this moment, if it is another than was told."""
        if self._needs is None:
            return
        power = 0.0 if self.read_soc else self._due(self._needs)
        if power != self._said:
            self._said = power
            self._say(SetpointChanged(power))

    def _due(self, needs: Needs) -> float:
        """W, signed, that the car shall draw at this moment."""
        wall = self.around.wall()
        return setpoint(self._plan, needs, self.site.at(wall), wall, self.signals)

    def _await_power(self, visit: int, idle: bool) -> None:
        """While a car stands by: ask it back once power is wanted that was not wanted before (`idle`), and look again."""
        if visit != self._visit or not self._standing:
            return
        wanted = None if self._needs is None else self._due(self._needs)
        if idle and wanted:
            self._say(ExitStandbyAsked())
            return
        self.around.later(self._next_look(), lambda: self._await_power(visit, idle or not wanted))

    # --- the state of charge alone ---

    def _known(self, soc: float | None) -> None:
        """End the session of a car whose state of charge (%) is known; one that has not said it goes on without power."""
        if soc is not None:
            self._say(StopAsked(f"the state of charge was read, {soc:g} %, and nothing is charged here"))

    # --- speaking ---

    def _work(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """A job whose result is for this session alone."""
        visit = self._visit

        def ended(result: Any) -> None:
            if visit != self._visit:
                return
            if isinstance(result, Exception):
                raise result
            done(result)

        self.around.work(self._desk, lambda _: job(), ended)

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        visit = self._visit
        if delay <= 0:
            call()
        else:
            self.around.later(delay, lambda: call() if visit == self._visit else None)

    def _say(self, fact: Fact) -> None:
        if self._tell is not None:
            self._tell(fact)


def without_power(wall: float) -> Offer:
    """An offer from `wall` (epoch s) on by which nothing flows."""
    return Offer((Tuple(1, Series.constant(float(int(wall)), DAY, 0.0), name="nothing is charged"),))


def within(needs: Needs, limits: Limits | None) -> Needs:
    """The needs, as far as an outlet goes along with its limits of the moment."""
    if limits is None:
        return needs
    charge, discharge = min(needs.charge_maximum, limits.charge_power), min(needs.discharge_maximum, limits.discharge_power)
    return replace(
        needs,
        charge_maximum=charge,
        charge_minimum=min(needs.charge_minimum, charge),
        discharge_maximum=discharge,
        discharge_minimum=min(needs.discharge_minimum, discharge),
    )


def _no_account(emaid: str) -> AuthorizationRefused:
    """Nobody is there who could know an account whose name is not even of the form; a CSMS would be asked."""
    return AuthorizationRefused(
        Reason.CONTRACT_REFUSED,
        f"{emaid[:40]!r} has not the form of an eMAID, and there is no CSMS here to ask whether the account exists",
        "ISO 15118-1 Annex H",
    )


def _refused() -> AuthorizationRefused:
    return AuthorizationRefused(Reason.CARD_REFUSED, "charging without a contract is refused here by rule (eim)")


def _provisioned(service: Provisioning, exi: bytes, now: datetime) -> CertificateReady | CertificateRefused:
    """What the service answers; where it does not, the car is told at once that there is nothing."""
    try:
        return CertificateReady(service(exi, now))
    except (OSError, DecodeError) as error:
        return CertificateRefused(Reason.NO_CERTIFICATE, f"no contract comes from the provisioning service: {error}")


def planned(needs: Needs, site: Site, wall: float, signals: Sequence[Signal], patience: Patience) -> tuple[Plan, Offer]:
    """The cheapest plan from `wall` (epoch s) on and its offer, as far as `patience` lasts; where that fails, charging at once."""
    try:
        return offered(needs, site, wall, signals, patience)
    except Exception:  # whatever numbers a car comes up with, it is owed an answer
        log.exception("no plan can be made for %s; the car may charge at once", needs)
        return at_once(needs, site, wall, signals)
