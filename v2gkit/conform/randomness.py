"""Whether values that must be unpredictable look so (pure)."""

from collections.abc import Sequence

DEVIATIONS = 6.0  # standard deviations from a fair coin that are suspicious: once in half a billion


def suspicion(values: Sequence[bytes]) -> str:
    """Why values of one length were not drawn at random, in words; empty where nothing speaks against it."""
    if len(set(values)) < len(values):
        return f"{len(values) - len(set(values))} of {len(values)} values came before"
    if all(chr(octet) in "0123456789abcdefABCDEF" for value in values for octet in value):
        return "every value is a text of digits"
    for place in range(len(values[0])):
        column = [value[place] for value in values]
        if len(values) >= 64 and len(set(column)) < min(64, len(values) // 4):
            return f"octet {place} has only {len(set(column))} different values in {len(values)}"
    bits = 8 * sum(len(value) for value in values)
    ones = sum(octet.bit_count() for value in values for octet in value)
    if bits >= 1024 and abs(ones - bits / 2) > DEVIATIONS * bits**0.5 / 2:
        return f"{ones} of {bits} bits are set"
    return ""
