"""`WORDS`, by which the scripts of `evcc/early` speak ISO 15118-2."""

from typing import Any, ClassVar, Final

from evcc.choice import Choice
from evcc.early.schedule import promised
from evcc.early.words import End, Rounding, Words
from evcc.iso2.tariff import credible
from evcc.script import Limit
from v2g.exi.schema import Type
from v2g.iso2 import physical
from v2g.iso2.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT
from v2g.messages.iso2 import msg_body, msg_data_types
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryReq, PowerDeliveryReq, SessionStopReq
from v2g.messages.iso2.msg_data_types import ChargingProfileType, ProfileEntryType
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2g.messages.iso2.msg_data_types import chargingSessionType as Session
from v2g.session.errors import Misuse


class Iso2(Words):
    """The words of ISO 15118-2."""

    body: ClassVar[Any] = msg_body
    types: ClassVar[Any] = msg_data_types
    ongoing = Limit("V2G_EVCC_Ongoing_Timeout", EVCC_ONGOING_TIMEOUT)
    cable_check = Limit("V2G_EVCC_CableCheck_Timeout", EVCC_CABLE_CHECK_TIMEOUT)
    pre_charge = Limit("V2G_EVCC_PreCharge_Timeout", EVCC_PRE_CHARGE_TIMEOUT)
    towards_power = (
        msg_body.ServiceDiscoveryReq, msg_body.ServiceDetailReq, msg_body.PaymentServiceSelectionReq, msg_body.PaymentDetailsReq,
        msg_body.CertificateInstallationReq, msg_body.CertificateUpdateReq, msg_body.AuthorizationReq, ChargeParameterDiscoveryReq,
        msg_body.CableCheckReq, msg_body.PreChargeReq, PowerDeliveryReq,
    )  # fmt: skip

    def physical(self, value: float, unit: str, rounding: Rounding = "nearest") -> msg_data_types.PhysicalValueType:
        """A PhysicalValueType of a float in `unit`. Raises ValueError for what it cannot hold."""
        return physical.physical(value, msg_data_types.unitSymbolType(unit), rounding)

    def watts(self, car: Any, stated: msg_data_types.PhysicalValueType, limit: float | None) -> float:
        """The power (W) of an entry of a PMaxSchedule."""
        return physical.number(stated)

    def stated(self, power: float) -> float:
        """A power (W) as a ChargingProfile can say it."""
        return physical.number(self.physical(max(power, 0.0), "W", "down"))

    def credible(self, car: Any, response: Any) -> bool:
        """Whether its SalesTariffs count: unless they are wrongly signed."""
        return credible(car, response)

    def departing(self, car: Any) -> dict[str, int]:
        """DepartureTime: seconds until departure; a day where the goal has none, so that a station plans at all."""
        return {"DepartureTime": car.goal.remaining(car.wall)}

    def parameters(self, car: Any, needs: Any) -> ChargeParameterDiscoveryReq:
        """A ChargeParameterDiscoveryReq of the chosen mode. Raises Misuse before there is one."""
        if (mode := car.known.mode) is None:
            raise Misuse("the script asks for parameters before it has chosen a mode")
        points = min(max(car.wish.supporting_points, 1), 1024)
        return ChargeParameterDiscoveryReq(MaxEntriesSAScheduleTuple=points, RequestedEnergyTransferMode=mode.name, EVChargeParameter=needs)

    def power_on(self, car: Any, mode: Any, chosen: Choice) -> Type:
        """A PowerDeliveryReq with ChargeProgress Start and the ChargingProfile."""
        return _delivering(car, Progress.Start, mode, ChargingProfile=profile(chosen, mode.phases))

    def power_off(self, car: Any, state: Any) -> Type:
        """A PowerDeliveryReq with ChargeProgress Stop."""
        return PowerDeliveryReq(ChargeProgress=Progress.Stop, SAScheduleTupleID=car.known.tuple_id, EVPowerDeliveryParameter=state)

    def renegotiation(self, car: Any, mode: Any) -> Type:
        """A PowerDeliveryReq with ChargeProgress Renegotiate."""
        return _delivering(car, Progress.Renegotiate, mode)

    def goodbye(self, how: End = "Terminate") -> SessionStopReq:
        """A SessionStopReq: -2 has no words for the reason."""
        return SessionStopReq(ChargingSession=Session(how))

    def begins(self, request: Type) -> bool:
        """Whether a PowerDeliveryReq asks for power."""
        return isinstance(request, PowerDeliveryReq) and request.ChargeProgress is Progress.Start


def _delivering(car: Any, progress: Progress, mode: Any, **fields: Any) -> Type:
    """A PowerDeliveryReq of the schedule that is followed, with the state of the car."""
    state = mode.state(progress is Progress.Start)
    return PowerDeliveryReq(ChargeProgress=progress, SAScheduleTupleID=car.known.tuple_id, EVPowerDeliveryParameter=state, **fields)


def profile(chosen: Choice, phases: int | None) -> ChargingProfileType:
    """The ChargingProfile of a choice; times count from its first step. `phases` of an AC car."""
    entries = tuple(
        ProfileEntryType(
            ChargingProfileEntryStart=start,
            ChargingProfileEntryMaxPower=WORDS.physical(power, "W", "down"),
            ChargingProfileEntryMaxNumberOfPhasesInUse=phases,
        )
        for start, power in promised(chosen)
    )
    return ChargingProfileType(ProfileEntry=entries)


WORDS: Final = Iso2()
