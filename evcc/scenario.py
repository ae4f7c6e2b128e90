"""A scenario: steps of a visit with conditions, and what the station must do. Strict TOML; a wrong key or value is refused by name.

about = "stops under power and comes back"
[[step]]
when = "after 10 loops"       # or "at soc 60", "wait 5 s", "before PowerDeliveryReq"; left out: at once
do = "pause"
[[step]]
when = "wait 3 s"
do = "resume"
expect_code = "OK_OldSessionJoined"
[[step]]
when = "after 5 loops"
do = "stop"
expect = "Terminate"

Loops, seconds and the side from which a state of charge is reached count from the step before.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from v2g.generations import GENERATIONS
from v2g.services import SERVICES
from v2g.settings import suggestion
from v2g.settings.strict import ConfigError, read

Do = Literal[
    "pause", "resume", "stop", "renegotiate-schedule", "renegotiate-service", "limits", "target",
    "unplug", "silence", "garbage", "wrong-message", "wrong-session",
]  # fmt: skip
Outcome = Literal["Terminate", "Pause", "refused", "accepted", "closed", "silent", "left", "failed"]
IN_LOOP: Final = ("pause", "renegotiate-schedule", "renegotiate-service")  # what a car can do under power alone
HOSTILE: Final = ("silence", "garbage", "wrong-message", "wrong-session")
ENDING: Final = ("pause", "stop", "unplug", *HOSTILE)  # after these there is no session until the car comes back
ASKING: Final = ("resume", "renegotiate-schedule", "renegotiate-service")  # the station something, and it answers by a code
USUAL: Final[dict[str, Outcome]] = {"pause": "Pause", "unplug": "left"}
PLAYED: Final = GENERATIONS[0]  # scenarios are of the newest generation (evcc/iso20/play.py)
MESSAGES: Final = {request.__name__: request for request in PLAYED.responses}
LOOPS: Final = tuple(request.__name__ for request in PLAYED.loops)
CODES: Final = {code.value for code in PLAYED.codes}
STEPS = 256  # more of them are a program, and written as one (evcc/script.py)
LONGEST = 86_400.0  # s
WHEN = re.compile(
    r"after (?P<loops>\d{1,9}) loops?|at soc (?P<soc>\d{1,3}(\.\d+)?)|wait (?P<wait>\d{1,5}(\.\d+)?) s|before (?P<before>\w+)"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """When a step is due; at most one of its fields is given."""

    loops: int | None = None
    soc: float | None = None  # %
    wait: float | None = None  # s
    before: str | None = None  # a request

    @classmethod
    def of(cls, text: str) -> "Condition":
        """The condition in the text of a `when`. Raises ConfigError for text that is none."""
        if not text:
            return cls()
        found = WHEN.fullmatch(text)
        if found is None:
            raise ConfigError(f"when is {text!r}; say 'after 10 loops', 'at soc 60', 'wait 5 s' or 'before PowerDeliveryReq'")
        said = found.groupdict()
        if said["before"]:
            suggestion.demand("when", [said["before"]], MESSAGES)
        soc, wait = (None if said[name] is None else float(said[name]) for name in ("soc", "wait"))
        if (soc is not None and soc > 100) or (wait is not None and wait > LONGEST):
            raise ConfigError(f"when is {text!r}; give a state of charge up to 100 (%), a wait up to {LONGEST:g} (s)")
        return cls(None if said["loops"] is None else int(said["loops"]), soc, wait, said["before"])


@dataclass(frozen=True, slots=True)
class Step:
    """One action of the car. `expect` is how the session must then end, `expect_code` the response code that the station must send."""

    do: Do
    when: str = ""
    expect: Outcome | tuple[Outcome, ...] = ()
    expect_code: str | None = None
    services: tuple[str, ...] = ()  # renegotiate-service: in this order
    charge_power: float | None = None  # W; limits: what the battery takes from now on
    discharge_power: float | None = None  # W
    soc: float | None = None  # %; target
    octets: str = "ff" * 40  # hex; garbage
    framed: bool = True  # garbage as the payload of a V2GTP frame, or instead of frames
    message: str = "SessionSetupReq"  # wrong-message: sent with the least that it must hold
    seconds: float = 70.0  # to wait for the station's answer, and in silence: more than its longest timer

    def __post_init__(self) -> None:
        when = Condition.of(self.when)
        if self.do in IN_LOOP and when.before not in (None, *LOOPS):
            raise ConfigError(f"when is {self.when!r}: a car can {self.do} in the charge loop alone; say 'after 3 loops'")
        if self.do == "resume" and when != Condition(wait=when.wait):
            raise ConfigError(f"when is {self.when!r}: before it resumes a car can only wait; say 'wait 5 s'")
        if self.expect and self.do not in ENDING:
            raise ConfigError(f"expect says how a session ends, which {self.do} does not; leave it out")
        if self.expect_code and self.do not in (*ENDING, *ASKING):
            raise ConfigError(f"expect_code: {self.do} asks the station nothing; leave it out")
        if self.expect_code is not None:
            suggestion.demand("expect_code", [self.expect_code], CODES)
        self._demand_values()

    def _demand_values(self) -> None:
        suggestion.demand("services", self.services, SERVICES)
        suggestion.demand("message", [self.message], MESSAGES)
        if self.do == "renegotiate-service" and not self.services:
            raise ConfigError("services is empty; name those that the car wants next")
        if self.do == "limits" and self.charge_power is None and self.discharge_power is None:
            raise ConfigError("limits says nothing; give charge_power or discharge_power (W)")
        if self.do == "target" and self.soc is None:
            raise ConfigError("target says nothing; give soc (%)")
        for name, most in (("charge_power", 1e7), ("discharge_power", 1e7), ("soc", 100.0), ("seconds", LONGEST)):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise ConfigError(f"{name} is {value}; give 0 to {most:g}")
        try:
            bytes.fromhex(self.octets)
        except ValueError:
            raise ConfigError("octets is no hex; give pairs of digits 0 to f") from None

    @property
    def due(self) -> Condition:
        """The condition under which the step is done."""
        return Condition.of(self.when)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The ways in which the session may end by this step."""
        return (self.expect,) if isinstance(self.expect, str) else self.expect


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps in their order. `expect` and `expect_code` are for the end of the last session, where its last step states none."""

    step: tuple[Step, ...] = ()
    about: str = ""
    expect: Outcome | tuple[Outcome, ...] = ()
    expect_code: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.step) <= STEPS:
            raise ConfigError(f"a scenario has {len(self.step)} steps; give 1 to {STEPS} tables [[step]]")
        if self.expect_code is not None:
            suggestion.demand("expect_code", [self.expect_code], CODES)
        before = ""
        for number, step in enumerate(self.step, 1):
            if (before in ENDING) != (step.do == "resume"):
                cure = "only 'resume' can follow it" if before in ENDING else "'resume' follows what ends a session"
                raise ConfigError(f"step {number} is {step.do} after {before or 'nothing'}; {cure}", ("step", number))
            before = step.do
            said = step.outcomes or step.expect_code or (number == len(self.step) and (self.expect or self.expect_code))
            if step.do in HOSTILE and not said:
                raise ConfigError(f"step {number}: what must a station do after {step.do}? give expect or expect_code", ("step", number))

    def ends(self, step: Step | None, last: bool) -> tuple[tuple[Outcome, ...], str | None]:
        """The ways in which a session may end, and the response code (None: any); `step` is the one that ended it, None: no step did."""
        if step is not None and (step.outcomes or step.expect_code):
            return step.outcomes, step.expect_code
        if last and (self.expect or self.expect_code):
            return ((self.expect,) if isinstance(self.expect, str) else self.expect), self.expect_code
        return (USUAL.get(step.do if step else "", "Terminate"),), None


def parse(text: str, file: Path | None = None) -> Scenario:
    """The scenario in a TOML text that came from `file`. Raises ConfigError."""
    return read(Scenario, text, file)
