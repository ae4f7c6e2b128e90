"""The faults of a station of DIN SPEC 70121, and the cases that each must fail.

`python -m tests.v2gkit.conform.faults_din NAME secc ...` runs our station with one.
"""

import sys
from typing import Any

import secc.din.setup as setup
from tests.v2gkit.conform import faulty_link as link
from tests.v2gkit.conform import faulty_station2 as f
from tests.v2gkit.conform.faulty_station2 import DIES_OF_GARBAGE, Fault, Sap
from tests.v2gkit.conform.seeding import (
    answers,
    failing,
    grants,
    grants_where,
    put,
    puts,
    responds,
    says,
    sequence,
    stays_where,
    wrong_code,
    wrong_code_everywhere,
)
from v2g.din.physical import V, physical
from v2g.din.sequence import State
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.din import msg_body as mb
from v2g.messages.din import msg_data_types as mt
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2gkit.cli.main import main

Parameters, Delivered = mb.ChargeParameterDiscoveryRes, mb.PowerDeliveryRes
Selected, Granted = mb.ServicePaymentSelectionRes, mb.ContractAuthenticationRes
BOTH = "both generations"


def ids(family: str, *numbers: int) -> tuple[str, ...]:
    """The ids of a family by their numbers."""
    return tuple(f"SD-{family}-{number:02}" for number in numbers)


def of_schema(change: Any) -> Any:
    """What is negotiated is told under another SchemaID, where anything is."""
    return says(Sap, lambda said: said if said.SchemaID is None else put(said, SchemaID=change(said.SchemaID)))


def speaks_everything(request: Any, response: Any, session: Any) -> Any:
    """A list of protocols is granted that names DIN SPEC 70121 not at all."""
    known = any("din" in each.ProtocolNamespace for each in request.AppProtocol)
    return response if known else f.never_refused(response)


def the_second(request: Any, response: Any, session: Any) -> Any:
    """Of two protocols the one that is named last is taken."""
    return put(response, SchemaID=request.AppProtocol[1].SchemaID) if len(request.AppProtocol) == 2 else response


def joins_anybody(request: Any, known: Any, response: Any) -> Any:
    asked = any(known.step.told) and response.ResponseCode is Code.OK_NewSessionEstablished
    return put(response, ResponseCode=Code.OK_OldSessionJoined) if asked else response


def by_contract(response: Any) -> Any:
    options = mt.PaymentOptionsType(PaymentOption=(mt.paymentOptionType.Contract, mt.paymentOptionType.ExternalPayment))
    return put(response, PaymentOptions=options)


def nothing_for_others(request: Any, known: Any, response: Any) -> Any:
    return failing(response) if request.ServiceCategory is not None else response


def with_plan(change: Any) -> Any:
    """The first schedule of a response is another one, where there is any."""

    def changed(response: Any) -> Any:
        listed = response.SASchedules
        if listed is None:
            return response
        first = listed.SAScheduleTuple[0]
        plan = put(first.PMaxSchedule, PMaxScheduleEntry=change(first.PMaxSchedule.PMaxScheduleEntry))
        return put(response, SASchedules=put(listed, SAScheduleTuple=(put(first, PMaxSchedule=plan),)))

    return says(Parameters, changed)


def no_core(request: Any, known: Any, response: Any) -> Any:
    return failing(response) if request.EVRequestedEnergyTransferType is mt.EVRequestedEnergyTransferType.DC_core else response


def by_ready(ready: bool, change: Any) -> Any:
    return answers(mb.PowerDeliveryReq, lambda request, _, response: change(response) if request.ReadyToChargeState is ready else response)


def all_the_current(request: Any, known: Any, response: Any) -> Any:
    return put(response, EVSEPresentCurrent=request.EVTargetCurrent)


def not_before(power: bool) -> Any:
    """SessionStop is refused before power, or after it."""

    def changed(request: Any, known: Any, response: Any) -> Any:
        began = known.session.id in POWERED
        return failing(response) if began is power else response

    POWERED = set[bytes]()

    def noted(request: Any, known: Any, response: Any) -> Any:
        POWERED.add(known.session.id)
        return response

    def seed() -> None:
        answers(mb.PowerDeliveryReq, noted)()
        answers(mb.SessionStopType, changed)()

    return seed


