"""Scripts that operate stations over time, in TOML: at which second, at which station, what.

[[step]]
at = 5                      # s after the script began
station = "CS-1"            # "*": every station that is connected then
setpoint = -5000            # W; or start, stop, call
[[step]]
at = 60
station = "CS-1"
call = "GetVariables"
payload = { getVariableData = [...] }
every = 30                  # s; again and again
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from v2g.settings.strict import octets_of
from v2gkit.csms.operating import Failed
from v2gkit.csms.party import Party

LONGEST: Final = 1 << 20  # octets of a script
STEPS: Final = 10_000  # of a script: a step a second for three hours
Told = Callable[[str, str], None]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e7)]


class Step(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One thing to do at one time; exactly one of setpoint, start, stop and call says what."""

    at: Seconds = 0.0
    station: Annotated[str, msgspec.Meta(min_length=1, max_length=48)]
    every: Annotated[float, msgspec.Meta(ge=1, le=1e7)] | None = None
    setpoint: float | None = None  # W
    start: int | None = None  # EVSE; 0: the station chooses
    token: str = ""
    stop: str | None = None  # transaction; "": the one that runs
    call: str | None = None
    payload: dict[str, Any] = {}

    @property
    def wish(self) -> tuple[str, dict[str, Any]]:
        """The verb and its arguments."""
        if self.setpoint is not None:
            return "setpoint", {"power": self.setpoint}
        if self.start is not None:
            return "start", {"evse": self.start or None, "token": self.token}
        if self.stop is not None:
            return "stop", {"transaction": self.stop or None}
        return "call", {"action": self.call, "payload": self.payload}


class _Script(msgspec.Struct, forbid_unknown_fields=True):
    step: list[Step]


def read(path: Path) -> list[Step]:
    """The steps of a script, in the order of time. Raises ValueError that names what is wrong, OSError for a file that cannot be read."""
    try:
        steps = msgspec.toml.decode(octets_of(path, LONGEST), type=_Script).step
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"--script {path}: {error}") from None
    if not 1 <= len(steps) <= STEPS:
        raise ValueError(f"--script {path}: {len(steps)} steps; give 1 to {STEPS}")
    for number, step in enumerate(steps, 1):
        wishes = [name for name in ("setpoint", "start", "stop", "call") if getattr(step, name) is not None]
        if len(wishes) != 1:
            raise ValueError(
                f"--script {path}, step {number}: {' and '.join(wishes) or 'nothing'} to do; give one of setpoint, start, stop, call"
            )
    return sorted(steps, key=lambda step: step.at)


async def perform(party: Party, steps: list[Step], told: Told) -> None:
    """Do what the steps say, each at its time; one that fails is told, and costs no other."""
    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(_done(party, step, told))


async def _done(party: Party, step: Step, told: Told) -> None:
    await asyncio.sleep(step.at)
    while True:
        stations = sorted(party.connected()) if step.station == "*" else [step.station]
        for station in stations:
            verb, arguments = step.wish
            try:
                answer = await party.operate(station, verb, arguments)
                outcome = str(answer.get("status", "answered"))
            except Failed as failed:
                outcome = f"{failed.code}: {failed}"
            told(station, f"script, {step.at:g} s: {verb} {arguments.get('action') or ''}: {outcome}".replace(" :", ":"))
        if step.every is None:
            return
        await asyncio.sleep(step.every)
