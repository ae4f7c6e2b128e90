"""The built-in backend: decides by itself, from a site with its prices and the trust that the session has established."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, cast

from energy.needs import Needs
from energy.offer import Offer, Tuple, offer
from energy.plan import Plan
from energy.program import SolverMissing
from energy.scheduler import immediate, plan
from energy.setpoint import setpoint
from energy.signal import Signal
from energy.site import Site
from energy.stay import stay_of
from pki.identifiers import formed
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    CertificateInstallationWanted,
    CertificateReady,
    CertificateRefused,
    EVReported,
    Fact,
    MeteringConfirmationAsked,
    NeedsChanged,
    PowerStarted,
    PowerStopped,
    ScheduleChosen,
    ScheduleReady,
    ServiceSelected,
    SetpointChanged,
    Tell,
)
from v2g.exi.errors import DecodeError
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Ended, Event

T = TypeVar("T")
EIM = Literal["accept", "refuse", "wait"]
STEERING_PERIOD = 1.0  # real s between two looks at the setpoint


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a backend needs of its shell: the time, a later call, and a place for work that takes long."""

    wall: Callable[[], float]  # epoch s
    later: Callable[[float, Callable[[], None]], Callable[[], None]]  # (real s, call) -> cancel
    work: "Work"


Work = Callable[[Callable[[], object], Callable[[object], None]], None]
"""(job, done): run the job off the event loop, then call `done` with its result on it."""
Provisioning = Callable[[bytes, datetime], bytes]
"""(request, now) -> response, both EXI: a provisioning service. May wait; raises OSError where nobody answers."""


