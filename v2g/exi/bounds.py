"""What a reader need not believe: more narrow limits than the schema's, for those who know what can come.

A schema admits a signature with a hundred thousand objects, and so does the codec. Who reads what strangers send knows better, and says so:

    receive(octets, schema_set("dc"), Bounds(most={(SignatureType, "Object"): 0}), items=40)

The octets of a message stay what they are: bounds refuse, they change no code.
"""

from collections.abc import Mapping

from v2g.exi.schema import Type


class Spent(Exception):
    """There are more elements than a message may have."""


class Bounds:
    """How many values a field may hold, and how much of octets that no quick way leads through is looked into. Compared by identity.

    `unusual` octets and `patience` codes: one bound alone is not enough, since a code may be a bit long and a value as long as the octets.
    """

    def __init__(self, most: Mapping[tuple[type[Type], str], int], *, unusual: int, patience: int) -> None:
        self.most = dict(most)
        self.unusual = unusual  # octets
        self.patience = patience  # codes

    def of(self, cls: type[Type], field: str) -> int | None:
        """How many values a field of a class may hold, None: as many as the schema says."""
        return self.most.get((cls, field))
