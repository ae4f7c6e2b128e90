"""The result of a visit, JSON-able: how it ended, energies, costs."""

from dataclasses import dataclass, field
from typing import Any

from evcc.car import Car
from v2g.session.endpoint import Ended


@dataclass(frozen=True, slots=True)
class Start:
    """The state of a car when it arrives, to be compared when it leaves."""

    soc: float  # %
    charged: float  # Wh
    discharged: float
    now: float  # s

    @classmethod
    def of(cls, car: Car[Any], now: float) -> "Start":
        """The state of a car at `now` (monotonic s)."""
        return cls(car.ev.soc, car.ev.charged, car.ev.discharged, now)


@dataclass(frozen=True, slots=True)
class Result:
    """How a visit ended and what it brought. `sessions` counts the connections, more than one after a pause."""

    car: Car[Any]
    start: Start
    ended: Ended
    until: float  # s
    sessions: int = 1
    relaxed: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values: energies in Wh at the plug, SOC in %, `seconds` of real time."""
        car, tls = self.car, self.car.link.tls if self.car.link else None
        error, came = self.ended.error, self.car.outcome()
        return {
            "ok": self.ended.well,
            "ended": self.ended.how,
            "reason": f"{type(error).__name__}: {error}" if error else "",
            "requirement": self.ended.requirement,
            "service": came.service,
            "internet": came.internet,
            "parking": list(came.parking),
            "control": came.control.lower() if came.control else None,
            "auth": car.authorization.lower() if car.authorization else None,
            "contract": car.contract.emaid if car.contract and car.authorization == "PnC" else None,
            "installed": list(car.installed),
            "tls": tls.version if tls else None,
            "stapled": [staple is not None for staple in tls.staples] if tls else [],
            "loops": car.loops,
            "energy_charged": round(car.ev.charged - self.start.charged, 1),
            "energy_discharged": round(car.ev.discharged - self.start.discharged, 1),
            "soc_start": round(self.start.soc, 2),
            "soc_end": round(car.ev.soc, 2),
            "schedule_tuple": came.schedule,
            "cost": came.cost,
            "currency": came.currency,
            "evse_id": car.evse_id or None,
            "session_id": car.session_id.hex() if any(car.session_id) else None,
            "sessions": self.sessions,
            "relaxed": list(self.relaxed),
            "seconds": round(self.until - self.start.now, 3),
        }