@dataclass
class LocalBackend:
    """Authorizes EIM by a rule and Plug & Charge by the station's trust anchors; plans by `energy`; steers Dynamic control by the plan."""

    around: Surroundings
    site: Site = field(default_factory=Site)
    signals: Sequence[Signal] = ()
    eim: EIM = "accept"
    eim_delay: float = 0.0  # real s until a person has shown a card
    provisioning: Provisioning | None = None  # None: no contracts to install
    confirm_every: float = 0.0  # real s between two meter readings that a car with a contract is asked to sign; 0: never

    def __post_init__(self) -> None:
        self._tell: Tell | None = None
        self._needs: Needs | None = None
        self._plan: Plan | None = None
        self._dynamic = self._delivering = False
        self._visit = 0  # answers that come after their session are thrown away
        self._said: float | None = None
        self._asking: Callable[[], None] | None = None  # cancels what will be asked next

    # --- Backend ---

    def began(self, tell: Tell) -> None:
        self._tell = tell
        self._needs = self._plan = self._said = None
        self._dynamic = self._delivering = False
        self._visit += 1

    def ended(self, ended: Ended) -> None:
        self._tell = None
        self._stopped()
        self._visit += 1

    def heard(self, event: Event | Fact) -> None:
        match event:
            case AuthorizationWanted():
                self._authorize(event)
            case CertificateInstallationWanted(exi=exi):
                self._install(exi)
            case ServiceSelected(control=control):
                self._dynamic = control == "Dynamic"
            case NeedsChanged(needs=needs):
                self._needs = needs
                self._schedule(needs)
            case EVReported():
                self._follow(event)
            case ScheduleChosen():
                pass
            case PowerStarted():
                self._started()
            case PowerStopped():
                self._stopped()

    def _started(self) -> None:
        self._stopped()
        if self._dynamic:
            self._delivering = True
            self._steer(self._visit)
        if self.confirm_every > 0:
            self._confirm()

    def _stopped(self) -> None:
        self._delivering = False
        if self._asking is not None:
            self._asking()
            self._asking = None

    def _confirm(self) -> None:
        """Ask for a signed meter reading now, and again later; cars without contract are not asked [V2G20-1083]."""
        self._say(MeteringConfirmationAsked())
        self._asking = self.around.later(self.confirm_every, self._confirm)

    # --- authorization ---

    def _authorize(self, wanted: AuthorizationWanted) -> None:
        if wanted.authorization == "PnC":
            self._say(Authorized() if formed(wanted.emaid) else _no_account(wanted.emaid))
        elif self.eim != "wait":
            verdict = Authorized() if self.eim == "accept" else _refused()
            self._later(self.eim_delay, lambda: self._say(verdict))

    def _install(self, exi: bytes) -> None:
        if self.provisioning is None:
            self._say(CertificateRefused(Code.WARNING_NoCertificateAvailable, "no provisioning service is configured here"))
            return
        service, now = self.provisioning, datetime.fromtimestamp(self.around.wall(), UTC)
        self._work(lambda: _provisioned(service, exi, now), self._say)

    # --- schedules ---

    def _schedule(self, needs: Needs) -> None:
        wall, signals = self.around.wall(), tuple(self.signals)
        site = self.site.at(wall)

        def done(result: tuple[Plan, Offer]) -> None:
            self._plan = result[0]
            self._say(ScheduleReady(result[1]))

        self._work(lambda: offered(needs, site, wall, signals), done)

    def _follow(self, report: EVReported) -> None:
        """In Dynamic control a car tells its needs anew in every loop."""
        if self._needs is not None:
            said: dict[str, Any] = {
                "energy_target": report.energy_target,
                "energy_maximum": report.energy_maximum,
                "energy_minimum": report.energy_minimum,
                "v2x_maximum": report.v2x_maximum,
                "v2x_minimum": report.v2x_minimum,
                "soc": report.soc,
            }
            self._needs = replace(self._needs, **{name: value for name, value in said.items() if value is not None})

    def _steer(self, visit: int) -> None:
        """Tell the setpoint when it has changed, and look again."""
        if visit != self._visit or not self._delivering:
            return
        if self._needs is not None:
            wall = self.around.wall()
            power = setpoint(self._plan, self._needs, self.site.at(wall), wall, self.signals)
            if power != self._said:
                self._said = power
                self._say(SetpointChanged(power))
        self.around.later(STEERING_PERIOD, lambda: self._steer(visit))

    # --- speaking ---

    def _work(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """A job whose result is for this session alone."""
        visit = self._visit
        self.around.work(job, lambda result: done(cast(T, result)) if visit == self._visit else None)

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        visit = self._visit
        if delay <= 0:
            call()
        else:
            self.around.later(delay, lambda: call() if visit == self._visit else None)

    def _say(self, fact: Fact) -> None:
        if self._tell is not None:
            self._tell(fact)


def _no_account(emaid: str) -> AuthorizationRefused:
    """Nobody is there who could know an account whose name is not even of the form; a CSMS would be asked."""
    return AuthorizationRefused(
        Code.WARNING_GeneralPnCAuthorizationError,
        f"{emaid[:40]!r} has not the form of an eMAID, and there is no CSMS here to ask whether the account exists",
        "ISO 15118-1 Annex H",
    )


def _refused() -> AuthorizationRefused:
    return AuthorizationRefused(Code.WARNING_EIMAuthorizationFailure, "charging without a contract is refused here by rule (eim)")


def _provisioned(service: Provisioning, exi: bytes, now: datetime) -> CertificateReady | CertificateRefused:
    """What the service answers; where it does not, the car is told at once that there is nothing."""
    try:
        return CertificateReady(service(exi, now))
    except (OSError, DecodeError) as error:
        return CertificateRefused(Code.WARNING_NoCertificateAvailable, f"no contract comes from the provisioning service: {error}")


def offered(needs: Needs, site: Site, wall: float, signals: Sequence[Signal] = ()) -> tuple[Plan, Offer]:
    """The cheapest plan and the offer made of it; without the solver, charging at once."""
    try:
        best = plan(needs, site, wall, signals)
        return best, offer(best, needs, site)
    except SolverMissing:
        stay = stay_of(needs, site, wall, signals)
        soon = immediate(stay)
        return soon, Offer((Tuple(1, soon.power.merged(), name="at once", plan=soon),), site.currency, stay.until, stay.priced_until)
