"""Which charging profiles a station accepts: a table of checks, of which the first that fails gives OCPP's reasonCode (K01).

A profile may have 3 x 1,024 periods, and is judged on the loop that serves cars: so most checks look at what the periods say between them,
and at single periods only where one says something of the kind.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from ocpp_bridge.smart.feeds import BALANCING, LIVE, doubled
from ocpp_bridge.smart.periods import FOLLOWED, MODES, PHASES, Outlet, beyond
from ocpp_bridge.smart.prices import PRICES, SIGNED
from ocpp_bridge.smart.profiles import DEFAULT, EXTERNAL, GENERATION, PRIORITY, RECURRENCE, STATION, TX, Profiles, Rejected
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch

PURPOSES: Final = (TX, DEFAULT, STATION, EXTERNAL, PRIORITY, GENERATION)
CAPS: Final = {  # modes of what caps or adds, and does not steer
    STATION: ("ChargingOnly",),
    EXTERNAL: ("ChargingOnly", "ExternalLimits"),
    PRIORITY: ("ChargingOnly",),
    GENERATION: ("ChargingOnly", "ExternalLimits"),
}
OF_LEADERS: Final = ("randomizedDelay", "limitAtSoC", "minChargingRate")  # a limit that comes late, or not below a power, is none
POWERS: Final = ("dischargeLimit", "setpoint")  # and those of single phases: more than charging within a limit
V2X: Final = ("v2xBaseline", "v2xFreqWattCurve", "v2xSignalWattCurve")
OWN_IDS: Final = -1_000_000_000  # SmartChargingCtrlr.MaxExternalConstraintsId: from there downwards ids are the station's own
DELAY_MAXIMUM: Final = 86_400  # s; a later change would meet another day's
UNSUPPORTED_IN_PERIODS: Final = ("evseSleep", "preconditioningRequest", "setpointReactive_L")
PERIODS_MAXIMUM: Final = 1024  # of a schedule, SmartChargingCtrlr.PeriodsPerSchedule
PROFILES_MAXIMUM: Final = 100  # SmartChargingCtrlr.Entries: bounds what a CSMS can make us hold
STACK_LEVEL_MAXIMUM: Final = 100
NUMBER_MAXIMUM: Final = 1e10  # of W, A or s in a profile: 300 years, 10 GW. Beyond it the arithmetic is spoilt and nothing is meant


@dataclass(frozen=True, slots=True)
class Case:
    """A charging profile to be checked, with the EVSEs and the profiles of the station.

    `periods` are the periods of all schedules; `names` are those of the fields that any of them has, `modes` their operation modes.
    """

    evse: int
    profile: Payload
    outlets: dict[int, Outlet]
    profiles: Profiles
    periods: list[Payload] = field(init=False)
    names: Set[str] = field(init=False)
    modes: Set[str] = field(init=False)

    def __post_init__(self) -> None:
        periods = [period for schedule in self.profile["chargingSchedule"] for period in schedule["chargingSchedulePeriod"]]
        object.__setattr__(self, "periods", periods)
        object.__setattr__(self, "names", frozenset().union(*periods))
        object.__setattr__(self, "modes", frozenset(period.get("operationMode", "ChargingOnly") for period in periods))

    @property
    def kind(self) -> str:
        """The chargingProfileKind of the profile."""
        return str(self.profile["chargingProfileKind"])

    @property
    def purpose(self) -> str:
        """The chargingProfilePurpose of the profile."""
        return str(self.profile["chargingProfilePurpose"])

    @property
    def schedules(self) -> list[Payload]:
        """The one to three schedules of the profile."""
        return list(self.profile["chargingSchedule"])

    def saying(self, *names: str) -> list[Payload]:
        """All periods where at least one has a field whose name begins so; else none, for there is nothing to find."""
        return self.periods if any(name.startswith(names) for name in self.names) else []

    @property
    def touched(self) -> list[Outlet]:
        """The EVSEs that the profile applies to."""
        return [outlet for outlet in self.outlets.values() if self.evse in (0, outlet.evse)]


def judge(evse: int, profile: Payload, outlets: dict[int, Outlet], profiles: Profiles) -> None:
    """Raise `Rejected` with OCPP's reasonCode unless the profile, valid by its schema, may be installed for that EVSE (0: all)."""
    case = Case(evse, profile, outlets, profiles)
    for reason, text, faulty in CHECKS:
        if faulty(case):
            raise Rejected(reason, text)


