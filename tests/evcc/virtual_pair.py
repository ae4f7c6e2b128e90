"""Our car and our station in one virtual time; the pair is what `v2gkit.testing` gives to everybody."""

from v2gkit.testing.pair import LATENCY, LIMITS, Pair, mirrored, night, outlet

__all__ = ["LATENCY", "LIMITS", "Pair", "mirrored", "night", "outlet"]
