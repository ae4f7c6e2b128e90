"""Habits of known cars that a station must bear or refuse: one table, each row with its evidence, switched on by name.

A quirk changes a request before it is sent, or makes the car late. Everything else of the session is the script's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from evcc.iso20.known import Car
from evcc.script import Part, Script, Step, Wait
from v2g.iso20.sequence import CHARGE_LOOPS
from v2g.messages import dc
from v2g.messages.common_messages import PowerDeliveryReq, ScheduleExchangeReq
from v2g.session.errors import SessionError
from v2g.session.profiles import PROFILE_ANCHOR_ZERO, PROFILE_MISSING

SLOW_LOOP = 0.532  # s between a response and the next request, as it was measured


@dataclass(frozen=True, slots=True)
class Quirk:
    """One habit: what the car does, which car was seen to, on what evidence, and the requirement it breaks, None where it is allowed.

    `change` gives the request as this car sends it; `late` is how long (s) it waits before a request of the charge loop.
    """

    what: str
    car: str
    evidence: str
    requirement: str | None
    change: Callable[[Any], Any] = lambda request: request
    late: float = 0.0


def _profiled(**changes: Any) -> Callable[[Any], Any]:
    """Change the EVPowerProfile of a PowerDeliveryReq that has one."""

    def change(request: Any) -> Any:
        if not isinstance(request, PowerDeliveryReq) or request.EVPowerProfile is None:
            return request
        return replace(request, EVPowerProfile=replace(request.EVPowerProfile, **changes))

    return change


def _without_profile(request: Any) -> Any:
    return replace(request, EVPowerProfile=None) if isinstance(request, PowerDeliveryReq) else request


def _looping(**changes: Any) -> Callable[[Any], Any]:
    """Change requests of the charge loop."""
    return lambda request: replace(request, **changes) if isinstance(request, CHARGE_LOOPS) else request


def _without_target(request: Any) -> Any:
    """No TargetSOC, neither in ChargeParameterDiscovery nor in what the car displays."""
    if isinstance(request, CHARGE_LOOPS) and request.DisplayParameters is not None:
        return replace(request, DisplayParameters=replace(request.DisplayParameters, TargetSOC=None))
    if isinstance(request, dc.DC_ChargeParameterDiscoveryReq):
        mode: Any = request.DC_CPDReqEnergyTransferMode
        return replace(request, DC_CPDReqEnergyTransferMode=replace(mode, TargetSOC=None))
    return request


def _without_departure(request: Any) -> Any:
    """No DepartureTime in ScheduleExchange of Scheduled control, where it may be left out."""
    if isinstance(request, ScheduleExchangeReq) and request.Scheduled_SEReqControlMode is not None:
        return replace(request, Scheduled_SEReqControlMode=replace(request.Scheduled_SEReqControlMode, DepartureTime=None))
    return request


ABSENT = "eVDriveFlow's station fell over what a car may leave out"
QUIRKS: Final[Mapping[str, Quirk]] = {
    "slow-loop": Quirk(
        f"asks {SLOW_LOOP:g} s after a response of the charge loop",
        "PyEvJosev (EVerest)",
        "a pace of about 532 ms was measured on its wire",
        "V2G20-1499",
        late=SLOW_LOOP,
    ),
    "profile-anchor-zero": Quirk(
        "anchors its EVPowerProfile at the beginning of 1970",
        PROFILE_ANCHOR_ZERO.peer,
        PROFILE_ANCHOR_ZERO.evidence,
        PROFILE_ANCHOR_ZERO.requirement,
        _profiled(TimeAnchor=0),
    ),
    "profile-missing": Quirk(
        "starts power without an EVPowerProfile",
        PROFILE_MISSING.peer,
        PROFILE_MISSING.evidence,
        PROFILE_MISSING.requirement,
        _without_profile,
    ),
    "no-meter-info": Quirk(
        "never asks for MeterInfo",
        "WWCP_ISO15118 (OpenChargingCloud), fixed",
        "its car had MeterInfoRequested false in every loop",
        None,
        _looping(MeterInfoRequested=False),
    ),
    "no-display": Quirk("sends no DisplayParameters", "any: the schema makes it optional", ABSENT, None, _looping(DisplayParameters=None)),
    "no-target-soc": Quirk("tells no TargetSOC", "any: the schema makes it optional", ABSENT, None, _without_target),
    "no-departure": Quirk(
        "tells no DepartureTime in Scheduled control", "any: the schema makes it optional", ABSENT, None, _without_departure
    ),
}  # fmt: skip


def quirky(script: Script) -> Script:
    """A script that runs `script` with the quirks of the car's wish; the first use of each quirk is noted in the trace."""

    def played(car: Car) -> Part[str]:
        return _bent(car, script(car), {name: QUIRKS[name] for name in car.wish.quirks})

    return played


def _bent(car: Car, part: Part[str], quirks: Mapping[str, Quirk]) -> Part[str]:
    late, told = max((quirk.late for quirk in quirks.values()), default=0.0), set[str]()
    move: Callable[[], Step] = lambda: next(part)  # noqa: E731
    looping = False
    while True:
        try:
            step = move()
        except StopIteration as end:
            return str(end.value)
        if isinstance(step, Wait):
            wait = max(step.seconds, late) if looping else step.seconds
            step = Wait(wait)
        looping = isinstance(step, CHARGE_LOOPS) or (looping and isinstance(step, Wait))
        for name, quirk in quirks.items():
            step, before = quirk.change(step), step
            if step is not before and name not in told:
                told.add(name)
                car.note("quirk", name=name, requirement=quirk.requirement)
        try:
            answer = yield step
        except SessionError as error:
            move = _thrown(part, error)
        else:
            move = _sent(part, answer)


def _thrown(part: Part[str], error: SessionError) -> Callable[[], Step]:
    return lambda: part.throw(error)


def _sent(part: Part[str], answer: Any) -> Callable[[], Step]:
    return lambda: part.send(answer)
