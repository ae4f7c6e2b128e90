"""The behaviours that a test must hold: each row breaks one, and the tests that it names must notice.

`fault` is the number of a fault that was found once and mended, or the name of a mutant that once lived (S, E: answers of station and car;
X, T: shells and trust), or "hang" where
the test once hung instead of failing. A row whose text has gone stale is mended together with the code that it breaks.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One behaviour broken: `text` stands in `file` exactly once and is replaced."""

    name: str
    fault: str
    file: str
    text: str
    instead: str
    targets: tuple[str, ...]  # of pytest
    means: str  # what goes wrong then, after "that"


def secc(module: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"tests/secc/test_{module}.py::test_{test}" for test in tests) or (f"tests/secc/test_{module}.py",)


def evcc(module: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"tests/evcc/test_{module}.py::test_{test}" for test in tests) or (f"tests/evcc/test_{module}.py",)


ANSWERS, NEUTRAL_ROOM = "secc/iso20/", "secc/neutral/"
SUPERVISION, DRIVER, BAY, SESSION = "secc/neutral/supervision.py", "secc/driver.py", "secc/bay.py", "secc/engine.py"
OPENING = "secc/opening.py"
OUTPUT, KEEPING, POWER, SETUP = NEUTRAL_ROOM + "output.py", NEUTRAL_ROOM + "keeping.py", ANSWERS + "power.py", ANSWERS + "setup.py"
SCHEDULE, START, LOOP = ANSWERS + "schedule.py", ANSWERS + "dc_start.py", ANSWERS + "dc_loop.py"
GUARD, DELIVERY, PROFILE = "evcc/guard.py", "evcc/iso20/delivery.py", "evcc/iso20/profile.py"

