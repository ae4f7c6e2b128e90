"""The reading of ISO 15118-2 and of DIN SPEC 70121, whose messages have the same names; and of the few that have not."""

from itertools import pairwise
from typing import Any, ClassVar, Final

from v2g.legible import legible
from v2g.session.decimal import number
from v2g.session.generation import Generation
from v2gkit.insight.readings.reading import Choices, Flow, Profile, Reading, Said
from v2gkit.insight.report.story import Steps, Tuple

DAY: Final = 86_400.0  # s; for which the last entry holds that says no duration
PAYING: Final = ("PaymentServiceSelectionReq", "ServicePaymentSelectionReq")  # of -2, of DIN


class Early(Reading):
    """What messages of a generation say that has SASchedules with its parameters. `set` is the schema set of all of them."""

    beside: ClassVar[tuple[str, ...]] = ("MeteringReceiptReq",)

    def __init__(self, generation: Generation):
        self.generation = generation
        self.set = generation.begins.__module__.split(".")[-2]  # v2g.messages.SET.msg_body

    def flow(self, request: Any, response: Any) -> Flow:
        """What a station of DC measured; nobody says what a car of AC takes."""
        if hasattr(response, "EVSEPresentCurrent"):
            return Flow(number(response.EVSEPresentCurrent) * number(response.EVSEPresentVoltage), "measured")
        return Flow(None, "stated")

    def soc(self, request: Any) -> float | None:
        """EVRESSSOC of a car of DC."""
        status = getattr(request, "DC_EVStatus", None)
        return None if status is None else status.EVRESSSOC

    def offers(self, response: Said) -> tuple[Tuple, ...]:
        """The SAScheduleTuples of a ChargeParameterDiscoveryRes, whose times count from its arrival. Prices are relative, and left out."""
        schedules = getattr(response.message, "SASchedules", None)
        if schedules is None or response.message.EVSEProcessing.value != "Finished":
            return ()
        now = response.epoch
        return tuple(Tuple(each.SAScheduleTupleID, charging=_powers(each.PMaxSchedule, now)) for each in schedules.SAScheduleTuple)

    def currency(self, response: Any) -> str:
        """No currency: a SalesTariff has levels and shares."""
        return ""

    def profile(self, request: Said) -> Profile | None:
        """The ChargingProfile, whose times count from the request; its last entry holds for a day."""
        given = getattr(request.message, "ChargingProfile", None)
        if given is None:
            return None
        entries = [(float(each.ChargingProfileEntryStart), _watts(each.ChargingProfileEntryMaxPower)) for each in given.ProfileEntry]
        holder = given if hasattr(given, "SAScheduleTupleID") else request.message
        return Profile(_steps(entries, DAY, request.epoch), holder.SAScheduleTupleID)

    def begins(self, request: Any) -> bool:
        """Whether ChargeProgress is Start (-2), or the car is ready to charge (DIN)."""
        if (progress := getattr(request, "ChargeProgress", None)) is not None:
            return bool(progress.value == "Start")
        return bool(getattr(request, "ReadyToChargeState", False))

    def choices(self, request: Any) -> Choices:
        """The selected payment, or the energy transfer that is asked for."""
        name = type(request).__name__
        if name in PAYING:
            return Choices(authorization="PnC" if request.SelectedPaymentOption.value == "Contract" else "EIM")
        if name == "ChargeParameterDiscoveryReq":
            asked = getattr(request, "RequestedEnergyTransferMode", None) or request.EVRequestedEnergyTransferType
            return Choices(service=asked.value, control="Scheduled")
        return Choices()

    def peer(self, message: Any) -> str:
        """EVCCID in hex, or EVSEID: of DIN as text where its octets are one."""
        match type(message).__name__:
            case "SessionSetupReq":
                return str(message.EVCCID.hex().upper())
            case "SessionSetupRes":
                return message.EVSEID if isinstance(message.EVSEID, str) else _text(message.EVSEID)
        return ""


def _text(octets: bytes) -> str:
    text = octets.rstrip(b"\0").decode("ascii", "replace")
    return legible(text) if text and text.isascii() and text.isprintable() else octets.hex().upper()


def _powers(schedule: Any, now: float) -> Steps:
    entries = schedule.PMaxScheduleEntry
    last = entries[-1].TimeInterval.duration or DAY
    return _steps([(float(each.TimeInterval.start), _watts(each.PMax)) for each in entries], last, now)


def _watts(stated: Any) -> float:
    """A power: a plain number of W in DIN."""
    return float(stated) if isinstance(stated, int) else number(stated)


def _steps(entries: list[tuple[float, float]], last: float, now: float) -> Steps:
    """Steps of values that each hold until the next begins, the last one for `last` s."""
    ends = [later for (_, _), (later, _) in pairwise(entries)] + [entries[-1][0] + last]
    return tuple((now + start, now + end, value) for (start, value), end in zip(entries, ends, strict=True))
