"""Faults of a station that other cases find too, because they ask the same: with the reason, which stands in the table."""

from collections.abc import Mapping

Shared = Mapping[str, tuple[tuple[str, ...], str]]

SHARED: Shared = {
    "S-AUS-04": (("S-GEN-01",), "S-GEN-01 asks this in the same state, among all others"),
    "S-SSU-03": (("S-GEN-01",), "S-GEN-01 asks this in the same state, among all others"),
    "S-SVD-04": (("S-GEN-02",), "S-GEN-02 asks this in the same state, among all others"),
    "S-TLS-08": (
        ("S-SAP-04", "S-TLS-09", "S-TLS-10", "S-TLS-11", *(f"S-TLS-{number}" for number in (15, *range(17, 24)))),
        "who asks for no certificate refuses none, names no roots and schemes for it, and speaks no -20 with a car that is nobody",
    ),
    "S-TLS-23": (("S-TLS-11",), "TLS takes no signature whose scheme was not named: who believes a key on P-256 names its scheme"),
    "S-CIN-09": (("S-CIN-01",), "S-CIN-01 opens the key that the car is given, too"),
    "S-CRT-02": (("S-TLS-17", "S-TLS-18", "S-TLS-22"), "they show chains of the same kind, below no root that is trusted"),
    "S-CRT-06": (("S-PNC-12",), "S-PNC-12 shows contracts below no root that is trusted, too"),
    "S-CRT-07": (("S-PNC-13",), "S-PNC-13 shows contracts that are made for something else, too"),
    "S-OCP-24": (("S-OCP-21", "S-OCP-22", "S-OCP-23"), "it lifts limits in the place of every profile: none reaches a car"),
    "S-OCP-29": (
        ("S-LOP-02", "S-LOP-04", "S-LOP-06", "S-LOP-09", "S-LOP-12", "S-PWD-05"),
        "a loop whose every answer is late breaks off, whatever is asked in it",
    ),
    "S-SEL-01": (("S-SVT-05",), "after many details a service is selected, which is refused here"),
    "S-CRT-11": (("S-CIN-05",), "S-CIN-05 asks by a certificate that is made for something else, too"),
    "S-TP-01": (("S-TP-07",), "an answer under another payload type is no answer, whatever was asked"),
}
"""Fault -> the other cases that fail at it, and why they do."""