def _numbers(value: Any) -> Iterator[float]:
    """Every number in a value, however deep."""
    ahead = [value]
    while ahead:
        each = ahead.pop()
        kind = type(each)
        if kind is float or kind is int:
            yield each
        elif kind is dict:
            ahead.extend(each.values())
        elif kind is list:
            ahead.extend(each)


def _unreckonable(case: Case) -> bool:
    """Numbers or times that cannot be reckoned with. Prices have a type of their own and are left to whoever reads them."""
    times = [case.profile.get(name) for name in ("validFrom", "validTo")] + [s.get("startSchedule") for s in case.schedules]
    try:
        [epoch(time) for time in times if time is not None]
    except ValueError:
        return True
    durations = [schedule.get("duration", 0) for schedule in case.schedules]
    return any(
        not abs(number) <= NUMBER_MAXIMUM for number in _numbers([case.periods, durations, case.profile.get("maxOfflineDuration", 0)])
    )


def _unordered(schedule: Payload) -> bool:
    starts = [period["startPeriod"] for period in schedule["chargingSchedulePeriod"]]
    return starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts)) or schedule.get("duration", 1) <= 0


def _mode(period: Payload) -> str:
    return str(period.get("operationMode", "ChargingOnly"))


def _wrong_mode(case: Case) -> bool:
    return not case.modes <= frozenset(CAPS.get(case.purpose, MODES))


def _incomplete(period: Payload) -> bool:
    mode = _mode(period)
    return (mode == "ChargingOnly" and "limit" not in period) or (mode in FOLLOWED and "setpoint" not in period)


def _of_a_phase(period: Payload) -> bool:
    return any(name + phase in period for name in ("dischargeLimit", "setpoint") for phase in PHASES[1:])


def _amperes_at_dc(case: Case) -> bool:
    return any(outlet.in_watts for outlet in case.touched) and any(schedule["chargingRateUnit"] == "A" for schedule in case.schedules)


def _phased(case: Case) -> bool:
    """Phases where there are none."""
    said = "numberPhases" in case.names or "phaseToUse" in case.names or any(name.endswith(PHASES[1:]) for name in case.names)
    return said and any(outlet.in_watts for outlet in case.touched)


def _gives(period: Payload) -> bool:
    """Whether a period that is to charge alone speaks of discharging or of a power to follow."""
    return _mode(period) == "ChargingOnly" and any(name.startswith(POWERS) for name in period)


def _doubled(case: Case) -> bool:
    """Another id with the same purpose, stack level and EVSE, valid at the same time."""
    return any(
        held.profile["id"] != case.profile["id"]
        and (held.purpose, held.evse, held.profile["stackLevel"]) == (case.purpose, case.evse, case.profile["stackLevel"])
        and not (_after(case.profile, held.profile) or _after(held.profile, case.profile))
        for held in case.profiles.held.values()
    )


def _after(one: Payload, other: Payload) -> bool:
    return "validFrom" in one and "validTo" in other and epoch(one["validFrom"]) >= epoch(other["validTo"])


def _unanchored(case: Case) -> bool:
    return case.kind in ("Absolute", "Recurring") and any("startSchedule" not in schedule for schedule in case.schedules)


def _anchored(case: Case) -> bool:
    return case.kind == "Relative" and any("startSchedule" in schedule for schedule in case.schedules)


def _elsewhere(case: Case) -> bool:
    return case.purpose == TX and case.outlets[case.evse].transaction != case.profile["transactionId"]


def _updated(case: Case) -> bool:
    return case.kind != "Dynamic" and bool({"dynUpdateInterval", "dynUpdateTime"} & case.profile.keys())


def _full(case: Case) -> bool:
    return len(case.profiles.held) >= PROFILES_MAXIMUM and case.profile["id"] not in case.profiles.held


def _backwards(case: Case) -> bool:
    return {"validFrom", "validTo"} <= case.profile.keys() and epoch(case.profile["validFrom"]) >= epoch(case.profile["validTo"])


def _same_ids(case: Case) -> bool:
    ids = [schedule["id"] for schedule in case.schedules]
    return len(set(ids)) < len(ids)


def _unsupported(case: Case) -> bool:
    """A field of a period that has no effect here."""
    said = case.saying(*UNSUPPORTED_IN_PERIODS)
    return any(value and name.startswith(UNSUPPORTED_IN_PERIODS) for period in said for name, value in period.items())


