"""The requests of a car of DIN SPEC 70121 that does everything right, made from what the station answered so far (pure)."""

from dataclasses import dataclass
from typing import Any

from v2g.din.physical import MOST_POWER, A, V, W, Wh, physical
from v2g.din.services import CHARGING, PROTOCOL
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.din import msg_body as mb
from v2g.messages.din import msg_data_types as mt
from v2g.messages.din.msg_data_types import EVRequestedEnergyTransferType as Transfer
from v2g.session.sap import offer

PRE_CHARGE = 2.0  # A that a car asks for before its contactors close


@dataclass(frozen=True, slots=True)
class WaysDin:
    """How a car wants its session to be. Voltage in V, power in W."""

    voltage: float = 400.0
    power: float = 10_000.0


def negotiation() -> supportedAppProtocolReq:
    """The protocol of DIN SPEC 70121, alone."""
    return offer((PROTOCOL,))


def setup(evccid: bytes) -> mb.SessionSetupReq:
    """The request that begins a session; the id of a car is the six octets of its address."""
    return mb.SessionSetupReq(EVCCID=evccid)


def selection(*services: int, option: mt.paymentOptionType = mt.paymentOptionType.ExternalPayment) -> mb.ServicePaymentSelectionReq:
    """The choice of a way to pay and of services: the charging service where none is named."""
    chosen = tuple(mt.SelectedServiceType(ServiceID=each) for each in services or (CHARGING,))
    return mb.ServicePaymentSelectionReq(
        SelectedPaymentOption=option, SelectedServiceList=mt.SelectedServiceListType(SelectedService=chosen)
    )


def ready(well: bool = True, soc: int = 40) -> mt.DC_EVStatusType:
    """DC_EVStatus of a car that is ready to charge, or not."""
    return mt.DC_EVStatusType(EVReady=well, EVErrorCode=mt.DC_EVErrorCodeType.NO_ERROR, EVRESSSOC=soc)


def limits(ways: WaysDin, **other: Any) -> mt.DC_EVChargeParameterType:
    """The limits and needs of the car; `other` fields replace those."""
    fields = {
        "DC_EVStatus": ready(False),
        "EVMaximumCurrentLimit": physical(2 * ways.power / ways.voltage, A),
        "EVMaximumPowerLimit": physical(2 * ways.power, W),
        "EVMaximumVoltageLimit": physical(1.1 * ways.voltage, V),
        "EVEnergyCapacity": physical(60_000, Wh),
        "EVEnergyRequest": physical(10_000, Wh),
        "FullSOC": 100,
        "BulkSOC": 80,
    }
    return mt.DC_EVChargeParameterType(**{**fields, **other})


def parameters(
    ways: WaysDin, said: mt.EVChargeParameterType | None = None, transfer: Transfer = Transfer.DC_extended
) -> mb.ChargeParameterDiscoveryReq:
    """ChargeParameterDiscovery with the car's limits and energy transfer, or with others."""
    return mb.ChargeParameterDiscoveryReq(EVRequestedEnergyTransferType=transfer, EVChargeParameter=said or limits(ways))


def cable_check() -> mb.CableCheckReq:
    """The question whether the cable is sound."""
    return mb.CableCheckReq(DC_EVStatus=ready())


def pre_charge(voltage: float) -> mb.PreChargeReq:
    """Pre-charge to the battery's voltage (V)."""
    return mb.PreChargeReq(DC_EVStatus=ready(), EVTargetVoltage=physical(voltage, V), EVTargetCurrent=physical(PRE_CHARGE, A))


def profile(tuple_id: int, *entries: tuple[int, float]) -> mt.ChargingProfileType:
    """A profile of so much power (W) from each time on (s), by the schedule of that id."""
    return mt.ChargingProfileType(
        SAScheduleTupleID=tuple_id,
        ProfileEntry=tuple(
            mt.ProfileEntryType(ChargingProfileEntryStart=start, ChargingProfileEntryMaxPower=min(int(power), MOST_POWER))
            for start, power in entries
        ),
    )


def delivery(on: bool, said: mt.ChargingProfileType | None = None) -> mb.PowerDeliveryReq:
    """Begin or end power."""
    state = mt.DC_EVPowerDeliveryParameterType(DC_EVStatus=ready(on), ChargingComplete=not on)
    return mb.PowerDeliveryReq(ReadyToChargeState=on, ChargingProfile=said, EVPowerDeliveryParameter=state)


def loop(ways: WaysDin, current: float | None = None) -> mb.CurrentDemandReq:
    """The demand of the charge loop: the car's power at its battery's voltage, or another current (A)."""
    amperes = ways.power / ways.voltage if current is None else current
    return mb.CurrentDemandReq(
        DC_EVStatus=ready(), EVTargetCurrent=physical(amperes, A), ChargingComplete=False, EVTargetVoltage=physical(ways.voltage, V)
    )


def welding() -> mb.WeldingDetectionReq:
    """The question what voltage is left."""
    return mb.WeldingDetectionReq(DC_EVStatus=ready(False))


def stop() -> mb.SessionStopType:
    """The end of a session."""
    return mb.SessionStopType()
