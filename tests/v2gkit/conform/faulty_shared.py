"""Faults of a station that other cases find too, because they ask the same: with the reason, which stands in the table."""

SHARED: dict[str, tuple[tuple[str, ...], str]] = {
    "S-AUS-04": (("S-GEN-01",), "S-GEN-01 asks this in the same state, among all others"),
    "S-SSU-03": (("S-GEN-01",), "S-GEN-01 asks this in the same state, among all others"),
    "S-SVD-04": (("S-GEN-02",), "S-GEN-02 asks this in the same state, among all others"),
    "S-TP-01": (("S-TP-07",), "an answer under another payload type is no answer, whatever was asked"),
}
"""Fault -> the other cases that fail at it, and why they do."""