def _without_curve(case: Case) -> bool:
    return "LocalFrequency" in case.modes and any(map(_curveless, case.periods))


def _curveless(period: Payload) -> bool:
    curve = period.get("v2xFreqWattCurve", [])
    return _mode(period) == "LocalFrequency" and ("v2xBaseline" not in period or len(curve) < 2)


def _stray_curve(period: Payload) -> bool:
    known = {"LocalFrequency": V2X, BALANCING: V2X[:1]}.get(_mode(period), ())
    return any(name in period and name not in known for name in V2X)


def _ambiguous(period: Payload) -> bool:
    frequencies = (point["frequency"] for point in period.get("v2xFreqWattCurve", []))
    return doubled(frequencies) or doubled(point["signal"] for point in period.get("v2xSignalWattCurve", []))


def _reactive(case: Case) -> bool:
    """A reactive power for whom nobody can tell it."""
    wanted = "setpointReactive" in case.names
    return wanted and (case.purpose != TX or not all(outlet.reactive for outlet in case.touched))


def _unheard_charge(case: Case) -> bool:
    """A limit by a state of charge that the car does not tell, or that is none."""
    rules = [schedule["limitAtSoC"] for schedule in case.schedules if "limitAtSoC" in schedule]
    unknown = case.purpose != TX or any(outlet.soc is None for outlet in case.touched)
    return any(unknown or not 0 <= rule["limit"] <= NUMBER_MAXIMUM for rule in rules)


def _least(schedule: Payload) -> bool:
    return not 0 <= schedule.get("minChargingRate", 0.0) <= NUMBER_MAXIMUM


