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
    "S-TP-01": (("S-TP-07",), "an answer under another payload type is no answer, whatever was asked"),
}
"""Fault -> the other cases that fail at it, and why they do."""
