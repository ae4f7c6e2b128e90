"""Faults of a station that other cases find too, because they ask the same: with the reason, which stands in the table."""

SHARED: dict[str, tuple[tuple[str, ...], str]] = {
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
    "S-OCP-29": (("S-LOP-03", "S-LOP-07"), "a loop whose every answer is late breaks off, whatever is asked in it"),
    "S-CRT-11": (("S-CIN-05",), "S-CIN-05 asks by a certificate that is made for something else, too"),
    "S-TP-01": (("S-TP-07",), "an answer under another payload type is no answer, whatever was asked"),
}
"""Fault -> the other cases that fail at it, and why they do."""