CHECKS: Final[tuple[tuple[str, str, Callable[[Case], bool]], ...]] = (
    ("InvalidValue", f"a time is none, or a number exceeds {NUMBER_MAXIMUM:g}", _unreckonable),
    ("InvalidValue", "no EVSE has this id", lambda c: c.evse != 0 and c.evse not in c.outlets),
    ("UnsupportedPurpose", "supported: " + ", ".join(PURPOSES), lambda c: c.purpose not in PURPOSES),
    ("InvalidValue", "a TxProfile belongs to one EVSE", lambda c: c.purpose == TX and c.evse == 0),
    ("MissingParam", "a TxProfile names its transaction", lambda c: c.purpose == TX and "transactionId" not in c.profile),
    ("InvalidProfile", "only a TxProfile names a transaction", lambda c: c.purpose != TX and "transactionId" in c.profile),
    ("TxNotFound", "no such transaction runs at this EVSE", _elsewhere),
    ("InvalidStackLevel", f"at most {STACK_LEVEL_MAXIMUM}", lambda c: c.profile["stackLevel"] > STACK_LEVEL_MAXIMUM),
    ("InvalidSchedule", "only a TxProfile carries alternatives", lambda c: c.purpose != TX and len(c.schedules) > 1),
    ("InvalidValue", "ChargingStationMaxProfile is for the whole station, EVSE 0", lambda c: c.purpose == STATION and c.evse != 0),
    ("InvalidProfile", "ChargingStationMaxProfile is not Relative", lambda c: c.purpose == STATION and c.kind == "Relative"),
    ("InvalidProfile", "validFrom lies before validTo", _backwards),
    ("InvalidSchedule", "two schedules have one id", _same_ids),
    (
        "TooManyElements",
        f"at most {PERIODS_MAXIMUM} periods in a schedule",
        lambda c: any(len(schedule["chargingSchedulePeriod"]) > PERIODS_MAXIMUM for schedule in c.schedules),
    ),
    ("UnsupportedRateUnit", "this EVSE is limited in W", _amperes_at_dc),
    ("InvalidSchedule", "periods begin at 0 and ascend, a duration is above 0", lambda c: any(map(_unordered, c.schedules))),
    ("InvalidSchedule", "Absolute and Recurring need startSchedule", _unanchored),
    ("InvalidSchedule", "Relative has no startSchedule", _anchored),
    (
        "InvalidProfile",
        "Recurring needs recurrencyKind",
        lambda c: c.kind == "Recurring" and c.profile.get("recurrencyKind") not in RECURRENCE,
    ),
    ("InvalidSchedule", "Dynamic has one schedule of one period", lambda c: c.kind == "Dynamic" and len(c.periods) != 1),
    ("InvalidProfile", "dynUpdateInterval and dynUpdateTime belong to Dynamic", _updated),
    (
        "InvalidSchedule",
        "not supported: " + ", ".join(SIGNED),
        lambda c: any(s.get(name) for s in c.schedules for name in SIGNED),
    ),
    (
        "InvalidSchedule",
        "not supported: " + ", ".join(UNSUPPORTED_IN_PERIODS),
        _unsupported,
    ),
    (
        "InvalidProfile",
        "a priceScheduleSignature is over a message that the station makes anew",
        lambda c: "priceScheduleSignature" in c.profile,
    ),
    (
        "InvalidSchedule",
        "prices belong to a TxProfile",
        lambda c: c.purpose != TX and any(name in s for s in c.schedules for name in PRICES),
    ),
    (
        "InvalidValue",
        "numberPhases is 1 to 3",
        lambda c: any(not 1 <= p.get("numberPhases", 3) <= 3 for p in c.saying("numberPhases")),
    ),
    ("NoPhaseForDC", "phases mean nothing at DC", _phased),
    ("UnsupportedParam", "phaseToUse is not supported", lambda c: "phaseToUse" in c.names),
    ("InvalidOperationMode", "not supported, or not for this purpose", _wrong_mode),
    (
        "InvalidOperationMode",
        "a car in Scheduled control cannot follow what is told at the moment",
        lambda c: any(outlet.control == "Scheduled" for outlet in c.touched) and not c.modes.isdisjoint(LIVE),
    ),
    (
        "NoFreqWattCurve",
        "LocalFrequency needs v2xBaseline and a v2xFreqWattCurve of two points",
        _without_curve,
    ),
    (
        "InvalidSchedule",
        "baseline and curves belong to LocalFrequency, a baseline to LocalLoadBalancing",
        lambda c: any(map(_stray_curve, c.saying(*V2X))),
    ),
    ("InvalidSchedule", "a curve has two values at one place", lambda c: any(map(_ambiguous, c.saying(*V2X)))),
    (
        "UnsupportedRateUnit",
        "baseline and curves are in W",
        lambda c: any(
            s["chargingRateUnit"] == "A" and any(name in p for p in s["chargingSchedulePeriod"] for name in V2X)
            for s in c.schedules
            if c.saying(*V2X)
        ),
    ),
    ("InvalidSchedule", "setpointReactive is for the TxProfile of a led car at an AC outlet", _reactive),
    (
        "InvalidSchedule",
        "setpointReactive goes with a setpoint of a Central mode",
        lambda c: any("setpointReactive" in p and _mode(p) not in FOLLOWED for p in c.saying("setpointReactive")),
    ),
    (
        "InvalidSchedule",
        "only what leads a car has " + ", ".join(OF_LEADERS),
        lambda c: c.purpose not in (TX, DEFAULT, PRIORITY) and any(s.get(name) for s in c.schedules for name in OF_LEADERS),
    ),
    ("InvalidSchedule", "limitAtSoC is for the TxProfile of a car that tells its state of charge, and 0 or more", _unheard_charge),
    ("InvalidSchedule", "minChargingRate is 0 or more", lambda c: any(map(_least, c.schedules))),
    (
        "InvalidSchedule",
        f"randomizedDelay is {DELAY_MAXIMUM} s at most",
        lambda c: any(s.get("randomizedDelay", 0) > DELAY_MAXIMUM for s in c.schedules),
    ),
    ("InvalidProfileId", f"ids up to {OWN_IDS} are the station's own", lambda c: c.profile["id"] <= OWN_IDS),
    ("InvalidSchedule", "ChargingOnly needs limit, the Central modes setpoint", lambda c: any(map(_incomplete, c.periods))),
    (
        "InvalidSchedule",
        "ChargingOnly knows no dischargeLimit and no setpoint",
        lambda c: any(map(_gives, c.saying(*POWERS))),
    ),
    ("InvalidSchedule", "the setpoint lies outside dischargeLimit and limit", lambda c: any(map(beyond, c.saying("setpoint")))),
    (
        "PhaseConflict",
        "values of single phases are for a TxProfile",
        lambda c: c.purpose != TX and any(map(_of_a_phase, c.saying(*POWERS))),
    ),
    ("DuplicateProfile", "purpose and stack level are taken by another id", lambda c: c.purpose != TX and _doubled(c)),
    ("InvalidStackLevel", "the stack level is taken by another id", lambda c: c.purpose == TX and _doubled(c)),
    ("TooManyElements", f"at most {PROFILES_MAXIMUM} profiles", _full),
)
