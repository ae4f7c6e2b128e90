"""`WORDS`, by which the scripts of `evcc/early` speak DIN SPEC 70121."""

from typing import Any, ClassVar, Final

from evcc.choice import Choice
from evcc.early.schedule import promised
from evcc.early.words import End, Rounding, Words
from evcc.script import Limit
from v2g.din.physical import MOST, MOST_POWER, physical
from v2g.din.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT
from v2g.exi.schema import Type
from v2g.messages.din import msg_body, msg_data_types
from v2g.messages.din.msg_body import ChargeParameterDiscoveryReq, PowerDeliveryReq, SessionStopType
from v2g.messages.din.msg_data_types import ChargingProfileType, PhysicalValueType, ProfileEntryType, unitSymbolType
from v2g.session.errors import Misuse
from v2g.session.profiles import PMAX_TOO_SMALL


class Din(Words):
    """The words of DIN SPEC 70121."""

    body: ClassVar[Any] = msg_body
    types: ClassVar[Any] = msg_data_types
    ongoing = Limit("V2G_EVCC_Ongoing_Timeout", EVCC_ONGOING_TIMEOUT, "V2G-DC-863")
    cable_check = Limit("V2G_EVCC_CableCheck_Timeout", EVCC_CABLE_CHECK_TIMEOUT)
    pre_charge = Limit("V2G_EVCC_PreCharge_Timeout", EVCC_PRE_CHARGE_TIMEOUT)
    renegotiates = False
    towards_power = (
        msg_body.ServiceDiscoveryReq, msg_body.ServicePaymentSelectionReq, msg_body.ContractAuthenticationReq, ChargeParameterDiscoveryReq,
        msg_body.CableCheckReq, msg_body.PreChargeReq, PowerDeliveryReq,
    )  # fmt: skip

    def physical(self, value: float, unit: str, rounding: Rounding = "nearest") -> PhysicalValueType:
        """A PhysicalValueType of a float in `unit`, which is said. Raises ValueError for what it cannot hold."""
        return physical(value, unitSymbolType(unit), rounding)

    def watts(self, car: Any, stated: int, limit: float | None) -> float:
        """The power (W) of an entry of a PMaxSchedule, where it bounds anything.

        PMax is a short: stations of more power say its maximum, or what is left of the number once it has overflowed, below zero. What
        bounds then is their EVSEMaximumPowerLimit. Notes in `car.known` that no ChargingProfile can say a plan beyond PMax.
        """
        most = MOST if limit is None else limit
        if 0 <= stated < MOST_POWER and not (stated < most and car.puts_up_with(PMAX_TOO_SMALL)):
            return float(stated)
        car.known.unsaid |= not stated >= 0 or stated < min(most, MOST_POWER)
        return most

    def stated(self, power: float) -> float:
        """A power (W) as a ChargingProfile can say it: a whole number."""
        return float(max(round(power, 6), 0.0) // 1)  # what a float cannot tell from a whole number is one

    def departing(self, car: Any) -> dict[str, Any]:
        """Nothing: DIN has no word for the departure."""
        return {}

    def parameters(self, car: Any, needs: Any) -> ChargeParameterDiscoveryReq:
        """A ChargeParameterDiscoveryReq of the chosen transfer. Raises Misuse before there is one."""
        if (transfer := car.known.transfer) is None:
            raise Misuse("the script asks for parameters before it has chosen a transfer")
        car.known.unsaid = False
        return ChargeParameterDiscoveryReq(EVRequestedEnergyTransferType=transfer, EVChargeParameter=needs)

    def power_on(self, car: Any, mode: Any, chosen: Choice) -> PowerDeliveryReq:
        """A PowerDeliveryReq with ReadyToChargeState true, and the ChargingProfile where one can say the plan: it may be left out."""
        sayable = not car.known.unsaid and all(power <= MOST_POWER for power in chosen.powers.values)
        profile = profile_of(chosen, car.known.tuple_id) if sayable else None
        return PowerDeliveryReq(ReadyToChargeState=True, ChargingProfile=profile, EVPowerDeliveryParameter=mode.state(True))

    def power_off(self, car: Any, state: Any) -> PowerDeliveryReq:
        """A PowerDeliveryReq with ReadyToChargeState false."""
        return PowerDeliveryReq(ReadyToChargeState=False, EVPowerDeliveryParameter=state)

    def goodbye(self, how: End = "Terminate") -> SessionStopType:
        """A SessionStopReq: it says neither how nor why."""
        return SessionStopType()

    def begins(self, request: Type) -> bool:
        """Whether a PowerDeliveryReq asks for power."""
        return isinstance(request, PowerDeliveryReq) and request.ReadyToChargeState


def profile_of(chosen: Choice, tuple_id: int) -> ChargingProfileType:
    """The ChargingProfile of a choice; times count from its first step."""
    entries = tuple(
        ProfileEntryType(ChargingProfileEntryStart=start, ChargingProfileEntryMaxPower=int(power)) for start, power in promised(chosen)
    )
    return ChargingProfileType(SAScheduleTupleID=tuple_id, ProfileEntry=entries)


WORDS: Final = Din()
