"""Which quick engine is tried before the slow one (`decoder`, `encoder`).

"compiled" is there where the C module was built; "straight" is generated Python; "patient" leaves everything to the slow one.

Every engine comes to the same message, the same octets and the same errors, because whatever is unusual is left to the slow one.
"""

import sys
from collections.abc import Callable
from typing import Any, Protocol

from v2g.exi.bounds import Bounds
from v2g.exi.grammar import QName, SchemaSet
from v2g.exi.outline import Unclear
from v2g.exi.schema import Type

_walk: Any
try:
    from v2g.exi import _walk
except ImportError:  # no C compiler when this was installed
    _walk = None


Found = tuple[QName, Type, int]


class Reads(Protocol):
    """A quick decoder. What it finds is the element's name, the message, and the number of octets 0x00 behind it.

    Whatever is unusual raises one of the engine's `gives_up`, more than `items` elements raise `Spent`.
    """

    def document(self, octets: bytes, items: int = ...) -> Found:
        """Read a document of at most `items` elements."""

    def fragment(self, octets: bytes, items: int = ...) -> Found:
        """Read a fragment of at most `items` elements."""


class Writes(Protocol):
    """Messages to octets. Whatever is unusual raises one of the engine's `gives_up`."""

    def document(self, message: Type) -> bytes:
        """A message as the octets of a document."""

    def fragment(self, message: Type, element: str | QName | None) -> bytes:
        """An element as the octets of a fragment; where `element` is None, its name follows from its class."""


class Engine:
    """Quick decoders and encoders, one for each schema set and bounds, made on first use."""

    def __init__(
        self, reader: Callable[[SchemaSet, Bounds | None], Reads], writer: Callable[[SchemaSet], Writes], *gives_up: type[Exception]
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.gives_up = gives_up
        self.readers: dict[tuple[SchemaSet, Bounds | None], Reads] = {}
        self.writers: dict[SchemaSet, Writes] = {}

    def read(
        self, octets: bytes, schema_set: SchemaSet, fragment: bool, bounds: Bounds | None = None, items: int = sys.maxsize
    ) -> Found | None:
        reader = self.readers.get((schema_set, bounds))
        if reader is None:
            reader = self.readers[schema_set, bounds] = self.reader(schema_set, bounds)
        try:
            return reader.fragment(octets, items) if fragment else reader.document(octets, items)
        except self.gives_up:
            return None

    def write(self, message: Any, schema_set: SchemaSet, fragment: bool, element: str | QName | None = None) -> bytes | None:
        writer = self.writers.get(schema_set)
        if writer is None:
            writer = self.writers[schema_set] = self.writer(schema_set)
        try:
            return writer.fragment(message, element) if fragment else writer.document(message)
        except self.gives_up:
            return None


class _Straight(Engine):
    """Generated Python, imported when it is used first: with the compiled engine it is not."""

    def __init__(self) -> None:
        super().__init__(self._readers, self._writers)

    def _readers(self, schema_set: SchemaSet, bounds: Bounds | None) -> Reads:
        from v2g.exi import straight_reader

        self.gives_up = tuple({*self.gives_up, *straight_reader.GIVES_UP})
        return straight_reader.Readers(schema_set, bounds)

    def _writers(self, schema_set: SchemaSet) -> Writes:
        from v2g.exi import straight_writer

        self.gives_up = tuple({*self.gives_up, *straight_writer.GIVES_UP})
        return straight_writer.Writers(schema_set)


class _Patient(_Straight):
    """An engine that leaves every message to the slow decoder and encoder."""

    def read(self, octets: bytes, schema_set: SchemaSet, fragment: bool, bounds: Bounds | None = None, items: int = sys.maxsize) -> None:
        return None

    def write(self, message: Any, schema_set: SchemaSet, fragment: bool, element: str | QName | None = None) -> None:
        return None


_COMPILED = {"compiled": Engine(_walk.Readers, _walk.Writers, Unclear, OverflowError)} if _walk else {}
ENGINES: dict[str, Engine] = {**_COMPILED, "straight": _Straight(), "patient": _Patient()}  # the quickest first
_used = next(iter(ENGINES))


def used() -> str:
    """The name of the engine in use."""
    return _used


def use(name: str) -> None:
    """Use the engine of that name from now on. Raises ValueError if there is none."""
    global _used
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    _used = name


def read(octets: bytes, schema_set: SchemaSet, fragment: bool, bounds: Bounds | None = None, items: int = sys.maxsize) -> Found | None:
    """The element's name, the message, and the number of octets 0x00 behind it; None: the slow decoder must read these octets.

    Raises Spent for more than `items` elements, which are counted where there are bounds.
    """
    return ENGINES[_used].read(octets, schema_set, fragment, bounds, items)


def write(message: Any, schema_set: SchemaSet, fragment: bool, element: str | QName | None = None) -> bytes | None:
    """The octets of a message; None: the slow encoder must write it."""
    return ENGINES[_used].write(message, schema_set, fragment, element)


def names() -> tuple[str, ...]:
    """The names of the engines of this installation, the quickest first."""
    return tuple(ENGINES)
