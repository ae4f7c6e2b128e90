"""WPT: stand over the ground device of the station, be paired with it, check the coils, and take what it gives.

The station controls the power: the car asks for one, and hears how much is given. It only charges.
"""

from typing import Any

from evcc.field_guard import FieldGuard
from evcc.iso20.known import Car
from evcc.iso20.mode import Mode, display
from evcc.iso20.requests import ask, finished, poll
from evcc.script import Part
from evcc.transfer import demand_common
from v2g.exi.schema import Type
from v2g.iso20.rational import number, optional, rational
from v2g.messages import wpt
from v2g.messages.common_types import processingType as Processing
from v2g.session.errors import PeerIncompatible, PeerUnsafe
from v2g.session.wireless import PASSING

Result = wpt.WPT_EVResultType
NO_ISSUE = wpt.WPT_SPCChargeDiagnosticsType.SPCNoIssue


def placing(car: Car) -> Part[None]:
    """Fine positioning and pairing, before the parameters. PeerIncompatible where a step has no method in common."""
    own = car.ev.vehicle_device
    setup: Any = yield ask(
        wpt.WPT_FinePositioningSetupReq,
        EVProcessing=Processing.Finished,
        EVDeviceFinePositioningMethodList=wpt.WPT_FinePositioningMethodListType(
            WPT_FinePositioningMethod=tuple(map(wpt.WPT_FinePositioningMethodType, own.positioning))
        ),
        EVDevicePairingMethodList=wpt.WPT_PairingMethodListType(WPT_PairingMethod=tuple(map(wpt.WPT_PairingMethodType, own.pairing))),
        EVDeviceAlignmentCheckMethodList=wpt.WPT_AlignmentCheckMethodListType(
            WPT_AlignmentCheckMethod=tuple(map(wpt.WPT_AlignmentCheckMethodType, own.alignment_check))
        ),
        NaturalOffset=own.natural_offset,
    )
    for what, ours, theirs in (
        ("fine positioning", own.positioning, setup.PrimaryDeviceFinePositioningMethodList.WPT_FinePositioningMethod),
        ("pairing", own.pairing, setup.PrimaryDevicePairingMethodList.WPT_PairingMethod),
        ("the alignment check", own.alignment_check, setup.PrimaryDeviceAlignmentCheckMethodList.WPT_AlignmentCheckMethod),
    ):
        if not set(ours) & {method.value for method in theirs}:
            has = ", ".join(method.value for method in theirs)
            raise PeerIncompatible(f"no method of {what} in common: the car has {', '.join(ours)}, the station {has}", None)
    standing = ask(wpt.WPT_FinePositioningReq, EVProcessing=Processing.Finished, EVResultCode=Result.EVResultSuccess)
    yield from poll(car, standing)
    yield from poll(car, ask(wpt.WPT_PairingReq, EVProcessing=Processing.Finished, EVResultCode=Result.EVResultUnknown))


class Wpt(Mode):
    """A session of WPT. What flows is what the station says that it gives."""

    def __init__(self, car: Car):
        super().__init__(car, car.ev.inlet(car.known.service.row.plug))
        self.guard = FieldGuard(self.own)
        self.asked = 0.0  # W
        self.condition = NO_ISSUE

    # --- before power ---

    def discovery(self) -> Part[None]:
        """Exchange the limits of car and ground device. PeerIncompatible where power or ground clearance have nothing in common."""
        own, device = self.own, self.car.ev.vehicle_device
        said: Any = yield ask(
            wpt.WPT_ChargeParameterDiscoveryReq,
            EVPCMaxReceivablePower=rational(own.charge_power, "down"),
            SDMaxGroundClearence=device.clearance,
            SDMinGroundClearence=device.clearance_minimum,
            EVPCNaturalFrequency=rational(device.frequency),
            EVPCDeviceLocalControl=device.local_control,
        )
        least, most = number(said.SDMinOutputPower), number(said.SDMaxOutputPower)
        demand_common("charge power", "W", (own.charge_power_minimum, own.charge_power), (least, most))
        low, high = said.SDMinGroundClearanceSupport, said.SDMaxGroundClearanceSupport
        if low > device.clearance or high < device.clearance_minimum:
            ranges = f"the car has {device.clearance_minimum} to {device.clearance}, the ground device {low} to {high}"
            raise PeerIncompatible(f"ground clearance: {ranges}", None)
        self.revise(charge_power=most, charge_power_minimum=least)

    def preparation(self) -> Part[None]:
        """The check of the alignment. PeerUnsafe for a station that has finished it and takes that back."""
        yield from poll(self.car, self._aligning(Processing.Ongoing, Result.EVResultUnknown))
        answer: Any = yield self._aligning(Processing.Finished, Result.EVResultSuccess)
        if not finished(answer):
            raise PeerUnsafe("the station had finished the alignment check, and now has not", None)
        self.car.close()

    def _aligning(self, processing: Processing, result: wpt.WPT_EVResultType) -> Type:
        return ask(wpt.WPT_AlignmentCheckReq, EVProcessing=processing, EVResultCode=result)

    # --- under power ---

    def loop_request(self) -> Type:
        """The next WPT_ChargeLoopReq: in Scheduled control with the profile's power, in Dynamic control with all that the car takes."""
        car = self.car
        wanted = self.wanted() if car.known.service.control == "Scheduled" else self.promised(self.span())[1]
        power = rational(max(wanted, 0.0), "down")
        self.asked = number(power)
        return ask(
            wpt.WPT_ChargeLoopReq,
            DisplayParameters=display(car),
            MeterInfoRequested=car.wish.meter_info,
            EVPCPowerRequest=power,
            EVPCPowerOutput=rational(self.flowing),
            EVPCChargeDiagnostics=wpt.WPT_EVPCChargeDiagnosticsType.EVPCNoIssue,
        )

    def loop_response(self, response: Any) -> None:
        """Take what the station gives from now on, and its limit. PeerUnsafe for one that gives what the car has not asked for."""
        since, given = self.since, number(response.EVPCPowerRequest)
        self.account(self.flowing)
        self._judge(response.SPCChargeDiagnostics, given)
        self.guard.given(self.asked, given, optional(response.SDPowerInput), self.car.now)
        self.flowing = given
        self.revise(charge_power=self.news("charge_power", number(response.SPCMaxOutputPowerLimit), since))

    def _judge(self, condition: wpt.WPT_SPCChargeDiagnosticsType, given: float) -> None:
        if condition is not self.condition:
            self.condition = condition
            self.car.note("ground device", condition=condition.value)
        passing = condition is NO_ISSUE or condition.value.removeprefix("SPC") in PASSING
        if not passing or (condition is not NO_ISSUE and given > 0):
            raise PeerUnsafe(f"the ground device reports {condition.value}, and {given:g} W are given", None)

    def cease(self) -> None:
        """Do nothing: the station controls the power, which flows until the station has turned it off."""

    # --- after power ---

    def conclusion(self) -> Part[None]:
        """Open the contactors of the car: there is no welding detection."""
        self.car.open()
        yield from ()
