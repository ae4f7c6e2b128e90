"""Elements of an XML document from a stranger: bounded in size, depth and text, without document type or entities."""

from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

MOST_OCTETS: Final = 8_388_608  # a year of quarter hours with all that ENTSO-E says around each price takes some 5 MB
DEEPEST: Final = 16  # elements in each other; a price document has six
LONGEST: Final = 256  # characters of a text
Element = tuple[str, str]  # path of local names, text


def elements(octets: bytes) -> Iterator[Element]:
    """Each element at its end: its path, as `/Document/Period/start`, and its text. ValueError for what is no XML, or is beyond a bound."""
    if len(octets) > MOST_OCTETS:
        raise ValueError(f"the document has {len(octets)} octets; at most {MOST_OCTETS} are read")
    found: list[Element] = []
    path: list[str] = []
    texts: list[str] = []
    parser = expat.ParserCreate()

    def refuse(*_: object) -> int:
        raise ValueError("the document declares a document type or an entity; a price document needs neither, and none is read")

    def begin(name: str, _: object) -> None:
        if len(path) == DEEPEST:
            raise ValueError(f"the document has elements {DEEPEST + 1} deep; at most {DEEPEST} are read")
        path.append(name.rpartition(":")[2])
        texts.append("")

    def text(data: str) -> None:
        if texts and len(texts[-1]) <= LONGEST:
            texts[-1] += data[: LONGEST + 1]

    def end(_: str) -> None:
        said = texts.pop().strip()
        if len(said) > LONGEST:
            raise ValueError(f"the element {path[-1][:40]} has more than {LONGEST} characters of text")
        found.append(("/" + "/".join(path), said))
        path.pop()

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        raise ValueError(f"the document is no XML: {error}") from None
    yield from found
