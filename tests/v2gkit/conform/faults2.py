"""The faults of a station of ISO 15118-2, and the cases that each must fail.

`python -m tests.v2gkit.conform.faults2 NAME secc ...` runs our station with one.
"""

import sys

import secc.iso2.setup as setup
from secc.iso2.verifier import PkiVerifier
from tests.v2gkit.conform import faulty_link as link
from tests.v2gkit.conform import faulty_octets as octets
from tests.v2gkit.conform import faulty_station2 as f
from tests.v2gkit.conform.faulty_ocpp import OCPP
from tests.v2gkit.conform.faulty_station2 import AC_LOOP, DC_LOOP, DIES_OF_GARBAGE, Code, Fault, ids, mb, mt
from tests.v2gkit.conform.seeding import (
    FOR_EVER,
    all_of,
    answers,
    dies,
    dies_of,
    dies_of_a_frame,
    dies_of_error,
    dies_of_header,
    failing,
    fed,
    framed_as,
    grants,
    late,
    mute,
    of_iso2,
    put,
    puts,
    refuses,
    responds,
    says,
    sequence,
    stays_where,
    wrong_code,
    wrong_code_everywhere,
)
from v2g.iso2.physical import A, V, physical
from v2g.iso2.sequence import State
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2g.messages.iso2.msg_data_types import chargingSessionType as Way
from v2g.session.v2gtp import PayloadType
from v2gkit.cli.main import main