LIVED = (
    Mutant(
        "the next contract is granted by the verdict on the one before",
        "S19",
        ANSWERS + "authorization.py",
        "    return known.with_service(attempt=Attempt(claim=claimed))",
        "    return known.with_attempt(claim=claimed, asked=None)",
        secc("authorization", "a_verdict_on_one_contract_is_none_on_the_next_contract"),
        "a verdict on one contract is taken for another",
    ),
    Mutant(
        "prices longer than the car can hold",
        "S36",
        ANSWERS + "prices.py",
        "priced_steps(prices, power, min(STACKS, points))",
        "priced_steps(prices, power, 100_000)",
        secc("schedule", "prices_stay_within_what_the_car_can_hold"),
        "a price schedule has more entries than the car announced",
    ),
    Mutant(
        "powers longer than the car can hold",
        "S36",
        SCHEDULE,
        "points = max(known.service.exchange.max_points, 1)",
        "points = 100_000",
        secc("schedule", "what_a_backend_offers_beyond_what_the_car_can_hold_is_joined_and_never_more"),
        "a power schedule has more entries than the car announced",
    ),
    Mutant(
        "offered power is rounded up",
        "S37",
        SCHEDULE,
        'rational(step.value, "down" if step.value >= 0 else "up")',
        'rational(step.value, "up" if step.value >= 0 else "down")',
        secc("schedule", "what_does_not_fit_a_number_of_the_wire_is_offered_rounded_towards_nothing"),
        "more is offered than was meant",
    ),
    Mutant(
        "the power profile is rounded up",
        "E17",
        PROFILE,
        "from v2g.iso20.rational import inward, number",
        "from v2g.iso20.rational import number, rational\n\n\ndef inward(x):\n    return rational(x, 'up' if x > 0 else 'down')",
        evcc(
            "plan", "the_profile_on_the_wire_rounds_towards_zero_and_holds_the_points", "a_profile_is_stated_towards_zero_whoever_made_it"
        ),
        "a car states more than it meant",
    ),
    Mutant(
        "the car follows what it has not stated",
        "E17",
        PROFILE,
        "return number(inward(round(power, 1) if abs(power) < 1.0 else power))",
        "return power",
        evcc("plan", "the_profile_promises_no_more_than_inlet_and_offer_where_the_wire_rounds"),
        "a car takes more than its profile says",
    ),
    Mutant(
        "the loop's least voltage is 0",
        "X30",
        LOOP,
        '"EVSEMinimumVoltage": rational(ours.voltage_minimum, "up")',
        '"EVSEMinimumVoltage": rational(0.0)',
        secc("loops", "minima_are_never_below_those_that_were_announced"),
        "a minimum of the loop is below the one announced",
    ),
    Mutant(
        "opening waits behind pending commands",
        "X09",
        DRIVER,
        '            self._commands.clear()\n            self._stop("hardware")',
        '            self._stop("hardware")',
        secc("service", "opening_overtakes_a_command_that_hangs"),
        "what waited is carried out before the contactor opens",
    ),
    Mutant(
        "opening waits for a command that runs",
        "X09",
        DRIVER,
        '            self._commands.clear()\n            self._stop("hardware")',
        "            self._commands.clear()",
        secc("service", "opening_overtakes_a_command_that_hangs"),
        "a command that hangs keeps the contactor closed",
    ),
    Mutant(
        "the station names no roots",
        "T06",
        "secc/trust.py",
        "authorities=roots",
        "authorities=()",
        ("tests/v2g/session/test_judged_time.py::test_the_roots_of_a_directory_are_those_that_its_station_names",),
        "CertificateRequest names nobody",
    ),
    Mutant(
        "any car takes over a silent session",
        "T08",
        BAY,
        "return not (self._silent(holder) and _car(self._drivers[holder]) == _car(self._drivers[driver]))",
        "return not self._silent(holder)",
        secc("server", "a_silent_session_is_taken_over_by_its_own_car_alone"),
        "a stranger takes the outlet of a silent car",
    ),
    Mutant(
        "a service renegotiation that was not announced is obeyed",
        "X19",
        DELIVERY,
        "if notification is Notification.ServiceRenegotiation and not car.known.renegotiable:",
        "if False:",
        evcc("leaving", "a_service_renegotiation_that_was_not_announced_is_not_obeyed"),
        "the car goes back to services that cannot be renegotiated",
    ),
    Mutant(
        "discovery is asked at another pace",
        "X01",
        "v2g/session/sdp.py",
        "RETRY: Final = 0.25",
        "RETRY: Final = 0.5",
        ("tests/v2g/session/test_ports.py::test_a_car_asks_fifty_times_a_quarter_of_a_second_apart",),
        "requests of discovery are too far apart",
    ),
    Mutant(
        "discovery gives up early",
        "X02",
        "v2g/session/sdp.py",
        "ATTEMPTS: Final = 50",
        "ATTEMPTS: Final = 20",
        ("tests/v2g/session/test_ports.py::test_a_car_asks_fifty_times_a_quarter_of_a_second_apart",),
        "discovery ends before 50 requests",
    ),
    Mutant(
        "a handshake may take a minute",
        "X03",
        "v2g/session/transport/connection.py",
        "handshake: float = 9.0",
        "handshake: float = 60.0",
        ("tests/v2g/session/test_ports.py::test_a_handshake_has_nine_seconds_at_the_car",),
        "a station that says nothing holds the car",
    ),
    Mutant(
        "any payload type is served",
        "",
        "secc/iso20/requests.py",
        "if payload_type != expected and not tolerated:",
        "if False:",
        secc("order", "a_request_under_the_wrong_payload_type_is_not_served"),
        "a request under another payload type is answered",
    ),
    Mutant(
        "times to answer are nought",
        "29",
        "v2g/session/transport/pump.py",
        "self._stamp.stamped(endpoint.events(), left)",
        "endpoint.events()",
        secc("server", "the_time_to_answer_is_what_it_took_at_both_ends"),
        "performance times are taken before the work",
    ),
)