FAULTS_DIN: dict[str, Fault] = {
    "another SchemaID": Fault(of_schema(lambda number: number + 7), ids("SAP", 1, 4)),
    "speaks everything": Fault(responds(supportedAppProtocolReq, speaks_everything), ids("SAP", 2)),
    "the second of two": Fault(responds(supportedAppProtocolReq, the_second), ids("SAP", 3), BOTH),
    "over TLS": Fault(link.din_over_tls, ids("SAP", 5)),
    "one id for all": Fault(puts(setup, "fresh_id", lambda *_: bytes(range(8))), ids("SSU", 1)),
    "joins anybody": Fault(answers(mb.SessionSetupReq, joins_anybody), ids("SSU", 2)),
    "contracts too": Fault(says(mb.ServiceDiscoveryRes, by_contract), ids("SVD", 1)),
    "nothing for others": Fault(answers(mb.ServiceDiscoveryReq, nothing_for_others), ids("SVD", 2)),
    "no selection": Fault(says(Selected, failing), ids("SPS", 1)),
    "any selection": Fault(grants(Selected), ids("SPS", 2, 3)),
    "never authorizes": Fault(says(Granted, failing), ids("AUT", 1)),
    "a short plan": Fault(
        with_plan(lambda entries: (put(entries[0], TimeInterval=put(entries[0].TimeInterval, duration=60)),)), ids("CPD", 1)
    ),
    "any parameters": Fault(grants_where(mb.ChargeParameterDiscoveryReq, lambda asked, said: True), ids("CPD", 2, 3, 4)),
    "no core": Fault(answers(mb.ChargeParameterDiscoveryReq, no_core), ids("CPD", 5)),
    "no cable is sound": Fault(says(mb.CableCheckRes, failing), ids("DCS", 1)),
    "one voltage": Fault(f.with_fields(mb.PreChargeRes, EVSEPresentVoltage=physical(0, V)), ids("DCS", 2)),
    "no word of pre-charge": Fault(wrong_code(Delivered, Code.FAILED_SequenceError), ids("DCS", 3)),
    "no power": Fault(by_ready(True, failing), ids("PWD", 1)),
    "any profile": Fault(grants(Delivered), ids("PWD", 2, 3)),
    "power that does not end": Fault(by_ready(False, failing), ids("PWD", 4)),
    "notices under power": Fault(
        says(
            mb.CurrentDemandRes,
            lambda said: put(said, DC_EVSEStatus=put(said.DC_EVSEStatus, EVSENotification=mt.EVSENotificationType.StopCharging)),
        ),
        ids("LOP", 1),
    ),
    "all the current": Fault(answers(mb.CurrentDemandReq, all_the_current), ids("LOP", 2)),
    "no end": Fault(says(mb.SessionStopRes, failing), ids("STP", 1)),
    "no end before power": Fault(not_before(False), ids("STP", 2)),
    "no end after power": Fault(not_before(True), ids("STP", 3)),
    "no word of the sequence": Fault(wrong_code_everywhere(Code.FAILED_SequenceError), ids("GEN", *range(1, 10))),
    "no word of the session": Fault(wrong_code_everywhere(Code.FAILED_UnknownSession), ids("GEN", *range(10, 19))),
    "impatient": Fault(sequence(None, 5.0), ids("GEN", 19)),
    "goes on after a failure": Fault(stays_where(mb.CableCheckReq, f.before(State.DC_CABLE_CHECK)), ids("GEN", 20)),
    "dies of garbage": Fault(DIES_OF_GARBAGE, ids("EXI", 1)),
}
NARROW_DIN = {  # case -> the part that its fault fails, where there are many
    **{f"SD-GEN-{number:02}": 0 for number in range(1, 20)},
    "SD-SPS-03": "another service",
    "SD-STP-02": "ContractAuthentication",
    "SD-EXI-01": "garbage",
}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    FAULTS_DIN[name].seed()
    sys.exit(main())