Option = mt.paymentOptionType
Setup, Found, Detail, Selected = mb.SessionSetupRes, mb.ServiceDiscoveryRes, mb.ServiceDetailRes, mb.PaymentServiceSelectionRes
Details, Granted, Delivered, Stopped = mb.PaymentDetailsRes, mb.AuthorizationRes, mb.PowerDeliveryRes, mb.SessionStopRes
NEGOTIATED = f.Negotiated
NOTICE = 16 * f"{ord('F'):08b}"  # in the bits of a document: part of the message of a Notification
FAULTS2: dict[str, Fault] = {
    # the beginning
    "another SchemaID": Fault(says(f.Sap, f.schema_id(7, 8)), ids("SAP", 1)),
    "by the order of entries": Fault(says(f.Sap, f.schema_id(9, 3)), ids("SAP", 2)),
    "no word of a deviation": Fault(
        says(f.Sap, lambda said: put(said, ResponseCode=NEGOTIATED.OK_SuccessfulNegotiation) if said.SchemaID == 4 else said), ids("SAP", 3)
    ),
    "any version": Fault(responds(supportedAppProtocolReq, f.any_version), ids("SAP", 4)),
    "negotiates in a session": Fault(f.negotiates_in_a_session(), ids("EXI", 6)),
    "dies of nothing known": Fault(responds(supportedAppProtocolReq, f.dies_of_strangers), ids("SAP", 5)),
    "moody": Fault(says(f.Sap, f.moody()), ids("SAP", 6)),
    "mute when asked twice": Fault(refuses(supportedAppProtocolReq, mute), ids("SAP", 7)),
    "impatient at the beginning": Fault(f.impatient_at_the_beginning, ids("SAP", 8)),
    "a session without a word": Fault(wrong_code(Setup, Code.OK_NewSessionEstablished, Code.OK), ids("SSU", 1)),
    "ids that count": Fault(puts(setup, "fresh_id", f.counted()), ids("SSU", 2)),
    "joins anybody": Fault(answers(mb.SessionSetupReq, f.joins_anybody), ids("SSU", 3) + ids("STP", 13, 14)),
    "answers under another id": Fault(f.under_another_id, ids("SSU", 5)),
    "dies of no EVCCID": Fault(dies_of(mb.SessionSetupReq, lambda asked: asked.EVCCID == b""), ids("SSU", 6)),
    # order
    "no word of the sequence": Fault(
        wrong_code_everywhere(Code.FAILED_SequenceError),
        ids("GEN", *range(1, 14)) + ids("SSU", 4) + ids("STP", 4, 5) + ids("REN", 3, 4, 5) + ids("AUT", 11),
    ),
    "no word of the session": Fault(wrong_code_everywhere(Code.FAILED_UnknownSession), ids("GEN", *range(14, 27))),
    "impatient": Fault(sequence(None, 5.0), ids("GEN", 40, 41, 42)),
    "slow": Fault(late(Found, 2.7), ids("GEN", 43)),
    "slow in AC": Fault(late(Found, 2.7), ids("GEN", 44)),
    "goes on after a failure": Fault(stays_where(mb.ChargeParameterDiscoveryReq, f.before(State.PARAMETERS)), ids("GEN", 45)),
    "one id for all": Fault(
        all_of(puts(setup, "fresh_id", lambda *_: bytes(range(8))), puts(setup, "demand_free", lambda known: None)), ids("GEN", 46)
    ),
    # services
    "no DC": Fault(says(Found, f.only_ac), ids("SVD", 1)),
    "contracts everywhere": Fault(f.paid_by(Option.Contract, Option.ExternalPayment), ids("SVD", 2)),
    "no contracts": Fault(f.paid_by(Option.ExternalPayment), ids("SVD", 3)),
    "a game alone": Fault(says(Found, f.a_game), ids("SVD", 5, 6)),
    "nothing beside charging": Fault(f.with_fields(Found, ServiceList=None), ids("SVD", 4)),
    "dies of a scope": Fault(dies_of(mb.ServiceDiscoveryReq, lambda asked: asked.ServiceScope is not None), ids("SVD", 7)),
    "details of another service": Fault(f.with_fields(Detail, ServiceID=77), ids("SVT", 1)),
    "no word of a wrong service": Fault(wrong_code(Detail, Code.FAILED_ServiceIDInvalid), ids("SVT", 2)),
    "tired of details": Fault(says(Detail, f.every(20, failing)), ids("SVT", 3)),
    "other parameter sets": Fault(says(Detail, f.other_sets), ids("SVT", 4)),
    "no selection": Fault(says(Selected, failing), ids("SEL", 1, 2)),
    "any selection": Fault(grants(Selected), ids("SEL", 3, 6, 7, 8)),
    "dies of sixteen": Fault(
        dies_of(mb.PaymentServiceSelectionReq, lambda asked: len(asked.SelectedServiceList.SelectedService) == 16), ids("SEL", 9)
    ),
    # contracts
    "no contract": Fault(says(Details, failing), ids("PNC", 1) + ids("CRT", 1)),
    "one challenge": Fault(f.one_challenge, ids("PNC", 2)),
    "believes any contract": Fault(f.believes_any_contract(), ids("PNC", 3, 4, 5, 6, 8) + ids("CRT", 2, 3)),
    "believes a maker's certificate": Fault(
        all_of(f.believes_any_contract(b"WMIV2GKIT"), puts(PkiVerifier, "metering", lambda *_: None)), ids("PNC", 9)
    ),
    "dies of octets": Fault(f.dies_of_octets, ids("PNC", 7) + ids("CRT", 4)),
    "never authorizes": Fault(says(Granted, failing), ids("AUT", 1) + ids("EIM", 1)),
    "no word of the challenge": Fault(wrong_code(Granted, Code.FAILED_ChallengeInvalid), ids("AUT", 2, 3)),
    "looks at no signature": Fault(puts(PkiVerifier, "metering", lambda *_: None), ids("AUT", 4, 5, 6, 7, 8, 9)),
    "dies of a short signature": Fault(f.dies_of_a_short_value, ids("AUT", 10)),
    "dies of a challenge": Fault(f.dies_of_a_challenge, ids("EIM", 5)),
    "dies of a signature": Fault(
        answers(mb.ServiceDiscoveryReq, lambda asked, known, said: dies() if known.step.signature is not None else said), ids("EXI", 8)
    ),
    # parameters and schedules
    "least beyond most": Fault(f.parameter(EVSEMinimumVoltageLimit=physical(2000, V), EVSENominalVoltage=physical(0, V)), ids("CPD", 1, 2)),
    "any parameters": Fault(grants(f.Parameters), ids("CPD", 5, 6, 7) + ids("REN", 6)),
    "dies of a large current": Fault(dies_of(mb.ChargeParameterDiscoveryReq, f.of_number("EVMaximumCurrentLimit", 1e7)), ids("CPD", 8)),
    "dies of a large current of AC": Fault(dies_of(mb.ChargeParameterDiscoveryReq, f.of_number("EVMaxCurrent", 1e7)), ids("CPD", 9)),
    "a slow plan": Fault(late(f.Parameters, 4.0), ids("SCH", 1)),
    "a short plan": Fault(f.with_entries(f.ends_soon), ids("SCH", 2, 3, 4, 5)),
    "one id twice": Fault(f.with_tuples(lambda tuples: tuples[:1] * 2), ids("SCH", 6)),
    "times backwards": Fault(f.with_entries(f.at((0, 50, 5))), ids("SCH", 7)),
    "many entries": Fault(f.with_entries(f.at(tuple(range(20)))), ids("SCH", 8)),
    # DC
    "no cable is sound": Fault(says(mb.CableCheckRes, failing), ids("DCS", 1)),
    "dies of a faulty car": Fault(dies_of(mb.CableCheckReq, lambda asked: asked.DC_EVStatus.EVRESSSOC == 100), ids("DCS", 2)),
    "no pre-charge": Fault(says(mb.PreChargeRes, failing), ids("DCS", 3)),
    "whatever voltage is asked": Fault(answers(mb.PreChargeReq, f.all_that_is_asked), ids("DCS", 4)),
    "one voltage": Fault(f.with_fields(mb.PreChargeRes, EVSEPresentVoltage=physical(400, V)), ids("DCS", 5) + ids("REN", 7)),
    "dies of amperes": Fault(dies_of(mb.PreChargeReq, lambda asked: asked.EVTargetVoltage.Unit is mt.unitSymbolType.A), ids("DCS", 6)),
    "says that it is broken": Fault(
        says(
            DC_LOOP,
            lambda said: put(said, DC_EVSEStatus=put(said.DC_EVSEStatus, EVSEStatusCode=mt.DC_EVSEStatusCodeType.EVSE_Malfunction)),
        ),
        ids("DCS", 7),
    ),
    "voltage that stays": Fault(f.with_fields(mb.WeldingDetectionRes, EVSEPresentVoltage=physical(400, V)), ids("DCS", 8)),
    # power
    "no power": Fault(f.by(Progress.Start, mb.PowerDeliveryReq, failing), ids("PWD", 1, 2)),
    "wants a profile": Fault(
        f.by(Progress.Start, mb.PowerDeliveryReq, failing, lambda asked: asked.ChargingProfile is None), ids("PWD", 3)
    ),
    "dies of a battery": Fault(dies_of(mb.PowerDeliveryReq, lambda asked: asked.EVPowerDeliveryParameter is not None), ids("PWD", 4)),
    "any delivery": Fault(grants(Delivered), ids("PWD", 5, 6, 8, 9, 10, 11)),
    "dies of 24 entries": Fault(
        dies_of(mb.PowerDeliveryReq, lambda asked: asked.ChargingProfile is not None and len(asked.ChargingProfile.ProfileEntry) == 24),
        ids("PWD", 7),
    ),
    "power that does not end": Fault(f.by(Progress.Stop, mb.PowerDeliveryReq, failing), ids("PWD", 12, 13, 14, 15)),
    "no loop after another schedule": Fault(f.after_a_renegotiation, ids("REN", 1, 2)),
    # the loop
    "a slow loop": Fault(all_of(late(DC_LOOP, 1.6), late(AC_LOOP, 2.8)), ids("LOP", 1, 2)),
    "another outlet": Fault(all_of(*(f.with_fields(each, EVSEID="DEOTHERE1") for each in f.LOOPS)), ids("LOP", 3, 4)),
    "wants a receipt": Fault(all_of(*(f.with_fields(each, ReceiptRequired=True) for each in f.LOOPS)), ids("LOP", 5, 6)),
    "no meter": Fault(all_of(*(f.with_fields(each, MeterInfo=None) for each in f.LOOPS)), ids("LOP", 7, 8)),
    "no current": Fault(f.with_fields(DC_LOOP, EVSEPresentCurrent=physical(0, A)), ids("LOP", 9)),
    "all the current": Fault(answers(mb.CurrentDemandReq, f.all_the_current), ids("LOP", 10, 11)),
    "dies of a negative current": Fault(dies_of(mb.CurrentDemandReq, lambda asked: asked.EVTargetCurrent.Value < 0), ids("LOP", 12)),
    "allows too much": Fault(f.with_fields(AC_LOOP, EVSEMaxCurrent=physical(1000, A)), ids("LOP", 15)),
    # the end
    "never leaves": Fault(of_iso2("close", FOR_EVER), ids("STP", 1, 2)),
    "no end before its time": Fault(
        answers(mb.SessionStopReq, lambda _, known, said: said if known.agreement.selection is not None else failing(said)), ids("STP", 3)
    ),
    "no end at all": Fault(f.by(Way.Terminate, mb.SessionStopReq, failing), ids("DCS", 9)),
    "no pause": Fault(f.by(Way.Pause, mb.SessionStopReq, failing), ids("STP", 7, 8)),
    "joins nobody": Fault(wrong_code(Setup, Code.OK_OldSessionJoined, Code.OK_NewSessionEstablished), ids("STP", 9, 10)),
    "dies of a pause": Fault(dies_of(mb.SessionStopReq, lambda asked: asked.ChargingSession is Way.Pause), ids("STP", 15)),
    # frames and documents
    "another payload type": Fault(framed_as(Setup, PayloadType.COMMON), ids("TP", 1)),
    "dies of nothing": Fault(dies_of_header(lambda version, kind, length: length == 0), ids("TP", 2)),
    "dies of another type": Fault(dies_of_header(lambda version, kind, length: kind == 0x7001), ids("TP", 3)),
    "dies of another version": Fault(dies_of_header(lambda version, kind, length: version != 0x01FE), ids("TP", 4)),
    "dies of a length": Fault(dies_of_header(lambda version, kind, length: length > 0xFFFFFF00), ids("TP", 5)),
    "takes any length": Fault(octets.any_length, ids("TP", 6)),
    "wants more than an octet": Fault(fed(lambda reader, octets: octets if len(octets) > 1 else b""), ids("TP", 7)),
    "loses a header": Fault(fed(lambda reader, octets: octets if len(octets) != 8 else b""), ids("TP", 8)),
    "one at a time": Fault(octets.one_at_a_time, ids("TP", 9)),
    "dies of a cut": Fault(octets.dies_of_a_cut, ids("TP", 10)),
    "dies of another header": Fault(dies_of_error("EXI header without options"), ids("EXI", 1)),
    "takes what is cut": Fault(grants(Setup), ids("EXI", 2)),
    "dies of a length in a document": Fault(dies_of_error("octets are wanted", "is announced"), ids("EXI", 3)),
    "dies of an endless number": Fault(dies_of_error("longer than 32 bits"), ids("EXI", 4)),
    # TLS 1.2
    "another suite": Fault(f.lists(suites=(f.GCM,)), ids("TLS", 1, 2)),
    "wants a certificate": Fault(f.lists(mutual=True), ids("TLS", 9)),
    "a weak suite": Fault(link.WEAK_SUITE, ids("TLS", 4)),
    "an old version": Fault(link.OLD_VERSION, ids("TLS", 6)),
    "compresses": Fault(link.COMPRESSES, ids("TLS", 8)),
    "shows its leaf alone": Fault(link.shows_its_leaf_alone, ids("TLS", 10)),
    "dies of no hello": Fault(link.dies_of_no_hello, ids("TLS", 12)),
    "another curve": Fault(link.another_curve, ids("TLS", 7)),
    "one handshake of two": Fault(link.ONE_OF_TWO, ids("TLS", 14)),
    "dies of garbage": Fault(DIES_OF_GARBAGE, ids("EXI", 5)),
    "dies of a notice": Fault(dies_of_a_frame(lambda exi: NOTICE in f"{int.from_bytes(exi):b}"), ids("EXI", 7)),
    "dies of zeros": Fault(dies_of_a_frame(lambda exi: exi.endswith(bytes(8))), ids("TP", 11)),
    "grants after the end": Fault(f.grants_after_the_end, ids("STP", 6)),
    "other schedules after a pause": Fault(f.once_joined(f.Parameters, f.other_schedules), ids("STP", 11)),
    "contracts alone after a pause": Fault(f.once_joined(Found, f.contracts_alone), ids("STP", 12)),
    "dies of a loss in DC": Fault(f.dies_of_a_loss(State.DC_LOOP), ids("LOP", 13)),
    "dies of a loss in AC": Fault(f.dies_of_a_loss(State.AC_LOOP), ids("LOP", 14)),
    # at a station that is set up in another way
    "any mode of DC": Fault(f.any_mode("AC"), ids("CPD", 3), "direct current alone"),
    "any mode of AC": Fault(f.any_mode("DC"), ids("CPD", 4), "alternating current alone"),
    "cannot wait": Fault(says(Granted, failing), ids("EIM", 2), "nobody decides"),
    "no word of the decision": Fault(wrong_code(f.Parameters, Code.FAILED_SequenceError), ids("EIM", 4), "nobody decides"),
    "authorizes whom nobody may": Fault(
        says(Granted, lambda said: put(said, ResponseCode=Code.OK, EVSEProcessing=mt.EVSEProcessingType.Finished)),
        ids("EIM", 3),
        "nobody may",
    ),
    "no receipt is good": Fault(says(mb.MeteringReceiptRes, failing), ids("MTR", 1), "receipts"),
    "any receipt": Fault(grants(mb.MeteringReceiptRes), ids("MTR", 2), "receipts"),
    "no word of a receipt": Fault(wrong_code(DC_LOOP, Code.FAILED_SequenceError), ids("MTR", 3), "receipts"),
    "a receipt first": Fault(f.by(Progress.Stop, mb.PowerDeliveryReq, failing), ids("MTR", 4), "receipts"),
    "any payment": Fault(grants(Selected), ids("SEL", 4), "no contracts"),
    "any other payment": Fault(grants(Selected), ids("SEL", 5), "contracts alone"),
    "no TLS is needed": Fault(link.plain, ids("TLS", 13), "contracts alone"),
    "mute where no pause is": Fault(refuses(mb.SessionStopReq, mute), ids("STP", 16), "no pause"),
    "shows no status": Fault(link.no_staple, ids("TLS", 11), "a status"),
    "has no fixed key": Fault(lambda: None, ids("TLS", 3), "a fixed key"),
    "tells of no TLS": Fault(link.WITHOUT, ids("SDP", 1), "on a link"),
    "tells of another place": Fault(link.ELSEWHERE, ids("SDP", 3), "on a link"),
    "tells of UDP": Fault(link.BY_UDP, ids("SDP", 4), "on a link"),
    "tells every second car": Fault(link.only_every_second, ids("SDP", 5), "on a link"),
    "tells of TLS": Fault(link.WITH, ids("SDP", 2), "on a link without TLS"),
}
NARROW2 = {  # case -> the part that its fault fails, where there are many
    **{f"S2-GEN-{number:02}": 0 for number in range(1, 27)},
    "S2-SAP-02": "-2 first, named last", "S2-SAP-03": "1", "S2-SAP-04": "3", "S2-SAP-05": "one", "S2-SAP-06": "SchemaID 255",
    "S2-SAP-08": "no offer", "S2-SSU-03": "eight octets", "S2-SSU-06": "no octets", "S2-GEN-40": 0, "S2-GEN-41": 0, "S2-GEN-42": 0,
    "S2-SVD-06": "EVCharging", "S2-SVD-07": "nobody.example", "S2-SVT-02": "zero", "S2-SEL-06": "zero", "S2-PNC-05": "unknown-root",
    "S2-PNC-06": "leaf-is-ca", "S2-PNC-07": "garbage", "S2-PNC-08": "of another account", "S2-PNC-09": "provisioning",
    "S2-AUT-07": "another Id",
    "S2-AUT-08": "a reference to nothing", "S2-AUT-09": "digest SHA-1", "S2-AUT-10": "63 octets", "S2-CPD-06": "no current",
    "S2-CPD-07": "least beyond most", "S2-CPD-08": "everything at its most", "S2-CPD-09": "AC at its most", "S2-SCH-08": "12",
    "S2-DCS-02": "full", "S2-DCS-04": "beyond the outlet", "S2-PWD-06": "twice the power", "S2-PWD-07": "24 entries",
    "S2-LOP-10": "current", "S2-LOP-12": "negative current", "S2-STP-03": "ServiceDiscovery", "S2-TP-03": "0x7001", "S2-TP-04": "version",
    "S2-TP-05": "0xFFFFFFFF after", "S2-TP-08": "8", "S2-TP-10": "10", "S2-EXI-01": "a cookie", "S2-EXI-02": "SessionSetup",
    "S2-EXI-05": "SessionSetup", "S2-TP-11": "500", "S2-TLS-04": "RSA", "S2-TLS-06": "TLS 1.1",
    "S2-TLS-07": "secp384r1", "S2-TLS-12": "random octets", "S2-MTR-02": "another key",
    "S2-EXI-03": "SessionID 2^31", "S2-EXI-04": "100 octets", "S2-EXI-06": "the negotiation",
    "S2-CRT-01": "good", "S2-CRT-02": "unknown-root", "S2-CRT-03": "leaf-is-ca", "S2-CRT-04": "garbage",
}  # fmt: skip
FAULTS2 |= {f"OCPP {number}": f.Fault(seed, (f"S2-OCP-{number:02}",), "at a CSMS") for number, seed in OCPP.items() if number != 22}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    FAULTS2[name].seed()
    sys.exit(main())
