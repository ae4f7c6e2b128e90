"""What a station says of its grid to a car that feeds it (AC_DER), and what it hears of the car's inverter."""

from dataclasses import replace
from typing import Any

from secc.iso20.notices import status
from secc.neutral.bounds import control_of, free_bounds
from secc.neutral.context import Context
from secc.neutral.facts import with_wish
from secc.neutral.feeding import Feeding
from secc.station import GridReported, RenegotiationAsked
from v2g.iso20.der import alarms
from v2g.iso20.der_rating import rating
from v2g.iso20.phases import spread, total
from v2g.iso20.rational import optional, rational
from v2g.messages.common_types import processingType
from v2g.session.endpoint import Event

VOLTAGE_SHARE = 0.10  # of the nominal voltage: the range in which a public grid is kept (EN 50160)


def settle(mode: Any, known: Context) -> tuple[Context, dict[str, Any]]:
    """What the grid asks, as fields of ChargeParameterDiscoveryRes; the car looks at it, and says Finished once it has taken it over."""
    rated, settling = abs(total(mode, "EVMaximumDischargePower") or 0.0), mode.EVProcessing is not processingType.Finished
    known = known.with_service(feeding=Feeding(rated=rated, settling=settling, inverter=rating(mode)))
    control, ours = control_of(known), known.outlet.limits
    known = known.with_service(feeding=replace(known.service.feeding, told=control))
    if known.agreement.selected.row.der == "iec":
        from v2g.iso20 import der_iec

        return known, der_iec.settings(control)
    from v2g.iso20 import der_sae
    from v2g.messages import ac_der_sae as sae

    reactive = {
        f"EVSEMaximumVar{way}During{when}": rational(power, "down")
        for when, power in (("Charging", ours.charge_power), ("Discharging", ours.discharge_power))
        for way in ("Absorption", "Injection")
    }
    grid = sae.GridLimitsType(
        GridNominalFrequency=rational(ours.nominal_frequency),
        GridNominalVoltage=rational(ours.nominal_voltage),
        GridNominalVoltageOffset=rational(0.0),
        GridMaximumVoltage=rational((1 + VOLTAGE_SHARE) * ours.nominal_voltage),
        GridMinimumVoltage=rational((1 - VOLTAGE_SHARE) * ours.nominal_voltage),
    )
    return known, {
        "EVSEProcessing": processingType.Finished,
        "EVSEStatus": status(known),
        **der_sae.settings(control, base_of(known)),
        "EVSEReactivePowerLimits": sae.EVSEReactivePowerLimitsType(**reactive),
        "GridLimits": grid,
        "EVSEUpdateTime": int(known.wall),
    }


def base_of(known: Context) -> Any:
    """What percentages to this car are of."""
    from v2g.iso20.der_sae import Base

    ours, rated = known.outlet.limits, known.service.feeding.rated
    return Base(ours.nominal_voltage, ours.nominal_frequency, rated, rated)


def heard(mode: Any, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """What the inverter tells in a loop; the want where it is news. Settings that a loop cannot say are a wish for a renegotiation."""
    der, said = known.agreement.selected.row.der, known.service.feeding
    if not der:
        return known, ()
    iec = der == "iec"
    bits = getattr(mode, "GridEventCondition" if iec else "DERAlarmStatus")
    stands, connected = alarms(bits), iec or mode.DERConnectionStatus.value == "Connected"
    control = control_of(known)
    known = known.with_service(feeding=replace(said, alarms=stands, connected=connected, amended=said.amended or control != said.told))
    if iec and said.told is not None and control.settings != said.told.settings:
        known = with_wish(RenegotiationAsked("Service"), known)
    if (stands, connected) == (said.alarms, said.connected):
        return known, ()
    volts, hertz = (optional(getattr(mode, f"EVPresent{what}", None)) for what in ("Voltage", "Frequency"))
    return known, (GridReported(known.now, stands, connected, volts, hertz),)


def loop_fields(known: Context, phases: int) -> dict[str, Any]:
    """What a charge loop's response says besides the target: limits that the inverter may use, and what the grid asks now."""
    if not known.agreement.selected.row.der:
        return {}
    free, control = free_bounds(known), control_of(known)
    fields: dict[str, Any] = spread("EVSEMaximumChargePower", free.charge, phases, "down")
    fields |= spread("EVSEMaximumDischargePower", free.discharge, phases, "down")
    if known.agreement.selected.row.der == "iec":
        from v2g.iso20 import der_iec

        return fields | der_iec.setpoints(control, phases)
    from v2g.iso20 import der_sae

    return fields | der_sae.changes(control, base_of(known), known.service.feeding.amended)
