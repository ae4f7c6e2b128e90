"""What must be so before a contactor closes and power begins: the pilot, the voltages, and whatever the service has besides."""

from secc.neutral.contactor import CONTACTOR_LIMIT
from secc.neutral.context import Context
from secc.neutral.field import obstructed, unaligned, wireless
from v2g.reasons import Reason
from v2g.session.errors import Refused

PRE_CHARGE_MATCH = 20.0  # V between output and target at which contactors may close [IEC 61851-23]
PILOT_REQUIREMENT = "V2G20-847"  # that power begins in pilot state C or D; -2 has it under the same number [V2G2-847]


def demand_asking(known: Context) -> None:
    """Raises Refused where the pilot says that the car asks for no energy, or an ACDP is not where it can give any."""
    if known.station.pilot in ("A", "B", "E", "F"):
        raise Refused(Reason.OTHER, f"the control pilot is in state {known.station.pilot}, the car must ask for energy (C or D)", None)
    if known.undocked:
        raise Refused(Reason.OTHER, known.undocked, None)


def unready(known: Context) -> Refused | None:
    """What the contactor still waits for: an AC car's pilot, the voltage of a DC output. Raises Refused for what waiting does not mend."""
    pilot, dc = None if wireless(known) else known.station.pilot, known.agreement.selected.dc  # a field has none
    if pilot in ("A", "E", "F") or (pilot == "B" and dc):
        raise Refused(Reason.OTHER, f"the control pilot is in state {pilot}, the car must ask for energy (C or D)", PILOT_REQUIREMENT)
    if known.undocked:
        raise Refused(Reason.OTHER, known.undocked, None)
    if known.unparked:
        return Refused(Reason.NO_POWER, known.unparked, None)
    if why := unaligned(known):
        raise Refused(Reason.NO_POWER, why, None)
    if why := obstructed(known):
        return Refused(Reason.NO_POWER, why, None)
    if dc and known.standing and (known.station.contactor is not True or known.service.isolation is not True):
        raise Refused(Reason.NO_POWER, "the contactor opened for the standby: the cable check and the pre-charge come first", None)
    if pilot == "B":
        why = f"the control pilot stayed in state B for {CONTACTOR_LIMIT:g} s, the car must ask for energy (C or D)"
        return Refused(Reason.NO_POWER, why, PILOT_REQUIREMENT)
    if dc and not known.delivering and not voltages_match(known):
        present, named = known.station.output.voltage, known.service.target_voltage
        why = f"the output is at {present:.0f} V, the car named {named:.0f} V: contactors must not close on that"
        return Refused(Reason.NO_POWER, why, None)
    return None


def voltages_match(known: Context) -> bool:
    """Whether the output voltage is close enough to the car's target for its contactors to close."""
    return abs(known.station.output.voltage - known.service.target_voltage) <= PRE_CHARGE_MATCH
