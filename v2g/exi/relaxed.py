"""The relaxed element fragment grammar (EXI 8.5.3): what a fragment uses for an element that the set declares with several types.

Among all signed elements that is the eMAID of ISO 15118-2 alone, a simple value in PaymentDetailsReq and a complex one in the certificate
responses. So the grammar is implemented as far as a class with attributes and text needs it, and everything else it admits is refused.
"""

import msgspec

from v2g.exi.grammar import QName, SchemaSet
from v2g.exi.schema import Field, String, Type, fields


class Relaxed(msgspec.Struct, frozen=True):
    """The two states of the grammar that a fragment's element has where its name stands for several types, as numbers.

    The start state lists every attribute of the set, AT(*), every element of the set, SE(*), EE and CH; the state after the text lacks the
    attributes and AT(*).
    """

    cls: type[Type]
    field: Field  # the text
    attributes: dict[int, Field]  # by code
    attribute_count: int  # in the whole set
    element_count: int  # in the whole set

    @classmethod
    def of(cls, schema_set: SchemaSet, name: QName) -> "Relaxed | None":
        """The relaxed grammar of an element, by the first of its types that has text; None if no type has."""
        for content in schema_set.names[name]:
            if isinstance(content, type) and issubclass(content, Type):
                text = next((f for f in fields(content) if f.role == "text" and isinstance(f.content, String)), None)
                if text is not None:
                    codes = {n: code for code, n in enumerate(schema_set.attributes)}
                    own = {codes[QName(f.name, f.namespace)]: f for f in fields(content) if f.role == "attribute"}
                    return cls(content, text, own, len(codes), len(schema_set.names))
        return None

    @property
    def start_width(self) -> int:
        """The number of bits of a code in the start state."""
        return (self.attribute_count + self.element_count + 4).bit_length()

    @property
    def content_width(self) -> int:
        """The number of bits of a code in the state after the text."""
        return (self.element_count + 3).bit_length()

    def end(self, width: int) -> int:
        """The code of EE in the state whose codes have that width."""
        return self.element_count + 1 + (self.attribute_count + 1 if width == self.start_width else 0)

    def text(self, width: int) -> int:
        """The code of CH in the state whose codes have that width."""
        return self.end(width) + 1

    def event(self, code: int, width: int) -> str:
        """The event that a code of so many bits stands for, in words for an error message."""
        if width == self.start_width and code in self.attributes:
            return f"AT {self.attributes[code].name}"
        return {self.end(width): "EE", self.text(width): "CH untyped"}.get(code, "refused")
