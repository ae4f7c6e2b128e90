"""A car at a station whose CSMS the suite plays: its session, and what the CSMS is told of it, whatever the generation."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from v2g.iso2 import physical
from v2g.iso20 import rational
from v2gkit.conform.asked import power as of_entry
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.guest import Guest
from v2gkit.conform.running import Unreached

if TYPE_CHECKING:  # what it stands on is not always installed
    from v2gkit.conform.backend import Backend, Call

T = TypeVar("T")
PACE = 0.15  # s between two requests of the loop
TOLD = 10.0  # s within which a station tells its CSMS what happened, or its car what the CSMS wants
STOPS = ("Terminate", "StopCharging")  # a car is told to end
ANEW = ("ScheduleRenegotiation", "ReNegotiation")  # or to ask for another schedule
LOOPS = {"20": "ChargeLoop"}
EVENT = "TransactionEvent"


@dataclass
class Reported:
    """One session of a car, seen from both sides. `began` is monotonic s."""

    bench: AtStation
    csms: "Backend"
    visit: Guest
    began: float

    @property
    def loop(self) -> str:
        """The step in which power flows."""
        return str(getattr(self.visit, "loop", LOOPS["20"]))

    # --- what the CSMS is told ---

    def mine(self, call: "Call") -> bool:
        """Whether a call is about this outlet; one that names none is, where the station has no other."""
        return call.evse == self.bench.evse or (call.evse == 0 and self.bench.evse == 1 and self.bench.alone)

    def events(self, transaction: str) -> "list[Call]":
        """What was told of a transaction so far, in the order in which it came."""
        return [each for each in self.csms.calls if each.transaction == transaction]

    async def transaction(self) -> str:
        """The id of this session's transaction: the one that began at the outlet with it, or is still open there. Raises Unreached."""
        found = await self.csms.hear(self.began, lambda call: self.mine(call) and call.action == EVENT, TOLD)
        if found is None:
            raise Unreached(f"the station tells its CSMS of no transaction at EVSE {self.bench.evse} within {TOLD:g} s")
        begun = [each.transaction for each in self.csms.heard(self.began, EVENT) if self.mine(each) and kind(each) == "Started"]
        return begun[-1] if begun else found.transaction

    async def event(self, wanted: "Callable[[Call], bool]", within: float = TOLD) -> "Call | None":
        """The first event of this session's transaction that is wanted; None where none comes in so many s."""
        transaction = await self.transaction()
        return await self.csms.hear(self.began, lambda call: call.transaction == transaction and wanted(call), within)

    async def ended(self, within: float = TOLD) -> "Call | None":
        """The event by which this session's transaction ended."""
        return await self.event(lambda call: kind(call) == "Ended", within)

    # --- what the car does ---

    async def charging(self, found: Callable[[Any], T | None], within: float) -> T | None:
        """Charge on, at the pace of a car, until a response of the loop shows what is looked for; None where none does in so many s."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            one = found(await self.visit.granted(self.visit.due()))
            if one is not None:
                return one
            await asyncio.sleep(PACE)
        return None

    async def leaves(self) -> None:
        """End power and session as a car does. Raises Unreached where that is not granted."""
        await self.visit.through("SessionStop")
        await self.visit.wire.close()


@contextlib.asynccontextmanager
async def session(bench: AtStation, step: str = "", **ways: Any) -> AsyncIterator[Reported]:
    """A car at a station that waits for a step (none: for the loop), and is connected to this CSMS. Raises Unreached, Blocked."""
    csms = await bench.csms()
    began = time.monotonic()
    visit: Guest = await (bench.visit("sound", **ways) if bench.generation == "20" else bench.visit2("usual", **ways))
    one = Reported(bench, csms, visit, began)
    await visit.upto(step or one.loop)
    yield one


# --- what a response says ---


def kind(call: "Call") -> str:
    """Whether an event of a transaction is its beginning, its end, or between."""
    return str(call.payload.get("eventType", ""))


def notified(response: Any) -> str:
    """What a response of the loop asks the car to do (EVSENotification); empty where it asks nothing."""
    status = next((found for name in ("EVSEStatus", "DC_EVSEStatus", "AC_EVSEStatus") if (found := getattr(response, name, None))), None)
    said = "" if status is None else str(status.EVSENotification.value)
    return "" if said == "None" else said


def stops(response: Any) -> str | None:
    """The word by which a response tells its car to end; None where it does not."""
    return said if (said := notified(response)) in STOPS else None


def value(field: Any) -> float:
    """The number in a field of either generation, in its base unit."""
    return physical.number(field) if hasattr(field, "Unit") else rational.number(field)


def allowed(response: Any) -> float | None:
    """The most power that a response of the loop lets the car draw (W); None where it says nothing."""
    mode = getattr(response, "CLResControlMode", response)
    says = {name: value(found) for name in _LIMITS if (found := getattr(mode, name, None)) is not None}
    powers = [says[name] for name in ("EVSEMaximumChargePower", "EVSEMaximumPowerLimit") if name in says]
    if "EVSETargetActivePower" in says:
        powers.append(sum(says[name] for name in _PHASES if name in says))
    volts = value(response.EVSEPresentVoltage) if hasattr(response, "EVSEPresentVoltage") else 0.0
    powers += [says[name] * volts for name in ("EVSEMaximumChargeCurrent", "EVSEMaximumCurrentLimit") if name in says and volts > 0.0]
    if "EVSEMaxCurrent" in says:
        powers.append(says["EVSEMaxCurrent"] * 3 * 230.0)
    return min(powers, default=None)


def flowing(response: Any) -> float | None:
    """The power that a response of a DC loop shows (W, + into the car); None where it shows none."""
    if not hasattr(response, "EVSEPresentVoltage") or not hasattr(response, "EVSEPresentCurrent"):
        return None
    return value(response.EVSEPresentVoltage) * value(response.EVSEPresentCurrent)


_PHASES = ("EVSETargetActivePower", "EVSETargetActivePower_L2", "EVSETargetActivePower_L3")
_LIMITS = (
    *_PHASES, "EVSEMaximumChargePower", "EVSEMaximumPowerLimit", "EVSEMaximumChargeCurrent", "EVSEMaximumCurrentLimit", "EVSEMaxCurrent",
)  # fmt: skip


def offered(response: Any) -> float | None:
    """The most power (W) at the beginning of the schedules in a response of either generation; None where it has none."""
    scheduled = getattr(response, "Scheduled_SEResControlMode", None)
    if scheduled is not None:
        plans = [each.ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry[0] for each in scheduled.ScheduleTuple]
        return max(map(of_entry, plans))
    schedules = getattr(response, "SASchedules", None)
    if schedules is None:
        return None
    return max(physical.number(each.PMaxSchedule.PMaxScheduleEntry[0].PMax) for each in schedules.SAScheduleTuple)


# --- what a CSMS asks for ---


def profile(transaction: str, watts: float, number: int = 15118) -> Mapping[str, Any]:
    """A TxProfile that limits a transaction from now on (W)."""
    return {
        "id": number,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "transactionId": transaction,
        "chargingSchedule": [
            {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": watts}]},
        ],
    }


def epoch(text: str) -> float:
    """Epoch s of a time of OCPP. Raises ValueError for text that is none."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def registers(calls: "list[Call]") -> list[tuple[float, float]]:
    """The readings of the meter in events of a transaction, as (epoch s, Wh drawn), in their order."""
    found = []
    for each in calls:
        for one in each.payload.get("meterValue", ()):
            for sample in one["sampledValue"]:
                whole = sample.get("location", "Outlet") == "Outlet" and "phase" not in sample
                if whole and sample.get("measurand", REGISTER) == REGISTER:
                    found.append((epoch(one["timestamp"]), _watt_hours(sample)))
    return found


REGISTER = "Energy.Active.Import.Register"


def _watt_hours(sample: Mapping[str, Any]) -> float:
    unit = sample.get("unitOfMeasure", {})
    kilo = 1000.0 if unit.get("unit", "Wh") == "kWh" else 1.0
    return float(sample["value"]) * kilo * 10.0 ** int(unit.get("multiplier", 0))