TWICE = "PowerDelivery is asked for twice in a session: what is made of its answer is made of it at the start and at the end"
PRE_CHARGE = "the limit of PreCharge is lifted, for an answer that does not come and for a voltage that does not"
ANY_CHAIN = "it believes any chain and any status: each of these shows one that is not in order"
NO_HEADER = "it hangs of what is no header, and octets behind a message that is cut are none"
NO_ANSWER = "SVD-01 measures the same wait, for an answer that does not come at all"
SHARED_CARS: Shared = {
    **{
        f"{prefix}-PWD-{first:02}": ((f"{prefix}-PWD-{second:02}",), TWICE)
        for prefix in ("E2", "ED")
        for first, second in ((1, 4), (4, 1), (5, 2), (6, 3))
    },
    **{f"{prefix}-DCS-04": ((f"{prefix}-DCS-08",), PRE_CHARGE) for prefix in ("E2", "ED")},
    **{f"{prefix}-EXI-01": ((f"{prefix}-EXI-02",), "it dies of a length that is wrong, and EXI-02 says one") for prefix in ("E2", "ED")},
    **{f"{prefix}-EXI-02": ((f"{prefix}-EXI-01",), NO_HEADER) for prefix in ("E2", "ED")},
    "E2-SES-05": (("E2-SES-08", "E2-SES-09"), "they read the id of what follows SessionSetup, too, in a session that is resumed"),
    "E2-SES-08": (("E2-SES-09",), "E2-SES-09 reads the id of a session that is resumed, too"),
    "E2-AUT-04": (("E2-AUT-05",), "who leaves after 20 s does not wait for the 60 s of E2-AUT-05 either"),
    "E2-LOP-13": (("E2-LOP-08", "E2-LOP-10"), "it is deaf to all of AC_EVSEStatus, in which the notifications of these stand"),
    "E2-END-02": (("E2-END-01",), "who leaves by nothing does so for the driver, too"),
    "E2-END-04": (("E2-SVD-01",), NO_ANSWER),
    "ED-END-03": (("ED-SVD-01",), NO_ANSWER),
    "E2-TLS-01": (("E2-TLS-02",), "E2-TLS-02 reads in the ClientHello that the suite is another"),
    "E2-TLS-02": (("E2-TLS-01",), "a car without P-256 has no handshake with a station whose certificates are on it"),
    "E2-TLS-05": (("E2-CRT-02", "E2-CRT-03", "E2-TLS-06"), ANY_CHAIN),
    "E2-CRT-02": (("E2-CRT-03", "E2-TLS-05", "E2-TLS-06"), ANY_CHAIN),
    "E2-CRT-03": (("E2-CRT-02", "E2-TLS-05", "E2-TLS-06"), ANY_CHAIN),
    "ED-CPD-06": (("ED-CPD-04",), "who takes Ongoing for the last word polls no more, as ED-CPD-04 has it"),
}
"""Fault of a car of an older generation -> the other cases that fail at it, and why they do."""
CODE = "each of them reads the code of SessionSetupRes, too"
ONE_ID = "who gives one id to all gives it to one that asks for a session which is over, too"
OFFER2 = "S2-SVD-05 compares what is offered with what is claimed, too"
LATE = "who answers late answers none of these in time, whatever they ask"
PLAN = "what is told of a schedule is read by them, too, or it is no longer the one that the station holds the car's profile against"
START = "they start or end the flow of power as well, and are refused it"
HANDSHAKE = "it completes no handshake with the car of these either"
WHOLE = "SD-STP-01 is a whole session, in which this comes, too"
SHARED_STATIONS: Mapping[str, Shared] = {
    "2": {
        "OCPP 24": (("S2-OCP-21", "S2-OCP-23"), "it lifts limits in the place of every profile: none reaches a car"),
        "OCPP 29": (("S2-PWD-01",), "an answer under power is late, and S2-PWD-01 waits for one"),
        "dies of garbage": (
            ("S2-EXI-01", "S2-EXI-02", "S2-EXI-03", "S2-EXI-04"),
            "octets that are no message make it die, and these are four kinds of them",
        ),
        "no word of the decision": (("S2-EIM-01",), "S2-EIM-01 asks again until somebody has decided, and gets the same code"),
        "authorizes whom nobody may": (
            ("S2-CPD-01",),
            "whom it calls authorized it does not take for it: what follows is out of order to it",
        ),
        "any payment": (("S2-SEL-03", "S2-SEL-06", "S2-SEL-07"), "they select what is not offered, too, and it grants any selection"),
        "any other payment": (("S2-SEL-06", "S2-SEL-07", "S2-SEL-08"), "they select what is not offered, too, and it grants any selection"),
        "mute where no pause is": (
            ("S2-STP-04", "S2-STP-05", "S2-STP-15"),
            "it is mute to each SessionStopReq that it refuses, and these are refused, too",
        ),
        "tells of another place": (("S2-SDP-01", "S2-SDP-04"), "they connect to the place that it tells of"),
        "tells every second car": (
            ("S2-SDP-01", "S2-SDP-03", "S2-SDP-04"),
            "each of them is a car that asks, and every second gets no answer",
        ),
        "a session without a word": (
            (
                "S2-SSU-03",
                "S2-STP-13",
                "S2-STP-14",
            ),
            CODE,
        ),
        "one id for all": (
            (
                "S2-STP-13",
                "S2-STP-14",
            ),
            ONE_ID,
        ),
        "nothing beside charging": (("S2-SVD-05",), OFFER2),
        "looks at no signature": (("S2-AUT-10",), "what has no r, or 63 octets, is no signature either"),
        "a slow plan": (
            (
                "S2-CPD-01",
                "S2-SCH-02",
                "S2-SCH-03",
                "S2-SCH-04",
                "S2-SCH-05",
                "S2-SCH-06",
                "S2-SCH-07",
                "S2-SCH-08",
            ),
            LATE,
        ),
        "a short plan": (("S2-PWD-01",), PLAN),
        "times backwards": (
            (
                "S2-PWD-01",
                "S2-SCH-08",
            ),
            PLAN,
        ),
        "many entries": (("S2-PWD-01",), PLAN),
        "no power": (
            (
                "S2-PWD-03",
                "S2-PWD-04",
            ),
            START,
        ),
        "a slow loop": (
            (
                "S2-LOP-10",
                "S2-PWD-01",
            ),
            LATE,
        ),
        "never leaves": (("S2-STP-03",), "S2-STP-03 waits for the end of the connection, too"),
        "no end at all": (("S2-STP-01",), "S2-STP-01 ends a session of the same kind"),
        "joins nobody": (("S2-STP-12",), "S2-STP-12 comes back to its session, too"),
        "dies of a pause": (("S2-STP-08",), "they pause, too"),
        "another payload type": (
            (
                "S2-EXI-01",
                "S2-SSU-01",
                "S2-TP-02",
                "S2-TP-04",
                "S2-TP-05",
                "S2-TP-06",
                "S2-TP-07",
                "S2-TP-08",
                "S2-TP-11",
            ),
            "no car is served by it, and each of these asks for an answer, or for a good car in the end",
        ),
        "takes what is cut": (("S2-GEN-01",), "it grants whatever it refuses of SessionSetup, out of its turn, too"),
        "dies of a length in a document": (("S2-EXI-02",), "a document that is cut says lengths beyond its end, too"),
        "another suite": (
            (
                "S2-TLS-09",
                "S2-TLS-10",
                "S2-TLS-14",
            ),
            HANDSHAKE,
        ),
        "wants a certificate": (
            (
                "S2-TLS-01",
                "S2-TLS-10",
                "S2-TLS-14",
            ),
            HANDSHAKE,
        ),
        "cannot wait": (
            (
                "S2-AUT-01",
                "S2-EIM-01",
            ),
            "nobody is authorized by it, whose decision is waited for",
        ),
    },
    "DIN": {
        "one id for all": (("SD-SSU-02",), ONE_ID),
        "contracts too": (("SD-SVD-02",), "SD-SVD-02 reads how is paid, too"),
        "no selection": (("SD-STP-01",), WHOLE),
        "never authorizes": (("SD-STP-01",), WHOLE),
        "no cable is sound": (("SD-STP-01",), WHOLE),
        "one voltage": (("SD-STP-01",), WHOLE),
        "no power": (("SD-STP-01",), WHOLE),
        "power that does not end": (("SD-STP-01",), WHOLE),
        "notices under power": (("SD-LOP-02",), "SD-LOP-02 reads the status of the same answers"),
        "no end": (
            (
                "SD-STP-02",
                "SD-STP-03",
            ),
            "they end their sessions, too",
        ),
        "no end after power": (("SD-STP-01",), WHOLE),
    },
}
"""Generation -> fault of a station of it -> the other cases that fail at it, and why they do."""
