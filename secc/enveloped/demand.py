"""CurrentDemand: what goes on while direct current flows."""

from dataclasses import replace
from typing import Any

from secc.enveloped.notices import dc_status
from secc.enveloped.words import Words
from secc.neutral.bounds import bounds
from secc.neutral.context import Context
from secc.neutral.keeping import kept
from secc.neutral.output import LEAST_VOLTAGE, differs, output, voltage_within
from secc.station import Display, EVReported, Limits, Objected
from v2g.session.decimal import number, optional
from v2g.session.endpoint import Event


def demanded(words: Words, request: Any, known: Context) -> tuple[Context, dict[str, Any], tuple[Event, ...]]:
    """The context after a CurrentDemandReq, the fields of its response that both generations have, and what the station must do.

    The output is commanded that the car asks for, within the limits of both ends; the response says which limit was reached.
    """
    measured = known.station.output
    known = known.with_service(car=_limits(request, known))
    named = number(request.EVTargetVoltage)
    known = known.with_service(target_voltage=voltage_within(named, known))
    known, objected = within_bounds(words, measured.watts, type(request).__name__, known)
    allowed = bounds(known)
    present = max(measured.voltage, LEAST_VOLTAGE)
    wished = 0.0 if known.service.impaired else max(number(request.EVTargetCurrent), 0.0)
    wanted, reached = output(named, wished, allowed, known, present)
    tell = differs(known.service.output_wanted, wanted)
    known = known.with_service(output_wanted=wanted if tell else known.service.output_wanted)
    ours = known.present_limits
    fields = {
        "ResponseCode": words.types.responseCodeType.OK,
        "DC_EVSEStatus": dc_status(words, known, ready=True),
        "EVSEPresentVoltage": words.volts(measured.voltage),
        "EVSEPresentCurrent": words.amperes(measured.current),
        "EVSECurrentLimitAchieved": "current" in reached,
        "EVSEVoltageLimitAchieved": "voltage" in reached,
        "EVSEPowerLimitAchieved": "power" in reached,
        "EVSEMaximumVoltageLimit": words.volts(ours.voltage, "down"),
        "EVSEMaximumCurrentLimit": words.amperes(ours.charge_current, "down"),
        "EVSEMaximumPowerLimit": words.watts(allowed.charge, "down"),
    }
    wants: tuple[Event, ...] = (wanted,) if tell else ()
    return known, fields, (*wants, _reported(request, measured.watts, known), *objected)


def within_bounds(words: Words, power: float, request: str, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """The context after the power was held against its bounds. A car that is beyond one is told by no code before it is refused."""
    known, objection, first = kept(power, known)
    code: str = words.types.responseCodeType.OK.value
    return known, () if objection is None or not first else (Objected(known.now, request, code, objection),)


def _limits(request: Any, known: Context) -> Limits:
    """The limits of the car now: those that this request states, else those it stated before; below zero is nothing."""
    before = known.service.car or Limits()
    power = optional(request.EVMaximumPowerLimit)
    said = {
        "charge_power": None if known.service.power_unsaid and power == 0 else power,
        "charge_current": optional(request.EVMaximumCurrentLimit),
        "voltage": optional(request.EVMaximumVoltageLimit),
    }
    changed: dict[str, Any] = {name: max(value, 0.0) for name, value in said.items() if value is not None}
    return replace(before, **changed)


def _reported(request: Any, power: float, known: Context) -> EVReported:
    to_full, to_bulk = optional(request.RemainingTimeToFullSoC), optional(request.RemainingTimeToBulkSoC)
    display = Display(to_maximum=to_full, to_target=to_bulk, complete=request.ChargingComplete)
    return EVReported(known.now, power=power, soc=float(request.DC_EVStatus.EVRESSSOC), display=display)
