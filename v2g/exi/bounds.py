"""Narrower limits than the schema's, for reading what strangers send.

A schema admits a signature with a hundred thousand objects, and so does the codec. A caller that knows what can come states less:

    receive(octets, schema_set("dc"), Bounds(most={(SignatureType, "Object"): 0}), items=40)

The octets of a message stay what they are: bounds refuse, they change no code.
"""

from collections.abc import Mapping

from v2g.exi.schema import Type


class Spent(Exception):
    """Raised inside the codec when a message has more elements than its bound."""


class Bounds:
    """How many values each field may hold (`most`), and how much the slow decoder reads where the quick one gave up.

    The slow decoder reads at most `unusual` octets and `patience` event codes: one bound alone is not enough, since a code may be one bit
    long and a value as long as the octets. Compared by identity.
    """

    def __init__(self, most: Mapping[tuple[type[Type], str], int], *, unusual: int, patience: int) -> None:
        self.most = dict(most)
        self.unusual = unusual  # octets
        self.patience = patience  # codes

    def of(self, cls: type[Type], field: str) -> int | None:
        """The most values that a field of a class may hold; None: as many as the schema says."""
        return self.most.get((cls, field))
