"""Plays a scenario in ISO 15118-20: the usual session, with the scenario's steps at their time, and a verdict on the station."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from evcc.iso20.charge import charge
from evcc.iso20.delivery import RENEGOTIATE, Leave, due
from evcc.iso20.known import Car
from evcc.iso20.requests import UNSTAMPED
from evcc.scenario import HOSTILE, IN_LOOP, MESSAGES, Scenario, Step
from evcc.script import Part, Raw, Wait
from evcc.script import Step as Move
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.messages.common_messages import PowerDeliveryReq, SessionSetupReq, SessionStopReq, chargeProgressType
from v2g.messages.common_messages import chargingSessionType as Session
from v2g.session.endpoint import Ended
from v2g.session.errors import ConnectionLost, PeerFailed, SessionError, Stopped, TimedOut
from v2g.session.v2gtp import PayloadType, frame

UNPLUGGED = "unplugged, as the scenario says"
SILENT = "silent"
# whose answer says whether the station did what a step asks for
WATCHED: dict[str, type[Type]] = {
    "resume": SessionSetupReq,
    "renegotiate-schedule": PowerDeliveryReq,
    "renegotiate-service": SessionStopReq,
}


@dataclass(slots=True)
class Told:
    """One check of a scenario: what was done or ended, what was expected, what came, and whether that is right."""

    what: str
    expected: str
    got: str
    ok: bool


@dataclass(slots=True)
class Play:
    """Plays a scenario once, over as many sessions as it has: `script` is one session, `returning` is called after each."""

    scenario: Scenario
    told: list[Told] = field(default_factory=list)
    _pending: deque[Step] = field(default_factory=deque)
    _ending: Step | None = None  # by which the session ends
    _watched: Step | None = None  # whose answer is waited for
    _loops: int = 0  # of the car, at the last step
    _soc: float = 0.0  # %
    _at: float = 0.0  # s

    def __post_init__(self) -> None:
        self._pending.extend(self.scenario.step)

    @property
    def undone(self) -> list[str]:
        """The steps that were never reached, as text."""
        return [step.do for step in self._pending]

    @property
    def passed(self) -> bool:
        """Whether every step was done and the station did what was expected."""
        return not self._pending and self._watched is None and bool(self.told) and all(told.ok for told in self.told)

    def as_dict(self) -> dict[str, Any]:
        """The verdict and every check, JSON-able."""
        told = [{"what": one.what, "expected": one.expected, "got": one.got, "ok": one.ok} for one in self.told]
        waiting = [self._watched.do] if self._watched is not None else []
        return {"verdict": "pass" if self.passed else "fail", "told": told, "undone": waiting + self.undone}

    # --- one session ---

    def script(self, car: Car) -> Part[str]:
        """One session: the usual one until a step of the scenario changes it; returns how it ended."""
        self._ending = None
        self._mark(car)
        part = charge(car, self._leave)
        move: Callable[[], Move] = lambda: next(part)  # noqa: E731
        while True:
            try:
                step = move()
            except StopIteration as end:
                return str(end.value)
            if isinstance(step, Type) and (hostile := self._before(car, step)) is not None:
                part.close()
                return (yield from self._hostile(car, step, hostile))
            try:
                answer = yield step
            except SessionError as error:
                move = _thrown(part, error)
            else:
                self._heard(step, answer)
                move = _sent(part, answer)

    def _before(self, car: Car, request: Type) -> Step | None:
        """Do the steps that are due before a request; the one that breaks the visit off, if one does."""
        name = type(request).__name__
        if not name.endswith("ChargeLoopReq"):  # in the loop it is done after a response, before the next request is made
            self._change(car, name)
        if not self._pending or self._pending[0].do not in ("stop", "unplug", *HOSTILE) or not self._due(car, name):
            return None
        step = self._ending = self._take(car)
        if step.do != "stop":
            return step
        car.stop_asked = "the scenario says so"
        return None

    def _change(self, car: Car, request: str) -> None:
        """Do the steps that are due and that change the car alone."""
        while self._pending and self._pending[0].do in ("limits", "target") and self._due(car, request):
            step = self._take(car)
            if step.do == "target":
                self._aim(car, cast(float, step.soc))
                continue
            battery = car.ev.battery
            charge = battery.charge_power if step.charge_power is None else step.charge_power
            discharge = battery.discharge_power if step.discharge_power is None else step.discharge_power
            car.ev.battery = replace(battery, charge_power=charge, discharge_power=discharge)

    def _aim(self, car: Car, soc: float) -> None:
        goal = car.goal
        car.goal = replace(goal, target_soc=soc, minimum_soc=min(goal.minimum_soc, soc), maximum_soc=max(goal.maximum_soc, soc))

    def _leave(self, car: Car) -> Leave:
        """What a car does at the end of a charge loop: the step that is due, else what it would do by itself."""
        self._change(car, "ChargeLoopReq")
        if not (self._pending and self._pending[0].do in ("stop", *IN_LOOP) and self._due(car, "ChargeLoopReq")):
            return due(car)
        step = self._take(car)
        if step.do in ("pause", "stop"):
            self._ending = step
            return Session.Pause if step.do == "pause" else Session.Terminate
        if step.do == "renegotiate-schedule":
            self._watched = step
            return RENEGOTIATE
        if not car.known.renegotiable:
            self.told.append(Told(step.do, step.expect_code or "OK", "the station has not announced that it can [V2G20-1477]", False))
            return due(car)
        self._watched, car.wish = step, replace(car.wish, services=step.services)
        return Session.ServiceRenegotiation

    def _hostile(self, car: Car, request: Any, step: Step) -> Part[str]:
        """Do what no good car does. What a session ended with it comes to."""
        if step.do == "unplug":
            raise Stopped(UNPLUGGED)
        if step.do == "silence":
            yield Wait(step.seconds)
            return SILENT
        what: Type | bytes
        if step.do == "garbage":
            octets = bytes.fromhex(step.octets)
            what = frame(PayloadType.COMMON, octets) if step.framed else octets
        elif step.do == "wrong-message":
            wrong = MESSAGES[step.message]
            what = car.stamped(least(wrong, **({"Header": UNSTAMPED} if "Header" in wrong.__struct_fields__ else {})))
        else:
            what = car.stamped(request, SessionID=bytes(byte ^ 0xFF for byte in car.session_id))
        answer: Any = yield Raw(what, within=step.seconds)
        return str(answer.ResponseCode.value)

    # --- conditions ---

    def _due(self, car: Car, request: str) -> bool:
        when = self._pending[0].due
        if when.loops is not None:
            return car.loops - self._loops >= when.loops
        if when.soc is not None:
            return car.ev.soc >= when.soc if self._soc <= when.soc else car.ev.soc <= when.soc
        if when.wait is not None:
            return car.now - self._at >= when.wait
        return when.before is None or when.before.endswith(request)

    def _take(self, car: Car) -> Step:
        step = self._pending.popleft()
        self._mark(car)
        car.note("scenario", step=step.do, when=step.when)
        return step

    def _mark(self, car: Car) -> None:
        self._loops, self._soc, self._at = car.loops, car.ev.soc, car.now

    # --- the verdict ---

    def _heard(self, request: object, answer: Any) -> None:
        """Judge the answer that a step waits for."""
        step = self._watched
        if step is None or not isinstance(request, WATCHED[step.do]) or not asked(step, request):
            return
        code, self._watched = str(answer.ResponseCode.value), None
        well = code == step.expect_code if step.expect_code else code.startswith("OK")
        self.told.append(Told(step.do, step.expect_code or "OK", code, well))

    def returning(self, ended: Ended) -> float | None:
        """Check how a session ended; returns the seconds until the car comes back, None when it does not."""
        step, again = self._ending, bool(self._pending) and self._pending[0].do == "resume"
        outcome, code = outcome_of(ended)
        expected, expected_code = self.scenario.ends(step, not again)
        well = (not expected or outcome in expected) and expected_code in (None, code)
        wanted = " or ".join(expected) + (f" {expected_code}" if expected_code else "")
        got = outcome + (f" {code}" if code else "") + (f": {ended.reason}" if ended.reason else "")
        self.told.append(Told(step.do if step else "the end", wanted.strip(), got, well))
        if not again or step is None:  # None: the session ended before the step that should have ended it
            return None
        self._watched = self._pending.popleft()
        return self._watched.due.wait or 0.0


def asked(step: Step, request: object) -> bool:
    """Whether a request is the one whose answer a step expects."""
    if isinstance(request, PowerDeliveryReq):
        return request.ChargeProgress is chargeProgressType.ScheduleRenegotiation
    if isinstance(request, SessionStopReq):
        return request.ChargingSession is Session.ServiceRenegotiation
    return True


def outcome_of(ended: Ended) -> tuple[str, str | None]:
    """How a session ended, in the words of a scenario, and the response code that ended it."""
    match ended.error:
        case None if ended.how.startswith("FAILED"):
            return "refused", ended.how
        case None if ended.how in ("Terminate", "Pause", SILENT):
            return ended.how, None
        case None:
            return "accepted", ended.how
        case PeerFailed(code=code):
            return "refused", str(code.value)
        case ConnectionLost():
            return "closed", None
        case TimedOut():
            return SILENT, None
        case Stopped(reason=reason) if reason == UNPLUGGED:
            return "left", None
    return "failed", None


def _thrown(part: Part[str], error: SessionError) -> Callable[[], Move]:
    return lambda: part.throw(error)


def _sent(part: Part[str], answer: Any) -> Callable[[], Move]:
    return lambda: part.send(answer)
